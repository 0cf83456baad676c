"""Spreadsheets, Parquet and Arrow files as tables, by the libraries that read them.

Columnar files are read in :mod:`~analysis.corpora.columnar_tables`. Whatever the bytes, the only
error raised is :class:`~analysis.errors.CorpusError`.
"""

import io
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from xml.parsers import expat

from ..errors import CorpusError, one_line
from . import columnar_tables, headers, zip_archives
from .headers import Rows
from .tables import Table, cell, check_shape, check_unpacked, most_cells

SPREADSHEETS, COLUMNAR = (".xlsx", ".xlsm"), (".parquet", ".feather", ".arrow")
_MERGED = re.compile(
    rb"""mergeCell [^>]*?ref=["']([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"""
)
_LARGEST_MERGE = 100_000
"""Maximum cells of a merged range that is filled."""
_MOST_MERGED = 1_000_000
"""Maximum cells of all merged ranges together."""
_LAST_ROW = 1_048_576
"""The last row that a spreadsheet can have."""


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
        return columnar_tables.read(name, data, suffix)
    except CorpusError:
        raise
    except Exception as error:
        kind = "a spreadsheet" if suffix in SPREADSHEETS else "a Parquet, Feather or Arrow file"
        raise CorpusError(
            f"{name} is not {kind} that can be read ({one_line(error, 80)}); save it anew, or as "
            "CSV in UTF-8."
        ) from None


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
        zip_archives.check_stated_sizes(name, archive, archive.infolist())
        _refuse_document_types(name, archive)
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
                cells = [None if value in ERROR_CODES else _cell(value) for value in values]
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


def _refuse_document_types(name: str, archive: zipfile.ZipFile) -> None:
    """Refuse XML that declares entities, which unfold to up to a hundred times its size.

    No program writes them into a spreadsheet; openpyxl refuses them where defusedxml is installed.
    """
    for file in archive.infolist():
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _stop_with(
            CorpusError(
                f"{name} has a document type declaration, as no spreadsheet has; save it anew, "
                "or as CSV in UTF-8."
            )
        )
        parser.StartElementHandler = _stop_with(StopIteration())
        with archive.open(file) as content, suppress(expat.ExpatError, StopIteration):
            parser.ParseFile(content)


def _stop_with(error: Exception) -> Callable[..., None]:
    def stop(*_: object) -> None:
        raise error

    return stop


def _cell(value: object) -> str | None:
    """A value of a spreadsheet as a cell.

    Texts hold what XML cannot as escapes, such as ``_x000D_`` for a carriage return.
    """
    if isinstance(value, str) and "_x" in value:
        from openpyxl.utils.escape import unescape

        return str(unescape(value))
    return cell(value)


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
