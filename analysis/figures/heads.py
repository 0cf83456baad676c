"""All heads as a map of layers by heads, which is also their switches; and its table."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ..dimension.selection import skipped
from ..experiments.ablation import Walk
from ..rerouting.plan import Head, Plan
from .theme import DIVERGING, PLAIN, REROUTED, SELECTED, SEQUENTIAL, laid_out, tick

Floats = NDArray[np.float64]
LARGEST = 100_000
"""Most squares of a map that is drawn from rows."""
_ROW, _CURVE, _MOST_ROWS = 22, 110, 128
"""Heights of a head's row and of the curve above the map, in pixels, and most rows of full size."""
_NAME = re.compile(r"([0-9]{1,4})[.]([0-9]{1,4})")
_UNKNOWN = "rgba(128,128,128,0.25)"


@dataclass(frozen=True, eq=False)
class HeadValues:
    """What a map shows of each head.

    Attributes:
        values: (L, H), NaN where there is none.
        label: what the values are; "" where only the choice is shown.
        low, high: (L, H), the ends of their intervals, where they have some.
        missing: what is said of a head that can be re-routed and has no value.
        signed: whether 0 is the middle of the colours, not their end.
        form: how a value is written.
    """

    values: Floats
    label: str = ""
    low: Floats | None = None
    high: Floats | None = None
    missing: str = ""
    signed: bool = True
    form: str = "+.3g"

    def note(self, place: tuple[int, int]) -> str:
        """The value of a head in words, or why there is none."""
        if not np.isfinite(self.values[place]):
            return self.missing
        text = f"{self.label} {self.values[place]:{self.form}}"
        if self.low is None or self.high is None:
            return text
        return f"{text}, interval {self.low[place]:{self.form}} to {self.high[place]:{self.form}}"


def effects_alone(walk: Walk, layers: int, heads: int) -> HeadValues:
    """The change of the score by each head that re-routes alone, as far as it is scored.

    Args:
        walk: a search of plans, some of one head each.
        layers: number of layers.
        heads: query heads of a layer.
    """
    grids = np.full((3, layers, heads), np.nan)
    for plan in walk.tried:
        if not plan.layers and len(plan.heads) == 1:
            change = walk.points[plan].change
            grids[:, plan.heads[0].layer, plan.heads[0].head] = (
                *(change.delta, change.ci_low, change.ci_high),
            )
    return HeadValues(
        *(grids[0], "change of Spearman x 100", grids[1], grids[2]),
        missing="not scored yet",
        form="+.2f",
    )


def head_map(
    shown: HeadValues,
    chosen: Iterable[Head],
    reroutable: Iterable[int],
    dims: Floats | None = None,
    *,
    framing: bool = False,
    bias: float = 0.0,
) -> go.Figure:
    """One square for each head, layers from left to right: its value, and whether it is chosen.

    The first fifth of the layers, whose values can be many times those of all others, does not
    stretch the colours. A square carries its head as ``customdata``, then ``bias``.

    Args:
        shown: what the squares show.
        chosen: the heads that are chosen, which get a frame.
        reroutable: the layers that can be re-routed.
        dims: the intrinsic dimension of each layer, (L,), for a curve above the map.
        framing: whether dragging draws a frame.
        bias: the bias of a plan of one head.
    """
    layers, heads = shown.values.shape
    curved = dims is not None and bool(np.isfinite(dims).any())
    height, share = _ROW * min(heads, _MOST_ROWS) + 110, 1.0
    figure = go.Figure()
    if curved:
        height += _CURVE
        share -= _CURVE / height
        figure = make_subplots(
            2, 1, shared_xaxes=True, row_heights=[1 - share, share], vertical_spacing=0.03
        )
        _add_dimension(figure, np.asarray(dims))
    at = {"row": 2, "col": 1} if curved else {}
    names, can = {each[:2] for each in chosen}, set(reroutable)
    places = [(layer, head) for layer in range(layers) for head in range(heads)]
    valued = [place for place in places if np.isfinite(shown.values[place])]
    unvalued = [place for place in places if not np.isfinite(shown.values[place])]
    for members, fill in (
        (valued, _colours(shown, share)),
        (unvalued, {"color": [_plain(place in names, shown.label) for place in unvalued]}),
    ):
        if members or not places:
            marker = {
                **fill,
                "opacity": [1.0 if layer in can else 0.2 for layer, _ in members],
                "line": {
                    "color": [SELECTED if place in names else PLAIN for place in members],
                    "width": [2.5 if place in names else 0.5 for place in members],
                },
            }
            labels = [_hover(shown, place, names, can) for place in members]
            data = [[f"{layer}.{head}", bias] for layer, head in members]
            figure.add_bar(**_squares(members), marker=marker, hovertext=labels, **at)
            figure.data[-1].update(customdata=data, hovertemplate="%{hovertext}<extra></extra>")
    figure.update_traces(
        selector={"type": "bar"}, unselected={"marker": {"opacity": 1}}, showlegend=False
    )
    figure.update_xaxes(zeroline=False, range=[-0.7, layers - 0.3], dtick=tick(layers))
    figure.update_xaxes(title="layer", **at)
    figure.update_yaxes(
        title="head", zeroline=False, range=[heads - 0.4, -0.6], dtick=tick(heads), **at
    )
    return laid_out(
        figure, height, barmode="overlay", dragmode="select" if framing else False, showlegend=False
    )


