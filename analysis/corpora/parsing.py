"""The bytes of a text file as a :class:`~analysis.corpora.tables.Table`.

Handles TSVs with and without quoting, CSVs of spreadsheets, JSON lines and plain text, in UTF-8 or
UTF-16. Whatever the bytes, the only error raised is :class:`~analysis.errors.CorpusError`: one
sentence, with the line.
"""

import csv
import io
import json
import re
from pathlib import PurePath

from ..errors import CorpusError
from ..runtime import git_lfs, hosting
from .tables import Table, as_number

_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_QUOTED_CELL = re.compile(r'(?<![^\t\r\n])"((?:[^"]++|"")*+)"(?![^\t\r\n])')

_BINARY = {
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a ZIP archive, as spreadsheets also are",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\0": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"\xd0\xcf\x11\xe0": "a spreadsheet or document of an office program",
    b"%PDF-": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\0": "a database",
    b"GGUF": "the weights of a model",
}
"""First bytes of files that are often mistaken for text, and what each file is."""

csv.field_size_limit(1 << 30)  # the default of 131,072 characters is less than a long document


def read_table(name: str, data: bytes, keys: tuple[str, ...] = ()) -> Table:
    """Parse the content of a file by the suffix of its name.

    A ``.txt`` has one column named text; blank lines are skipped. A ``.tsv`` is read unquoted,
    with its raw double quotes, unless only quoting gives every row as many columns, or every
    quote encloses a whole cell as a program writes it. A ``.csv`` is quoted. Both start with a
    header line; without one (some, not all, cells of the first line are numbers) columns are
    named by their position. Columns of the same name get a number: "text", "text (2)". A
    ``.jsonl`` has one object a line; numbers become text.

    Args:
        name: Name of the file; its suffix says how to read it.
        data: Content of the file.
        keys: Columns to take of a ``.jsonl``; by default the keys of its first object.

    Returns:
        The columns and at least one row.

    Raises:
        CorpusError: The suffix is unknown, the content is of another kind of file, cannot be
            decoded, has no rows, rows of different lengths, wrong quoting or JSON, NUL characters
            or lone surrogates; or it is larger than a hosted server accepts
            (:mod:`analysis.runtime.hosting`).
    """
    hosting.check_size(name, len(data))
    if git_lfs.is_pointer(data):
        raise CorpusError(git_lfs.refusal(name))
    for magic, kind in _BINARY.items():
        if data.startswith(magic):
            raise CorpusError(f"{name} is {kind}, not text; unpack it or save it as text first.")
    suffix = PurePath(name).suffix.lower()
    if suffix not in (".txt", ".tsv", ".csv", ".jsonl"):
        raise CorpusError(f"{name} is not a .txt, .tsv, .csv or .jsonl file.")
    text = decode(name, data)
    if not text.replace("\0", " ").strip():
        raise CorpusError(f"{name} is empty; a text is needed on each line.")
    if suffix == ".jsonl":
        table = _json_lines(name, text, keys)
    elif suffix == ".txt":
        table = Table(name, ("text",), tuple((n, (s,)) for n, s in _lines(text)))
    else:
        read = _tab_separated if suffix == ".tsv" else _comma_separated
        table = _with_header(name, read(name, text))
    if not table.rows:
        raise CorpusError(f"{name} has a header line but no rows.")
    hosting.check_rows(name, len(table.rows))
    for line, cells in ((1, table.columns), *table.rows):
        if any(_UNREADABLE.search(cell or "") for cell in cells):
            raise table.error(
                line, "contains a NUL character or half a surrogate pair; save it as UTF-8"
            )
    return table


