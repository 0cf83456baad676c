"""All layers as one row of switches, with dimension and gate; and its table."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ..experiments.gates import MeanGates
from .theme import PLAIN, REROUTED, SELECTED, laid_out, tick

_GATE, _SWITCH, _DIMENSION, _TOP = 0.0, 1.25, 2.45, 3.75
"""Heights at which the three rows begin, and the top."""


def layer_strip(
    layers: int,
    plan: Sequence[int],
    reroutable: Sequence[int],
    dims: NDArray[np.float64] | None,
    gates: MeanGates,
) -> go.Figure:
    """One column for each layer: its dimension, its switch and its mean gate.

    ``dims`` (layers,) is None if it was not measured. Every mark is at its layer's x.
    """
    x = np.arange(layers)
    strength = _strength(layers, gates)
    figure = go.Figure()
    figure.add_bar(
        x=x,
        y=np.full(layers, 0.6),
        base=_SWITCH,
        width=0.86,
        marker={
            "color": [SELECTED if i in plan else PLAIN for i in x],
            "opacity": [1.0 if i in plan else 0.3 if i in reroutable else 0.08 for i in x],
        },
        name="switch",
        hoverinfo="skip",
    )
    _label(figure, _SWITCH + 0.6, "re-routed" if len(plan) else "re-routed: none")
    if gates.layers:
        highest = strength[list(gates.layers)].max()
        figure.add_bar(
            x=list(gates.layers),
            y=0.75 * strength[list(gates.layers)] / highest,
            base=_GATE,
            width=0.86,
            marker={"color": SELECTED},
            name="mean gate",
            hoverinfo="skip",
        )
        _label(figure, _GATE + 0.75, f"mean gate, up to {100 * highest:.1f}%")
    if dims is not None and np.isfinite(dims).any():
        low, high = np.nanmin(dims), np.nanmax(dims)
        figure.add_scatter(
            x=x,
            y=_DIMENSION + 0.8 * (dims - low) / max(high - low, 1e-9),
            mode="lines+markers",
            line={"color": REROUTED, "width": 2},
            marker={"size": 4 if layers > 40 else 6},
            name="intrinsic dimension",
            hoverinfo="skip",
        )
        _label(figure, _DIMENSION + 0.9, f"intrinsic dimension, {low:.1f} to {high:.1f}")
    labels = [
        f"layer {i}\n"
        + ("" if dims is None else f"dimension {dims[i]:.1f}\n")
        + (
            f"re-routed, mean gate {100 * strength[i]:.1f}%"
            if i in plan
            else "not re-routed"
            if i in reroutable
            else "cannot be re-routed"
        )
        for i in x
    ]
    # An invisible bar over each column takes clicks and hovers.
    figure.add_bar(
        x=x,
        y=np.full(layers, _TOP),
        width=1,
        marker={"color": "rgba(0,0,0,0)"},
        customdata=labels,
        hovertemplate="%{customdata}<extra></extra>",
        name="layers",
    )
    figure.update_traces(
        selector={"type": "bar"}, unselected_marker_opacity=1, selected_marker_opacity=1
    )
    figure.update_xaxes(
        range=[-0.5, layers - 0.5],
        dtick=tick(layers),
        title="layer",
        fixedrange=True,
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(
        range=[0, _TOP if dims is not None else _DIMENSION], visible=False, fixedrange=True
    )
    return laid_out(
        figure,
        290 if dims is not None else 210,
        barmode="overlay",
        showlegend=False,
        dragmode=False,
    )


def strip_table(
    layers: int,
    plan: Sequence[int],
    reroutable: Sequence[int],
    dims: NDArray[np.float64] | None,
    gates: MeanGates,
) -> pd.DataFrame:
    """One row for each layer: dimension, re-routed or not, mean gate over texts in %."""
    return pd.DataFrame(
        {
            "layer": range(layers),
            "intrinsic dimension": np.full(layers, np.nan) if dims is None else dims,
            "re-routed": [i in plan for i in range(layers)],
            "can be re-routed": [i in reroutable for i in range(layers)],
            "mean gate (%)": 100 * _strength(layers, gates),
        }
    )


def _strength(layers: int, gates: MeanGates) -> NDArray[np.float64]:
    """The mean gate of every layer, NaN where it is not re-routed."""
    strength = np.full(layers, np.nan)
    strength[list(gates.layers)] = gates.strength
    return strength


def _label(figure: go.Figure, y: float, text: str) -> None:
    """Label a row of the figure at its upper left."""
    figure.add_annotation(
        x=0,
        y=y,
        xref="paper",
        xanchor="left",
        yanchor="bottom",
        text=text,
        showarrow=False,
        font={"size": 12},
    )
