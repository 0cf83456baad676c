"""Intrinsic-dimension results -> Plotly figures and their tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from ..dimension import selection
from ..experiments.dimension import Dimensions
from ..rerouting import layer_lists
from .theme import PALETTE, PLAIN, REROUTED, SELECTED, laid_out, tick

COLOURS = tuple(colour for colour in PALETTE if colour not in (SELECTED, PLAIN))
"""Colours of curves; selected and skipped layers have their own."""
SKIPPED_DEPTH = 0.2
"""Layer l is skipped where (l + 1) / L is at most this: where l + 1 is at most floor(0.2 L)."""
DASHES = ("solid", "dash", "dot", "dashdot")
Floats = NDArray[np.float64]


def curve_names(results: Sequence[Dimensions]) -> list[str]:
    """Names that tell curves of one backbone apart: by texts, estimator or prompt."""
    traits = [
        (result.corpus, result.curve.estimator, "prompt" if result.prompted else "no prompt")
        for result in results
    ]
    differ = [i for i in range(3) if len({trait[i] for trait in traits}) > 1]
    return [", ".join(trait[i] for i in differ) or "intrinsic dimension" for trait in traits]


def dimension_curves(results: Sequence[Dimensions], rule: str, plan: Sequence[int]) -> go.Figure:
    """Curves with their 95% bands; below, how often ``rule`` selects each layer of the first one.

    The skipped first fifth and the window that ``rule`` selects from the first curve are shaded;
    the layers of ``plan`` are marked. Every mark is at its layer's x.
    """
    first = results[0]
    layers = len(first.curve.dims)
    window = first.selected(rule)
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.05)
    for i, (result, name) in enumerate(zip(results, curve_names(results), strict=True)):
        colour, curve, x = COLOURS[i % len(COLOURS)], result.curve, np.arange(layers)
        _add_band(figure, x, curve.low, curve.high, colour, name)
        figure.add_scatter(
            x=x,
            y=curve.dims,
            mode="lines+markers",
            name=name,
            legendgroup=name,
            line={"color": colour, "width": 2, "dash": DASHES[i % len(DASHES)]},
            marker={"size": 8},
            customdata=np.column_stack([curve.low, curve.high]),
            hovertemplate="layer %{x}<br>dimension %{y:.2f}<br>"
            "band %{customdata[0]:.2f} to %{customdata[1]:.2f}<extra>%{fullData.name}</extra>",
        )
    figure.add_scatter(
        x=list(plan),
        y=first.curve.dims[list(plan)],
        mode="markers",
        name="re-routed now",
        marker={"size": 13, "color": SELECTED},
        hovertemplate="layer %{x}, re-routed now<br>dimension %{y:.2f}<extra></extra>",
        showlegend=True,
    )
    figure.add_bar(
        x=np.arange(layers),
        y=100 * first.frequency(rule),
        marker_color=[SELECTED if i in window else REROUTED for i in range(layers)],
        hovertemplate="layer %{x}: selected in %{y:.0f}%<extra></extra>",
        showlegend=False,
        row=2,
        col=1,
    )
    # A click selects a layer on the page; nothing should fade because of it.
    figure.update_traces(selected_marker_opacity=1, unselected_marker_opacity=1)
    _shade(figure, -0.5, selection.skipped(layers) - 0.5, PLAIN, "skipped")
    for start, end in _runs(window):
        _shade(figure, start - 0.5, end + 0.5, SELECTED, "rule" if end == window[-1] else "")
    figure.update_xaxes(range=[-0.5, layers - 0.5], dtick=tick(layers))
    figure.update_xaxes(title="layer (output)", row=2, col=1)
    figure.update_yaxes(title="intrinsic dimension", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="selected (%)", range=[0, 105], dtick=50, row=2, col=1)
    return laid_out(figure, 560, dragmode=False)


def dimension_table(results: Sequence[Dimensions], rule: str, plan: Sequence[int]) -> pd.DataFrame:
    """One row for each layer and curve: dimension, band, whether selected and how often."""
    tables = []
    for result in results:
        curve = result.curve
        layers, window = range(len(curve.dims)), result.selected(rule)
        tables.append(
            pd.DataFrame(
                {
                    "layer": layers,
                    "texts": result.corpus,
                    "estimator": curve.estimator,
                    "prompt": result.prompted,
                    "dimension": curve.dims,
                    "low": curve.low,
                    "high": curve.high,
                    "selected by the rule": [i in window for i in layers],
                    "selected in resamples (%)": 100 * result.frequency(rule),
                    "re-routed now": [i in plan for i in layers],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def choice_table(results: Sequence[Dimensions], rule: str) -> pd.DataFrame:
    """One row for each curve: the choice of ``rule``, how stable it is, and the texts behind it."""
    return pd.DataFrame(
        [
            {
                "texts": result.corpus,
                "estimator": result.curve.estimator,
                "prompt": result.prompted,
                "selected": layer_lists.format_layers(
                    result.selected(rule), len(result.curve.dims)
                ),
                "same over resamples (%)": 100
                * result.choices(rule).get(result.selected(rule), 0.0),
                "mean dimension": float(np.nanmean(result.curve.dims)),
                "distinct texts": result.drawn,
                "duplicates left out": result.duplicates_dropped,
            }
            for result in results
        ]
    )


def depth_curves(results: Sequence[Dimensions], rule: str) -> go.Figure:
    """Curves of several backbones on relative depth, each divided by its own mean over layers.

    The skipped fifth is shaded and, in the curve's colour, the window that ``rule`` selects.
    """
    figure = go.Figure()
    for i, result in enumerate(results):
        colour, name = COLOURS[i % len(COLOURS)], result.provenance.backbone
        depth, (dims, low, high), window = _depth(result), _relative(result), result.selected(rule)
        _add_band(figure, depth, low, high, colour, name)
        figure.add_scatter(
            x=depth,
            y=dims,
            mode="lines+markers",
            name=name,
            legendgroup=name,
            line={"color": colour, "width": 2, "dash": DASHES[i % len(DASHES)]},
            marker={"size": [13 if layer in window else 7 for layer in range(len(dims))]},
            customdata=np.column_stack([np.arange(len(dims)), result.curve.dims]),
            hovertemplate="layer %{customdata[0]}, depth %{x:.2f}<br>%{y:.2f} of its mean, "
            "dimension %{customdata[1]:.2f}<extra>%{fullData.name}</extra>",
        )
        for start, end in _runs(window):
            _shade(figure, (start + 0.5) / len(dims), (end + 1.5) / len(dims), colour)
    _shade(figure, 0, SKIPPED_DEPTH, PLAIN, "skipped")
    figure.update_xaxes(title="relative depth, (layer + 1) / layers", range=[0, 1.03])
    figure.update_yaxes(title="dimension / mean of its curve", rangemode="tozero")
    return laid_out(figure, 420)


def depth_table(results: Sequence[Dimensions], rule: str) -> pd.DataFrame:
    """One row for each backbone and layer."""
    tables = []
    for result in results:
        window, curve = result.selected(rule), result.curve
        tables.append(
            pd.DataFrame(
                {
                    "backbone": result.provenance.backbone,
                    "layer": np.arange(len(curve.dims)),
                    "relative depth": _depth(result),
                    "dimension": curve.dims,
                    "low": curve.low,
                    "high": curve.high,
                    "dimension / mean": _relative(result)[0],
                    "selected by the rule": [i in window for i in range(len(curve.dims))],
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


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
    layers = len(result.anisotropy)
    figure.update_xaxes(title="layer", range=[-0.5, layers - 0.5], dtick=tick(layers))
    figure.update_yaxes(title="mean cosine of two texts", rangemode="tozero")
    return laid_out(figure, 300)


def cone_table(result: Dimensions) -> pd.DataFrame:
    """One row for each layer."""
    return pd.DataFrame(
        {"layer": np.arange(len(result.anisotropy)), "mean cosine": result.anisotropy}
    )


def _depth(result: Dimensions) -> Floats:
    """Relative depth of each layer's output, (L,)."""
    layers = len(result.curve.dims)
    return np.arange(1, layers + 1) / layers


