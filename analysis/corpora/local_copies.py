"""Local copies of corpora: the files in the folder that ``KVE_CORPORA`` names.

The folder is laid out by kind: ``texts/`` and ``labelled/`` with a table a corpus, ``sts/`` with a
table of rated pairs each, ``retrieval/`` with folders or ZIPs in BEIR's layout. Every file is a
corpus with the name of its stem.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

from ..errors import CorpusError
from .beir import read_folder, read_retrieval
from .columns import Columns, guess_columns, read_labelled, read_pairs, read_texts
from .parsing import TABLES, stem_of, suffix_of
from .types import Kind, Pairs, Retrieval, Texts

_FOLDERS: dict[str, tuple[Kind, ...]] = {
    "texts": ("texts",),
    "labelled": ("labelled", "texts"),
    "sts": ("pairs",),
    "retrieval": ("retrieval",),
}
"""What the files in each folder can be read as."""

Copies = dict[tuple[str, Kind], Path]


def find_copies() -> Copies:
    """Return the path of each local copy by its name and kind; none if there is no folder."""
    copies: Copies = {}
    if not (root := os.environ.get("KVE_CORPORA")):
        return copies
    for folder, kinds in _FOLDERS.items():
        suffixes = (".zip",) if folder == "retrieval" else (".txt", *TABLES)
        try:
            paths = sorted(Path(root, folder).expanduser().iterdir())
        except (OSError, ValueError, RuntimeError):
            continue
        for path in paths:
            is_set = folder == "retrieval" and path.is_dir()
            if path.name.startswith(".") or not (is_set or suffix_of(path.name) in suffixes):
                continue
            for kind in kinds:
                copies.setdefault((path.name if is_set else stem_of(path.name), kind), path)
    return copies


def describe(path: Path) -> str:
    """Return one sentence on where a local copy is."""
    return f"A local copy, {path.parent.name}/{path.name} in the folder that KVE_CORPORA names."


def count(path: Path, kind: Kind) -> int:
    """Return how many texts, pairs or queries a local copy has, counted once until it changes.

    Args:
        path: Where the copy is.
        kind: What it is read as.

    Raises:
        CorpusError: It cannot be read as that kind.
    """
    try:
        files = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
        stamps = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files)
    except OSError as error:
        raise _unreadable(path, error) from None
    return _counted(path, kind, stamps)


@lru_cache(maxsize=256)
def _counted(path: Path, kind: Kind, stamps: tuple[tuple[int, int], ...]) -> int:  # noqa: ARG001
    if kind == "retrieval":
        return len(read_retrieval_copy(path.name, path).queries)
    if kind == "pairs":
        return len(read_pairs(path.name, _bytes(path)).scores)
    read = read_labelled if kind == "labelled" else read_texts
    return len(read(path.name, _bytes(path)).texts)


_Table = TypeVar("_Table", Texts, Pairs)


def read_copy(
    read: Callable[[str, bytes, Columns | None], _Table],
    name: str,
    path: Path,
    columns: Columns | None,
) -> _Table:
    """Read a local copy that is a table, under its name.

    Args:
        read: The function of :mod:`analysis.corpora.columns` for its kind.
        name: Name of the corpus.
        path: Where it is.
        columns: Which columns to read, or None to guess.

    Raises:
        CorpusError: It cannot be read.
    """
    return replace(read(path.name, _bytes(path), columns), name=name)


def read_retrieval_copy(name: str, path: Path) -> Retrieval:
    """Read a local copy that is a folder or a ZIP in BEIR's layout.

    Args:
        name: Name of the corpus.
        path: Where the copy is.

    Raises:
        CorpusError: It cannot be read.
    """
    return read_folder(name, path) if path.is_dir() else read_retrieval(name, _bytes(path))


def guess_copy_columns(path: Path, kind: Literal["texts", "labelled", "pairs"]) -> Columns:
    """Propose which columns of a local copy to read (:func:`~.columns.guess_columns`).

    Args:
        path: Where the copy is.
        kind: What it is to be read as.

    Raises:
        CorpusError: It is not a table that can be read.
    """
    return guess_columns(path.name, _bytes(path), kind)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> CorpusError:
    return CorpusError(
        f"{path.name}, a local copy in the folder that KVE_CORPORA names, cannot be read: "
        f"{error.strerror}."
    )
