"""All heads as a map of layers by heads, which is also their switches; and its table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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
    values: NDArray[np.float64],
    chosen: Iterable[Head],
    label: str | None = None,
    *,
    framing: bool = False,
) -> go.Figure:
    """One square for each head, layers from left to right: its value, and whether it is chosen.

    The first fifth of the layers, whose values can be many times those of all others, does not
    stretch the colours.

    Args:
        values: (L, H), NaN where a layer cannot be re-routed.
        chosen: the heads that are chosen, which get a frame.
        label: what the values are; None where they are not known.
        framing: whether dragging draws a frame.
    """
    layers, heads = values.shape
    layer, head = (place.ravel() for place in np.indices(values.shape))
    flat, names = values.ravel(), {each[:2] for each in chosen}
    framed = [place in names for place in zip(layer.tolist(), head.tolist(), strict=True)]
    known = np.abs(values[skipped(layers) :])
    limit = float(np.max(known, initial=0, where=np.isfinite(known))) or 1.0
    labels = [
        f"layer {at[0]}, head {at[1]}"
        + (f"\n{label} {value:+.3g}" if label and np.isfinite(value) else "")
        + ("\nre-routed" if on else "" if np.isfinite(value) else "\ncannot be re-routed")
        for at, value, on in zip(zip(layer, head, strict=True), flat, framed, strict=True)
    ]
    figure = go.Figure(
        go.Bar(
            x=layer,
            y=np.full(len(flat), 0.8),
            base=head - 0.4,
            width=0.8,
            marker={
                "color": np.where(np.isfinite(flat), flat, 0),
                "colorscale": DIVERGING,
                "cmin": -limit,
                "cmax": limit,
                "showscale": label is not None,
                "colorbar": {"title": label or "", "thickness": 12},
                "opacity": np.where(np.isfinite(flat), 1.0, 0.15),
                "line": {
                    "color": [SELECTED if each else PLAIN for each in framed],
                    "width": [2.5 if each else 0.5 for each in framed],
                },
            },
            hovertext=labels,
            hovertemplate="%{hovertext}<extra></extra>",
            unselected={"marker": {"opacity": 1}},
            showlegend=False,
        )
    )
    figure.update_xaxes(title="layer", zeroline=False, range=[-0.7, layers - 0.3])
    figure.update_yaxes(title="head", zeroline=False, range=[heads - 0.4, -0.6], dtick=1)
    return laid_out(
        figure, 110 + _ROW * heads, barmode="overlay", dragmode="select" if framing else False
    )


def map_of(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """The map of rows of ``sensitivity``: layer, head, derivative, and whether it is chosen."""
    layers, heads = (1 + max(row[name] for row in rows) for name in ("layer", "head"))
    values = np.full((layers, heads), np.nan)
    for row in rows:
        values[row["layer"], row["head"]] = row["derivative"]
    chosen = [Head(row["layer"], row["head"]) for row in rows if row["chosen"]]
    return head_map(values, chosen, "derivative")


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
