"""Parquet, Feather and Arrow files as tables, by pyarrow.

What is compressed says how large it is unpacked, and is refused before it is if that is too much.
Columns of lists and other nested values hold no text, and are not unpacked at all.
"""

import io
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..errors import CorpusError
from . import headers, unpacked_sizes
from .headers import Rows
from .tables import Table, cell, check_shape, check_unpacked

_LARGEST_BATCH = 1024
"""Maximum rows of Parquet that are decoded at once."""
_BYTES_OF_NUMBER = 8
"""Bytes that a number of a list takes at most, unpacked."""
_INDEX = "__index_level_0__"
"""The column in which pandas keeps the index of a frame."""


class _Columns(NamedTuple):
    """The columns of a file: names of all, and record batches of those that may hold text.

    ``read`` are the latter's positions among all.
    """

    names: list[str]
    read: list[int]
    batches: Iterator[Any]


def read(name: str, data: bytes, suffix: str) -> Table:
    """Read a Parquet, Feather or Arrow file.

    Args:
        name: Name of the file.
        data: Content of the file.
        suffix: Which kind of file it is.

    Raises:
        CorpusError: It has no column that may hold text, or is too large.
        Exception: It is damaged.
    """
    file = _parquet(name, data) if suffix == ".parquet" else _arrow(name, data)
    shown = [i for i, column in enumerate(file.names) if column != _INDEX]
    check_shape(name, 0, len(shown))
    rows: Rows = []
    size = 0
    for batch in file.batches:
        # or a damaged file is read beyond its end, which ends the process
        batch.validate(full=True)
        check_shape(name, len(rows) + batch.num_rows, len(shown))
        check_unpacked(name, batch.nbytes)
        cells: dict[int, list[str | None]] = {}
        for i, array in zip(file.read, batch.columns, strict=True):
            if i in shown:
                cells[i] = _cells(name, array, size)
                size += sum(len(each or "") for each in cells[i])
                check_unpacked(name, size)
        nothing = [None] * batch.num_rows
        columns = (cells.get(i, nothing) for i in shown)
        rows += enumerate(zip(*columns, strict=True), len(rows) + 1)
    names = headers.distinct_names([file.names[i] for i in shown])
    return Table(name, names, tuple(rows), place="row")


def schema(data: bytes, suffix: str) -> Any:
    """The names and types of a file's columns, a ``pyarrow.Schema``.

    Args:
        data: Content of the file.
        suffix: Which kind of file it is.

    Raises:
        Exception: It is damaged.
    """
    from pyarrow import ipc, parquet

    if suffix == ".parquet":
        return parquet.read_schema(io.BytesIO(data))
    return ipc.open_stream(_stream(data)).schema


def texts_and_lists(
    name: str, data: bytes, suffix: str, texts: str, lists: str
) -> Iterator[tuple[list[str | None], Any]]:
    """A column of texts and one of lists of numbers, batch by batch.

    Args:
        name: Name of the file.
        data: Content of the file.
        suffix: Which kind of file it is.
        texts: The column of texts.
        lists: The column of lists.

    Yields:
        The texts, and an Arrow array of as many lists.

    Raises:
        CorpusError: It is too large.
        Exception: It is damaged.
    """
    wanted = (texts, lists)
    file = (_parquet if suffix == ".parquet" else _arrow)(name, data, wanted)
    names = [file.names[i] for i in file.read]
    characters = size = 0
    for batch in file.batches:
        batch.validate(full=True)
        words = _cells(name, batch.column(names.index(texts)), characters)
        numbers = batch.column(names.index(lists))
        characters += sum(len(word or "") for word in words)
        size += numbers.nbytes
        check_unpacked(name, characters + size)
        yield words, getattr(numbers, "storage", numbers)


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


def _parquet(name: str, data: bytes, wanted: Sequence[str] = ()) -> _Columns:
    """The columns that may hold text, or those that are ``wanted``."""
    from pyarrow import parquet

    described = parquet.read_metadata(io.BytesIO(data))
    check_shape(name, described.num_rows, described.num_columns)
    leaves = [described.schema.column(i) for i in range(described.num_columns)]
    if wanted:
        chosen = [
            i
            for i, leaf in enumerate(leaves)
            if leaf.path in wanted
            or (leaf.path != leaf.name and leaf.path.startswith(tuple(f"{c}." for c in wanted)))
        ]
    else:
        chosen = [i for i, leaf in enumerate(leaves) if leaf.path == leaf.name]  # else it is nested
    each = _BYTES_OF_NUMBER if wanted else 0
    check_unpacked(name, unpacked_sizes.of_parquet(data, set(chosen), each))
    texts = [leaf.path for leaf in leaves if leaf.path == leaf.name]
    file = parquet.ParquetFile(io.BytesIO(data), read_dictionary=texts)
    positions = _positions(name, file.schema_arrow, wanted)
    if len(positions) != len(chosen):
        raise ValueError("its schemas differ")
    batches = file.reader.iter_batches(
        _LARGEST_BATCH, range(described.num_row_groups), chosen, use_threads=False
    )
    return _Columns(file.schema_arrow.names, positions, batches)


def _stream(data: bytes) -> Any:
    """The stream of a file: what is between its first 8 bytes and its end."""
    import pyarrow as pa

    return pa.py_buffer(data).slice(8 if data.startswith(b"ARROW1") else 0)


def _arrow(name: str, data: bytes, wanted: Sequence[str] = ()) -> _Columns:
    """The columns that may hold text, or those that are ``wanted``."""
    import pyarrow as pa
    from pyarrow import ipc

    is_file = data.startswith(b"ARROW1")  # its end counts the record batches
    count = ipc.open_file(pa.BufferReader(data)).num_record_batches if is_file else None
    stream = _stream(data)
    schema = ipc.open_stream(stream).schema
    positions = _positions(name, schema, wanted)
    check_shape(name, 0, len(schema.names))
    dictionaries, batches = 0, 0
    for message in ipc.MessageReader.open_stream(stream):
        size = unpacked_sizes.of_arrow(message)
        check_unpacked(name, dictionaries + size)  # one record batch at a time is in memory
        dictionaries += size if message.type == "dictionary" else 0
        batches += message.type == "record batch"
        if batches == count:
            break
    if batches < (count or 0):
        raise ValueError("record batches are missing")
    options = ipc.IpcReadOptions(included_fields=positions)
    reader = ipc.open_stream(stream, options=options)
    return _Columns(schema.names, positions, itertools.islice(reader, count))


def _positions(name: str, schema: Any, wanted: Sequence[str]) -> list[int]:
    """The positions of the columns that are ``wanted``, or else of those that may hold text."""
    if wanted:
        return [i for i, field in enumerate(schema) if field.name in wanted]
    positions = [i for i, field in enumerate(schema) if _may_hold_text(field.type)]
    if all(schema.names[i] == _INDEX for i in positions):
        raise CorpusError(
            f"{name} has no columns of texts or numbers; a column of texts is needed."
        )
    return positions


def _may_hold_text(kind: Any) -> bool:
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _may_hold_text(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _may_hold_text(kind.value_type)
    return not pa.types.is_nested(kind)
