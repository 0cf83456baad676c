"""Distinct texts, samples, and parts of a corpus."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.corpora import types
from analysis.corpora.columns import read_pairs
from analysis.corpora.registry import (
    load_pairs,
)
from analysis.corpora.sampling import DOCUMENTS, distinct, draw, sample, scored_part, without
from analysis.corpora.types import Pairs, Retrieval, Texts
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence
from tests.support.sample_corpora import RECORDS, RETRIEVAL, WORDS


@pytest.mark.parametrize("limit", [None, 6, 7])
def test_a_part_that_is_everything_keeps_every_document(limit: int | None) -> None:
    many = replace(RETRIEVAL, documents=tuple(f"document {i}" for i in range(1000)))
    assert scored_part(many, limit) is many
    assert len(scored_part(many, 5).documents) == DOCUMENTS


def test_distinct_compares_by_composed_form_and_white_space() -> None:
    kept, dropped = distinct(["a  b ", "caf\u00e9", "a\tb", "A b", "cafe\u0301", "a  b "])
    assert kept == ("a  b ", "caf\u00e9", "A b")
    assert dropped == 3


def test_sample_is_distinct_seeded_nested_and_keeps_labels() -> None:
    corpus = Texts("c", tuple("abcdefga"), "here", tuple("ABCDEFGX"))
    drawn = sample(corpus, 5, seed=1)
    assert drawn == sample(corpus, 5, seed=1) != sample(corpus, 5, seed=2)
    assert (drawn.name, drawn.source) == ("c", "here")
    assert len(set(drawn.texts)) == 5
    assert drawn.labels == tuple(text.upper() for text in drawn.texts)
    assert sample(corpus, 3, seed=1).texts == drawn.texts[:3]
    assert sorted(sample(corpus, 100, seed=1).texts) == list("abcdefg")
    assert sample(Texts("c", ("a", "b"), "here"), 1, seed=0).labels is None
    with pytest.raises(CorpusError, match="at least 1"):
        sample(corpus, 0, seed=1)


def test_parts_are_drawn_nested_and_marked() -> None:
    texts = Texts("c", tuple("abcdefga"), "here", tuple("ABCDEFGX"))
    part = draw(texts, 5, 1)
    assert (len(part.texts), part.total) == (5, 8)
    assert part.labels is not None
    pairing = dict(zip(texts.labels or (), texts.texts, strict=True))
    assert [pairing[label] for label in part.labels] == list(part.texts)
    assert draw(part, 3, 0).total == 8
    assert draw(texts, 8, 1) is draw(texts, 9, 1) is texts
    for corpus, n, message in (
        (texts, 0, "at least 1 texts"),
        (load_pairs("lee50"), 2, "at least 3 pairs"),
        (read_pairs("a.tsv", b"s1\ts2\tscore\n" + b"a\tb\t1\n" * 99 + b"a\tc\t2\n"), 3, "rated 1"),
    ):
        with pytest.raises(CorpusError, match=message) as caught:
            draw(corpus, n, 0)  # type: ignore[type-var]
        assert_one_sentence(caught.value)
    with pytest.raises(CorpusError, match="no documents to choose from"):
        draw(texts, 3, 0, documents=3)


@pytest.mark.slow
@given(RECORDS, st.integers(3, 8), st.integers(0, 3))
def test_parts_of_pairs_are_nested(rows: list[tuple[str, str, float]], n: int, seed: int) -> None:
    scores = list(range(len(rows)))
    texts, left, right = _sides([row[:2] for row in rows])
    full = types.Pairs("made up", texts, left, right, np.array(scores, float), "here")
    small, large = draw(full, n, seed), draw(full, n + 2, seed)
    assert small.total == (None if n >= len(rows) else len(rows))
    if small.total:
        assert small.scores.tolist() == large.scores.tolist()[:n] or large is full
    for part in (small, large):
        assert sorted({*part.left, *part.right}) == list(range(len(part.texts)))
        for i, j, score in zip(part.left, part.right, part.scores, strict=True):
            assert (part.texts[i], part.texts[j]) == rows[int(score)][:2]


def _sides(
    rows: list[tuple[str, str]],
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    texts = tuple(dict.fromkeys(text for row in rows for text in row))
    left, right = (np.array([texts.index(row[side]) for row in rows]) for side in (0, 1))
    return texts, left, right


@given(st.lists(WORDS))
def test_distinct_is_idempotent_and_counts(texts: list[str]) -> None:
    kept, dropped = distinct(texts)
    assert len(kept) + dropped == len(texts)
    assert distinct(kept) == (kept, 0)
    assert set(kept) <= set(texts)


def test_parts_keep_all_documents_or_the_relevant_ones_and_some() -> None:
    assert draw(RETRIEVAL, 6, 0) is draw(RETRIEVAL, 9, 0) is RETRIEVAL
    part = draw(RETRIEVAL, 4, 0)
    assert (len(part.queries), part.documents, part.total) == (4, RETRIEVAL.documents, 6)
    assert draw(RETRIEVAL, 2, 0).queries == part.queries[:2]
    fewer = draw(RETRIEVAL, 4, 0, documents=20)
    assert fewer.queries == part.queries
    assert (len(fewer.documents), fewer.total) == (20, 6)
    assert fewer.note == "Of 40 documents 20 are kept."
    assert set(draw(RETRIEVAL, 4, 0, documents=12).documents) < set(fewer.documents)
    for one, other in zip(part.relevance, fewer.relevance, strict=True):
        answers = {RETRIEVAL.documents[i]: grade for i, grade in one.items()}
        assert {fewer.documents[i]: grade for i, grade in other.items()} == answers
    full = draw(RETRIEVAL, 6, 0, documents=12)
    assert (full.queries, full.total) == (RETRIEVAL.queries, 6)
    with pytest.raises(CorpusError, match="7 documents of made up are relevant to the 6") as caught:
        draw(RETRIEVAL, 6, 0, documents=6)
    assert_one_sentence(caught.value)


def test_what_shares_a_text_with_another_corpus_is_left_out() -> None:
    left_side, right_side = np.array([0, 1, 2, 0]), np.array([1, 2, 3, 2])
    pairs = Pairs("p", ("a", "b", "c", "d e"), left_side, right_side, np.arange(1.0, 5), "")
    left = without(pairs, Texts("t", ("x", " d  e", "z"), ""))
    assert isinstance(left, Pairs)
    assert (left.texts, left.scores.tolist(), left.total) == (("a", "b", "c"), [1, 2, 4], 4)
    assert without(pairs, Texts("t", ("x",), "")) is pairs
    texts = Texts("t", ("a", "q", "a", "r"), "", ("1", "2", "1", "2"))
    kept = without(texts, pairs)
    assert isinstance(kept, Texts)
    assert (kept.texts, kept.labels, kept.total) == (("q", "r"), ("2", "2"), 4)
    found = Retrieval("r", ("q", "other"), ("a", "q"), ({0: 1}, {1: 2}), "", own_documents={0: 1})
    part = without(found, Texts("t", ("other",), ""))
    assert isinstance(part, Retrieval)
    assert (part.queries, part.documents, part.total) == (("q",), ("a", "q"), 2)
    assert (part.relevance, part.own_documents) == (({0: 1},), {0: 1})
    with pytest.raises(CorpusError, match="Only 0 pairs of p"):
        without(pairs, pairs)
    with pytest.raises(CorpusError, match="Only 0 queries of r"):
        without(found, found)
