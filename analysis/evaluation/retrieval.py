"""How well queries find their documents: nDCG and recall of a ranking by cosine."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytrec_eval
from numpy.typing import NDArray

from ..errors import CorpusError
from . import bootstrap, vectors
from .bootstrap import DRAWS
from .measures import Measure, measure

CUTOFF = 10
"""Number of top-ranked documents that count."""


def retrieval(
    queries: NDArray[np.floating],
    documents: NDArray[np.floating],
    relevance: Sequence[Mapping[int, int]],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Measure]:
    """nDCG@10 and recall@10 of ranking documents by cosine to each query.

    The metrics are those of trec_eval (Van Gysel & de Rijke 2018,
    https://arxiv.org/abs/1805.01597). Queries that share a relevant document are drawn together.

    Args:
        queries: shape (Q, D), any real dtype.
        documents: shape (M, D), any real dtype.
        relevance: for each query the index and grade of the documents that are relevant to it.
        draws: number of bootstrap draws.
        seed: seed of the draws.

    Raises:
        CorpusError: the lengths do not match, or a query without a relevant document.
    """
    if len(queries) != len(relevance) or not all(relevance):
        raise CorpusError("Each query needs its embedding and at least one relevant document.")
    cosines = vectors.unit(queries) @ vectors.unit(documents).T
    judged = {f"q{i}": {f"d{j}": g for j, g in row.items()} for i, row in enumerate(relevance)}
    run = {f"q{i}": {f"d{j}": float(c) for j, c in enumerate(row)} for i, row in enumerate(cosines)}
    names = {"nDCG@10": f"ndcg_cut_{CUTOFF}", "recall@10": f"recall_{CUTOFF}"}
    evaluator = pytrec_eval.RelevanceEvaluator(judged, {f"ndcg_cut.{CUTOFF}", f"recall.{CUTOFF}"})
    scored = evaluator.evaluate(run)
    gains = np.array(
        [[scored[f"q{i}"][key] for key in names.values()] for i in range(len(cosines))]
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
        for column, name in enumerate(names)
    ]


def _sharing(relevance: Sequence[Mapping[int, int]], documents: int) -> NDArray[np.int64]:
    """The group of each query: those connected by documents relevant to both, (Q,)."""
    rows = np.array([i for i, row in enumerate(relevance) for _ in row])
    columns = np.array([len(relevance) + j for row in relevance for j in row])
    return bootstrap.components(rows, columns, len(relevance) + documents)[: len(relevance)]
