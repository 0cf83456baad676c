"""Retrieval scores: known answers, trec_eval's and scikit-learn's."""

from typing import Any

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
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
    assert recall.value == pytest.approx(50 + 50 * 5 / 25)  # 25 documents share the last 5 ranks
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


def test_without_ties_the_values_are_trec_evals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.evaluation.retrieval._BLOCK", 100)  # queries block by block
    rng = np.random.default_rng(1)
    queries, documents = rng.normal(size=(30, 8)), rng.normal(size=(40, 8)).astype(np.float32)
    relevance = [
        {int(j): int(rng.integers(1, 4)) for j in rng.permutation(40)[: 1 + i % 15]}
        for i in range(30)
    ]
    q, d = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, documents))
    run = {f"q{i}": {f"d{j}": c for j, c in enumerate(r)} for i, r in enumerate((q @ d.T).tolist())}
    judged = {f"q{i}": {f"d{j}": g for j, g in row.items()} for i, row in enumerate(relevance)}
    measures = {"ndcg_cut.10", "recall.10"}
    expected = pytrec_eval.RelevanceEvaluator(judged, measures).evaluate(run).values()
    for measure, name in zip(
        retrieval(queries, documents, relevance), ("ndcg_cut_10", "recall_10"), strict=True
    ):
        assert measure.value == pytest.approx(100 * np.mean([row[name] for row in expected]))


@given(st.data())
def test_ties_have_one_value_in_any_order(data: st.DataObject) -> None:
    """The same value for every order of documents that repeat, and scikit-learn's."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    distinct = rng.normal(size=(data.draw(st.integers(1, 6)), 5)).astype(np.float32)
    copied = data.draw(st.lists(st.integers(0, len(distinct) - 1), min_size=2, max_size=30))
    documents, query = distinct[copied], rng.normal(size=(1, 5))
    grades = data.draw(
        st.dictionaries(st.integers(0, len(copied) - 1), st.integers(1, 3), min_size=1)
    )
    first, recall = retrieval(query, documents, [grades], draws=10)
    order = data.draw(st.permutations(range(len(copied))))
    moved = {order.index(document): grade for document, grade in grades.items()}
    again, recall_again = retrieval(query, documents[order], [moved], draws=10)
    assert again.value == pytest.approx(first.value, abs=1e-9)
    assert recall_again.value == pytest.approx(recall.value, abs=1e-9)
    truth, scores = np.zeros((1, len(copied))), (query @ distinct.T)[:, copied]
    truth[0, list(grades)] = list(grades.values())
    scores /= np.linalg.norm(documents, axis=1)
    assert first.value == pytest.approx(100 * ndcg_score(truth, scores, k=10))


def test_a_tie_by_hand() -> None:
    """Two equal documents, one of them relevant: the mean of ranks 1 and 2."""
    for relevant in (0, 1):
        gain, recall = retrieval(np.eye(2)[:1], np.eye(2)[[0, 0, 1]], [{relevant: 1}])
        assert gain.value == pytest.approx(50 + 50 / np.log2(3))
        assert recall.value == 100
    twelve = np.repeat(np.eye(2)[:1], 12, axis=0)
    gain, recall = retrieval(np.eye(2)[:1], twelve, [{11: 1}])
    assert recall.value == pytest.approx(100 * 10 / 12)
    rounded = np.array([[1.0, 1e-5 * place] for place in range(12)])  # cosines 1 - 6e-9 at least
    gain, recall = retrieval(np.eye(2)[:1], rounded, [{11: 1}])
    assert recall.value == pytest.approx(100 * 10 / 12)


def test_a_query_does_not_find_itself() -> None:
    queries, documents = ranked([0, 1, 2, 3], 4)
    gain = retrieval(queries, documents, [{1: 1}])[0]
    assert gain.value == pytest.approx(100 / np.log2(3))  # 63.1
    assert retrieval(queries, documents, [{1: 1}], own_documents={0: 0})[0].value == 100
    only = retrieval(queries, documents[:1], [{0: 1}], own_documents={0: 0})
    assert [measure.value for measure in only] == [0, 0]


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
