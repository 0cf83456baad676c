"""Answers as rows: plain values by column, each number with its settings."""

import math
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from ..backbones.backbone import Backbone
from ..embedding.external import External
from ..evaluation.comparison import Difference, columns
from ..evaluation.ranks import Rank
from ..experiments.score_result import Score
from ..rerouting import layer_lists

K = TypeVar("K", bound=Hashable)
Row = dict[str, Any]
"""One row of an answer: plain values by column, nested at most twice."""
UNNAMED_AXES = ("on", "part", "corpus", "random-sets")
"""Axes of a grid that say what is scored, or how often."""
ITEMS = ("pairs", "texts", "queries")
"""Columns with the number of scored items."""


def of_measures(score: Score, backbone: Backbone) -> list[Row]:
    """A row for each measure of one method, with the backbone's name or where vectors are from."""
    if isinstance(score.method, External):
        return score.to_rows()
    columns = {"backbone": backbone.facts.name, "dtype": backbone.dtype.value}
    return [row | columns for row in score.to_rows()]


def of_change(change: Difference | None) -> Row:
    """The columns of a paired difference, empty without one."""
    return columns(change)


def of_rank(rank: Rank) -> Row:
    """The columns of a rank among methods (:func:`analysis.evaluation.ranks.ranks`)."""
    return {
        "rank": rank.rank,
        "rank_low": rank.low,
        "rank_high": rank.high,
        "ranked": rank.of,
        "level_with": list(rank.level_with),
    }


def place(row: Row) -> str:
    """A row's place in the grid in words, such as "smollm2 on lee50"; "" without a grid."""
    corpus = (
        str(row["corpus"])
        if "corpus" in row and {"on", "corpus"} & set(row.get("grid", {}))
        else ""
    )
    return " on ".join(filter(None, (setting_of(row), corpus)))


def setting_of(row: Row) -> str:
    """A row's place in the grid without its corpus, such as "smollm2, top 60"."""
    axes = row.get("grid", {}).items()
    return ", ".join(
        f"{axis} {value}" if _is_number(value) else str(value)
        for axis, value in axes
        if axis not in UNNAMED_AXES and value is not None
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and value.isdecimal())


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


def in_words(value: float, low: float, high: float, sign: str = "") -> str:
    """A value with its interval, to one decimal; ``sign`` is "+" for a change."""
    return f"{value:{sign}z.1f} [{low:{sign}z.1f}, {high:{sign}z.1f}]"


def change_in_words(row: Row) -> str:
    """A row's change with its interval."""
    return in_words(row["change"], row["change_low"], row["change_high"], "+")


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
