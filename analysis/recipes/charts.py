"""Rows as charts and tables, by their command.

They are drawn from rows alone, so that results read from a file look the same as computed ones.
"""

from collections.abc import Callable, Iterator, Sequence

import pandas as pd
import plotly.graph_objects as go

from ..experiments.two_backbones import subject
from ..figures.dots import dots
from ..figures.theme import PLAIN, SELECTED, laid_out, shortened
from ..figures.two_backbones import change_plot
from . import ranks, row_types, words
from .chart import CHANGE, INTERVAL, Chart, place_or_corpus, table, titled
from .layer_charts import (
    ablation,
    dimension,
    output_layers,
    rules,
    sensitivity,
    stability,
    transfer,
)
from .rows import Row, cells, difference, grouped, place

SETTINGS = (
    *("method", "parts", "template", "pooling", "norm", "output_layer", "layers", "heads", "bias"),
    *("key_position", "backbone", "dtype", "cloud", "prompted", "estimator"),
)
"""Columns with the settings of a computation."""


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


def settings(rows: Sequence[Row]) -> pd.DataFrame:
    """The settings of the rows: prompt, pooling, layers, bias and so on.

    Returns:
        Each combination once, with those of :data:`SETTINGS` that the rows have as columns.
    """
    chosen = [
        {name: value for name, value in cells(row).items() if name in SETTINGS} for row in rows
    ]
    return pd.DataFrame(chosen).drop_duplicates(ignore_index=True)


def _score(rows: Sequence[Row]) -> Iterator[Chart]:
    for measure, members in grouped(rows, lambda row: row["measure"]).items():
        has_grid = len(set(map(place, members))) > 1
        figure = dots(
            members,
            place=place_or_corpus if has_grid else lambda row: row["method"],
            group=(lambda row: row["method"]) if has_grid else place_or_corpus,
            columns=("value", *INTERVAL),
            title=f"{measure} x 100, 95% interval",
            sideways=not has_grid,
            joined=has_grid and len(members[0].get("grid", {})) == 1,
        )
        yield Chart(f"{measure} by method", figure, table(members))
    if len(set(map(place, rows))) == 1:
        yield from _beside(rows)
    yield from _over_corpora(rows)


def _beside(rows: Sequence[Row]) -> Iterator[Chart]:
    """What a second backbone changes in each method, by measure."""
    first = str(rows[0].get("backbone", ""))
    second = [
        row
        for row in rows
        if row.get("change") is not None
        and subject(row["method"], str(row.get("backbone", ""))).backbone
    ]
    for measure, members in grouped(second, lambda row: row["measure"]).items():
        changes = [difference(row, row["method"]) for row in members]
        figure = change_plot(changes, measure, first)
        yield Chart(f"Change of {measure} with the backbone", figure, table(members))


def _over_corpora(rows: Sequence[Row]) -> Iterator[Chart]:
    if (drawn := ranks.drawn(rows)) is not None:
        yield Chart(ranks.NAME, *drawn)


def _sts(rows: Sequence[Row]) -> Iterator[Chart]:
    figure = dots(
        rows,
        place=lambda row: row["method"],
        group=place_or_corpus,
        columns=("spearman", *INTERVAL),
        title="Spearman x 100, 95% interval",
    )
    yield Chart("Spearman by method", figure, table(rows))
    yield from _over_corpora(rows)


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
                    columns=("value", *INTERVAL),
                    title=f"{measure} x 100, 95% interval",
                    sideways=False,
                    joined=True,
                )
                yield Chart(f"{measure} by {axis}", figure, table(axis_rows))


def _parts(rows: Sequence[Row]) -> Iterator[Chart]:
    figure = dots(
        rows,
        place=lambda row: f"{row['part']}, {row['how']}",
        group=place_or_corpus,
        columns=CHANGE,
        title="change of the score x 100, 95% interval",
        zero=True,
    )
    yield Chart("Contribution of each part", figure, table(rows))


def _prompts(rows: Sequence[Row]) -> Iterator[Chart]:
    for (at, measure), members in grouped(rows, lambda row: (place(row), row["measure"])).items():
        figure = dots(
            members,
            place=lambda row: shortened(row["prompt"]),
            group=lambda row: row["method"],
            columns=("value", *INTERVAL),
            title=f"{measure} x 100, 95% interval",
        )
        yield Chart(titled(f"{measure} by prompt", at), figure, table(members))


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
        title = titled("Movement of the shared tokens", at)
        yield Chart(title, laid_out(figure, 380), table(members))


def _table_alone(rows: Sequence[Row]) -> Iterator[Chart]:
    yield Chart("Rows", None, table(rows))


_CHARTS: dict[str, Callable[[Sequence[Row]], Iterator[Chart]]] = {
    "score": _score,
    "sts": _sts,
    "long-texts": _long_texts,
    "ablation": ablation,
    "rules": rules,
    "parts": _parts,
    "sensitivity": sensitivity,
    "stability": stability,
    "transfer": transfer,
    "prompts": _prompts,
    "dimension": dimension,
    "output-layers": output_layers,
    "causal": _causal,
    "words": lambda rows: (
        Chart(name, figure, table(shown)) for name, figure, shown in words.drawn(rows)
    ),
}
