"""Intrinsic-dimension results -> Plotly figures and the tables beside them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.selection import skipped
from analysis.study import Dimensions
from analysis.theme import (
    BAND,
    PLAIN,
    REROUTED,
    SELECTED,
    laid_out,
    tick,
)


def dimension_curve(result: Dimensions, layers: Sequence[int]) -> go.Figure:
    """The curve with its 95% band, the skipped first fifth and the selected ``layers``."""
    curve = result.curve
    x = np.arange(len(curve.dims))
    figure = go.Figure()
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([curve.high, curve.low[::-1]]),
        fill="toself",
        fillcolor=BAND,
        line={"width": 0},
        name="95% band",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=x,
        y=curve.dims,
        mode="lines+markers",
        name="intrinsic dimension",
        line={"color": REROUTED, "width": 2},
        marker={
            "size": [11 if i in layers else 7 for i in x],
            "color": [SELECTED if i in layers else REROUTED for i in x],
        },
        customdata=np.column_stack([curve.low, curve.high]),
        hovertemplate="layer %{x}<br>dimension %{y:.2f}<br>"
        "band %{customdata[0]:.2f} to %{customdata[1]:.2f}<extra></extra>",
    )
    if skip := skipped(len(x)):
        figure.add_vrect(
            x0=-0.5,
            x1=skip - 0.5,
            fillcolor=PLAIN,
            opacity=0.18,
            line_width=0,
            annotation_text="skipped",
            annotation_position="top left",
        )
    for first, last in _runs(layers):
        figure.add_vrect(
            x0=first - 0.5, x1=last + 0.5, fillcolor=SELECTED, opacity=0.16, line_width=0
        )
    if len(layers):
        figure.add_annotation(
            x=layers[0],
            y=1,
            yref="paper",
            yanchor="bottom",
            text="re-routed",
            showarrow=False,
            font={"color": SELECTED},
        )
    figure.update_xaxes(title="layer (its output)", range=[-0.5, len(x) - 0.5], dtick=tick(len(x)))
    figure.update_yaxes(title="intrinsic dimension", rangemode="tozero")
    return laid_out(figure, 400)


def dimension_table(result: Dimensions, layers: Sequence[int], rule: str) -> pd.DataFrame:
    """One row a layer: dimension, band, selected or not, how often over the resamples."""
    curve = result.curve
    return pd.DataFrame(
        {
            "layer": np.arange(len(curve.dims)),
            "dimension": curve.dims,
            "low": curve.low,
            "high": curve.high,
            "re-routed": [i in layers for i in range(len(curve.dims))],
            "selected in resamples (%)": 100 * result.frequency(rule),
        }
    )


def selection_frequency(result: Dimensions, rule: str) -> go.Figure:
    """How often ``rule`` selects each layer over the resampled curves, in %."""
    share = 100 * result.frequency(rule)
    chosen = result.selected(rule)
    figure = go.Figure(
        go.Bar(
            x=np.arange(len(share)),
            y=share,
            marker_color=[SELECTED if i in chosen else REROUTED for i in range(len(share))],
            hovertemplate="layer %{x}: selected in %{y:.0f}%<extra></extra>",
        )
    )
    figure.update_xaxes(title="layer", range=[-0.5, len(share) - 0.5], dtick=tick(len(share)))
    figure.update_yaxes(title="selected (%)", range=[0, 100])
    return laid_out(figure, 220)


def cone_by_layer(result: Dimensions) -> go.Figure:
    """Mean cosine of two different texts at each layer."""
    figure = go.Figure(
        go.Scatter(
            x=np.arange(len(result.anisotropy)),
            y=result.anisotropy,
            mode="lines+markers",
            line={"color": REROUTED, "width": 2},
            hovertemplate="layer %{x}: %{y:.2f}<extra></extra>",
        )
    )
    figure.update_xaxes(title="layer", dtick=tick(len(result.anisotropy)))
    figure.update_yaxes(title="mean cosine of two texts", rangemode="tozero")
    return laid_out(figure, 300)


def cone_table(result: Dimensions) -> pd.DataFrame:
    """One row a layer."""
    return pd.DataFrame(
        {"layer": np.arange(len(result.anisotropy)), "mean cosine": result.anisotropy}
    )


def _runs(layers: Sequence[int]) -> list[tuple[int, int]]:
    """Adjacent layers as (first, last) runs."""
    runs: list[tuple[int, int]] = []
    for layer in layers:
        if runs and runs[-1][1] == layer - 1:
            runs[-1] = runs[-1][0], layer
        else:
            runs.append((layer, layer))
    return runs
