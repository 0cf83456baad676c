"""Spreadsheets, Parquet and Arrow files as tables, by the libraries that read them.

Numbers become text, whole ones without a decimal point; dates become ISO 8601; what is no text,
number or date is nothing. Whatever the bytes, the only error raised is
:class:`~analysis.errors.CorpusError`.
"""

import datetime
import decimal
import io
import math
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from ..errors import CorpusError, one_line
from ..runtime import hosting
from . import headers
from .headers import Rows
from .tables import Table, check_shape, most_cells

SPREADSHEETS, COLUMNAR = (".xlsx", ".xlsm"), (".parquet", ".feather", ".arrow")
LARGEST = 1 << 30
"""Maximum bytes of a file after it was unpacked."""
_MERGED = re.compile(
    rb"""mergeCell [^>]*?ref=["']([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"""
)
_LARGEST_MERGE = 100_000
"""Maximum cells of a merged range that is filled."""
_MOST_MERGED = 1_000_000
"""Maximum cells of all merged ranges together."""
_LAST_ROW = 1_048_576
"""The last row that a spreadsheet can have."""
_LARGEST_BATCH = 1024
"""Maximum rows that are decoded at once."""


def read(name: str, data: bytes, suffix: str) -> Table:
    """Read a file with a suffix of :data:`SPREADSHEETS` or :data:`COLUMNAR`.

    Args:
        name: Name of the file.
        data: Content of the file.
        suffix: Which kind of file it is.

    Raises:
        CorpusError: It cannot be read, is too large, or a library is missing.
    """
    # These libraries raise some twenty unrelated exceptions on damaged files.
    try:
        if suffix in SPREADSHEETS:
            return _spreadsheet(name, data)
        return _columnar(name, data, suffix)
    except CorpusError:
        raise
    except Exception as error:
        kind = "a spreadsheet" if suffix in SPREADSHEETS else "a Parquet, Feather or Arrow file"
        raise CorpusError(
            f"{name} is not {kind} that can be read ({one_line(error, 80)}); save it anew, or as "
            "CSV in UTF-8."
        ) from None


def cell(value: object) -> str | None:
    """Return a value as the text of a cell, None if it is not a text, number or date."""
    match value:
        case str():
            return value
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


def check_unpacked(name: str, size: int) -> None:
    """Refuse a file of more bytes, once unpacked, than are read.

    Args:
        name: Name of the file.
        size: How many bytes or characters there are at least.

    Raises:
        CorpusError: There are more.
    """
    hosting.check_size(f"{name}, unpacked,", size)
    if size > LARGEST:
        raise CorpusError(
            f"{name} unpacks to more than {LARGEST / 2**30:.3g} GiB; take a part of it."
        )


def _spreadsheet(name: str, data: bytes) -> Table:
    """The only sheet with content, merged cells filled."""
    try:
        import openpyxl
        from openpyxl.cell.cell import ERROR_CODES
    except ImportError:
        raise CorpusError(
            f"{name} is a spreadsheet and needs the package openpyxl: run "
            "pip install 'openpyxl>=3.1.5,<3.2', or save it as CSV in UTF-8."
        ) from None
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        check_unpacked(name, sum(member.file_size for member in archive.infolist()))
        workbook = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        filled: dict[str, tuple[Rows, bytes]] = {}
        read, most = 0, most_cells()
        for sheet in workbook.worksheets:
            sheet.reset_dimensions()  # what the file says of its size may be wrong
            rows: Rows = []
            for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
                read += 1 + len(values)
                if number > _LAST_ROW or read > most:  # rows and cells that are skipped count too
                    raise CorpusError(
                        f"{name} has more rows or cells than are read ({_LAST_ROW:,}, {most:,}); "
                        "save what is needed as CSV in UTF-8."
                    )
                cells = [None if value in ERROR_CODES else cell(value) for value in values]
                while cells and not (cells[-1] or "").strip():
                    cells.pop()
                if cells:
                    rows.append((number, cells))
            if rows:
                filled[sheet.title] = rows, archive.read(sheet._worksheet_path)
    if len(filled) > 1:
        raise CorpusError(
            f"{name} has {len(filled)} sheets with content "
            f"({', '.join(repr(title) for title in list(filled)[:4])}); save the one that is meant "
            "as a file of its own."
        )
    if not filled:
        raise CorpusError(f"{name} is empty; no sheet of it has a cell with content.")
    ((rows, xml),) = filled.values()
    width = max(len(cells) for _, cells in rows)
    check_shape(name, len(rows), width)
    even: Rows = [(number, [*cells, *[None] * (width - len(cells))]) for number, cells in rows]
    _fill_merged(name, even, xml)
    return headers.with_header(name, even, place="row")


