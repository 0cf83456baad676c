"""A table of text cells with named columns, each row with its line in the file.

A column is read by its position; a cell that cannot be read is reported with its line. Files
are parsed in :mod:`analysis.corpora.parsing`.
"""

import datetime
import decimal
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..runtime import hosting
from . import usual_names

LARGEST_COLUMNS = 16_384
"""Maximum columns of a table, as many as a spreadsheet has."""
LARGEST_CELLS = 20_000_000
"""Maximum cells of a table; a hosted server may take fewer."""
LARGEST_UNPACKED = 1 << 30
"""Maximum bytes of a file after it was unpacked."""
Cells = Sequence[str | None]
"""The cells of a row; None where there is nothing to read as text."""
_DECIMAL_COMMA = re.compile("[+-]?[0-9]+(?:,([0-9]+))?(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Table:
    """Named columns and rows of cells, as a file has them.

    Attributes:
        name: Name of the file, for error messages.
        columns: Names of the columns, each different.
        rows: For each row its line in the file (1-based, where the row starts) and as many cells
            as there are columns.
        place: What a row is called in errors: a line of a text file, else a row.
        decimal_comma: Whether commas are decimal signs, as where semicolons separate cells.
        named_by: What names the columns: the file's format, its first row, or their position.
        separator: What separates cells, in the plural; "" where nothing does.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, Cells], ...]
    place: str = "line"
    decimal_comma: bool = False
    named_by: Literal["format", "first row", "position"] = "format"
    separator: str = ""

    def find(self, *spellings: str) -> int | None:
        """Find a column by its usual names.

        Args:
            *spellings: Names in lower case without spaces, the preferred one first.

        Returns:
            Position of the column with the first spelling that is present, ignoring case, spaces
            and punctuation; None if there is none.
        """
        names = [folded(column) for column in self.columns]
        return next((names.index(s) for s in spellings if s in names), None)

    @property
    def has_usual_name(self) -> bool:
        """Whether a column has one of the usual names."""
        return bool(usual_names.EVERY & {folded(column) for column in self.columns})

    def numeric(self, column: int) -> bool:
        """Return whether every cell of a column reads as a number."""
        first = self.rows[0][1][column]  # most columns of texts need no second look
        if as_number(first) is None and not _DECIMAL_COMMA.fullmatch((first or "").strip()):
            return False
        return None not in self._numbers(column)

    def is_numeral(self, cell: str | None) -> bool:
        """Return whether a cell is a number written in digits."""
        value = as_number(cell)
        if value is None and self.decimal_comma:
            return bool(_DECIMAL_COMMA.fullmatch((cell or "").strip()))
        return value is not None and any(map(str.isdigit, cell or ""))

    def _numbers(self, column: int) -> list[float | None]:
        """A column as numbers, None for what is none.

        Decimal commas are read if all cells are written so; where commas could as well separate
        thousands, with three digits after each, only if semicolons separate the cells.
        """
        written = [cells[column] for _, cells in self.rows]
        values = [as_number(cell) for cell in written]
        if None not in values:
            return values
        numerals = [_DECIMAL_COMMA.fullmatch((cell or "").strip()) for cell in written]
        thousands = all(len(each[1] or "000") == 3 for each in numerals if each)
        if None in numerals or (thousands and not self.decimal_comma):
            return values
        return [as_number((cell or "").replace(",", ".")) for cell in written]

    def texts(self, column: int) -> tuple[str, ...]:
        """Return the cells of a column as they are.

        Raises:
            CorpusError: A cell is blank; the sentence names the first such line.
        """
        for line, cells in self.rows:
            if not (cells[column] or "").strip():
                raise self.error(line, f"no text in column {shorten(self.columns[column])!r}")
        return tuple(cells[column] or "" for _, cells in self.rows)

    def numbers(self, column: int) -> NDArray[np.float64]:
        """Return a column as numbers.

        Returns:
            Shape (rows,), float64, all finite.

        Raises:
            CorpusError: A cell is not a finite number; the sentence names the first such line.
        """
        values = self._numbers(column)
        for (line, cells), value in zip(self.rows, values, strict=True):
            if value is None or not math.isfinite(value):
                cell = "None" if cells[column] is None else repr(shorten(cells[column] or ""))
                column_name = shorten(self.columns[column])
                raise self.error(line, f"{column_name} {cell} is not a finite number")
        return np.array(values, dtype=np.float64)

    def error(self, line: int, problem: str) -> CorpusError:
        """Return the error to raise about a line, as one sentence."""
        return CorpusError(f"{self.name}, {self.place} {line}: {problem}.")


def check_shape(name: str, rows: int, columns: int) -> None:
    """Refuse a table of more rows, columns or cells than are read, before it is built.

    Args:
        name: Name of the file.
        rows: How many rows there are at least.
        columns: How many columns each of them takes.

    Raises:
        CorpusError: It has more.
    """
    hosting.check_rows(name, rows)
    if columns > LARGEST_COLUMNS:
        raise CorpusError(
            f"{name} has {columns:,} columns, and {LARGEST_COLUMNS:,} are read at most; take those "
            "that are needed."
        )
    if rows * columns > (most := most_cells()):
        raise CorpusError(
            f"{name} has {rows:,} rows of {columns:,} columns, and {most:,} cells are read at "
            "most; take the columns and rows that are needed."
        )


def check_unpacked(name: str, size: int) -> None:
    """Refuse a file of more bytes, once unpacked, than are read.

    Args:
        name: Name of the file.
        size: How many bytes or characters there are at least.

    Raises:
        CorpusError: There are more.
    """
    hosting.check_size(f"{name}, unpacked,", size)
    if size > LARGEST_UNPACKED:
        raise CorpusError(
            f"{name} unpacks to more than {LARGEST_UNPACKED / 2**30:.3g} GiB; take a part of it."
        )


def most_cells() -> int:
    """Return how many cells a table may have."""
    limits = hosting.hosted()
    return limits.cells if limits else LARGEST_CELLS


def list_columns(table: Table) -> str:
    """Return which columns a table has, as the end of a sentence."""
    if table.named_by == "position":
        between = f", with {table.separator} between them" if table.separator else ""
        return (
            f"its {len(table.columns)} columns have no names, for it has no header line; name them "
            f"in a first line{between}"
        )
    shown = [repr(shorten(column)) for column in table.columns[:8]]
    more = len(table.columns) - len(shown)
    return "its columns are " + ", ".join(shown) + (f" and {more} more" if more else "")


def shorten(text: str) -> str:
    """Cut a cell or name to what fits in a sentence, 24 characters."""
    return text if len(text) <= 24 else f"{text[:21]}..."


def folded(column: str) -> str:
    """Return a column's name in lower case without spaces and punctuation."""
    return re.sub(r"[\W_]+", "", column).casefold()


def cell(value: object) -> str | None:
    """Return a value as the text of a cell, None if it is not a text, number or date.

    Whole numbers have no decimal point, and dates are in ISO 8601. Bytes are a text in UTF-8, as
    older writers of Parquet leave them.
    """
    match value:
        case str():
            return value
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return None
        case bool():
            return "true" if value else "false"
        case float():
            if not math.isfinite(value):
                return None if math.isnan(value) else str(value)
            return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        case int():
            return str(value)
        case decimal.Decimal():
            return str(value) if value.is_finite() else None
        case datetime.date() | datetime.time():
            return value.isoformat()
    return None


def as_number(cell: str | None) -> float | None:
    """Return a cell as a number, or None if it is not one; ``1_0`` is none."""
    try:
        return float("" if cell is None or "_" in cell else cell)
    except ValueError:
        return None
