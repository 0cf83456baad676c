"""Samples and parts of corpora, drawn with a seed; a part is marked as one."""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ..errors import CorpusError
from .types import Pairs, Retrieval, Texts

Corpus = TypeVar("Corpus", Texts, Pairs, Retrieval)


LABELLED, QUERIES = 300, 100
"""How much is scored unless more is asked for: texts; queries."""
DOCUMENTS = 400
"""Documents that a part's queries are searched in, unless they need more."""


def distinct(texts: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Texts without repeats, in order of first appearance, and how many were dropped.

    Two texts are the same if they are after Unicode NFC and with runs of white space made one
    space; those kept are returned as they were.
    """
    given = tuple(texts)
    kept = tuple(given[i] for i in first_places(given))
    return kept, len(given) - len(kept)


def first_places(texts: Iterable[str]) -> list[int]:
    """Where each text that is distinct (see :func:`distinct`) first appears."""
    seen: dict[str, int] = {}
    for i, text in enumerate(texts):
        seen.setdefault(" ".join(unicodedata.normalize("NFC", text).split()), i)
    return list(seen.values())


def sample(corpus: Texts, n: int, seed: int) -> Texts:
    """Draw ``n`` distinct texts (all, if fewer) without replacement, with their labels.

    Samples of one seed are nested: a smaller is the beginning of a larger.

    Raises:
        CorpusError: ``n`` is less than 1.
    """
    if n < 1:
        raise CorpusError(f"A sample needs at least 1 text, not {n}.")
    firsts = first_places(corpus.texts)
    chosen = [firsts[i] for i in np.random.default_rng(seed).permutation(len(firsts))[:n]]
    return _texts_at(corpus, chosen)


def first(corpus: Corpus, n: int, seed: int, *, documents: int | None = None) -> Corpus:
    """A part drawn at random: ``n`` texts, pairs or queries, or the whole if it has no more.

    Parts of one seed are nested: a smaller is the beginning of a larger. Repeated texts stay.
    With queries all documents are kept, unless ``documents`` asks for fewer: then the relevant
    ones of the drawn queries and, up to that number, others at random, in their old order.

    Raises:
        CorpusError: ``n`` is less than 1 (3 for pairs), the drawn pairs are all rated alike,
            ``documents`` is less than the drawn queries need, or the corpus has no documents.
    """
    if isinstance(corpus, Retrieval):
        return _first_queries(corpus, n, seed, documents)
    if documents is not None:
        raise CorpusError(f"{corpus.name} has no documents to choose from; leave their number out.")
    if isinstance(corpus, Pairs):
        return _first_pairs(corpus, n, seed)
    chosen = _drawn(len(corpus.texts), n, 1, "texts", seed)
    if len(chosen) == len(corpus.texts):
        return corpus
    return replace(_texts_at(corpus, chosen), of=corpus.of or len(corpus.texts))


def part(whole: Corpus, most: int | None, documents: int = DOCUMENTS) -> Corpus:
    """What is scored of a corpus where ``most`` texts, pairs or queries are asked for; None is all.

    With queries at most so many ``documents``, unless the queries need more.

    Raises:
        CorpusError: as :func:`first`.
    """
    if most is None:
        return whole
    drawn = first(whole, most, 0)
    if not isinstance(drawn, Retrieval):
        return drawn
    needed = {document for grades in drawn.relevance for document in grades}
    return first(whole, most, 0, documents=max(documents, len(needed)))


def _drawn(size: int, n: int, least: int, things: str, seed: int) -> list[int]:
    if n < least:
        raise CorpusError(f"A part needs at least {least} {things}, not {n}.")
    return [int(i) for i in np.random.default_rng(seed).permutation(size)[:n]]


def _texts_at(corpus: Texts, chosen: list[int]) -> Texts:
    labels = corpus.labels and tuple(corpus.labels[i] for i in chosen)
    return replace(corpus, texts=tuple(corpus.texts[i] for i in chosen), labels=labels)


def _first_pairs(pairs: Pairs, n: int, seed: int) -> Pairs:
    size = len(pairs.scores)
    chosen = _drawn(size, n, 3, "pairs", seed)
    if len(chosen) == size:
        return pairs
    scores = pairs.scores[chosen]
    if (scores == scores[0]).all():
        raise CorpusError(
            f"The {n} pairs drawn from {pairs.name} are all rated {scores[0]:g}, so nothing can be "
            f"ranked; draw more, or with another seed."
        )
    sides = np.stack([pairs.left[chosen], pairs.right[chosen]], axis=1)
    used = list(dict.fromkeys(sides.ravel().tolist()))
    place = {old: new for new, old in enumerate(used)}
    left, right = (np.array([place[i] for i in side], dtype=np.int64) for side in sides.T.tolist())
    texts = tuple(pairs.texts[i] for i in used)
    of = pairs.of or size
    return replace(pairs, texts=texts, left=left, right=right, scores=scores, of=of)


def _first_queries(whole: Retrieval, n: int, seed: int, documents: int | None) -> Retrieval:
    size, held = len(whole.queries), len(whole.documents)
    chosen = _drawn(size, n, 1, "queries", seed)
    if len(chosen) == size:
        chosen = list(range(size))
    relevance = [whole.relevance[i] for i in chosen]
    note = whole.note
    kept = list(range(held))
    if documents is not None and documents < held:
        needed = {document for grades in relevance for document in grades}
        if len(needed) > documents:
            raise CorpusError(
                f"{len(needed):,} documents of {whole.name} are relevant to the {len(chosen):,} "
                f"queries drawn; ask for at least as many documents, not {documents:,}."
            )
        others = np.random.default_rng([seed, 1]).permutation(held).tolist()
        fill = [i for i in others if i not in needed][: documents - len(needed)]
        kept = sorted([*needed, *fill])
        note = f"{note} Of {held:,} documents {documents:,} are kept.".strip()
    elif len(chosen) == size:
        return whole
    place = {old: new for new, old in enumerate(kept)}
    return replace(
        whole,
        queries=tuple(whole.queries[i] for i in chosen),
        documents=tuple(whole.documents[i] for i in kept),
        relevance=tuple({place[d]: grade for d, grade in grades.items()} for grades in relevance),
        note=note,
        of=whole.of or size,
    )
