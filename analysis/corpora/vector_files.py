"""Files of vectors with their texts: ``.npy``, Parquet, Feather and Arrow, and folders of datasets.

Files are read from bytes, so an upload and a local path are handled alike; whatever the bytes, the
only error raised is :class:`~analysis.errors.CorpusError`. Nothing is unpickled.
"""

import io
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError, listed, one_line, quoted
from ..runtime import git_lfs, hosting
from . import columnar_tables, columns, parsing, usual_names
from .tables import check_unpacked, folded

T = TypeVar("T")
ARRAY = ".npy"
COLUMNAR = (".parquet", ".feather", ".arrow")
FILES = (ARRAY, *COLUMNAR)
"""Suffixes of files of vectors."""
VECTORS = ("embedding", "embeddings", "vector", "vectors", "emb", "features", "representation")
"""Usual names of columns of vectors, in lower case without spaces and punctuation."""


class VectorColumns(NamedTuple):
    """The columns of a file that may hold texts, and those that may hold vectors."""

    texts: tuple[str, ...]
    vectors: tuple[str, ...]


class FileVectors(NamedTuple):
    """What a file holds.

    Attributes:
        rows: (N, D) real numbers, not checked further.
        texts: the N texts; None where the file has none.
    """

    rows: NDArray[Any]
    texts: tuple[str, ...] | None


def columns_of(name: str, data: bytes) -> VectorColumns:
    """The columns of a columnar file to choose from; none of an ``.npy``.

    Args:
        name: name of the file; its suffix says how to read it.
        data: its content.

    Raises:
        CorpusError: it cannot be read.
    """
    _check_kind(name, data)
    if _suffix(name) == ARRAY:
        return VectorColumns((), ())
    return _guarded(name, lambda: _columns(columnar_tables.schema(data, _suffix(name))))


def usual_column(there: Sequence[str], what: str) -> str | None:
    """The column of a usual name, or the only one; None where it is not clear.

    Args:
        there: the columns that may hold such values.
        what: ``"texts"`` or ``"vectors"``.
    """
    by_name = {folded(column): column for column in reversed(there)}
    for usual in VECTORS if what == "vectors" else usual_names.TEXT:
        if usual in by_name:
            return by_name[usual]
    return there[0] if len(there) == 1 else None


def _choose(name: str, wanted: str | None, there: Sequence[str], what: str) -> str:
    """The column that was asked for, or else the usual one."""
    chosen = usual_column(there, what) if wanted is None else wanted
    if chosen is not None and chosen in there:
        return chosen
    if wanted is not None:
        raise CorpusError(
            f"{name} has no column of {what} called {quoted(wanted)}; it has "
            f"{listed(there, wanted) or 'none'}."
        )
    raise CorpusError(
        f"{name} has no column of {what}; it needs one beside its others."
        if not there
        else f"{name} has {len(there)} columns that may hold {what} ({listed(there)}); choose one "
        f"of them (--{what.removesuffix('s')}-column)."
    )


def read(
    name: str, data: bytes, *, text_column: str | None = None, vector_column: str | None = None
) -> FileVectors:
    """Read the vectors of a file, and their texts where it has them.

    Args:
        name: name of the file; its suffix says how to read it.
        data: its content.
        text_column: the column of texts; None for a usual name or the only one.
        vector_column: the column of vectors; None for a usual name or the only one.

    Raises:
        CorpusError: it cannot be read, is too large, holds Python objects, or a column is not there
            or not clear.
    """
    there = columns_of(name, data)
    if _suffix(name) == ARRAY:
        return FileVectors(_array(name, data), None)
    vectors = _choose(name, vector_column, there.vectors, "vectors")
    texts = _choose(name, text_column, there.texts, "texts")
    return _guarded(
        name,
        lambda: _joined(
            *(name, texts),
            columnar_tables.texts_and_lists(name, data, _suffix(name), texts, vectors),
        ),
    )


def read_dataset(
    folder: str | Path, *, text_column: str | None = None, vector_column: str | None = None
) -> FileVectors:
    """Read the vectors of a dataset that ``datasets`` saved to a folder (``save_to_disk``).

    Args:
        folder: the folder of one split.
        text_column: the column of texts; None for a usual name or the only one.
        vector_column: the column of vectors; None for a usual name or the only one.

    Raises:
        CorpusError: it is no such folder, or as :func:`read`.
    """
    import datasets

    name = Path(folder).name
    try:
        loaded = datasets.load_from_disk(str(folder))
    except Exception as error:  # it raises some ten kinds on damaged folders
        raise CorpusError(
            f"{name} is not a dataset saved by datasets' save_to_disk ({one_line(error, 80)}); "
            f"give a file ({', '.join(FILES)}) or such a folder."
        ) from None
    if isinstance(loaded, datasets.DatasetDict):
        raise CorpusError(
            f"{name} holds several splits; give the folder of one: "
            f"{listed(f'{name}/{split}' for split in loaded)}."
        )
    there = _columns(loaded.features.arrow_schema)
    vectors = _choose(name, vector_column, there.vectors, "vectors")
    texts = _choose(name, text_column, there.texts, "texts")
    table = loaded.select_columns([texts, vectors]).with_format("arrow")[:]
    check_unpacked(name, table.nbytes)
    batches = (
        (batch.column(texts).to_pylist(), batch.column(vectors)) for batch in table.to_batches()
    )
    return _joined(name, texts, batches)


