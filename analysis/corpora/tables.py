"""A table of text cells with named columns, each row with its line in the file.

A column is read by its position; a cell that cannot be read is reported with its line. Files
are parsed in :mod:`analysis.corpora.parsing`.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError


@dataclass(frozen=True)
class Table:
    """Named columns and rows of cells, as a file has them.

    Attributes:
        name: Name of the file, for error messages.
        columns: Names of the columns, each different.
        rows: For each row its line in the file (1-based, where the row starts) and as many cells
            as there are columns; ``None`` where a JSON line has nothing to read as text.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, Sequence[str | None]], ...]

    def find(self, *spellings: str) -> int | None:
        """Find a column by its usual names.

        Args:
            *spellings: Names in lower case without spaces, the preferred one first.

        Returns:
            Position of the column with the first spelling that is present, ignoring case, spaces
            and punctuation; None if there is none.
        """
        folded = [re.sub(r"[\W_]+", "", column).casefold() for column in self.columns]
        return next((folded.index(s) for s in spellings if s in folded), None)

    def numeric(self, column: int) -> bool:
        """Return whether every cell of a column reads as a number."""
        return all(as_number(cells[column]) is not None for _, cells in self.rows)

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
        values = [as_number(cells[column]) for _, cells in self.rows]
        for (line, cells), value in zip(self.rows, values, strict=True):
            if value is None or not math.isfinite(value):
                cell = "None" if cells[column] is None else repr(shorten(cells[column] or ""))
                column_name = shorten(self.columns[column])
                raise self.error(line, f"{column_name} {cell} is not a finite number")
        return np.array(values, dtype=np.float64)

    def error(self, line: int, problem: str) -> CorpusError:
        """Return the error to raise about a line, as one sentence."""
        return CorpusError(f"{self.name}, line {line}: {problem}.")


def list_columns(table: Table) -> str:
    """Return which columns a table has, as the end of a sentence."""
    shown = [repr(shorten(column)) for column in table.columns[:8]]
    more = len(table.columns) - len(shown)
    return "its columns are " + ", ".join(shown) + (f" and {more} more" if more else "")


def shorten(text: str) -> str:
    """Cut a cell or name to what fits in a sentence, 24 characters."""
    return text if len(text) <= 24 else f"{text[:21]}..."


def as_number(cell: str | None) -> float | None:
    """Return a cell as a number, or None if it is not one."""
    try:
        return float(cell or "")
    except ValueError:
        return None