def _fill_merged(name: str, rows: Rows, xml: bytes) -> None:
    """Give each cell of a merged range the value of its first; refuse merged names of columns."""
    by_number, merged = dict(rows), 0
    for left, top, right, bottom in _MERGED.findall(xml):
        first, last = int(top), int(bottom)
        start, end = _column(left), min(_column(right) + 1, len(rows[0][1]))
        if first <= rows[0][0] <= last and end - start > 1:
            raise CorpusError(
                f"{name}, row {rows[0][0]}: the names of columns {left.decode()} to "
                f"{right.decode()} are merged; give each column a name of its own."
            )
        if (last - first) * (end - start) > _LARGEST_MERGE or first not in by_number:
            continue
        merged += (last - first + 1) * (end - start)
        if merged > _MOST_MERGED:
            raise CorpusError(
                f"{name} has merged ranges of more than {_MOST_MERGED:,} cells; separate them."
            )
        for number in range(first, last + 1):
            cells: Any = by_number.get(number)
            if cells is not None and start < len(cells):
                cells[start:end] = [by_number[first][start]] * (end - start)


def _column(letters: bytes) -> int:
    """The index of a column by its letters."""
    index = 0
    for letter in letters:
        index = 26 * index + letter - ord("A") + 1
    return index - 1


def _columnar(name: str, data: bytes, suffix: str) -> Table:
    schema, batches = _batches(name, data, suffix)
    chosen = [i for i, column in enumerate(schema.names) if column != "__index_level_0__"]
    if not chosen:
        raise CorpusError(f"{name} has no columns; a column of texts is needed.")
    check_shape(name, 0, len(chosen))
    rows: Rows = []
    size = 0
    for batch in batches:
        batch.validate(
            full=True
        )  # or a damaged file is read beyond its end, which ends the process
        check_shape(name, len(rows) + batch.num_rows, len(chosen))
        check_unpacked(name, batch.nbytes)
        columns = []
        for i in chosen:
            columns.append(_cells(name, batch.column(i), size))
            size += sum(len(each or "") for each in columns[-1])
            check_unpacked(name, size)
        rows += enumerate(zip(*columns, strict=True), len(rows) + 1)
    names = headers.distinct_names([schema.names[i] for i in chosen])
    return Table(name, names, tuple(rows), place="row")


def _cells(name: str, column: Any, size: int) -> list[str | None]:
    """The cells of a column; values of a dictionary are decoded once.

    Args:
        name: Name of the file.
        column: An Arrow array.
        size: How many characters were read before.
    """
    if hasattr(column, "dictionary"):
        values = _cells(name, column.dictionary, size)
        return [None if i is None else values[i] for i in column.indices.to_pylist()]
    cells = []
    for value in column:
        cells.append(cell(value.as_py()))
        size += len(cells[-1] or "")
        check_unpacked(name, size)
    return cells


def _batches(name: str, data: bytes, suffix: str) -> tuple[Any, Iterator[Any]]:
    """The schema of a file, and its record batches."""
    import pyarrow as pa
    from pyarrow import ipc, parquet

    if suffix == ".parquet":
        told = parquet.read_metadata(io.BytesIO(data))
        check_shape(name, told.num_rows, told.num_columns)
        groups = map(told.row_group, range(told.num_row_groups))
        check_unpacked(name, sum(group.total_byte_size for group in groups))
        texts = [told.schema.column(i).path for i in range(told.num_columns)]
        file = parquet.ParquetFile(io.BytesIO(data), read_dictionary=texts)
        return file.schema_arrow, file.iter_batches(batch_size=_LARGEST_BATCH)
    try:
        reader = ipc.open_file(pa.BufferReader(data))
        return reader.schema, (reader.get_batch(i) for i in range(reader.num_record_batches))
    except pa.ArrowInvalid:  # as the library datasets writes them
        stream = ipc.open_stream(pa.BufferReader(data))
        return stream.schema, iter(stream)
