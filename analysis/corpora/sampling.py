"""Samples and parts of corpora, drawn with a seed; a part stores the size of the full corpus."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ..errors import CorpusError
from ..runtime.lookup import whole_number
from .types import Pairs, Retrieval, Texts

AnyCorpus = Texts | Pairs | Retrieval
Corpus = TypeVar("Corpus", Texts, Pairs, Retrieval)


LABELLED, QUERIES = 300, 100
"""How many labelled texts, and how many queries, are scored by default."""
DOCUMENTS = 400
"""How many documents the queries of a part are searched in, unless they need more."""


def distinct(texts: Iterable[str]) -> tuple[tuple[str, ...], int]:
    """Drop repeated texts.

    Two texts are the same if they are equal after Unicode NFC and with runs of white space replaced
    by one space.

    Returns:
        The first of each text, unchanged and in order, and how many were dropped.
    """
    every = tuple(texts)
    unique = tuple(every[i] for i in first_places(every))
    return unique, len(every) - len(unique)


def first_places(texts: Iterable[str]) -> list[int]:
    """Return the index at which each distinct text (see :func:`distinct`) first appears."""
    seen: dict[str, int] = {}
    for i, text in enumerate(texts):
        seen.setdefault(normalised(text), i)
    return list(seen.values())


def normalised(text: str) -> str:
    """Return a text as it is compared with others, see :func:`distinct`."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def sample(corpus: Texts, n: int, seed: int) -> Texts:
    """Draw distinct texts without replacement, with their labels.

    Args:
        corpus: The texts to draw from.
        n: How many; all distinct texts if there are fewer.
        seed: Seed of the draw; samples with the same seed are nested, the smaller at the start of
            the larger.

    Raises:
        CorpusError: ``n`` is less than 1.
        PlanError: ``n`` or the seed is not a whole number, or the seed is negative.
    """
    n, seed = _numbers(n, seed)
    if n < 1:
        raise CorpusError(f"A sample needs at least 1 text, not {n}.")
    firsts = first_places(corpus.texts)
    chosen = [firsts[i] for i in np.random.default_rng(seed).permutation(len(firsts))[:n]]
    return _texts_at(corpus, chosen)


def draw(corpus: Corpus, n: int, seed: int, *, documents: int | None = None) -> Corpus:
    """Draw a part of a corpus at random, repeated texts included.

    Args:
        corpus: The corpus to draw from.
        n: How many texts, pairs or queries; the full corpus if it has no more.
        seed: Seed of the draw; parts with the same seed are nested, the smaller at the beginning of
            the larger.
        documents: For queries, how many documents to keep: those relevant to the drawn queries,
            then others at random, in their order. All by default.

    Raises:
        CorpusError: ``n`` is less than 1 (3 for pairs), all drawn pairs have the same rating,
            ``documents`` is less than the drawn queries need, or the corpus has no documents.
        PlanError: ``n`` or the seed is not a whole number, or the seed is negative.
    """
    n, seed = _numbers(n, seed)
    if isinstance(corpus, Retrieval):
        return _draw_queries(corpus, n, seed, documents)
    if documents is not None:
        raise CorpusError(f"{corpus.name} has no documents to choose from; leave their number out.")
    if isinstance(corpus, Pairs):
        return _draw_pairs(corpus, n, seed)
    chosen = _places(len(corpus.texts), n, 1, "texts", seed)
    if len(chosen) == len(corpus.texts):
        return corpus
    return replace(_texts_at(corpus, chosen), total=corpus.total or len(corpus.texts))


def scored_part(corpus: Corpus, limit: int | None) -> Corpus:
    """Return the part of a corpus that is scored, drawn with seed 0.

    Args:
        corpus: The full corpus.
        limit: How many texts, pairs or queries at most; None for all. Where queries are left out,
            ``DOCUMENTS`` documents are kept at most, unless the queries need more.

    Raises:
        CorpusError: As :func:`draw`.
    """
    if limit is None:
        return corpus
    drawn = draw(corpus, limit, 0)
    if drawn is corpus or not isinstance(drawn, Retrieval):
        return drawn
    return draw(corpus, limit, 0, documents=max(DOCUMENTS, len(relevant(drawn))))


def part_at(
    corpus: AnyCorpus, items: list[int], documents: Sequence[int] | None = None
) -> AnyCorpus:
    """Take the part of a corpus that has some of its items.

    Args:
        corpus: The full corpus.
        items: Numbers of its texts, pairs or queries.
        documents: For queries, numbers of the documents to keep, those that are relevant to them
            among them. All by default.
    """
    if isinstance(corpus, Retrieval):
        kept = range(len(corpus.documents)) if documents is None else documents
        return _queries_at(corpus, items, kept, corpus.note)
    if isinstance(corpus, Pairs):
        return _pairs_at(corpus, items)
    return replace(_texts_at(corpus, items), total=corpus.total or len(corpus.texts))


