"""Retrieval sets by the position of the answer: what is drawn."""

import pytest

from analysis.corpora import registry, sampling
from analysis.corpora.types import Retrieval
from analysis.experiments import long_texts


@pytest.fixture(scope="module")
def answers() -> Retrieval:
    return registry.load_retrieval("chatterbot-answers")


@pytest.mark.parametrize("queries", [1, 40, 100, 305, 306, 5000])
def test_as_many_queries_are_kept_as_are_asked_for(answers: Retrieval, queries: int) -> None:
    drawn = sampling.draw(answers, queries, 0)
    for variant in long_texts.places(answers, queries).values():
        assert variant.queries == drawn.queries
        assert len(variant.queries) == min(queries, len(answers.queries))
        others = len(variant.documents) - len(sampling.relevant(variant))
        assert others == min(
            long_texts.OTHERS, len(answers.documents) - len(sampling.relevant(drawn))
        )


def test_fewer_queries_are_the_first_of_more(answers: Retrieval) -> None:
    few, more = (long_texts.places(answers, n)["end"].queries for n in (20, 40))
    assert few == more[:20]
