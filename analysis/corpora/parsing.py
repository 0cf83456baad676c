"""The bytes of a file as a :class:`~analysis.corpora.tables.Table`.

Text files are read here (JSON, plain text) and in :mod:`~analysis.corpora.delimited`, in UTF-8 or
UTF-16, others in :mod:`~analysis.corpora.binary_tables`. Whatever the bytes, the only error raised
is :class:`~analysis.errors.CorpusError`: one sentence, with the line.
"""

import gzip
import io
import re
import zlib
from pathlib import PurePath
from typing import Any

from ..errors import CorpusError
from ..runtime import git_lfs, hosting, json_reader
from . import binary_tables, delimited
from .tables import LARGEST_UNPACKED, Table, cell, check_shape, check_unpacked

TABLES = (
    *(".tsv", ".csv", ".jsonl", ".ndjson", ".json"),
    *(*binary_tables.SPREADSHEETS, *binary_tables.COLUMNAR),
)
"""Suffixes of files with columns; those that are text may be followed by ``.gz``."""
_TEXT = (".txt", *TABLES[:5])
UPLOADS = (*TABLES, *(f"{suffix}.gz" for suffix in TABLES[:5]))
"""Suffixes of the tables that a page takes."""

_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_UNPACK = "unpack it or save it as text first"
_BINARY = {
    b"\x1f\x8b": ("a gzip file", _UNPACK),
    b"PK\x03\x04": ("a ZIP archive, as spreadsheets also are", f"name it .xlsx or {_UNPACK}"),
    b"BZh": ("a bzip2 file", _UNPACK),
    b"\xfd7zXZ\0": ("an xz file", _UNPACK),
    b"\x28\xb5\x2f\xfd": ("a Zstandard file", _UNPACK),
    b"\xd0\xcf\x11\xe0": (
        "an office program's file in an old format or with a password",
        "save it as .xlsx without one",
    ),
    b"%PDF-": ("a PDF", _UNPACK),
    b"{\\rtf": ("a document of a word processor", _UNPACK),
    b"\x89PNG": ("a picture", _UNPACK),
    b"\xff\xd8\xff": ("a picture", _UNPACK),
    b"GIF8": ("a picture", _UNPACK),
    b"PAR1": ("a Parquet file", "name it .parquet"),
    b"ARROW1": ("an Arrow file", "name it .arrow"),
    b"SQLite format 3\0": ("a database", _UNPACK),
    b"GGUF": ("the weights of a model", _UNPACK),
    b"<!doctype html": ("a web page", "download the file itself"),
    b"<html": ("a web page", "download the file itself"),
}
"""First bytes of files that are often mistaken for tables, what each file is, and what to do."""
_OLD_SPREADSHEETS = (".xls", ".xlsb", ".ods", ".numbers")


def suffix_of(name: str) -> str:
    """Return the suffix that says how to read a file, without ``.gz``, in lower case."""
    path = PurePath(name.lower())
    return PurePath(path.stem).suffix if path.suffix == ".gz" else path.suffix


