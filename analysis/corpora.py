"""Corpora by name: packaged ones, local copies, sets on the hub; or files by their path.

Packaged corpora are located without importing the package they ship in. A folder that the
environment variable ``KVE_CORPORA`` names is laid out by kind: ``texts/`` and ``labelled/`` with
a table a corpus, ``sts/`` with a table of rated pairs each, ``retrieval/`` with folders or ZIPs in
the layout of BEIR; every file there is a corpus by its stem, and goes before a set on the hub of
the same name. What the values are is said in :mod:`analysis.texts`, how files are read in
:mod:`analysis.reading`; both are offered here too.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import yaml

from analysis import hub_sets, reading
from analysis.errors import CorpusError
from analysis.reading import (
    Columns,
    guess_columns,
    read_labelled,
    read_pairs,
    read_retrieval,
    read_texts,
)
from analysis.texts import Pairs, Retrieval, Texts, distinct, first, first_places, sample

__all__ = [
    "CALIBRATION",
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
    "load_labelled",
    "load_pairs",
    "load_retrieval",
    "load_texts",
    "names",
    "read_labelled",
    "read_pairs",
    "read_retrieval",
    "read_texts",
    "sample",
]

CALIBRATION = "news-sentences"
"""The corpus that layers are chosen on: neutral prose, disjoint from every rated pair here. On the
questions and fragments of ``chatterbot`` the choice hangs on the sample: see docs/method.md."""

Kind = Literal["texts", "pairs", "labelled", "retrieval"]


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


_SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"])")
_CHATTERBOT = "Short English questions and answers in 21 topics (package chatterbot-corpus, BSD)."
_KNOWN: tuple[tuple[str, Kind, int, str], ...] = (
    (CALIBRATION, "texts", 2607, "The sentences of lee-background with five words or more."),
    ("chatterbot", "texts", 1569, _CHATTERBOT),
    (
        "lee-background",
        "texts",
        300,
        "News texts of a few hundred words, seven of them repeated (Lee, Pincombe & Welsh "
        "2005; package gensim, licence of the texts not stated).",
    ),
    (
        "lee50",
        "texts",
        50,
        "News texts of 45 to 126 words (Lee, Pincombe & Welsh 2005; package gensim, licence "
        "of the texts not stated).",
    ),
    (
        "lee50",
        "pairs",
        1225,
        "All pairs of 50 news texts with their mean human similarity from 0 to 1 (Lee, "
        "Pincombe & Welsh 2005; package gensim, licence of the texts not stated).",
    ),
    ("chatterbot", "labelled", 1569, _CHATTERBOT),
)
_PACKAGED = tuple(Entry(*known, where="packaged", at_hand=True) for known in _KNOWN)

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
    for known in hub_sets.HUB_SETS:
        at_hand = hub_sets.at_hand(known)
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
    if source in _names_packaged("texts"):
        _no_choice(source, columns)
        return _packaged_texts(source)
    if (path := _copies().get((source, "texts")) or _copies().get((source, "pairs"))) is not None:
        return _copied(read_texts, source, path, columns)
    for known in hub_sets.HUB_SETS:
        if known.name == source and known.kind != "retrieval":
            _no_choice(source, columns)
            if known.kind == "labelled":
                return hub_sets.fetch_labelled(known)
            pairs = hub_sets.fetch_pairs(known)
            return Texts(source, pairs.texts, f"The distinct texts of the pairs: {pairs.source}")
    return read_texts(source, _file(source, "texts"), columns)


def load_labelled(source: str, columns: Columns | None = None) -> Texts:
    """Read a labelled corpus by name, or a local file by path (see :func:`read_labelled`).

    Raises:
        CorpusError: as :func:`load_texts`, or there are no labels.
    """
    if source in _names_packaged("labelled"):
        _no_choice(source, columns)
        return _packaged_texts(source)
    if (path := _copies().get((source, "labelled"))) is not None:
        return _copied(read_labelled, source, path, columns)
    if (known := _on_hub(source, "labelled")) is not None:
        _no_choice(source, columns)
        return hub_sets.fetch_labelled(known)
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
    if source == "lee50":
        _no_choice(source, columns)
        documents = _lee("lee.cor")
        left, right = np.triu_indices(len(documents), k=1)
        similarity = np.loadtxt(_packaged("gensim", "test/test_data/similarities0-1.txt"))
        return Pairs(
            source, documents, left, right, similarity[left, right], _described(source, "pairs")
        )
    if (path := _copies().get((source, "pairs"))) is not None:
        return _copied(read_pairs, source, path, columns)
    if (known := _on_hub(source, "pairs")) is not None:
        _no_choice(source, columns)
        return hub_sets.fetch_pairs(known)
    return read_pairs(source, _file(source, "pairs"), columns)


def load_retrieval(source: str) -> Retrieval:
    """Read queries with documents by name, or a local folder or ZIP in BEIR's layout by path.

    Raises:
        CorpusError: the hub is not to be reached, or the files are missing or cannot be read
            (see :func:`analysis.reading.read_folder`).
    """
    path = _copies().get((source, "retrieval"))
    if path is None and (known := _on_hub(source, "retrieval")) is not None:
        return hub_sets.fetch_retrieval(known)
    try:
        is_folder = Path(path or source).is_dir()
    except (OSError, ValueError):
        is_folder = False
    if source and is_folder:
        return reading.read_folder(source, Path(path or source))
    return read_retrieval(source, _file(str(path or source), "retrieval"))


def columns_of(source: str, kind: Literal["texts", "labelled", "pairs"]) -> Columns | None:
    """What :func:`guess_columns` proposes for a local copy by name or a file by path.

    ``None`` for packaged corpora and those on the hub, whose columns are known.

    Raises:
        CorpusError: the file is missing or cannot be read.
    """
    copies = _copies()
    path = copies.get((source, kind)) or copies.get((source, "pairs" if kind == "texts" else kind))
    if source in _names_packaged(kind):
        return None
    if path is not None:
        return guess_columns(path.name, _file(str(path), kind), kind)
    if any(known.name == source for known in hub_sets.HUB_SETS):
        return None
    return guess_columns(source, _file(source, kind), kind)


# Packaged


def _names_packaged(kind: Kind) -> tuple[str, ...]:
    return tuple(entry.name for entry in _PACKAGED if entry.kind == kind)


def _packaged_texts(name: str) -> Texts:
    match name:
        case "news-sentences":
            documents = _lee("lee_background.cor")
            sentences = (_SENTENCE_END.split(document) for document in documents)
            return Texts(
                name,
                tuple(s.strip() for s in chain(*sentences) if len(s.split()) >= 5),
                _described(name, "texts"),
            )
        case "chatterbot":
            return _chatterbot()
        case "lee-background":
            return Texts(name, _lee("lee_background.cor"), _described(name, "texts"))
    return Texts(name, _lee("lee.cor"), _described(name, "texts"))


def _chatterbot() -> Texts:
    """Distinct strings of three words or more, labelled by the topic file they first appear in."""
    texts, topics = [], []
    for path in sorted(_packaged("chatterbot_corpus", "data/english").glob("*.yml")):
        for conversation in yaml.safe_load(path.read_text("utf-8"))["conversations"]:
            said = [text.strip() for text in conversation if len(text.split()) >= 3]
            texts += said
            topics += [path.stem] * len(said)
    firsts = first_places(texts)
    return Texts(
        "chatterbot",
        tuple(texts[i] for i in firsts),
        _CHATTERBOT,
        tuple(topics[i] for i in firsts),
    )


def _lee(file: str) -> tuple[str, ...]:
    lines = _packaged("gensim", f"test/test_data/{file}").read_text("latin-1").splitlines()
    return tuple(line.strip() for line in lines)


def _packaged(module: str, path: str) -> Path:
    """A file or folder inside a package, which is not imported."""
    spec = find_spec(module)
    folders = (spec and spec.submodule_search_locations) or ()
    for folder in folders:
        if (found := Path(folder, path)).exists():
            return found
    package = module.replace("_", "-")
    raise CorpusError(
        f"This corpus is part of the package {package}, which is not installed or not complete: "
        f"install it with pip install {package}."
    )


def _described(name: str, kind: Kind) -> str:
    return next(e.description for e in _PACKAGED if (e.name, e.kind) == (name, kind))


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
        return len(load_retrieval(str(path)).queries)
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


def _on_hub(name: str, kind: Kind) -> hub_sets.HubSet | None:
    known = (known for known in hub_sets.HUB_SETS if (known.name, known.kind) == (name, kind))
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