def _relative(result: Dimensions) -> tuple[Floats, Floats, Floats]:
    """The curve and its band in units of the curve's own mean, each (L,)."""
    mean = np.nanmean(result.curve.dims)
    return result.curve.dims / mean, result.curve.low / mean, result.curve.high / mean


def _add_band(
    figure: go.Figure, x: NDArray[np.generic], low: Floats, high: Floats, colour: str, name: str
) -> None:
    """A curve's band, split at layers without one; the legend shows and hides it with its curve."""
    rows = [list(range(a, b + 1)) for a, b in _runs(np.flatnonzero(np.isfinite(high)).tolist())]
    xs: list[Floats] = []
    ys: list[Floats] = []
    for run in rows:
        xs.append(np.concatenate([[np.nan] * bool(xs), x[run], x[run[::-1]]]))
        ys.append(np.concatenate([[np.nan] * bool(ys), high[run], low[run[::-1]]]))
    r, g, b = hex_to_rgb(colour)
    figure.add_scatter(
        x=np.concatenate(xs) if xs else [],
        y=np.concatenate(ys) if ys else [],
        mode="lines",
        fill="toself",
        fillcolor=f"rgba({r},{g},{b},0.2)",
        line={"width": 0},
        name=f"{name}, 95% band",
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
    )


def _shade(figure: go.Figure, x0: float, x1: float, colour: str, label: str = "") -> None:
    """A vertical stripe through both rows, labelled at the bottom."""
    if x1 <= x0:
        return
    figure.add_vrect(x0=x0, x1=x1, fillcolor=colour, opacity=0.16, line_width=0)
    if label:
        figure.add_annotation(
            x=x0 if label == "skipped" else x1,
            y=0,
            xref="x",
            yref="y domain",
            xanchor="left" if label == "skipped" else "right",
            yanchor="bottom",
            text=label,
            showarrow=False,
            font={"size": 11},
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
