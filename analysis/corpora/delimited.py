"""Text with separators as a table: TSVs with and without quoting, CSVs of spreadsheets.

Excel separates by semicolons where the decimal sign is a comma, as in German and French, and may
say so in a first line ``sep=;``.
"""

import csv
import io
import re

from ..errors import CorpusError
from . import headers
from .headers import Rows
from .tables import LARGEST_COLUMNS, Table, check_shape, most_cells, shorten

csv.field_size_limit(1 << 30)  # the default of 131,072 characters is less than a long document

_DECLARED = re.compile('"?sep=(.)"?(?:\r\n|\r|\n)', re.IGNORECASE)
_QUOTED_CELL = re.compile(r'(?<![^\t\r\n])"((?:[^"]++|"")*+)"(?![^\t\r\n])')
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


def read(name: str, text: str, suffix: str) -> Table:
    """Parse a ``.tsv`` or ``.csv``.

    A ``.tsv`` is read unquoted, with its raw double quotes, unless only quoting gives every row as
    many columns, or every quote encloses a whole cell as a program writes it. A ``.csv`` is quoted;
    of commas, semicolons and tabs those separate its cells that give every row as many columns, and
    the most columns. Rows without content are skipped.

    Args:
        name: Name of the file.
        text: Its content, which is not blank.
        suffix: ``.tsv`` or ``.csv``.

    Raises:
        CorpusError: Rows of different lengths, wrong quoting, or a column without a name.
    """
    declared = _DECLARED.match(text)
    skipped = 0
    if declared:
        text, skipped = text[declared.end() :], 1
        candidates = [declared[1]]
    elif suffix == ".tsv":
        candidates = ["\t"]
    else:
        first = _first_row(text)
        candidates = [separator for separator in _SEPARATORS if separator in first] or [","]
    tables: list[tuple[str, Rows]] = []
    problems = []
    for separator in candidates:
        try:
            rows = headers.filled(_rows(name, text, separator, skipped))
            if separator == "\t" and (benchmark := headers.sts_benchmark(name, rows)):
                return benchmark
            if rows:
                _check_even(name, rows, separator)
                tables.append((separator, rows))
        except CorpusError as error:
            problems.append(error)
    if tables:
        separator, rows = max(tables, key=lambda each: len(each[1][0][1]))  # the first of equals
        return headers.with_header(
            name, rows, decimal_comma=separator == ";", separator=_in_words(separator)
        )
    if problems:
        raise problems[0]
    raise CorpusError(f"{name} has no rows; only separators.")


def _rows(name: str, text: str, separator: str, skipped: int) -> Rows:
    if separator != "\t":
        return _split(name, text, separator, skipped, quoted=True)
    plain = _split(name, text, "\t", skipped, quoted=False)
    try:
        quoted = _split(name, text, "\t", skipped, quoted=True)
    except CorpusError:
        return plain
    fits = headers.ragged(quoted) is None
    return (
        quoted
        if fits and (headers.ragged(plain) is not None or _quotes_enclose_cells(text))
        else plain
    )


def _split(name: str, text: str, separator: str, skipped: int, *, quoted: bool) -> Rows:
    rows: Rows = []
    line, size, most = 1, 0, most_cells()
    try:
        reader = csv.reader(
            io.StringIO(text, newline=""),
            delimiter=separator,
            skipinitialspace=_spaced(text, separator),
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            strict=True,
        )
        for cells in reader:
            size += len(cells)
            if len(cells) > LARGEST_COLUMNS or size > most:
                check_shape(name, -(-size // len(cells)), len(cells))
            if cells:
                rows.append((line + skipped, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(f"{name}, line {line + skipped}: wrong quoting ({error}).") from None
    except (ValueError, TypeError):  # sep= a quote or a line end
        raise CorpusError(
            f"{name}, line 1: cells cannot be separated by {shorten(separator)!r}."
        ) from None
    return rows


def _check_even(name: str, rows: Rows, separator: str) -> None:
    """Refuse rows of different lengths."""
    if (i := headers.ragged(rows)) is None:
        return
    line, cells = rows[i]
    between = f"{_in_words(separator)} separate its cells"
    raise CorpusError(
        f"{name}, line {line}: the number of columns is {len(cells)}, but {len(rows[0][1])} in "
        f"line {rows[0][0]}; put cells that contain a separator or a line end in double quotes "
        f"({between})."
    )


def _in_words(separator: str) -> str:
    return f"{_SEPARATORS.get(separator, repr(separator))}s"


def _spaced(text: str, separator: str) -> bool:
    """Whether a space, which is no part of cells, follows each separator of the first line."""
    first = _first_row(text)
    return f"{separator} " in first and first.count(separator) == first.count(f"{separator} ")


def _first_row(text: str) -> str:
    """The first row as it is written, with the line ends that its quoted cells hold."""
    text = text.lstrip("\r\n")
    quotes, begin = 0, 0
    for end in re.finditer("[\r\n]", text):
        quotes += text.count('"', begin, end.start())
        begin = end.start()
        if quotes % 2 == 0:
            return text[:begin]
    return re.split("[\r\n]", text, maxsplit=1)[0]  # one line, or a quote that is never closed


def _quotes_enclose_cells(text: str) -> bool:
    """Whether all quotes enclose whole cells, and at least one of them was needed."""
    if '"' in _QUOTED_CELL.sub("", text):
        return False
    cells = _QUOTED_CELL.findall(text)
    return text.startswith('"') or any(re.search(r'[\t\r\n]|""', cell) for cell in cells)