def decode(name: str, data: bytes) -> str:
    """Decode a file in UTF-8, or in UTF-16 with its byte order mark.

    Args:
        name: Name of the file, for errors.
        data: Content of the file.

    Raises:
        CorpusError: It is in another encoding, or holds a NUL character.
    """
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    encoding = "utf-16" if utf16 else "utf-8"
    try:
        text = data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="ignore").count("\n") + 1
        raise CorpusError(
            f"{name}, line {line}: byte 0x{data[error.start]:02x} at offset {error.start:,} is "
            f"not {encoding.upper()}; save the file as UTF-8."
        ) from None
    if (at := text.find("\0")) >= 0:
        line = len(_LINE_END.findall(text, 0, at)) + 1
        raise CorpusError(
            f"{name}, line {line}: contains a NUL character, as files in UTF-16 or UTF-32 do; save "
            f"it as UTF-8."
        )
    return text


_LINE_END = re.compile("\r\n|\r|\n")


def split_lines(text: str) -> list[str]:
    """Split a text into lines, which end at LF, CR or both and nowhere else."""
    return _LINE_END.split(text)


def _lines(text: str) -> list[tuple[int, str]]:
    """Numbered lines that are not blank."""
    return [(number, line) for number, line in enumerate(split_lines(text), 1) if line.strip()]


_Rows = list[tuple[int, list[str]]]


def _delimited(name: str, text: str, delimiter: str, quoted: bool) -> _Rows:
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    rows, line = [], 1
    try:
        for cells in reader:
            if cells:
                rows.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CorpusError(f"{name}, line {line}: wrong quoting ({error}).") from None
    return rows


def _ragged(rows: _Rows) -> int | None:
    """Index of the first row with another number of cells than the first row."""
    return next((i for i, (_, cells) in enumerate(rows) if len(cells) != len(rows[0][1])), None)


def _comma_separated(name: str, text: str) -> _Rows:
    return _delimited(name, text, ",", quoted=True)


def _tab_separated(name: str, text: str) -> _Rows:
    plain = _delimited(name, text, "\t", quoted=False)
    try:
        quoted = _delimited(name, text, "\t", quoted=True)
    except CorpusError:
        return plain
    fits = _ragged(quoted) is None
    return quoted if fits and (_ragged(plain) is not None or _quotes_enclose_cells(text)) else plain


def _quotes_enclose_cells(text: str) -> bool:
    """Whether all quotes enclose whole cells, and at least one of them was needed."""
    if '"' in _QUOTED_CELL.sub("", text):
        return False
    cells = _QUOTED_CELL.findall(text)
    return text.startswith('"') or any(re.search(r'[\t\r\n]|""', cell) for cell in cells)


def _with_header(name: str, rows: _Rows) -> Table:
    if (i := _ragged(rows)) is not None:
        line, cells = rows[i]
        raise CorpusError(
            f"{name}, line {line}: the number of columns is {len(cells)}, but "
            f"{len(rows[0][1])} in line {rows[0][0]}; put cells that contain a comma, a tab or a "
            f"line end in double quotes."
        )
    first = rows[0][1]
    numerals = [as_number(cell) is not None for cell in first if cell.strip()]
    if any(numerals) and not all(numerals):
        return Table(name, tuple(f"column {i + 1}" for i in range(len(first))), tuple(rows))
    return Table(name, _distinct_names(first), tuple(rows[1:]))


def _distinct_names(names: list[str]) -> tuple[str, ...]:
    """Column names, repeated ones numbered so that a name means one column."""
    numbers: dict[str, int] = {}
    for name in names:
        spelling, number = name, numbers.get(name, 1)
        while spelling in numbers:
            number += 1
            spelling = f"{name} ({number})"
        numbers[name] = number
        numbers[spelling] = 1
    return tuple(numbers)


def _json_lines(name: str, text: str, keys: tuple[str, ...]) -> Table:
    records = []
    for line, content in _lines(text):
        try:
            record = json.loads(content)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "cannot be read"
            raise CorpusError(f"{name}, line {line}: not JSON ({reason}).") from None
        if not isinstance(record, dict):
            raise CorpusError(f"{name}, line {line}: not a JSON object.")
        records.append((line, record))
    columns = keys or tuple(records[0][1])
    return Table(
        name,
        columns,
        tuple((line, [_cell(record.get(key)) for key in columns]) for line, record in records),
    )


def _cell(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (bool, int, float)) else None
