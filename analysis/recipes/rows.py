"""Answers as rows: plain values by column, each number with its settings."""

import math
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from ..backbones.backbone import Backbone
from ..evaluation.comparison import Difference
from ..experiments.score_result import Score
from ..rerouting import layer_lists

K = TypeVar("K", bound=Hashable)
Row = dict[str, Any]
"""One row of an answer: plain values by column, nested at most twice."""
ITEMS = ("pairs", "texts", "queries")
"""Columns with the number of scored items."""


def of_measures(score: Score, backbone: Backbone) -> list[Row]:
    """A row for each measure of one method, with the backbone's name."""
    columns = {"backbone": backbone.facts.name, "dtype": backbone.dtype.value}
    return [row | columns for row in score.to_rows()]


def of_change(change: Difference | None) -> Row:
    """The columns of a paired difference, empty without one."""
    if change is None:
        return dict.fromkeys(("against", "change", "change_low", "change_high", "p", "p_holm"))
    return {
        "against": change.second,
        "change": change.delta,
        "change_low": change.ci_low,
        "change_high": change.ci_high,
        "p": finite(change.p),
        "p_holm": change.p_holm,
    }


def place(row: Row) -> str:
    """A row's place in the grid in words, such as "smollm2 on lee50"; "" without a grid.

    The size of a part and the kind of a named corpus are left out.
    """
    grid = row.get("grid", {})
    axes = {axis: value for axis, value in grid.items() if axis not in ("on", "part", "corpus")}
    words = ", ".join(str(value) for value in axes.values() if value is not None)
    corpus = str(row["corpus"]) if "corpus" in row and {"on", "corpus"} & set(grid) else ""
    return " on ".join(filter(None, (words, corpus)))


def grouped(rows: Iterable[Row], key: Callable[[Row], K]) -> dict[K, list[Row]]:
    """The rows by what they have in common, in the order in which each is first met."""
    groups: dict[K, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def items(row: Row) -> tuple[int, str]:
    """The number of a row's scored items and their name, such as ``(1225, "pairs")``."""
    return next(((int(row[name]), name) for name in ITEMS if name in row), (0, "items"))


def difference(row: Row, first: str) -> Difference:
    """The paired difference in a row, of ``first`` minus the method that the row names."""
    count, name = items(row)
    return Difference(
        *(row["change"], row["change_low"], row["change_high"], count, first, row["against"]),
        *(name, row.get("of")),
        p=float("nan") if row.get("p") is None else row["p"],
        p_holm=row.get("p_holm"),
    )


def cells(row: Row) -> Row:
    """A row for a table: nothing nested, layers as ``26-29``, other lists as text."""
    flat: Row = {}
    for name, value in row.items():
        if name == "grid":
            flat |= {f"grid: {axis}": setting for axis, setting in value.items()}
        elif name in ("layers", "selected"):
            sides = value if value and isinstance(value[0], list) else [value]
            flat[name] = "; ".join(layer_lists.format_layers(layers, 0) for layers in sides)
        else:
            flat[name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return flat


def finite(value: float) -> float | None:
    """A number for JSON; None if it is not finite."""
    return float(value) if math.isfinite(value) else None
