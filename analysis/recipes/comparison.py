"""Comparison of two results of one recipe: are they equal up to rounding?"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from ..errors import ResultsError, quoted
from .recipe import Recipe
from .results import Results
from .rows import Row, items

SCORES, SHARES, RANKS = 0.5, 0.01, 3.0
"""Tolerances between machines: of scores and changes (times 100; at least the weight of one scored
item), of other numbers as a share, and of ranks, which follow from the scores."""
VARYING = ("seconds", "output", "file", "reused", "level_with")
"""Columns that differ from run to run, or are words about numbers that are compared."""


ORDERED = ("ablation", "rules")
"""Commands whose rows are in the order of their ranks."""


@dataclass(frozen=True)
class Comparison:
    """How far two results differ.

    Attributes:
        numbers: number of compared numbers.
        unequal: number of unequal ones.
        largest: the largest difference of two numbers.
        place: the column and row of that difference.
        differences: a phrase for each value that differs by more than rounding.
    """

    numbers: int
    unequal: int
    largest: float
    place: str
    differences: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all values agree up to rounding."""
        return not self.differences

    @property
    def sentence(self) -> str:
        """The comparison in words."""
        if self.differences:
            first, remaining = self.differences[:3], len(self.differences) - 3
            more = f", and {remaining} more" if remaining > 0 else ""
            return f"The results are not the same: {'; '.join(first)}{more}."
        if not self.unequal:
            return f"The results are the same: all {self.numbers:,} numbers are equal."
        return (
            f"The results are the same up to rounding: of {self.numbers:,} numbers "
            f"{self.unequal:,} differ, by {self.largest:.2g} at most ({self.place})."
        )


def check_same_recipe(first: Recipe, second: Recipe) -> None:
    """Refuse two recipes that run different things.

    Raises:
        ResultsError: the command, an option or the grid differs.
    """
    if first.digest != second.digest:
        raise ResultsError(
            "The results are from another recipe: the command, an option or the grid differs; "
            "compare with results of the same recipe."
        )


def compare(new: Results, old: Results) -> Comparison:
    """Compare two results row by row; numbers may differ by rounding.

    Columns that the earlier results lack, as those of an older version do, are not compared.

    Args:
        new: the new results.
        old: the earlier results.

    Raises:
        ResultsError: they are from different recipes.
    """
    check_same_recipe(new.recipe, old.recipe)
    if len(new.rows) != len(old.rows):
        counts = f"the number of rows is {len(new.rows)}, it was {len(old.rows)}"
        return Comparison(0, 0, math.inf, "", (counts,))
    numbers, unequal, largest, place, differences = 0, 0, 0.0, "", []
    matched = _matched(new.recipe.command, new.rows, old.rows)
    known = {column for row in old.rows for column in row}
    for number, (new_row, old_row) in enumerate(zip(new.rows, matched, strict=True), 1):
        new_values, old_values = dict(_scalars(new_row)), dict(_scalars(old_row))
        for column in dict.fromkeys([*new_values, *old_values]):
            if column.split(".")[0] not in known:
                continue
            a, b = new_values.get(column), old_values.get(column)
            at = f"{column} in row {number}"
            if _is_number(a) and _is_number(b):
                numbers += 1
                unequal += a != b
                if abs(a - b) > largest:
                    largest, place = abs(a - b), at
                if abs(a - b) > _tolerance(column, new_row, b):
                    differences.append(f"{at} is {a:.6g}, it was {b:.6g}")
            elif a != b:
                differences.append(f"{at} is {quoted(a)}, it was {quoted(b)}")
    return Comparison(numbers, unequal, largest, place, tuple(differences))


def _matched(command: str, new: tuple[Row, ...], old: tuple[Row, ...]) -> Iterator[Row]:
    """The rows of ``old`` in the order of ``new``: swapped ranks do not count as different rows."""
    if command not in ORDERED:
        yield from old
        return

    def identity(row: Row) -> str:
        return json.dumps([row.get("grid"), row.get("layers"), row.get("bias")])

    by_identity = {identity(row): row for row in old}
    for new_row, old_row in zip(new, old, strict=True):
        yield by_identity.get(identity(new_row), old_row)


def _tolerance(column: str, row: Row, value: float) -> float:
    if column.startswith("rank"):
        return RANKS
    if column in ("p", "p_holm"):
        return 0.1
    if {"measure", "spearman", "main_score"} & set(row):
        count, name = items(row)
        return max(SCORES, 101 / count if count and name != "pairs" else 0)
    return max(1e-3, SHARES * abs(value))


def _scalars(row: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar of a row with its path, except columns that differ from run to run."""
    for key, value in row.items() if isinstance(row, dict) else enumerate(row):
        path = f"{name}.{key}" if name else str(key)
        if isinstance(value, dict | list):
            yield from _scalars(value, path)
        elif key not in VARYING:
            yield path, value


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