def effect_map(walk: Walk, plans: Sequence[Plan]) -> go.Figure:
    """The map of a search over single heads; the best so far has a frame."""
    single = [plan.heads[0] for plan in plans if plan.heads] or [Head(0, 0)]
    layers, heads = 1 + max(head.layer for head in single), 1 + max(head.head for head in single)
    best = walk.best.heads if walk.best else ()
    bias = plans[0].bias if plans else 0.0
    reroutable = {head.layer for head in single}
    return head_map(effects_alone(walk, layers, heads), best, reroutable, bias=bias)


def map_of(rows: Sequence[Mapping[str, Any]], value: str, label: str) -> go.Figure | None:
    """The map of rows with a layer, a head, a value and whether the head is chosen.

    Args:
        rows: one row a head, at least one.
        value: the column of the value.
        label: what the values are.

    Returns:
        None where the map would have more than :data:`LARGEST` squares.
    """
    layers, heads = (1 + max(row[name] for row in rows) for name in ("layer", "head"))
    if layers * heads > LARGEST:
        return None
    values = np.full((layers, heads), np.nan)
    for row in rows:
        values[row["layer"], row["head"]] = row[value]
    chosen = [Head(row["layer"], row["head"]) for row in rows if row["chosen"]]
    return head_map(HeadValues(values, label), chosen, {row["layer"] for row in rows})


def named_map(names: Sequence[str], values: Sequence[float], label: str) -> go.Figure | None:
    """The map of heads that are named as in ``12.3``; that of the largest value has a frame.

    Args:
        names: the heads.
        values: one each.
        label: what the values are.

    Returns:
        None where a name is not one head, or the map would be too large.
    """
    heads = [_NAME.fullmatch(name) for name in names]
    rows = [
        {
            "layer": int(head[1]),
            "head": int(head[2]),
            "value": value,
            "chosen": value == max(values),
        }
        for head, value in zip(heads, values, strict=True)
        if head
    ]
    return map_of(rows, "value", label) if rows and len(rows) == len(names) else None


def head_table(
    shown: HeadValues, chosen: Iterable[Head], reroutable: Iterable[int]
) -> pd.DataFrame:
    """One row for each head that can be re-routed, the largest value first."""
    names, can = {each[:2] for each in chosen}, set(reroutable)
    heads = shown.values.shape[1]
    order = [divmod(int(i), heads) for i in np.argsort(-shown.values, axis=None, kind="stable")]
    columns = {shown.label: shown.values, "low": shown.low, "high": shown.high}
    known = {name: grid for name, grid in columns.items() if name and grid is not None}
    return pd.DataFrame(
        [
            {"layer": place[0], "head": place[1]}
            | {name: grid[place] for name, grid in known.items()}
            | {"chosen": place in names}
            for place in order
            if place[0] in can
        ],
        columns=["layer", "head", *known, "chosen"],
    )


def _add_dimension(figure: go.Figure, dims: Floats) -> None:
    """The curve of the intrinsic dimension, above the map."""
    figure.add_scatter(
        x=np.arange(len(dims)),
        y=dims,
        mode="lines+markers",
        line={"color": REROUTED, "width": 2},
        marker={"size": 5},
        hovertemplate="layer %{x}, dimension %{y:.2f}<extra></extra>",
        showlegend=False,
        row=1,
        col=1,
    )
    figure.update_traces(selector={"type": "scatter"}, unselected={"marker": {"opacity": 1}})
    figure.update_yaxes(title="dimension", nticks=4, row=1, col=1)


def _squares(places: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return {
        "x": [layer for layer, _ in places],
        "y": [0.8] * len(places),
        "base": [head - 0.4 for _, head in places],
        "width": 0.8,
    }


def _colours(shown: HeadValues, share: float) -> dict[str, Any]:
    """The colours of heads with a value; those beyond the last colour have it, too.

    ``share`` is the map's of the figure's height, for the bar beside it.
    """
    finite = np.isfinite(shown.values)
    later = shown.values[skipped(len(shown.values)) :]
    limit = float(np.max(np.abs(later), initial=0, where=np.isfinite(later))) or 1.0
    low = -limit if shown.signed else 0.0
    wider = finite.any() and float(np.max(np.abs(shown.values[finite]))) > limit
    ends = [low, 0.0, limit] if shown.signed else [low, limit]
    texts = [f"{end:{shown.form}}" if end else "0" for end in ends]
    if wider:
        texts[-1] += "\nor more"
        texts[0] += "\nor less" if shown.signed else ""
    return {
        "color": shown.values[finite],
        "colorscale": DIVERGING if shown.signed else SEQUENTIAL,
        "cmin": low,
        "cmax": limit,
        "showscale": bool(shown.label),
        "colorbar": {
            "title": {"text": shown.label, "side": "right"},
            **{"thickness": 12, "tickvals": ends, "ticktext": texts},
            **{"y": 0, "yanchor": "bottom", "len": share},
        },
    }


def _plain(is_chosen: bool, label: str) -> str:
    return SELECTED if is_chosen and not label else _UNKNOWN


def _hover(
    shown: HeadValues, place: tuple[int, int], names: set[tuple[int, int]], can: set[int]
) -> str:
    lines = [f"layer {place[0]}, head {place[1]}"]
    lines += [shown.note(place) if place[0] in can else "cannot be re-routed"]
    lines += ["re-routed"] if place in names else []
    return "\n".join(filter(None, lines))
