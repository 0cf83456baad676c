"""Retrieval scores: known answers and scikit-learn's."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score

from analysis.errors import CorpusError
from analysis.evaluation.retrieval import retrieval


def ranked(order: list[int], documents: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """One query and documents whose cosines to it put ``order`` first."""
    angles = np.full(documents, 1.5)
    angles[order] = np.linspace(0.1, 1.4, len(order))
    return np.array([[1.0, 0.0]]), np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_retrieval_by_hand() -> None:
    queries, documents = ranked([3, 1, 4, 0, 2], 30)
    gain, recall = retrieval(queries, documents, [{1: 1}])
    assert gain.value == pytest.approx(100 / np.log2(3))
    assert recall.value == 100
    gain, recall = retrieval(queries, documents, [{4: 1, 29: 1}])
    assert recall.value == 50
    assert (gain.name, recall.name) == ("nDCG@10", "recall@10")


def test_graded_gains_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    queries, documents = rng.normal(size=(20, 8)), rng.normal(size=(40, 8))
    relevance = [
        {int(j): int(rng.integers(1, 4)) for j in rng.permutation(40)[:5]} for _ in queries
    ]
    q, d = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, documents))
    truth = np.zeros((20, 40))
    for i, row in enumerate(relevance):
        truth[i, list(row)] = list(row.values())
    expected = 100 * ndcg_score(truth, q @ d.T, k=10)
    assert retrieval(queries, documents, relevance)[0].value == pytest.approx(expected)


def test_queries_of_one_document_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    queries, documents = rng.normal(size=(40, 8)), rng.normal(size=(10, 8))
    alone = retrieval(queries[:10], documents, [{i: 1} for i in range(10)])[0]
    shared = retrieval(queries, documents, [{i // 4: 1} for i in range(40)])[0]
    assert (alone.resampled, shared.resampled) == ("queries", "groups of queries")
    assert shared.ci_high - shared.ci_low > 0


def test_a_query_without_documents_is_refused() -> None:
    with pytest.raises(CorpusError, match="at least one relevant"):
        retrieval(np.eye(2), np.eye(2), [{0: 1}, {}])
