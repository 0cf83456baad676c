"""Rows of cells as a table with named columns: by its first row, or by position without one."""

import re
from collections.abc import Sequence
from dataclasses import replace

from ..errors import CorpusError
from . import usual_names
from .tables import Cells, Table, as_number, folded, shorten

Rows = list[tuple[int, Cells]]
"""The cells of each row, with its line in the file."""

_STS_BENCHMARK = ("genre", "file", "year", "number", "score", "sentence1", "sentence2")
"""The columns of the STS benchmark as it is distributed, which has no header; rows may go on with
sources. See https://ixa2.si.ehu.eus/stswiki/index.php/STSbenchmark"""
_YEAR = re.compile("20[0-9]{2}[a-z]*")


def filled(rows: Rows) -> Rows:
    """Return the rows that hold anything."""
    return [row for row in rows if any((cell or "").strip() for cell in row[1])]


def ragged(rows: Rows) -> int | None:
    """Return the index of the first row with another number of cells than the first row."""
    return next((i for i, (_, cells) in enumerate(rows) if len(cells) != len(rows[0][1])), None)


def sts_benchmark(name: str, rows: Rows) -> Table | None:
    """Return the STS benchmark's own files as a table; None for any other rows."""
    width, year, score = len(_STS_BENCHMARK), *map(_STS_BENCHMARK.index, ("year", "score"))
    for _, cells in rows:
        if not width <= len(cells) <= width + 2 or not _YEAR.fullmatch(cells[year] or ""):
            return None
        rating = as_number(cells[score])
        if rating is None or not 0 <= rating <= 5:
            return None
    return Table(name, _STS_BENCHMARK, tuple((line, cells[:width]) for line, cells in rows))


def with_header(
    name: str,
    rows: Rows,
    *,
    decimal_comma: bool = False,
    place: str = "line",
    separator: str = "",
) -> Table:
    """Build a table from rows of equal length.

    The first row names the columns, unless some, but not all, of its cells are numbers, or it has
    no usual name and a cell of it appears again below: then columns are named by their position.

    Args:
        name: Name of the file.
        rows: At least one row.
        decimal_comma: Whether numbers are written with decimal commas.
        place: What a row is called in errors.
        separator: What separates cells, in the plural.

    Raises:
        CorpusError: A column of content has no name, other than the first, which may be an index.
    """
    (line, first), *body = rows
    table = Table(
        *(name, tuple(f"column {i + 1}" for i in range(len(first))), tuple(rows)),
        place=place,
        decimal_comma=decimal_comma,
        named_by="position",
        separator=separator,
    )
    numerals = [table.is_numeral(cell) for cell in first if (cell or "").strip()]
    if any(numerals) and not all(numerals):
        return table
    unusual = not any(numerals) and not usual_names.EVERY & {folded(cell or "") for cell in first}
    if unusual and any(
        cell and any(cells[i] == cell for _, cells in body) for i, cell in enumerate(first)
    ):
        return table
    for i, cell in enumerate(first):
        if i and not (cell or "").strip() and any((cells[i] or "").strip() for _, cells in body):
            previous = shorten(first[i - 1] or "")
            raise CorpusError(
                f"{name}, {place} {line}: the column after {previous!r} has no name; name every "
                f"column in the first {place}."
            )
    return replace(table, columns=distinct_names(first), rows=tuple(body), named_by="first row")


def distinct_names(names: Sequence[str | None]) -> tuple[str, ...]:
    """Return column names, repeated ones numbered so that a name means one column."""
    numbers: dict[str, int] = {}
    for name in (name or "" for name in names):
        spelling, number = name, numbers.get(name, 1)
        while spelling in numbers:
            number += 1
            spelling = f"{name} ({number})"
        numbers[name] = number
        numbers[spelling] = 1
    return tuple(numbers)
