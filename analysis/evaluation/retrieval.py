"""How well queries find their documents: nDCG and recall of a ranking by cosine."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from . import bootstrap, vectors
from .bootstrap import DRAWS
from .measures import Measure, measure

CUTOFF = 10
"""Number of top-ranked documents that count."""
SAME = 1e-8
"""Cosines that differ by less are equal: what the rounding of float32 embeddings leaves open."""
_BLOCK = 2**24
"""Maximum number of cosines in memory."""
_DISCOUNTS = 1 / np.log2(np.arange(2, CUTOFF + 2))


def retrieval(
    queries: NDArray[np.floating],
    documents: NDArray[np.floating],
    relevance: Sequence[Mapping[int, int]],
    *,
    own_documents: Mapping[int, int] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Measure]:
    """nDCG@10 and recall@10 of ranking documents by cosine to each query.

    The metrics are those of trec_eval (Van Gysel & de Rijke 2018,
    https://arxiv.org/abs/1805.01597), except for documents with equal cosines. trec_eval ranks them
    by their names; here they share their ranks, and the value is its mean over all their orders
    (McSherry & Najork 2008, https://doi.org/10.1007/978-3-540-78646-7_38), as in scikit-learn's
    ``ndcg_score``. Queries that share a relevant document are drawn together.

    Args:
        queries: shape (Q, D), any real dtype.
        documents: shape (M, D), any real dtype.
        relevance: for each query the index and grade of the documents that are relevant to it.
        own_documents: by the index of a query, that of a document not to rank for it.
        draws: number of bootstrap draws.
        seed: seed of the draws.

    Raises:
        CorpusError: the lengths do not match, or a query without a relevant document.
    """
    if len(queries) != len(relevance) or not all(relevance):
        raise CorpusError("Each query needs its embedding and at least one relevant document.")
    own = own_documents or {}
    gains = np.array(
        [
            _gains(cosines, relevance[query], own.get(query))
            for query, cosines in enumerate(_cosines(queries, documents))
        ]
    )
    groups = bootstrap.of_groups(_sharing(relevance, len(documents)), "queries")
    sums = np.concatenate(
        [
            np.column_stack([weights @ gains, weights.sum(axis=1)])
            for weights in groups.weights(draws, seed)
        ]
    )
    drawn = sums[:, :-1] / sums[:, -1:]  # a draw has as many groups as there are, so no sum is 0
    return [
        measure(
            *(name, float(gains[:, column].mean()), drawn[:, column]),
            *(len(gains), "queries", groups.things),
        )
        for column, name in enumerate((f"nDCG@{CUTOFF}", f"recall@{CUTOFF}"))
    ]


def _cosines(
    queries: NDArray[np.floating], documents: NDArray[np.floating]
) -> Iterator[NDArray[np.float64]]:
    """The cosine of each document to a query, (M,), query by query."""
    unit_queries, unit_documents = vectors.unit(queries), vectors.unit(documents)
    size = max(1, _BLOCK // max(1, len(documents)))
    for first in range(0, len(queries), size):
        yield from unit_queries[first : first + size] @ unit_documents.T


def _gains(
    cosines: NDArray[np.float64], relevant: Mapping[int, int], own: int | None
) -> tuple[float, float]:
    """NDCG and recall of one query at :data:`CUTOFF`, the mean over all orders of equal cosines."""
    places = min(CUTOFF, len(cosines) - (own is not None))
    if own is not None:
        cosines[own] = -np.inf
    if not places:
        return 0.0, 0.0
    lowest = np.partition(cosines, -places)[-places]
    top = np.flatnonzero(cosines >= lowest - SAME)
    top = top[np.argsort(-cosines[top])]
    tie = np.cumsum(np.diff(cosines[top], prepend=cosines[top[0]]) < -SAME)
    grades = np.array([relevant.get(int(document), 0) for document in top])
    gain, hit = (
        (np.bincount(tie, values) / np.bincount(tie))[tie][:places]
        for values in (grades, grades > 0)
    )
    ideal = np.sort(list(relevant.values()))[::-1][:CUTOFF]
    ndcg = (gain @ _DISCOUNTS[:places]) / (ideal @ _DISCOUNTS[: len(ideal)])
    return float(ndcg), float(hit.sum() / len(relevant))


def _sharing(relevance: Sequence[Mapping[int, int]], documents: int) -> NDArray[np.int64]:
    """The group of each query: those connected by documents relevant to both, (Q,)."""
    rows = np.array([i for i, row in enumerate(relevance) for _ in row])
    columns = np.array([len(relevance) + j for row in relevance for j in row])
    return bootstrap.components(rows, columns, len(relevance) + documents)[: len(relevance)]
