"""Corpora by name: packaged ones, local copies and sets on the hub; or files by their path.

A local copy (:mod:`analysis.corpora.local_copies`) is read before a set on the hub of the same
name. A hosted server (:mod:`analysis.runtime.hosting`) offers the packaged corpora, its own local
copies and the sets that its operator lists, and reads no other path.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from ..errors import CorpusError, listed, quoted
from ..runtime import hosting
from . import hub, local_copies, packaged
from .beir import read_folder, read_retrieval
from .columns import Columns, guess_columns, read_labelled, read_pairs, read_texts
from .types import Kind, Pairs, Retrieval, Texts

DEFAULTS: dict[Kind, str] = {
    "pairs": "lee50",
    "labelled": "chatterbot",
    "retrieval": "chatterbot-answers",
}
"""The corpus of each kind that is scored unless another is named; packaged, and small."""


@dataclass(frozen=True)
class Entry:
    """A menu entry: a corpus that the ``load_`` function of its kind reads by name.

    Attributes:
        name: Name of the corpus.
        kind: What it can be read as.
        size: How many texts, pairs or queries; 0 for a local copy that cannot be read.
        description: One sentence: what it is, or why it cannot be read.
        where: Where it is from.
        offline: Whether it can be read without a network.
    """

    name: str
    kind: Kind
    size: int
    description: str
    where: Literal["packaged", "folder", "hub"]
    offline: bool


_PACKAGED = tuple(Entry(*facts, where="packaged", offline=True) for facts in packaged.PACKAGED)


def list_corpora() -> tuple[Entry, ...]:
    """List all corpora known by name: packaged ones, local copies, then those on the hub.

    Local copies are counted, once until they change; one that cannot be read is listed with the
    reason as its description and ``offline=False``. No request is sent to the hub.

    Returns:
        At most one entry of each name and kind.
    """
    entries = {(entry.name, entry.kind): entry for entry in _PACKAGED}
    for (name, kind), path in local_copies.find_copies().items():
        entries.setdefault((name, kind), _copy_entry(name, kind, path))
    limits = hosting.hosted()
    for hub_set in hub.HUB_SETS:
        if limits and hub_set.name not in limits.corpora:
            continue
        cached = hub.cached(hub_set)
        for kind in ("labelled", "texts") if hub_set.kind == "labelled" else (hub_set.kind,):
            entry = Entry(hub_set.name, kind, hub_set.size, hub_set.description, "hub", cached)
            entries.setdefault((hub_set.name, kind), entry)
    return tuple(entries.values())


def _copy_entry(name: str, kind: Kind, path: Path) -> Entry:
    try:
        size = local_copies.count(path, kind)
        return Entry(name, kind, size, local_copies.describe(path), "folder", True)
    except CorpusError as error:
        return Entry(name, kind, 0, str(error), "folder", False)


def names(kind: Kind, *, offline: bool | None = None) -> tuple[str, ...]:
    """List the names of the corpora of a kind.

    Args:
        kind: What they are to be read as.
        offline: True for those that can be read without a network, False for the others, None
            for all.
    """
    return tuple(
        entry.name
        for entry in list_corpora()
        if entry.kind == kind and offline in (None, entry.offline)
    )


def load(kind: Kind, source: str | PathLike[str]) -> Texts | Pairs | Retrieval:
    """Read a corpus of any kind by name or path, as the ``load_`` function of its kind does.

    Args:
        kind: What to read it as.
        source: A name or a path.

    Raises:
        CorpusError: As that function.
    """
    if kind == "retrieval":
        return load_retrieval(source)
    if kind == "pairs":
        return load_pairs(source)
    return load_labelled(source) if kind == "labelled" else load_texts(source)


def load_texts(source: str | PathLike[str], columns: Columns | None = None) -> Texts:
    """Read texts by the name of a corpus, or a local file by its path.

    The name of rated pairs gives their distinct texts.

    Args:
        source: A name or a path.
        columns: Which columns to read, of a table that is not packaged and not on the hub.

    Raises:
        CorpusError: A package is missing, the hub cannot be reached, or the file is missing or
            cannot be read.
    """
    return _load_table("texts", source, read_texts, columns)


def load_labelled(source: str | PathLike[str], columns: Columns | None = None) -> Texts:
    """Read labelled texts by the name of a corpus, or a local file by its path.

    Args:
        source: A name or a path.
        columns: Which columns to read, of a table that is not packaged and not on the hub.

    Raises:
        CorpusError: As :func:`load_texts`, or there are no labels.
    """
    name = _named(source)
    if isinstance(_locate("labelled", name), str) and name in names("texts"):
        offered = listed(names("labelled"))
        raise CorpusError(f"{name} has no labels; labelled corpora are {offered}.")
    return _load_table("labelled", source, read_labelled, columns)


def load_pairs(source: str | PathLike[str], columns: Columns | None = None) -> Pairs:
    """Read rated pairs by the name of a corpus, or a local file by its path.

    Args:
        source: A name or a path.
        columns: Which columns to read, of a table that is not packaged and not on the hub.

    Raises:
        CorpusError: A package is missing, the hub cannot be reached, or the file is missing or
            cannot be read.
    """
    return _load_table("pairs", source, read_pairs, columns)


def load_retrieval(source: str | PathLike[str]) -> Retrieval:
    """Read queries with documents by name, or a local folder or ZIP in BEIR's layout by its path.

    Raises:
        CorpusError: The hub cannot be reached, or the files are missing or cannot be read (see
            :func:`analysis.corpora.beir.read_folder`).
    """
    source = _named(source)
    place = _locate("retrieval", source)
    if isinstance(place, Path):
        return local_copies.read_retrieval_copy(source, place)
    if not isinstance(place, str):
        return cast(Retrieval, place())
    try:
        is_folder = bool(source) and Path(source).is_dir()
    except (OSError, ValueError):
        is_folder = False
    if is_folder:
        return read_folder(source, Path(source))
    return read_retrieval(source, _read_file(source, "retrieval"))


def columns_of(source: str, kind: Literal["texts", "labelled", "pairs"]) -> Columns | None:
    """Propose which columns of a local copy or a file to read (:func:`~.columns.guess_columns`).

    Args:
        source: A name or a path.
        kind: What it is to be read as.

    Returns:
        The columns; None for packaged corpora and those on the hub, whose columns are known.

    Raises:
        CorpusError: The file is missing or cannot be read.
    """
    source = _named(source)
    place = _locate(kind, source)
    if isinstance(place, Path):
        return local_copies.guess_copy_columns(place, kind)
    return guess_columns(source, _read_file(source, kind), kind) if isinstance(place, str) else None


def paths_of(source: str) -> tuple[Path, ...]:
    """List the files or folders that a name or path may be read from; none for known sets."""
    copies = {path for (name, _), path in local_copies.find_copies().items() if name == source}
    known = [entry.name for entry in _PACKAGED] + [entry.name for entry in hub.HUB_SETS]
    return tuple(copies) or (() if source in known else (Path(source),))


def _named(source: str | PathLike[str]) -> str:
    """A name or path as a string; CorpusError for other values."""
    try:
        return os.fsdecode(source)
    except TypeError:
        raise CorpusError(
            "A corpus is read by a name or the path of a file, not by a value of the type "
            f"{type(source).__name__}; texts in memory become one with Texts, Pairs or Retrieval."
        ) from None


_Table = TypeVar("_Table", Texts, Pairs)


def _load_table(
    kind: Kind,
    source: str | PathLike[str],
    read: Callable[[str, bytes, Columns | None], _Table],
    columns: Columns | None,
) -> _Table:
    """Read a corpus that is a table where it is in a file; known ones have no choice of columns."""
    if not isinstance(columns, Columns | None):
        raise CorpusError(
            f"Columns are chosen by a value such as Columns('text'), not by {quoted(columns)}."
        )
    source = _named(source)
    place = _locate(kind, source)
    if isinstance(place, Path):
        return local_copies.read_copy(read, source, place, columns)
    if isinstance(place, str):
        return read(source, _read_file(source, kind), columns)
    if columns is not None:
        raise CorpusError(f"{source} has no columns to choose from; leave the choice out.")
    return cast(_Table, place())


def _locate(kind: Kind, source: str) -> Callable[[], Any] | Path | str:
    """Find out what a name means.

    Returns:
        A function that reads a packaged corpus or a set on the hub, the path of a local copy, or
        the name itself, which then is a path.

    Raises:
        CorpusError: A hosted server does not offer it.
    """
    kinds: tuple[Kind, ...] = ("texts", "pairs") if kind == "texts" else (kind,)
    if hosting.hosted():
        hosting.check_corpus(source, [name for each in kinds for name in names(each)])
    packaged_corpus, fetch = _READ[kind]
    if source in _packaged_names(kind):
        return partial(packaged_corpus, source)
    copies = local_copies.find_copies()
    if copy := next((copies[source, each] for each in kinds if (source, each) in copies), None):
        return copy
    readable = ("labelled", "pairs") if kind == "texts" else (kind,)
    for hub_set in hub.HUB_SETS:
        if hub_set.name == source and hub_set.kind in readable:
            return partial(fetch, hub_set)
    return source


_READ: dict[Kind, tuple[Callable[[str], Any], Callable[[hub.HubSet], Any]]] = {
    "texts": (packaged.texts, hub.fetch_texts),
    "labelled": (packaged.texts, hub.fetch_labelled),
    "pairs": (packaged.pairs, hub.fetch_pairs),
    "retrieval": (packaged.retrieval, hub.fetch_retrieval),
}
"""How a packaged corpus and a set on the hub are read, by kind."""


def _packaged_names(kind: Kind) -> tuple[str, ...]:
    return tuple(entry.name for entry in _PACKAGED if entry.kind == kind)


def _read_file(source: str, kind: Kind) -> bytes:
    try:
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise CorpusError(
            f"There is no corpus {quoted(source)}: it is not a file that can be read ({reason}), "
            f"and the names for {kind} are {listed(names(kind), source)}."
        ) from None
