"""Parts of items: they share no text, are about equal, and hold all there is where they can."""

from collections import Counter

import numpy as np
import pytest

from analysis.corpora.types import Pairs, Retrieval, Texts
from analysis.errors import CorpusError
from analysis.experiments.item_parts import parts_of

TEXTS = tuple(f"text {number}" for number in range(120))


def pairs_of(left: list[int], right: list[int]) -> Pairs:
    used = {text: number for number, text in enumerate(sorted({*left, *right}))}
    scores = np.random.default_rng(0).uniform(0, 5, len(left))
    first, second = (np.array([used[each] for each in side]) for side in (left, right))
    return Pairs("made", tuple(TEXTS[text] for text in used), first, second, scores, "")


def rated(pairs: Pairs) -> set[tuple[str, str, float]]:
    """All pairs with their ratings."""
    rows = zip(pairs.left, pairs.right, pairs.scores.tolist(), strict=True)
    return {(pairs.texts[left], pairs.texts[right], score) for left, right, score in rows}


def test_pairs_that_share_a_text_stay_together() -> None:
    left = [*range(60), *range(0, 60, 5)]
    right = [*range(60, 120), *range(61, 120, 5)]
    pairs = pairs_of(left, right)
    first, second = parts_of(pairs)
    assert not {*first.texts} & {*second.texts}
    assert rated(first) | rated(second) == rated(pairs)
    assert abs(len(first.scores) - len(second.scores)) <= 2
    assert first.total == second.total == 72
    again = parts_of(pairs)[0]
    assert again.texts == first.texts
    assert parts_of(pairs, seed=1)[0].texts != first.texts


def test_where_all_pairs_hang_together_texts_are_halved() -> None:
    left, right = np.triu_indices(30, 1)
    pairs = pairs_of(left.tolist(), right.tolist())
    first, second = parts_of(pairs)
    assert not {*first.texts} & {*second.texts}
    assert len(first.scores) == len(second.scores) == 15 * 14 / 2
    assert rated(first) | rated(second) < rated(pairs)


def test_labels_are_spread_and_equal_texts_stay_together() -> None:
    texts = (*TEXTS[:60], *TEXTS[:20])
    labels = tuple("abcd"[number % 60 % 4] for number in range(80))
    parts = parts_of(Texts("made", texts, "", labels))
    first, second = ({*part.texts} for part in parts)
    assert not first & second
    assert first | second == {*texts}
    for part in parts:
        assert part.labels is not None
        assert max(Counter(part.labels).values()) - min(Counter(part.labels).values()) <= 4
    plain = parts_of(Texts("made", TEXTS, ""))
    assert [len(part.texts) for part in plain] == [60, 60]


def test_queries_take_their_documents_along() -> None:
    corpus = Retrieval(
        "made",
        TEXTS[:40],
        TEXTS[40:110],
        tuple({number // 2: 1, 20 + number // 2: 2} for number in range(40)),
        "",
    )
    first, second = parts_of(corpus)
    assert not {*first.queries, *first.documents} & {*second.queries, *second.documents}
    assert {*first.documents, *second.documents} == {*corpus.documents}
    assert len(first.queries) == len(second.queries) == 20
    for part in (first, second):
        for query, grades in zip(part.queries, part.relevance, strict=True):
            number = corpus.queries.index(query)
            named = {part.documents[document]: grade for document, grade in grades.items()}
            assert named == {
                corpus.documents[document]: grade
                for document, grade in corpus.relevance[number].items()
            }


def test_queries_of_one_document_share_the_documents() -> None:
    corpus = Retrieval("made", TEXTS[:50], TEXTS[50:60], ({0: 1},) * 50, "")
    first, second = parts_of(corpus)
    assert first.documents == second.documents == corpus.documents
    assert not {*first.queries} & {*second.queries}
    assert len(first.queries) == 25


@pytest.mark.parametrize(
    "corpus",
    [
        pairs_of(list(range(39)), list(range(60, 99))),
        Texts("made", TEXTS[:39], ""),
        Texts("made", ("the same",) * 99, ""),
        Retrieval("made", TEXTS[:39], TEXTS[40:80], tuple({n: 1} for n in range(39)), ""),
    ],
)
def test_too_few_items_are_refused(corpus: Pairs | Texts | Retrieval) -> None:
    with pytest.raises(CorpusError, match="too few for 2 parts of 20 that share no text"):
        parts_of(corpus)


@pytest.mark.parametrize("number", [3, 5])
def test_several_parts_are_disjoint_and_hold_everything(number: int) -> None:
    left = [*range(120)]
    pairs = pairs_of(left, [*range(119, -1, -1)])  # each text stands in two pairs, or one
    parts = parts_of(pairs, number)
    assert sum(len(part.scores) for part in parts) == 120
    assert not set.intersection(*({*part.texts} for part in parts))
    assert len({text for part in parts for text in part.texts}) == sum(
        len(part.texts) for part in parts
    )
    queries = Retrieval("made", TEXTS[:100], TEXTS[100:120], ({0: 1},) * 100, "")
    assert [len(part.queries) for part in parts_of(queries, number)] == (
        [34, 33, 33] if number == 3 else [20] * 5
    )


def test_more_parts_than_the_items_allow_are_refused() -> None:
    with pytest.raises(CorpusError, match="too few for 7 parts of 20"):
        parts_of(Texts("made", TEXTS, ""), 7)
