"""Results as a file: the rows of a recipe, the recipe, and what made them. Are two the same?

``results.json`` holds everything and is what the app opens; ``results.parquet`` holds the rows for
other programs.
"""

import json
import math
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from ..errors import RecipeError, ResultsError
from ..rerouting import layer_lists
from ..runtime import outputs
from ..storage import result_store
from . import files, runner
from .findings import items
from .recipe import Recipe
from .rows import Row

FORMAT = 1
LARGEST = 20_000_000
"""Bytes that a file of results may have."""
SCORES, SHARES, RANKS = 0.5, 0.01, 3.0
"""By how much numbers may differ between machines: scores and their changes, which are times 100,
or by what one of the things scored counts; everything else, as a share of the number; ranks, which
follow from the scores."""
PASSING = ("seconds", "output", "file", "reused")
"""Columns that differ from run to run."""


@dataclass(frozen=True)
class Results:
    """Rows, the recipe that gave them, and ``made``: versions, machine, day."""

    recipe: Recipe
    rows: tuple[Row, ...]
    made: Mapping[str, Any]

    def json(self) -> str:
        """The whole as one JSON document, one row a line."""
        head = {
            "results": FORMAT,
            "digest": result_store.digest(files.write(self.recipe), self.rows),
            "recipe": files.write(self.recipe),
            "made": dict(self.made),
        }
        lines = ",\n".join(json.dumps(row, allow_nan=False) for row in self.rows)
        opening = json.dumps(head, indent=1).removesuffix("\n}")
        return f'{opening},\n "rows": [\n{lines}\n]\n}}\n'

    def parquet(self, output: Path) -> None:
        """Write the rows as Parquet; what is nested has a column of its own, as ``grid.layers``."""
        import pandas as pd

        with outputs.writing(output):
            pd.json_normalize(list(self.rows)).to_parquet(output, index=False)


