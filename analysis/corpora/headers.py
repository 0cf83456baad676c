"""Rows of cells as a table with named columns: by its first row, or by position without one."""

from collections.abc import Sequence

from ..errors import CorpusError
from . import usual_names
from .tables import Cells, Table, as_number, folded, shorten

Rows = list[tuple[int, Cells]]
"""The cells of each row, with its line in the file."""

_STS_BENCHMARK = ("genre", "file", "year", "number", "score", "sentence1", "sentence2")
"""The columns of the STS benchmark as it is distributed, which has no header; rows may go on with
sources. See https://ixa2.si.ehu.eus/stswiki/index.php/STSbenchmark"""
_GENRES = {"main-captions", "main-forum", "main-forums", "main-news"}


def filled(rows: Rows) -> Rows:
    """Return the rows that hold anything."""
    return [row for row in rows if any((cell or "").strip() for cell in row[1])]


def ragged(rows: Rows) -> int | None:
    """Return the index of the first row with another number of cells than the first row."""
    return next((i for i, (_, cells) in enumerate(rows) if len(cells) != len(rows[0][1])), None)


def sts_benchmark(name: str, rows: Rows) -> Table | None:
    """Return the STS benchmark's own files as a table; None for any other rows."""
    width = len(_STS_BENCHMARK)
    if not all(
        width <= len(cells) <= width + 2
        and cells[0] in _GENRES
        and as_number(cells[_STS_BENCHMARK.index("score")]) is not None
        for _, cells in rows
    ):
        return None
    return Table(name, _STS_BENCHMARK, tuple((line, cells[:width]) for line, cells in rows))


def with_header(
    name: str, rows: Rows, *, decimal_comma: bool = False, place: str = "line"
) -> Table:
    """Build a table from rows of equal length.

    The first row names the columns, unless some, but not all, of its cells are numbers, or it has
    no usual name and a cell of it appears again below: then columns are named by their position.

    Args:
        name: Name of the file.
        rows: At least one row.
        decimal_comma: Whether numbers are written with decimal commas.
        place: What a row is called in errors.

    Raises:
        CorpusError: A column of content has no name, other than the first, which may be an index.
    """
    (line, first), *body = rows
    table = Table(
        *(name, tuple(f"column {i + 1}" for i in range(len(first))), tuple(rows)),
        place=place,
        decimal_comma=decimal_comma,
        header=False,
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
    return Table(
        *(name, distinct_names(first), tuple(body)), place=place, decimal_comma=decimal_comma
    )


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