def without(corpus: AnyCorpus, other: AnyCorpus) -> AnyCorpus:
    """Leave out the pairs, texts or queries that share a text with another corpus.

    Texts are compared as in :func:`distinct`. What is left is marked as a part.

    Raises:
        CorpusError: too little is left.
    """
    known = {normalised(text) for text in _every_text(other)}
    if isinstance(corpus, Retrieval):
        kept = [i for i, text in enumerate(corpus.queries) if normalised(text) not in known]
        if len(kept) == len(corpus.queries):
            return corpus
        return _queries_at(
            corpus,
            _some(kept, 1, "queries", corpus.name),
            range(len(corpus.documents)),
            corpus.note,
        )
    fresh = [normalised(text) not in known for text in corpus.texts]
    if all(fresh):
        return corpus
    if isinstance(corpus, Texts):
        kept = [i for i, new in enumerate(fresh) if new]
        return part_at(corpus, _some(kept, 1, "texts", corpus.name))
    sides = zip(corpus.left.tolist(), corpus.right.tolist(), strict=True)
    kept = [i for i, (left, right) in enumerate(sides) if fresh[left] and fresh[right]]
    return _pairs_at(corpus, _some(kept, 3, "pairs", corpus.name))


def _every_text(corpus: AnyCorpus) -> tuple[str, ...]:
    if isinstance(corpus, Retrieval):
        return (*corpus.queries, *corpus.documents)
    return corpus.texts


def _some(kept: list[int], least: int, unit: str, name: str) -> list[int]:
    if len(kept) < least:
        raise CorpusError(
            f"Only {len(kept)} {unit} of {name} share no text with the other corpus; choose "
            "another."
        )
    return kept


def relevant(corpus: Retrieval) -> set[int]:
    """Return the indices of the documents that are relevant to any query."""
    return {document for grades in corpus.relevance for document in grades}


def _numbers(n: int, seed: int) -> tuple[int, int]:
    """Plain numbers, since a seed of None would draw others each time."""
    return whole_number(n, "size of a sample"), whole_number(seed, "seed", 0)


def _places(size: int, n: int, least: int, unit: str, seed: int) -> list[int]:
    if n < least:
        raise CorpusError(f"A part needs at least {least} {unit}, not {n}.")
    return [int(i) for i in np.random.default_rng(seed).permutation(size)[:n]]


def _texts_at(corpus: Texts, chosen: list[int]) -> Texts:
    labels = corpus.labels and tuple(corpus.labels[i] for i in chosen)
    return replace(corpus, texts=tuple(corpus.texts[i] for i in chosen), labels=labels)


def _draw_pairs(pairs: Pairs, n: int, seed: int) -> Pairs:
    size = len(pairs.scores)
    chosen = _places(size, n, 3, "pairs", seed)
    if len(chosen) == size:
        return pairs
    scores = pairs.scores[chosen]
    if (scores == scores[0]).all():
        raise CorpusError(
            f"The {n} pairs drawn from {pairs.name} are all rated {scores[0]:g}, so they cannot "
            f"be ranked; draw more, or with another seed."
        )
    return _pairs_at(pairs, chosen)


def _pairs_at(pairs: Pairs, chosen: list[int]) -> Pairs:
    scores = pairs.scores[chosen]
    sides = np.stack([pairs.left[chosen], pairs.right[chosen]], axis=1)
    used = list(dict.fromkeys(sides.ravel().tolist()))
    place = {old: new for new, old in enumerate(used)}
    left, right = (np.array([place[i] for i in side], dtype=np.int64) for side in sides.T.tolist())
    texts = tuple(pairs.texts[i] for i in used)
    total = pairs.total or len(pairs.scores)
    return replace(pairs, texts=texts, left=left, right=right, scores=scores, total=total)


def _draw_queries(corpus: Retrieval, n: int, seed: int, documents: int | None) -> Retrieval:
    size, available = len(corpus.queries), len(corpus.documents)
    chosen = _places(size, n, 1, "queries", seed)
    if len(chosen) == size:
        chosen = list(range(size))
    relevance = [corpus.relevance[i] for i in chosen]
    note = corpus.note
    chosen_documents = list(range(available))
    if documents is not None and documents < available:
        needed = {document for grades in relevance for document in grades}
        if len(needed) > documents:
            raise CorpusError(
                f"{len(needed):,} documents of {corpus.name} are relevant to the {len(chosen):,} "
                f"queries drawn; ask for at least as many documents, not {documents:,}."
            )
        shuffled = np.random.default_rng([seed, 1]).permutation(available).tolist()
        fill = [i for i in shuffled if i not in needed][: documents - len(needed)]
        chosen_documents = sorted([*needed, *fill])
        note = f"{note} Of {available:,} documents {documents:,} are kept.".strip()
    elif len(chosen) == size:
        return corpus
    return _queries_at(corpus, chosen, chosen_documents, note)


def _queries_at(
    corpus: Retrieval, chosen: list[int], documents: Sequence[int], note: str
) -> Retrieval:
    place = {old: new for new, old in enumerate(documents)}
    return replace(
        corpus,
        queries=tuple(corpus.queries[i] for i in chosen),
        documents=tuple(corpus.documents[i] for i in documents),
        relevance=tuple(
            {place[d]: grade for d, grade in corpus.relevance[i].items()} for i in chosen
        ),
        note=note,
        total=corpus.total or len(corpus.queries),
        own_documents={
            new: place[own]
            for new, old in enumerate(chosen)
            if (own := corpus.own_documents.get(old)) in place
        },
    )
