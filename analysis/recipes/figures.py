"""Rows -> figures and tables, by the command that gave them.

Drawn from rows alone, so that results read from a file look as they did when they were made.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ..dimension.selection import RULES
from ..errors import ResultsError
from ..figures.theme import BAND, PALETTE, PLAIN, SELECTED, escaped, laid_out
from ..rerouting.layer_lists import format_layers
from .findings import place
from .results import Results, cells
from .rows import Row

EXACT = (
    *("method", "template", "pooling", "norm", "layers", "bias", "key_position"),
    *("backbone", "dtype", "cloud", "prompted", "estimator"),
)
"""Columns that say how numbers were made."""
_MARKERS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "pentagon")


@dataclass(frozen=True, eq=False)
class Drawn:
    """A figure, where there is something to draw, with its table, and a name unlike any other's."""

    name: str
    figure: go.Figure | None
    table: pd.DataFrame


def drawn(results: Results) -> list[Drawn]:
    """The figures of results with their tables; the rows as a table where nothing is drawn.

    Raises:
        ResultsError: the rows are not such as the command gives.
    """
    try:
        found = list(_DRAWN.get(results.recipe.command, _nothing)(results.rows))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ResultsError(
            f"The rows are not such as the command {results.recipe.command} gives "
            f"({type(error).__name__}); run its recipe again."
        ) from None
    return found


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as a table."""
    return pd.DataFrame([cells(row) for row in rows])


def exact(rows: Sequence[Row]) -> pd.DataFrame:
    """How the numbers were made, each way once: prompt, pooling, layers, bias and so on."""
    told = [{name: value for name, value in cells(row).items() if name in EXACT} for row in rows]
    return pd.DataFrame(told).drop_duplicates(ignore_index=True)


def _dots(
    rows: Sequence[Row],
    *,
    along: Callable[[Row], str],
    group: Callable[[Row], str],
    names: tuple[str, str, str],
    title: str,
    joined: bool = False,
    sideways: bool = True,
    zero: bool = False,
) -> go.Figure:
    """Dots with intervals, ``names`` their columns: one place each ``along`` an axis of words."""
    figure = go.Figure()
    value, low, high = names
    groups = list(dict.fromkeys(map(group, rows)))
    places = list(dict.fromkeys(escaped(along(row)) for row in rows))
    for number, name in enumerate(groups):
        ours = [row for row in rows if group(row) == name and row[value] is not None]
        words = [escaped(along(row)) for row in ours]
        numbers = [float(row[value]) for row in ours]
        error = {
            "type": "data",
            "symmetric": False,
            "array": [float(row[high]) - row[value] for row in ours],
            "arrayminus": [row[value] - float(row[low]) for row in ours],
            "thickness": 1.2,
            "width": 0,
        }
        colour = PALETTE[number % len(PALETTE)]
        figure.add_scatter(
            **{"x": numbers, "y": words} if sideways else {"x": words, "y": numbers},
            **{"error_x" if sideways else "error_y": error},
            mode="lines+markers" if joined else "markers",
            orientation="h" if sideways else None,
            name=escaped(name),
            line={"color": colour},
            marker={
                "color": colour,
                "size": 9,
                "symbol": _MARKERS[number // len(PALETTE) % len(_MARKERS)],
            },
            showlegend=len(groups) > 1,
            hovertemplate=f"{escaped(name)}, %{{{'y' if sideways else 'x'}}}: "
            f"%{{{'x' if sideways else 'y'}:.1f}}<extra></extra>",
        )
    axis = {"type": "category", "categoryarray": places}
    if sideways:
        figure.update_layout(scattermode="group", scattergap=0.3)
        figure.update_xaxes(title=title)
        figure.update_yaxes(**axis, autorange="reversed")
        height = 110 + len(places) * max(26, 16 * len(groups))
    else:
        figure.update_xaxes(**axis)
        figure.update_yaxes(title=title)
        height = 420
    if zero:
        line = {"color": PLAIN, "dash": "dash"}
        (figure.add_vline if sideways else figure.add_hline)(0, line=line)
    return laid_out(figure, height)


def _where(row: Row) -> str:
    return place(row) or str(row.get("corpus", ""))


def _split(rows: Sequence[Row], by: Callable[[Row], Hashable]) -> Iterator[tuple[Any, list[Row]]]:
    for value in dict.fromkeys(map(by, rows)):
        yield value, [row for row in rows if by(row) == value]


_INTERVAL = ("ci_low", "ci_high")
_CHANGE = ("change", "change_low", "change_high")


def _score(rows: Sequence[Row]) -> Iterator[Drawn]:
    for measure, ours in _split(rows, lambda row: row["measure"]):
        many = len(set(map(place, ours))) > 1
        title = f"{measure} x 100, 95% interval"
        figure = _dots(
            ours,
            along=_where if many else lambda row: row["method"],
            group=(lambda row: row["method"]) if many else _where,
            names=("value", *_INTERVAL),
            title=title,
            sideways=not many,
            joined=many and len(ours[0].get("grid", {})) == 1,
        )
        yield Drawn(f"{measure} by method", figure, table(ours))


def _sts(rows: Sequence[Row]) -> Iterator[Drawn]:
    names = ("spearman", *_INTERVAL)
    figure = _dots(
        rows,
        along=lambda row: row["method"],
        group=_where,
        names=names,
        title="Spearman x 100, 95% interval",
    )
    yield Drawn("Spearman by method", figure, table(rows))


def _long_texts(rows: Sequence[Row]) -> Iterator[Drawn]:
    def group(row: Row) -> str:
        return ", ".join(filter(None, (row["method"], place(row))))

    for measure, ours in _split(rows, lambda row: row["measure"]):
        placed = [row for row in ours if row["tokens"] is None]
        cut = [row for row in ours if row["tokens"] is not None]
        for what, found, along in (
            ("place of the answer", placed, lambda row: row["place"]),
            ("tokens read", cut, lambda row: f"{row['tokens']:,}"),
        ):
            if found:
                figure = _dots(
                    found,
                    along=along,
                    group=group,
                    names=("value", *_INTERVAL),
                    title=f"{measure} x 100, 95% interval",
                    sideways=False,
                    joined=True,
                )
                yield Drawn(f"{measure} by {what}", figure, table(found))


def _layers(row: Row) -> str:
    return format_layers(row["layers"], 0)


def _by_layers(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["layers"], row.get("bias") or 0))


def _ablation(rows: Sequence[Row]) -> Iterator[Drawn]:
    for where, ours in _split([row for row in rows if row["layers"]], place):
        biases = len({row["bias"] for row in ours}) > 1
        figure = _dots(
            _by_layers(ours),
            along=(lambda row: f"{_layers(row)} at {row['bias']}") if biases else _layers,
            group=_where,
            names=("change", *_INTERVAL),
            title="change of Spearman x 100, 95% interval",
            sideways=False,
            zero=True,
        )
        yield Drawn(f"Change by layers{_of(where)}", figure, table(ours))


def _rules(rows: Sequence[Row]) -> Iterator[Drawn]:
    chosen = [
        {
            **row,
            "rule": rule,
            **{
                f"{name} %": 100 * (row[name] - 1) / row["windows"]
                for name in ("rank", "rank_low", "rank_high")
            },
        }
        for rule in RULES
        for row in rows
        if rule in row["rules"]
    ]
    if chosen:
        figure = _dots(
            chosen,
            along=_where,
            group=lambda row: row["rule"],
            names=("rank %", "rank_low %", "rank_high %"),
            title="windows that score better<br>than the rule's choice, %, 95% interval",
        )
        figure.add_vline(50, line={"color": PLAIN, "dash": "dash"})
        figure.update_xaxes(range=[-3, 103])
        yield Drawn("Rank of each rule's choice", figure, table(chosen))
    for where, ours in _split(rows, place):
        figure = _dots(
            _by_layers(ours),
            along=_layers,
            group=lambda row: ", ".join(row["rules"]) or "a window",
            names=_CHANGE,
            title=f"change of {ours[0]['measure']} x 100, 95% interval",
            sideways=False,
            zero=True,
        )
        for trace in figure.data:
            rule = trace.name.split(", ")[0]
            colour = PALETTE[list(RULES).index(rule)] if rule in RULES else PLAIN
            trace.update(marker_color=colour, line_color=colour)
        yield Drawn(f"Change by window{_of(where)}", figure, table(ours))


def _parts(rows: Sequence[Row]) -> Iterator[Drawn]:
    figure = _dots(
        rows,
        along=lambda row: f"{row['part']}, {row['how']}",
        group=_where,
        names=_CHANGE,
        title="what it changes the score by, x 100, 95% interval",
        zero=True,
    )
    yield Drawn("What each part brings", figure, table(rows))


def _dimension(rows: Sequence[Row]) -> Iterator[Drawn]:
    figure = go.Figure()
    curves = []
    for number, row in enumerate(rows):
        name, colour = escaped(_where(row)), PALETTE[number % len(PALETTE)]
        layers = list(range(len(row["curve"])))
        for edge, fill in ((0, None), (1, "tonexty")):
            figure.add_scatter(
                x=layers,
                y=[band[edge] for band in row["band"]],
                mode="lines",
                line={"width": 0},
                fill=fill,
                fillcolor=BAND,
                hoverinfo="skip",
                showlegend=False,
            )
        figure.add_scatter(
            x=layers,
            y=row["curve"],
            mode="lines+markers",
            name=name,
            line={"color": colour},
            marker={
                "size": [11 if layer in row["selected"] else 6 for layer in layers],
                "color": [SELECTED if layer in row["selected"] else colour for layer in layers],
            },
            hovertemplate="layer %{x}: %{y:.1f}<extra>" + name + "</extra>",
        )
        curves += [
            {
                "of": _where(row),
                "layer": layer,
                "intrinsic dimension": value,
                "low": band[0],
                "high": band[1],
                "selected": layer in row["selected"],
                "selected over resamples": often,
            }
            for layer, value, band, often in zip(
                layers, row["curve"], row["band"], row["frequency"], strict=True
            )
        ]
    figure.update_xaxes(title="layer")
    figure.update_yaxes(title="intrinsic dimension, 95% band")
    yield Drawn("Intrinsic dimension by layer", laid_out(figure, 420), pd.DataFrame(curves))


def _causal(rows: Sequence[Row]) -> Iterator[Drawn]:
    for where, ours in _split(rows, place):
        figure = go.Figure()
        tokens = [f"{number} {escaped(row['token'])}" for number, row in enumerate(ours)]
        for name, colour in (("plain", PLAIN), ("re-routed", SELECTED)):
            values = [row[name] for row in ours]
            figure.add_scatter(
                x=tokens, y=values, mode="lines+markers", name=name, line={"color": colour}
            )
        figure.update_yaxes(title="how far the final state moves, as a share of its length")
        name = f"Movement of the shared tokens{_of(where)}"
        yield Drawn(name, laid_out(figure, 380), table(ours))


def _nothing(rows: Sequence[Row]) -> Iterator[Drawn]:
    yield Drawn("Rows", None, table(rows))


def _of(where: str) -> str:
    return f": {where}" if where else ""


_DRAWN: dict[str, Callable[[Sequence[Row]], Iterator[Drawn]]] = {
    "score": _score,
    "sts": _sts,
    "long-texts": _long_texts,
    "ablation": _ablation,
    "rules": _rules,
    "parts": _parts,
    "dimension": _dimension,
    "causal": _causal,
}
