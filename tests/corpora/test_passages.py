"""Long documents made of passages."""

import pytest

from analysis.corpora.passages import position_variants
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence
from tests.support.sample_corpora import RETRIEVAL


@pytest.mark.parametrize("around", [1, 4, 16, 17])
def test_only_the_place_differs(around: int) -> None:
    variants = position_variants(RETRIEVAL, around=around, seed=3)
    assert list(variants) == ["start", "middle", "end"]
    for place, variant in variants.items():
        assert variant.name == f"made up-{place}"
        assert (variant.queries, variant.relevance) == (RETRIEVAL.queries, RETRIEVAL.relevance)
        # 33 documents are relevant to no query: enough up to 16 around each
        assert ("may answer other queries" in variant.note) == (around > 16)
    for document, passage in enumerate(RETRIEVAL.documents):
        start, middle, end = (v.documents[document].split("\n\n") for v in variants.values())
        assert start[0] == middle[around // 2] == end[-1] == passage
        fillers = start[1:]
        assert fillers == end[:-1] == [p for p in middle if p != passage]
        assert len({passage, *fillers}) == around + 1
        barred = {RETRIEVAL.documents[i] for g in RETRIEVAL.relevance if document in g for i in g}
        assert not barred & set(fillers)
        if around <= 16:
            assert not {RETRIEVAL.documents[i] for i in range(7)} & set(fillers)
    again = position_variants(RETRIEVAL, around=around, seed=3)["end"].documents
    other = position_variants(RETRIEVAL, around=around, seed=4)["end"].documents
    assert variants["end"].documents == again != other


def test_too_few_passages_are_refused() -> None:
    for around, message in ((0, "at least 1 other"), (40, "ask for fewer")):
        with pytest.raises(CorpusError, match=message) as caught:
            position_variants(RETRIEVAL, around=around)
        assert_one_sentence(caught.value)
