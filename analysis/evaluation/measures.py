"""Scores of embeddings on rated pairs, labelled texts and queries with documents, with draws.

A measure keeps the bootstrap draws of its interval. Two methods measured on the same corpus share
the draws' weights, so their difference is paired by subtracting draw from draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytrec_eval
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.metrics import v_measure_score
from sklearn.neighbors import NearestNeighbors

from ..corpora.types import Pairs
from ..errors import CorpusError
from . import similarity
from .comparison import Difference, Floats, corrected, interval, p_value

RESAMPLES = 4000
"""Bootstrap draws: enough for a p-value of 0.0005, which survives ten comparisons."""
CLUSTERINGS = 5
"""Starts of k-means from other seeds; their V-measures are averaged."""
CUT = 10
"""Documents of a ranking that count."""


@dataclass(frozen=True, eq=False)
class Measure:
    """One score, times 100, with its 95% bootstrap interval.

    ``items`` counts the ``things`` scored; ``resampled`` says what the bootstrap drew; ``drawn``
    float32 (B,) holds the score of each draw, a share of 1.
    """

    name: str
    value: float
    ci_low: float
    ci_high: float
    items: int
    things: str
    resampled: str
    drawn: NDArray[np.float32]


def differences(
    found: Mapping[str, Measure], base: Measure, base_name: str, of: int | None = None
) -> list[Difference]:
    """Each measure minus ``base``, paired draw by draw, corrected by Holm's method.

    All must be the same measure on the same corpus; ``of`` is the corpus's size where they are
    on a part of it.

    Raises:
        CorpusError: measures of other things.
    """
    out = []
    for name, measure in found.items():
        same = (measure.name, measure.items, len(measure.drawn))
        if same != (base.name, base.items, len(base.drawn)):
            raise CorpusError(
                f"{name} and {base_name} were not measured alike ({measure.name} on "
                f"{measure.items:,} {measure.things}, {base.name} on {base.items:,})."
            )
        drawn = (measure.drawn - base.drawn).astype(np.float64)
        out.append(
            Difference(
                measure.value - base.value,
                *interval(drawn),
                measure.items,
                name,
                base_name,
                measure.things,
                of,
                p_value(drawn),
            )
        )
    return corrected(out)


def agreement(
    cosines: Floats, pairs: Pairs, *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Measure]:
    """Spearman and Pearson correlation of ``cosines`` (P,) with the pairs' human ratings.

    What the bootstrap draws follows from the pairs, see :mod:`analysis.evaluation.similarity`.

    Raises:
        CorpusError: cosines or ratings that are all the same, or pairs too few for an interval.
    """
    unit, ranks, values = similarity.correlations(cosines, pairs, resamples, seed)
    rank, linear = spearmanr(cosines, pairs.scores), np.corrcoef(cosines, pairs.scores)
    return [
        _measure("Spearman", float(rank.statistic), ranks, len(cosines), "pairs", unit),
        _measure("Pearson", float(linear[0, 1]), values, len(cosines), "pairs", unit),
    ]


def labelled(embeddings: NDArray[Any], labels: Sequence[str], *, seed: int = 0) -> list[Measure]:
    """kNN accuracy and V-measure of ``embeddings`` (N, D) against ``labels`` (N,).

    Raises:
        CorpusError: fewer than two labels, or too few texts.
    """
    return [neighbours(embeddings, labels, seed=seed), clusters(embeddings, labels, seed=seed)]


def neighbours(
    embeddings: NDArray[Any],
    labels: Sequence[str],
    *,
    k: int = 5,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Measure:
    """Share of texts whose ``k`` nearest others (by cosine) vote for their own label.

    Leave-one-out; of labels with as many votes, the one with the nearest neighbour wins. The
    bootstrap draws texts, their neighbours staying as they are.

    Raises:
        CorpusError: fewer than two labels, or not more than ``k`` texts.
    """
    codes = _codes(embeddings, labels, k)
    nearest = NearestNeighbors(n_neighbors=k + 1, metric="cosine", algorithm="brute")
    found = nearest.fit(embeddings).kneighbors(embeddings, return_distance=False)
    others = np.array(
        [row[row != i][:k] for i, row in enumerate(found)]  # a duplicate may stand before itself
    )
    votes = np.zeros((len(codes), int(codes.max()) + 1))
    for rank in range(k):
        votes[np.arange(len(codes)), codes[others[:, rank]]] += 1 + 2.0 ** -(rank + 20)
    hits = (votes.argmax(axis=1) == codes).astype(np.float64)
    counts = _counts(len(codes), resamples, seed)
    drawn = counts @ hits / len(hits)
    return _measure(f"kNN accuracy (k = {k})", float(hits.mean()), drawn, len(hits), "texts")


def clusters(
    embeddings: NDArray[Any],
    labels: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Measure:
    """V-measure (Rosenberg & Hirschberg 2007) of k-means with as many clusters as labels.

    The mean over :data:`CLUSTERINGS` clusterings of the unit vectors. The bootstrap draws texts,
    their clusters staying as they are; as repeated texts always agree, its draws lie too high,
    and are moved to lie around the score.

    Raises:
        CorpusError: fewer than two labels, or too few texts.
    """
    codes = _codes(embeddings, labels, 1)
    many = int(codes.max()) + 1
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    counts = _counts(len(codes), resamples, seed)
    values, drawn = [], np.zeros(resamples)
    for start in range(CLUSTERINGS):
        assigned = KMeans(many, n_init=1, random_state=seed + start).fit_predict(unit)
        values.append(v_measure_score(codes, assigned))
        cells = np.zeros((len(codes), many * many), np.float32)
        cells[np.arange(len(codes)), codes * many + assigned] = 1
        tables = (counts.astype(np.float32) @ cells).reshape(resamples, many, many)
        drawn += _v_measures(tables.astype(np.float64)) / CLUSTERINGS
    drawn += np.mean(values) - drawn.mean()
    return _measure("V-measure", float(np.mean(values)), drawn, len(codes), "texts")


def _v_measures(tables: Floats) -> Floats:
    """V-measure of each contingency table, (B, labels, clusters) -> (B,), as scikit-learn's."""
    share = tables / tables.sum(axis=(1, 2), keepdims=True)

    def entropy(p: Floats) -> Floats:
        logs = np.log(p, out=np.zeros_like(p), where=p > 0)
        return np.asarray(-(p * logs).reshape(len(p), -1).sum(axis=1))

    joint, of_labels, of_clusters = (
        entropy(share),
        entropy(share.sum(axis=2)),
        entropy(share.sum(axis=1)),
    )
    mutual = of_labels + of_clusters - joint
    whole = of_labels + of_clusters
    return np.divide(2 * mutual, whole, out=np.ones_like(whole), where=whole > 0)