def stem_of(name: str) -> str:
    """Return the name of a file without its suffix, and without ``.gz``."""
    path = PurePath(name)
    return PurePath(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def read_table(name: str, data: bytes, keys: tuple[str, ...] = ()) -> Table:
    """Parse the content of a file by the suffix of its name.

    A ``.txt`` has one column named text; blank lines are skipped. A ``.tsv`` or ``.csv``
    (:func:`.delimited.read`) starts with a header line; without one (some, not all, cells of the
    first line are numbers) columns are named by their position. Columns of the same name get a
    number: "text", "text (2)". A ``.jsonl`` has one object a line, a ``.json`` may also be one list
    of objects; numbers become text. Spreadsheets, Parquet and Arrow files are read by
    :func:`.binary_tables.read`. Text files may be compressed by gzip (``.tsv.gz``).

    Args:
        name: Name of the file; its suffix says how to read it.
        data: Content of the file.
        keys: Columns to take of JSON; by default the keys of its objects.

    Returns:
        The columns and at least one row.

    Raises:
        CorpusError: The suffix is unknown, the content is of another kind of file, cannot be
            decoded, has no rows, rows of different lengths, wrong quoting or JSON, NUL characters
            or lone surrogates; or it is larger than a hosted server accepts
            (:mod:`analysis.runtime.hosting`).
    """
    hosting.check_size(name, len(data))
    suffix = suffix_of(name)
    if PurePath(name).suffix.lower() == ".gz" and suffix in _TEXT:
        data = _unpacked(name, data)
    check_kind(name, data, suffix)
    if suffix in _TEXT:
        table = _text_table(name, decode(name, data), suffix, keys)
    else:
        table = binary_tables.read(name, data, suffix)
    if not table.rows:
        raise CorpusError(f"{name} has a header line but no rows.")
    check_shape(name, len(table.rows), len(table.columns))
    size = 0
    for line, cells in ((1, table.columns), *table.rows):
        size += sum(len(cell or "") for cell in cells)
        check_unpacked(name, size)  # cells may share a text, as those of merged ranges do
        if any(_UNREADABLE.search(cell or "") for cell in cells):
            raise table.error(
                line, "contains a NUL character or half a surrogate pair; save it as UTF-8"
            )
    return table


def check_kind(name: str, data: bytes, suffix: str) -> None:
    """Refuse what is no table, by its name or its first bytes.

    Args:
        name: Name of the file.
        data: Its first bytes, or all.
        suffix: How it is to be read.

    Raises:
        CorpusError: It is a file of another kind; the sentence names it and what to do.
    """
    if suffix in _OLD_SPREADSHEETS:
        raise CorpusError(f"{name} is a spreadsheet that is not read here; save it as .xlsx.")
    if git_lfs.is_pointer(data):
        raise CorpusError(git_lfs.refusal(name))
    start = data[:64].lstrip().lower()
    for magic, (kind, remedy) in _BINARY.items():
        own = suffix not in _TEXT and magic in (b"PK\x03\x04", b"PAR1", b"ARROW1")
        if not own and (data.startswith(magic) or start.startswith(magic)):
            raise CorpusError(f"{name} is {kind}, not a table; {remedy}.")
    if suffix not in (*_TEXT, *TABLES):
        raise CorpusError(
            f"{name} is not a {', '.join(('.txt', *TABLES[:-1]))} or {TABLES[-1]} file."
        )


def _unpacked(name: str, data: bytes) -> bytes:
    """The content of a gzip file."""
    limits = hosting.hosted()
    most = limits.megabytes * 1_000_000 if limits else LARGEST_UNPACKED
    try:
        with gzip.open(io.BytesIO(data)) as file:
            content = file.read(most + 1)
    except (OSError, EOFError, zlib.error):
        raise CorpusError(f"{name} is not a gzip file that can be read; fetch it again.") from None
    if len(content) > most:
        raise CorpusError(f"{name} unpacks to more than {most / 1e6:,.0f} MB; take a part of it.")
    return content


def _text_table(name: str, text: str, suffix: str, keys: tuple[str, ...]) -> Table:
    if not text.replace("\0", " ").strip():
        raise CorpusError(f"{name} is empty; a text is needed on each line.")
    if suffix in (".jsonl", ".ndjson", ".json"):
        return _json(name, text, keys)
    if suffix == ".txt":
        check_shape(name, max(map(text.count, "\n\r")), 1)
        return Table(name, ("text",), tuple((n, (s,)) for n, s in _lines(text)))
    if _is_json(text):
        raise CorpusError(f"{name} holds JSON, not cells with separators; name it .jsonl.")
    return delimited.read(name, text, suffix)


def _is_json(text: str) -> bool:
    """Whether the first line is a JSON object."""
    try:
        return isinstance(json_reader.read(text.lstrip().split("\n", 1)[0]), dict)
    except json_reader.JSONProblem:
        return False


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
        choice = " (in Excel: CSV UTF-8, with commas or semicolons)"
        raise CorpusError(
            f"{name}, line {line}: byte 0x{data[error.start]:02x} at offset {error.start:,} is "
            f"not {encoding.upper()}; save the file as UTF-8"
            f"{choice if suffix_of(name) in ('.csv', '.tsv') else ''}."
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


def _json(name: str, text: str, keys: tuple[str, ...]) -> Table:
    """A list of objects, or an object on each line."""
    records: list[tuple[int, Any]] = []
    place = "line"
    if text.lstrip().startswith("["):
        try:
            whole = json_reader.read(text)
        except json_reader.RepeatedKey as problem:
            raise CorpusError(f"{name}: an object has {problem}.") from None
        except json_reader.JSONProblem:
            whole = None
        if isinstance(whole, list) and whole and all(isinstance(each, dict) for each in whole):
            records, place = [*enumerate(whole, 1)], "object"
    for line, content in _lines(text) if not records else ():
        try:
            record = json_reader.read(content)
        except json_reader.JSONProblem as problem:
            raise CorpusError(f"{name}, line {line}: not JSON ({problem}).") from None
        if not isinstance(record, dict):
            raise CorpusError(f"{name}, line {line}: not a JSON object.")
        records.append((line, record))
    columns: dict[str, None] = dict.fromkeys(keys)
    for _, record in records if not keys else ():
        columns.update(dict.fromkeys(record))
        check_shape(name, len(records), len(columns))
    rows = ((line, [_cell(record.get(key)) for key in columns]) for line, record in records)
    return Table(name, tuple(columns), tuple(rows), place=place)


def _cell(value: object) -> str | None:
    """A value of JSON as a cell; numbers as they are written."""
    return repr(value) if isinstance(value, float) and value == value else cell(value)
