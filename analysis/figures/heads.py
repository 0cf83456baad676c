"""All heads as a map of layers by heads, which is also their switches; and its table."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from ..dimension.selection import skipped
from ..rerouting.plan import Head
from .theme import DIVERGING, PLAIN, SELECTED, laid_out

_ROW = 22
"""Height of a head's row, in pixels."""


def head_map(
    values: NDArray[np.float64], chosen: Iterable[Head], label: str, unit: str = ""
) -> go.Figure:
    """One square for each head, layers from left to right: its value, and whether it is chosen.

    The first fifth of the layers, whose values can be many times those of all others, does not
    stretch the colours.

    Args:
        values: (L, H), NaN where a layer cannot be re-routed.
        chosen: the heads that are chosen, which get a frame.
        label: what the values are.
        unit: of the values, for the labels.
    """
    layers, heads = values.shape
    layer, head = (place.ravel() for place in np.indices(values.shape))
    flat, names = values.ravel(), {each[:2] for each in chosen}
    framed = [place in names for place in zip(layer.tolist(), head.tolist(), strict=True)]
    known = np.abs(values[skipped(layers) :])
    limit = float(np.nanmax(known, initial=0)) or 1e-9
    figure = go.Figure(
        go.Scatter(
            x=layer,
            y=head,
            mode="markers",
            marker={
                "symbol": "square",
                "size": 15,
                "color": np.where(np.isfinite(flat), flat, 0),
                "colorscale": DIVERGING,
                "cmin": -limit,
                "cmax": limit,
                "colorbar": {"title": label, "thickness": 12},
                "opacity": np.where(np.isfinite(flat), 1.0, 0.15),
                "line": {
                    "color": [SELECTED if each else PLAIN for each in framed],
                    "width": [3 if each else 0.5 for each in framed],
                },
            },
            customdata=[
                [f"{value:+.3g}{unit}" if np.isfinite(value) else "none", "re-routed" * each]
                for value, each in zip(flat, framed, strict=True)
            ],
            hovertemplate="layer %{x}, head %{y}<br>"
            + label
            + " %{customdata[0]}<br>%{customdata[1]}<extra></extra>",
            unselected={"marker": {"opacity": 1}},
        )
    )
    figure.update_xaxes(title="layer", zeroline=False, range=[-0.7, layers - 0.3])
    figure.update_yaxes(title="head", zeroline=False, range=[heads - 0.4, -0.6], dtick=1)
    return laid_out(figure, 110 + _ROW * heads, dragmode="select")


def head_table(values: NDArray[np.float64], chosen: Iterable[Head], label: str) -> pd.DataFrame:
    """One row for each head that can be re-routed, the largest value first."""
    names = {each[:2] for each in chosen}
    order = [divmod(int(i), values.shape[1]) for i in np.argsort(-values, axis=None, kind="stable")]
    return pd.DataFrame(
        [
            {"layer": place[0], "head": place[1], label: values[place], "chosen": place in names}
            for place in order
            if np.isfinite(values[place])
        ],
        columns=["layer", "head", label, "chosen"],
    )