def retrieval(
    queries: NDArray[Any],
    documents: NDArray[Any],
    relevance: Sequence[Mapping[int, int]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Measure]:
    """nDCG@10 and recall@10 of ranking ``documents`` (M, D) by cosine to ``queries`` (Q, D).

    ``relevance[i]`` has the index and grade of the documents relevant to query i. The metrics are
    those of trec_eval. Queries that share a relevant document are drawn together.

    Raises:
        CorpusError: numbers that do not match, or a query without a relevant document.
    """
    if len(queries) != len(relevance) or not all(relevance):
        raise CorpusError("Each query needs its embedding and at least one relevant document.")
    q, d = (
        x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)
        for x in (queries, documents)
    )
    cosines = q @ d.T
    judged = {f"q{i}": {f"d{j}": g for j, g in row.items()} for i, row in enumerate(relevance)}
    run = {f"q{i}": {f"d{j}": float(c) for j, c in enumerate(row)} for i, row in enumerate(cosines)}
    names = {"nDCG@10": f"ndcg_cut_{CUT}", "recall@10": f"recall_{CUT}"}
    found = pytrec_eval.RelevanceEvaluator(judged, {f"ndcg_cut.{CUT}", f"recall.{CUT}"})
    scored = found.evaluate(run)
    group = _sharing(relevance, len(documents))
    counts = _counts(int(group.max()) + 1, resamples, seed)[:, group]
    unit = "queries" if len(set(group.tolist())) == len(group) else "groups of queries"
    out = []
    for name, key in names.items():
        each = np.array([scored[f"q{i}"][key] for i in range(len(q))])
        weight = counts.sum(axis=1)
        drawn = np.divide(counts @ each, weight, out=np.full(resamples, np.nan), where=weight > 0)
        out.append(_measure(name, float(each.mean()), drawn, len(q), "queries", unit))
    return out


def _sharing(relevance: Sequence[Mapping[int, int]], documents: int) -> NDArray[np.int64]:
    """The group of each query: those connected by documents relevant to both, (Q,)."""
    rows = [i for i, row in enumerate(relevance) for _ in row]
    columns = [len(relevance) + j for row in relevance for j in row]
    size = len(relevance) + documents
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
    parts = connected_components(graph, directed=False)[1][: len(relevance)]
    return np.unique(parts, return_inverse=True)[1]


def _counts(units: int, resamples: int, seed: int) -> Floats:
    """How often each of ``units`` is drawn in each of ``resamples``, (B, units)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(units, np.full(units, 1 / units), size=resamples).astype(np.float64)


def _measure(
    name: str, value: float, drawn: Floats, items: int, things: str, resampled: str | None = None
) -> Measure:
    low, high = interval(drawn)
    kept = drawn.astype(np.float32)
    return Measure(name, 100 * value, low, high, items, things, resampled or things, kept)


def _codes(embeddings: NDArray[Any], labels: Sequence[str], k: int) -> NDArray[np.int64]:
    """Labels as numbers from 0."""
    if len(embeddings) != len(labels):
        raise CorpusError(f"{len(embeddings):,} embeddings were given for {len(labels):,} labels.")
    known, codes = np.unique(np.asarray(labels), return_inverse=True)
    if len(known) < 2:
        raise CorpusError("All texts have the same label, so nothing can be told apart.")
    if len(codes) <= max(k, len(known)):
        raise CorpusError(
            f"{len(codes):,} texts with {len(known):,} labels are too few to measure; take more."
        )
    return codes
