"""Corpora by name: packaged ones, local copies, sets on the hub; or files by their path.

A folder that the environment variable ``KVE_CORPORA`` names is laid out by kind: ``texts/`` and
``labelled/`` with a table a corpus, ``sts/`` with a table of rated pairs each, ``retrieval/`` with
folders or ZIPs in the layout of BEIR. Every file there is a corpus by its stem, and goes before a
set on the hub of the same name. A hosted server (:mod:`analysis.runtime.hosting`) has the packaged ones,
its folder's and the sets that its operator lists, and reads no other path. What the values are is
said in :mod:`analysis.corpora.types`, how files are read in :mod:`analysis.corpora.columns` and
:mod:`analysis.corpora.beir`; all are offered here too.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

from ..errors import CorpusError
from ..runtime import hosting
from . import hub, packaged
from .beir import read_folder, read_retrieval
from .columns import Columns, guess_columns, read_labelled, read_pairs, read_texts
from .packaged import CALIBRATION
from .sampling import distinct, first, part, sample
from .types import Kind, Pairs, Retrieval, Texts

__all__ = [
    "CALIBRATION",
    "USUAL",
    "Columns",
    "Entry",
    "Kind",
    "Pairs",
    "Retrieval",
    "Texts",
    "columns_of",
    "distinct",
    "first",
    "guess_columns",
    "list_corpora",
    "load",
    "load_labelled",
    "load_pairs",
    "load_retrieval",
    "load_texts",
    "names",
    "part",
    "read_labelled",
    "read_pairs",
    "read_retrieval",
    "read_texts",
    "sample",
]


USUAL: dict[Kind, str] = {
    "pairs": "lee50",
    "labelled": "chatterbot",
    "retrieval": "chatterbot-answers",
}
"""What is scored of each kind, unless something else is named; packaged, and small."""


@dataclass(frozen=True)
class Entry:
    """A menu entry: a corpus that the ``load_`` function of its kind knows by name."""

    name: str
    kind: Kind
    size: int
    """How many texts, pairs or queries; 0 where a local copy cannot be read."""
    description: str
    where: Literal["packaged", "folder", "hub"]
    at_hand: bool
    """Whether it can be read without a network."""


_PACKAGED = tuple(Entry(*known, where="packaged", at_hand=True) for known in packaged.PACKAGED)

_FOLDERS: dict[str, tuple[Kind, ...]] = {
    "texts": ("texts",),
    "labelled": ("labelled", "texts"),
    "sts": ("pairs",),
    "retrieval": ("retrieval",),
}
"""Kinds that the files in each folder of ``KVE_CORPORA`` are."""


def list_corpora() -> tuple[Entry, ...]:
    """All corpora known by name, for menus: packaged ones, local copies, then those on the hub.

    A name has at most one entry of a kind. Local copies are counted (once, until they change);
    one that cannot be read is listed as not at hand, its description saying why. The hub is not
    asked.
    """
    entries = {(entry.name, entry.kind): entry for entry in _PACKAGED}
    for (name, kind), path in _copies().items():
        entries.setdefault((name, kind), _copy_entry(name, kind, path))
    limits = hosting.hosted()
    for known in hub.HUB_SETS:
        if limits and known.name not in limits.corpora:
            continue
        at_hand = hub.at_hand(known)
        for kind in ("labelled", "texts") if known.kind == "labelled" else (known.kind,):
            entry = Entry(known.name, kind, known.size, known.description, "hub", at_hand)
            entries.setdefault((known.name, kind), entry)
    return tuple(entries.values())


def names(kind: Kind, *, at_hand: bool | None = None) -> tuple[str, ...]:
    """Names of the corpora of a kind: all, or only those (not) readable without a network."""
    return tuple(
        entry.name
        for entry in list_corpora()
        if entry.kind == kind and at_hand in (None, entry.at_hand)
    )


def load(kind: Kind, source: str) -> Texts | Pairs | Retrieval:
    """Read a corpus of any kind by name or path, as the ``load_`` function of its kind does.

    Raises:
        CorpusError: as that function.
    """
    match kind:
        case "pairs":
            return load_pairs(source)
        case "labelled":
            return load_labelled(source)
        case "retrieval":
            return load_retrieval(source)
    return load_texts(source)


def load_texts(source: str, columns: Columns | None = None) -> Texts:
    """Read a corpus by name, or a local file by path (see :func:`read_texts`).

    A name of rated pairs gives their distinct texts.

    Args:
        source: a name or a path.
        columns: which columns to take, of a table that is not packaged and not on the hub.

    Raises:
        CorpusError: the package is not installed, the hub is not to be reached, or the file is
            missing or cannot be read.
    """
    _check_open(source, "texts", "pairs")
    if source in _names_packaged("texts"):
        _no_choice(source, columns)
        return packaged.texts(source)
    if (path := _copies().get((source, "texts")) or _copies().get((source, "pairs"))) is not None:
        return _copied(read_texts, source, path, columns)
    for known in hub.HUB_SETS:
        if known.name == source and known.kind != "retrieval":
            _no_choice(source, columns)
            if known.kind == "labelled":
                return hub.fetch_labelled(known)
            pairs = hub.fetch_pairs(known)
            return Texts(source, pairs.texts, f"The distinct texts of the pairs: {pairs.source}")
    return read_texts(source, _file(source, "texts"), columns)


def load_labelled(source: str, columns: Columns | None = None) -> Texts:
    """Read a labelled corpus by name, or a local file by path (see :func:`read_labelled`).

    Raises:
        CorpusError: as :func:`load_texts`, or there are no labels.
    """
    _check_open(source, "labelled")
    if source in _names_packaged("labelled"):
        _no_choice(source, columns)
        return packaged.texts(source)
    if (path := _copies().get((source, "labelled"))) is not None:
        return _copied(read_labelled, source, path, columns)
    if (known := _on_hub(source, "labelled")) is not None:
        _no_choice(source, columns)
        return hub.fetch_labelled(known)
    if source in names("texts"):
        raise CorpusError(
            f"{source} has no labels; labelled corpora are {_listed(names('labelled'))}."
        )
    return read_labelled(source, _file(source, "labelled"), columns)


def load_pairs(source: str, columns: Columns | None = None) -> Pairs:
    """Read rated pairs by name, or a local file by path (see :func:`read_pairs`).

    Raises:
        CorpusError: the package is not installed, the hub is not to be reached, or the file is
            missing or cannot be read.
    """
    _check_open(source, "pairs")
    if source == "lee50":
        _no_choice(source, columns)
        return packaged.pairs(source)
    if (path := _copies().get((source, "pairs"))) is not None:
        return _copied(read_pairs, source, path, columns)
    if (known := _on_hub(source, "pairs")) is not None:
        _no_choice(source, columns)
        return hub.fetch_pairs(known)
    return read_pairs(source, _file(source, "pairs"), columns)


def load_retrieval(source: str) -> Retrieval:
    """Read queries with documents by name, or a local folder or ZIP in BEIR's layout by path.

    Raises:
        CorpusError: the hub is not to be reached, or the files are missing or cannot be read
            (see :func:`analysis.corpora.beir.read_folder`).
    """
    _check_open(source, "retrieval")
    if source in _names_packaged("retrieval"):
        return packaged.retrieval(source)
    path = _copies().get((source, "retrieval"))
    if path is None and (known := _on_hub(source, "retrieval")) is not None:
        return hub.fetch_retrieval(known)
    return _retrieval_at(source, str(path or source))


def _retrieval_at(name: str, path: str) -> Retrieval:
    try:
        is_folder = bool(path) and Path(path).is_dir()
    except (OSError, ValueError):
        is_folder = False
    return (
        read_folder(name, Path(path))
        if is_folder
        else read_retrieval(name, _file(path, "retrieval"))
    )


def columns_of(source: str, kind: Literal["texts", "labelled", "pairs"]) -> Columns | None:
    """What :func:`guess_columns` proposes for a local copy by name or a file by path.

    ``None`` for packaged corpora and those on the hub, whose columns are known.

    Raises:
        CorpusError: the file is missing or cannot be read.
    """
    _check_open(source, kind, *(("pairs",) if kind == "texts" else ()))
    copies = _copies()
    path = copies.get((source, kind)) or copies.get((source, "pairs" if kind == "texts" else kind))
    if source in _names_packaged(kind):
        return None
    if path is not None:
        return guess_columns(path.name, _file(str(path), kind), kind)
    if any(known.name == source for known in hub.HUB_SETS):
        return None
    return guess_columns(source, _file(source, kind), kind)


def _check_open(source: str, *kinds: Kind) -> None:
    """CorpusError where a hosted server has no corpus of that name and of one of these kinds."""
    if hosting.hosted():
        hosting.check_corpus(source, [name for kind in kinds for name in names(kind)])


def _names_packaged(kind: Kind) -> tuple[str, ...]:
    return tuple(entry.name for entry in _PACKAGED if entry.kind == kind)


# Local copies


def _copies() -> dict[tuple[str, Kind], Path]:
    """The files in the folder that ``KVE_CORPORA`` names, by name and kind."""
    found: dict[tuple[str, Kind], Path] = {}
    if not (root := os.environ.get("KVE_CORPORA")):
        return found
    for folder, kinds in _FOLDERS.items():
        suffixes = (".zip",) if folder == "retrieval" else (".tsv", ".csv", ".jsonl", ".txt")
        try:
            paths = sorted(Path(root, folder).expanduser().iterdir())
        except (OSError, ValueError, RuntimeError):
            continue
        for path in paths:
            is_set = folder == "retrieval" and path.is_dir()
            if path.name.startswith(".") or not (is_set or path.suffix.lower() in suffixes):
                continue
            for kind in kinds:
                found.setdefault((path.name if is_set else path.stem, kind), path)
    return found


def _copy_entry(name: str, kind: Kind, path: Path) -> Entry:
    where = f"A local copy, {path.parent.name}/{path.name} in the folder that KVE_CORPORA names."
    try:
        files = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
        stamp = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files)
        return Entry(name, kind, _counted(kind, path, stamp), where, "folder", True)
    except (CorpusError, OSError) as error:
        return Entry(name, kind, 0, str(error), "folder", False)


@lru_cache(maxsize=256)
def _counted(kind: Kind, path: Path, stamp: tuple[tuple[int, int], ...]) -> int:  # noqa: ARG001
    """How many texts, pairs or queries a local copy has, by reading it."""
    if kind == "retrieval":
        return len(_retrieval_at(str(path), str(path)).queries)
    data = _file(str(path), kind)
    if kind == "pairs":
        return len(read_pairs(path.name, data).scores)
    return len((read_labelled if kind == "labelled" else read_texts)(path.name, data).texts)


_Read = TypeVar("_Read", Texts, Pairs)


def _copied(
    read: Callable[[str, bytes, Columns | None], _Read],
    name: str,
    path: Path,
    columns: Columns | None,
) -> _Read:
    return replace(read(path.name, _file(str(path), "texts"), columns), name=name)


# The hub, and what is said of sources that are nowhere


def _on_hub(name: str, kind: Kind) -> hub.HubSet | None:
    known = (known for known in hub.HUB_SETS if (known.name, known.kind) == (name, kind))
    return next(known, None)


def _no_choice(name: str, columns: Columns | None) -> None:
    if columns is not None:
        raise CorpusError(f"{name} has no columns to choose from; leave the choice out.")


def _file(source: str, kind: Kind) -> bytes:
    try:
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        shown = source if len(source) <= 80 else f"{source[:77]}..."
        raise CorpusError(
            f"Nothing can be read from {shown!r} ({reason}), nor is it the name of any {kind} "
            f"here: {_listed(names(kind))}."
        ) from None


def _listed(known: tuple[str, ...]) -> str:
    """Names in a sentence, so many as fit."""
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return ", ".join(known[:12]) + more
