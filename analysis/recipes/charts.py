"""Rows as charts and tables, by their command.

They are drawn from rows alone, so that results read from a file look the same as computed ones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from ..dimension.selection import RULES
from ..figures.dots import dots
from ..figures.heads import map_of
from ..figures.theme import BAND, PALETTE, PLAIN, SELECTED, laid_out
from ..rerouting.layer_lists import format_layers
from . import row_types
from .rows import Row, cells, grouped, place

SETTINGS = (
    *("method", "template", "pooling", "norm", "layers", "heads", "bias", "key_position"),
    *("backbone", "dtype", "cloud", "prompted", "estimator"),
)
"""Columns with the settings of a computation."""
_INTERVAL = ("ci_low", "ci_high")
_CHANGE = ("change", "change_low", "change_high")


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure with its table.

    Attributes:
        name: unique among the charts of the same rows.
        figure: None if there is nothing to draw.
        table: the rows that the figure shows.
    """

    name: str
    figure: go.Figure | None
    table: pd.DataFrame


def draw(command: str, rows: Sequence[Row]) -> list[Chart]:
    """Draw the charts of a command's rows; a command without charts gives a table.

    Args:
        command: the command of the rows.
        rows: plain values by column.

    Raises:
        ResultsError: the rows do not fit the command.
    """
    row_types.check(command, rows)
    return list(_CHARTS.get(command, _table_alone)(rows))


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a table for reading, layers as ``26-29``."""
    return pd.DataFrame([cells(row) for row in rows])


def settings(rows: Sequence[Row]) -> pd.DataFrame:
    """The settings of the rows: prompt, pooling, layers, bias and so on.

    Returns:
        Each combination once, with those of :data:`SETTINGS` that the rows have as columns.
    """
    chosen = [
        {name: value for name, value in cells(row).items() if name in SETTINGS} for row in rows
    ]
    return pd.DataFrame(chosen).drop_duplicates(ignore_index=True)


def _place_or_corpus(row: Row) -> str:
    return place(row) or str(row.get("corpus", ""))


def _titled(title: str, at: str) -> str:
    return f"{title}: {at}" if at else title


def _score(rows: Sequence[Row]) -> Iterator[Chart]:
    for measure, members in grouped(rows, lambda row: row["measure"]).items():
        has_grid = len(set(map(place, members))) > 1
        figure = dots(
            members,
            place=_place_or_corpus if has_grid else lambda row: row["method"],
            group=(lambda row: row["method"]) if has_grid else _place_or_corpus,
            columns=("value", *_INTERVAL),
            title=f"{measure} x 100, 95% interval",
            sideways=not has_grid,
            joined=has_grid and len(members[0].get("grid", {})) == 1,
        )
        yield Chart(f"{measure} by method", figure, table(members))


def _sts(rows: Sequence[Row]) -> Iterator[Chart]:
    figure = dots(
        rows,
        place=lambda row: row["method"],
        group=_place_or_corpus,
        columns=("spearman", *_INTERVAL),
        title="Spearman x 100, 95% interval",
    )
    yield Chart("Spearman by method", figure, table(rows))


def _long_texts(rows: Sequence[Row]) -> Iterator[Chart]:
    axes: dict[str, Callable[[Row], str]] = {
        "place of the answer": lambda row: row["place"],
        "tokens read": lambda row: f"{row['tokens']:,}",
    }
    for measure, members in grouped(rows, lambda row: row["measure"]).items():
        total = [row for row in members if row["tokens"] is None]
        cut = [row for row in members if row["tokens"] is not None]
        for (axis, at), axis_rows in zip(axes.items(), (total, cut), strict=True):
            if axis_rows:
                figure = dots(
                    axis_rows,
                    place=at,
                    group=lambda row: ", ".join(filter(None, (row["method"], place(row)))),
                    columns=("value", *_INTERVAL),
                    title=f"{measure} x 100, 95% interval",
                    sideways=False,
                    joined=True,
                )
                yield Chart(f"{measure} by {axis}", figure, table(axis_rows))


def _layers(row: Row) -> str:
    return format_layers(row["layers"], 0)


def _by_layers(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["layers"], row.get("bias") or 0))


def _ablation(rows: Sequence[Row]) -> Iterator[Chart]:
    for at, members in grouped([row for row in rows if row["layers"]], place).items():
        biases = len({row["bias"] for row in members}) > 1
        figure = dots(
            _by_layers(members),
            place=(lambda row: f"{_layers(row)} at {row['bias']}") if biases else _layers,
            group=_place_or_corpus,
            columns=("change", *_INTERVAL),
            title="change of Spearman x 100, 95% interval",
            sideways=False,
            zero=True,
        )
        yield Chart(_titled("Change by layers", at), figure, table(members))


def _rules(rows: Sequence[Row]) -> Iterator[Chart]:
    choices = [
        row | {"rule": rule} | {f"{rank} %": _better(row, rank) for rank in _RANKS}
        for rule in RULES
        for row in rows
        if rule in row["rules"]
    ]
    if choices:
        figure = dots(
            choices,
            place=_place_or_corpus,
            group=lambda row: row["rule"],
            columns=("rank %", "rank_low %", "rank_high %"),
            title="windows that score better\nthan the rule's choice, %, 95% interval",
        )
        figure.add_vline(50, line={"color": PLAIN, "dash": "dash"})
        figure.update_xaxes(range=[-3, 103])
        yield Chart("Rank of each rule's choice", figure, table(choices))
    for at, members in grouped(rows, place).items():
        figure = dots(
            _by_layers(members),
            place=_layers,
            group=lambda row: ", ".join(row["rules"]) or "a window",
            columns=_CHANGE,
            title=f"change of {members[0]['measure']} x 100, 95% interval",
            sideways=False,
            zero=True,
        )
        for trace in figure.data:
            rule = trace.name.split(", ")[0]
            colour = PALETTE[list(RULES).index(rule)] if rule in RULES else PLAIN
            trace.update(marker_color=colour, line_color=colour)
        yield Chart(_titled("Change by window", at), figure, table(members))


_RANKS = ("rank", "rank_low", "rank_high")


def _better(row: Row, rank: str) -> float:
    """Windows that rank above a row, in percent."""
    return float(100 * (row[rank] - 1) / row["windows"])


def _parts(rows: Sequence[Row]) -> Iterator[Chart]:
    figure = dots(
        rows,
        place=lambda row: f"{row['part']}, {row['how']}",
        group=_place_or_corpus,
        columns=_CHANGE,
        title="change of the score x 100, 95% interval",
        zero=True,
    )
    yield Chart("Contribution of each part", figure, table(rows))


def _dimension(rows: Sequence[Row]) -> Iterator[Chart]:
    figure = go.Figure()
    for number, row in enumerate(rows):
        _add_curve(figure, row, PALETTE[number % len(PALETTE)])
    figure.update_xaxes(title="layer")
    figure.update_yaxes(title="intrinsic dimension, 95% band")
    points = [
        {
            "of": _place_or_corpus(row),
            "layer": layer,
            "intrinsic dimension": value,
            "low": low,
            "high": high,
            "selected": layer in row["selected"],
            "selected over resamples": share,
        }
        for row in rows
        for layer, (value, (low, high), share) in enumerate(
            zip(row["curve"], row["band"], row["frequency"], strict=True)
        )
    ]
    yield Chart("Intrinsic dimension by layer", laid_out(figure, 420), pd.DataFrame(points))


def _add_curve(figure: go.Figure, row: Row, colour: str) -> None:
    """Add a curve with its band; selected layers are larger and in their own colour."""
    name, layers = _place_or_corpus(row), list(range(len(row["curve"])))
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
        hovertemplate="layer %{x}: %{y:.1f}<extra>%{fullData.name}</extra>",
    )


def _sensitivity(rows: Sequence[Row]) -> Iterator[Chart]:
    for at, members in grouped(rows, place).items():
        yield Chart(_titled("Sensitivity of each head", at), map_of(members), table(members))


def _causal(rows: Sequence[Row]) -> Iterator[Chart]:
    for at, members in grouped(rows, place).items():
        figure = go.Figure()
        tokens = [f"{number} {row['token']}" for number, row in enumerate(members)]
        for name, colour in (("plain", PLAIN), ("re-routed", SELECTED)):
            values = [row[name] for row in members]
            figure.add_scatter(
                x=tokens, y=values, mode="lines+markers", name=name, line={"color": colour}
            )
        figure.update_yaxes(title="movement of the final state, as a share of its norm")
        title = _titled("Movement of the shared tokens", at)
        yield Chart(title, laid_out(figure, 380), table(members))


def _table_alone(rows: Sequence[Row]) -> Iterator[Chart]:
    yield Chart("Rows", None, table(rows))


_CHARTS: dict[str, Callable[[Sequence[Row]], Iterator[Chart]]] = {
    "score": _score,
    "sts": _sts,
    "long-texts": _long_texts,
    "ablation": _ablation,
    "rules": _rules,
    "parts": _parts,
    "sensitivity": _sensitivity,
    "dimension": _dimension,
    "causal": _causal,
}