def read_texts(name: str, data: bytes, column: str | None = None) -> tuple[str, ...]:
    """The texts of the rows of an ``.npy``: one a line, or a column of a table.

    Args:
        name: name of the file.
        data: its content.
        column: the column of texts; None for the usual one.

    Raises:
        CorpusError: it cannot be read.
    """
    table = parsing.read_table(name, data)
    chosen = None if column is None else columns.Columns(column)
    return columns.read_texts(name, table, chosen).texts


def _suffix(name: str) -> str:
    return PurePath(name.lower()).suffix


def _check_kind(name: str, data: bytes) -> None:
    hosting.check_size(name, len(data))
    if git_lfs.is_pointer(data):
        raise CorpusError(git_lfs.refusal(name))
    if _suffix(name) not in FILES:
        raise CorpusError(
            f"{name} is no file of vectors that is read: use {', '.join(FILES)}, or the folder of "
            "a dataset."
        )


def _guarded(name: str, read: Callable[[], T]) -> T:
    """What ``read`` gives; what pyarrow raises of a damaged file as one sentence."""
    try:
        return read()
    except CorpusError:
        raise
    except Exception as error:  # pyarrow raises some twenty unrelated kinds
        raise CorpusError(
            f"{name} is not a Parquet, Feather or Arrow file that can be read "
            f"({one_line(error, 80)}); save it anew, or as .npy."
        ) from None


def _columns(schema: Any) -> VectorColumns:
    import pyarrow as pa

    texts, vectors = [], []
    for field in schema:
        kind = getattr(field.type, "storage_type", field.type)
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string)):
            texts.append(field.name)
        elif any(
            test(kind)
            for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
        ) and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
            vectors.append(field.name)
    return VectorColumns(tuple(texts), tuple(vectors))


def _joined(name: str, title: str, batches: Iterable[tuple[list[str | None], Any]]) -> FileVectors:
    """The texts and vectors of batches; refuses missing ones and rows of other lengths."""
    parts: list[NDArray[Any]] = []
    words: list[str] = []
    for texts, column in batches:
        place = len(words)
        for row, text in enumerate(texts, place + 1):
            if text is None:
                raise CorpusError(f"{name}, row {row:,}: no text in column {quoted(title)}.")
            words.append(text)
        if column.null_count:
            row = place + column.is_null().to_pylist().index(True) + 1
            raise CorpusError(f"{name}, row {row:,}: the vector is missing; leave the row out.")
        lengths = np.asarray(column.value_lengths())
        width = parts[0].shape[1] if parts else int(lengths[0]) if len(lengths) else 0
        if (lengths != width).any():
            row = int(np.argmax(lengths != width))
            raise CorpusError(
                f"{name}, row {place + row + 1:,}: the vector has {lengths[row]:,} numbers, the "
                f"first {width:,}; give vectors of one dimension."
            )
        values = column.flatten()
        if values.null_count:
            row = place + values.is_null().to_pylist().index(True) // width + 1
            raise CorpusError(
                f"{name}, row {row:,}: a number of the vector is missing; leave the row out."
            )
        if len(column):
            parts.append(np.asarray(values).reshape(len(column), width))
    if not parts:
        raise CorpusError(f"{name} has no rows; a text and its vector are needed.")
    hosting.check_rows(name, len(words))
    return FileVectors(np.concatenate(parts), tuple(words))


def _array(name: str, data: bytes) -> NDArray[Any]:
    """The array of an ``.npy``, whose header is checked before anything of its size is made."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, is_fortran, dtype = read_header(file)
    except Exception as error:  # an evaluated header raises whatever Python's parser does
        raise CorpusError(
            f"{name} is not an array as numpy saves one ({one_line(error, 80)}); write it with "
            "numpy.save."
        ) from None
    if dtype.hasobject:
        raise CorpusError(
            f"{name} holds Python objects, which would be unpickled and so are never read; save "
            "an array of numbers, all rows of one length."
        )
    if dtype.kind not in "fiu" or len(shape) != 2 or 0 in shape:
        size = " x ".join(map(str, shape)) or "a single value"
        raise CorpusError(
            f"{name} is not a table of vectors, a row of as many real numbers for each text; it is "
            f"{size} of {dtype}."
        )
    hosting.check_rows(name, shape[0])
    if math.prod(shape) * dtype.itemsize > len(data) - file.tell():
        raise CorpusError(f"{name} is cut short: its header promises more; copy it again.")
    rows = np.frombuffer(data, dtype, math.prod(shape), file.tell())
    return rows.reshape(shape, order="F" if is_fortran else "C")