@dataclass(frozen=True)
class Compared:
    """Two results of one recipe held against each other: how many numbers, how far apart.

    ``worst`` is the largest difference, in the column and row that ``where`` names.
    """

    numbers: int
    differing: int
    worst: float
    where: str
    apart: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether all agree, to rounding."""
        return not self.apart

    @property
    def sentence(self) -> str:
        """The answer in words."""
        if self.apart:
            more = f", and {len(self.apart) - 3} more" if len(self.apart) > 3 else ""
            return f"The results are not the same: {'; '.join(self.apart[:3])}{more}."
        if not self.differing:
            return f"The results are the same: all {self.numbers:,} numbers are equal."
        return (
            f"The results are the same to rounding: of {self.numbers:,} numbers {self.differing:,} "
            f"differ, by {self.worst:.2g} at most ({self.where})."
        )


def run(recipe: Recipe, **how: Any) -> Results:
    """Run a recipe, with what :func:`analysis.recipes.runner.rows` takes besides.

    Raises:
        ExplorerError: what its command raises.
    """
    rows = tuple(runner.rows(recipe, **how))
    return Results(
        recipe,
        rows,
        {
            "versions": dict(sorted(result_store.versions().items())),
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "day": time.strftime("%Y-%m-%d", time.gmtime()),
        },
    )


def read(text: str | bytes, name: str = "The file") -> Results:
    """The results that a JSON document holds.

    Raises:
        ResultsError: it is too large, no results, of a newer format, or damaged.
    """
    if len(text) > LARGEST:
        raise ResultsError(f"{name} is larger than {LARGEST:,} bytes, which no results here are.")
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ResultsError(f"{name} is no readable JSON; copy or make it anew.") from None
    if not isinstance(found, dict) or "results" not in found:
        raise ResultsError(f"{name} holds no results of python -m analysis run --output.")
    if found["results"] != FORMAT or isinstance(found["results"], bool):
        newer = isinstance(found["results"], int) and found["results"] > FORMAT
        raise ResultsError(
            f"{name} is of format {found['results']!r}, this program reads {FORMAT}: "
            + ("update the program." if newer else "make it anew.")
        )
    made, rows = found.get("made"), found.get("rows")
    if not (
        isinstance(found.get("recipe"), str)
        and isinstance(made, dict)
        and isinstance(made.get("versions"), dict)
        and isinstance(rows, list)
        and rows
        and all(map(_is_row, rows))
    ):
        raise ResultsError(f"{name} is damaged: its recipe, its versions or a row is missing.")
    try:
        of = files.read(found["recipe"], f"The recipe in {name}")
    except RecipeError as error:
        raise ResultsError(str(error)) from None
    if result_store.digest(found["recipe"], rows) != found.get("digest"):
        raise ResultsError(f"{name} was changed after it was made; make it anew.")
    return Results(of, tuple(rows), made)


def read_file(path: str | Path) -> Results:
    """The results in a file.

    Raises:
        ResultsError: the file cannot be read, or as ``read``.
    """
    try:
        with Path(path).open("rb") as file:
            return read(file.read(LARGEST + 1), Path(path).name)
    except OSError as error:
        raise ResultsError(f"{path} cannot be read: {error.strerror}; check the path.") from None


def alike(one: Recipe, other: Recipe) -> None:
    """Refuse two recipes that do not run the same.

    Raises:
        ResultsError: the command, an option or the grid differs.
    """
    if one.digest != other.digest:
        raise ResultsError(
            "The results are of another recipe: the command, an option or the grid differs; "
            "compare with those of the same one."
        )


def compare(new: Results, old: Results) -> Compared:
    """Whether two results are the same, row by row; numbers may differ by rounding.

    Raises:
        ResultsError: they are of different recipes.
    """
    alike(new.recipe, old.recipe)
    if len(new.rows) != len(old.rows):
        lengths = f"{len(new.rows)} rows against {len(old.rows)}"
        return Compared(0, 0, math.inf, "", (lengths,))
    numbers, differing, worst, where, apart = 0, 0, 0.0, "", []
    old_rows = _matched(new.rows, old.rows)
    for place, (mine, theirs) in enumerate(zip(new.rows, old_rows, strict=True), 1):
        ours, others = dict(_cells(mine)), dict(_cells(theirs))
        for column in dict.fromkeys([*ours, *others]):
            a, b = ours.get(column), others.get(column)
            if _is_number(a) and _is_number(b):
                numbers += 1
                differing += a != b
                if abs(a - b) > worst:
                    worst, where = abs(a - b), f"{column} in row {place}"
                if abs(a - b) > _allowed(column, mine, b):
                    apart.append(f"{column} in row {place} is {a:.6g}, it was {b:.6g}")
            elif a != b:
                apart.append(f"{column} in row {place} is {a!r}, it was {b!r}")
    return Compared(numbers, differing, worst, where, tuple(apart))


def cells(row: Row) -> dict[str, Any]:
    """A row as a table has it: nothing nested, layers as ``26-29``, other lists as words."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name == "grid":
            flat |= {f"grid: {axis}": one for axis, one in value.items()}
        elif name in ("layers", "selected"):
            sides = value if value and isinstance(value[0], list) else [value]
            flat[name] = "; ".join(layer_lists.format_layers(one, 0) for one in sides)
        else:
            flat[name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return flat


def _matched(new: tuple[Row, ...], old: tuple[Row, ...]) -> Iterator[Row]:
    """The rows of ``old`` in the order of ``new``: ranks that swap are no difference in rows."""
    if "rank" not in new[0]:
        yield from old
        return

    def who(row: Row) -> str:
        return json.dumps([row.get("grid"), row.get("layers"), row.get("bias")])

    by_name = {who(row): row for row in old}
    for row, other in zip(new, old, strict=True):
        yield by_name.get(who(row), other)


def _allowed(column: str, row: Row, value: float) -> float:
    if column.startswith("rank"):
        return RANKS
    scored = {"measure", "spearman", "main_score"} & set(row)
    if scored and column not in ("p", "p_holm"):
        count, things = items(row)
        return max(SCORES, 101 / count if count and things != "pairs" else 0)
    return 0.1 if column in ("p", "p_holm") else max(1e-3, SHARES * abs(value))


def _cells(row: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar of a row with the path to it, but what differs from run to run."""
    parts = row.items() if isinstance(row, dict) else enumerate(row)
    for key, value in parts:
        path = f"{name}.{key}" if name else str(key)
        if isinstance(value, dict | list):
            yield from _cells(value, path)
        elif key not in PASSING:
            yield path, value


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_row(row: Any) -> bool:
    """Whether it is a mapping of scalars and lists of them, with a grid's place at most."""
    if not isinstance(row, dict):
        return False
    place = row.get("grid", {})
    plain = isinstance(place, dict) and all(map(_is_plain, place.values()))
    return plain and all(_is_plain(value, 2) for key, value in row.items() if key != "grid")


def _is_plain(value: Any, depth: int = 0) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_is_plain(part, depth - 1) for part in value)
    return value is None or isinstance(value, str | int | float)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
