"""Corpora by name: packaged ones, local copies and sets on the hub; or files by their path.

A local copy (:mod:`analysis.corpora.local_copies`) is read before a set on the hub of the same
name. A hosted server (:mod:`analysis.runtime.hosting`) offers the packaged corpora, its own local
copies and the sets that its operator lists, and reads no other path.
"""

import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

from ..errors import CorpusError
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
    match kind:
        case "pairs":
            return load_pairs(source)
        case "labelled":
            return load_labelled(source)
        case "retrieval":
            return load_retrieval(source)
    return load_texts(source)


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
    source = _named(source, "texts", "pairs")
    if source in _packaged_names("texts"):
        _check_no_columns(source, columns)
        return packaged.texts(source)
    if (path := _copy(source, "texts", "pairs")) is not None:
        return local_copies.read_copy(read_texts, source, path, columns)
    for hub_set in hub.HUB_SETS:
        if hub_set.name == source and hub_set.kind != "retrieval":
            _check_no_columns(source, columns)
            if hub_set.kind == "labelled":
                return hub.fetch_labelled(hub_set)
            pairs = hub.fetch_pairs(hub_set)
            return Texts(source, pairs.texts, f"The distinct texts of the pairs: {pairs.source}")
    return read_texts(source, _read_file(source, "texts"), columns)


def load_labelled(source: str | PathLike[str], columns: Columns | None = None) -> Texts:
    """Read labelled texts by the name of a corpus, or a local file by its path.

    Args:
        source: A name or a path.
        columns: Which columns to read, of a table that is not packaged and not on the hub.

    Raises:
        CorpusError: As :func:`load_texts`, or there are no labels.
    """
    source = _named(source, "labelled")
    if source in _packaged_names("labelled"):
        _check_no_columns(source, columns)
        return packaged.texts(source)
    if (path := _copy(source, "labelled")) is not None:
        return local_copies.read_copy(read_labelled, source, path, columns)
    if (hub_set := _on_hub(source, "labelled")) is not None:
        _check_no_columns(source, columns)
        return hub.fetch_labelled(hub_set)
    if source in names("texts"):
        raise CorpusError(
            f"{source} has no labels; labelled corpora are {_first_names(names('labelled'))}."
        )
    return read_labelled(source, _read_file(source, "labelled"), columns)


def load_pairs(source: str | PathLike[str], columns: Columns | None = None) -> Pairs:
    """Read rated pairs by the name of a corpus, or a local file by its path.

    Args:
        source: A name or a path.
        columns: Which columns to read, of a table that is not packaged and not on the hub.

    Raises:
        CorpusError: A package is missing, the hub cannot be reached, or the file is missing or
            cannot be read.
    """
    source = _named(source, "pairs")
    if source in _packaged_names("pairs"):
        _check_no_columns(source, columns)
        return packaged.pairs(source)
    if (path := _copy(source, "pairs")) is not None:
        return local_copies.read_copy(read_pairs, source, path, columns)
    if (hub_set := _on_hub(source, "pairs")) is not None:
        _check_no_columns(source, columns)
        return hub.fetch_pairs(hub_set)
    return read_pairs(source, _read_file(source, "pairs"), columns)


def load_retrieval(source: str | PathLike[str]) -> Retrieval:
    """Read queries with documents by name, or a local folder or ZIP in BEIR's layout by its path.

    Raises:
        CorpusError: The hub cannot be reached, or the files are missing or cannot be read (see
            :func:`analysis.corpora.beir.read_folder`).
    """
    source = _named(source, "retrieval")
    if source in _packaged_names("retrieval"):
        return packaged.retrieval(source)
    if (path := _copy(source, "retrieval")) is not None:
        return local_copies.read_retrieval_copy(source, path)
    if (hub_set := _on_hub(source, "retrieval")) is not None:
        return hub.fetch_retrieval(hub_set)
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
    kinds: tuple[Kind, ...] = ("texts", "pairs") if kind == "texts" else (kind,)
    source = _named(source, *kinds)
    if source in _packaged_names(kind):
        return None
    if (path := _copy(source, *kinds)) is not None:
        return local_copies.guess_copy_columns(path, kind)
    if any(hub_set.name == source for hub_set in hub.HUB_SETS):
        return None
    return guess_columns(source, _read_file(source, kind), kind)


def _named(source: str | PathLike[str], *kinds: Kind) -> str:
    """A name or path as a string.

    CorpusError for other values, and where a hosted server offers no corpus of that name and of one
    of these kinds.
    """
    try:
        name = os.fsdecode(source)
    except TypeError:
        kind = type(source).__name__
        raise CorpusError(
            f"A corpus is read by a name or the path of a file, not by a value of the type {kind}; "
            "texts in memory become one with Texts, Pairs or Retrieval."
        ) from None
    if hosting.hosted():
        hosting.check_corpus(name, [name for kind in kinds for name in names(kind)])
    return name


def _check_no_columns(name: str, columns: Columns | None) -> None:
    if columns is not None:
        raise CorpusError(f"{name} has no columns to choose from; leave the choice out.")


def _packaged_names(kind: Kind) -> tuple[str, ...]:
    return tuple(entry.name for entry in _PACKAGED if entry.kind == kind)


def _copy(name: str, *kinds: Kind) -> Path | None:
    """Where a local copy of the first of these kinds is."""
    copies = local_copies.find_copies()
    return next((copies[name, kind] for kind in kinds if (name, kind) in copies), None)


def _on_hub(name: str, kind: Kind) -> hub.HubSet | None:
    sets = (hub_set for hub_set in hub.HUB_SETS if (hub_set.name, hub_set.kind) == (name, kind))
    return next(sets, None)


def _read_file(source: str, kind: Kind) -> bytes:
    try:
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        short_source = source if len(source) <= 80 else f"{source[:77]}..."
        raise CorpusError(
            f"There is no corpus {short_source!r}: it is not a file that can be read ({reason}), "
            f"and the names for {kind} are {_first_names(names(kind))}."
        ) from None


def _first_names(corpora: tuple[str, ...]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(corpora) - 12} more" if len(corpora) > 12 else ""
    return ", ".join(corpora[:12]) + more
