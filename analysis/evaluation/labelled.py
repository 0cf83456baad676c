"""How well embeddings keep texts of one label together: nearest neighbours and clusters."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..errors import CorpusError
from . import bootstrap, vectors
from .bootstrap import DRAWS
from .measures import Measure, measure

VOTERS = 5
"""How many neighbours vote on a text's label."""

Floats = NDArray[np.float64]

CLUSTERINGS = 5
"""Runs of k-means with different seeds, whose V-measures are averaged."""


def labelled(
    embeddings: NDArray[np.floating], labels: Sequence[str], *, seed: int = 0
) -> list[Measure]:
    """Score embeddings against labels, by kNN accuracy and V-measure.

    Args:
        embeddings: shape (N, D), any real dtype.
        labels: one for each text.
        seed: seed of the draws and of the clusterings.

    Raises:
        CorpusError: fewer than two labels, or too few texts.
    """
    return [neighbours(embeddings, labels, seed=seed), clusters(embeddings, labels, seed=seed)]


def neighbours(
    embeddings: NDArray[np.floating],
    labels: Sequence[str],
    *,
    k: int = VOTERS,
    draws: int = DRAWS,
    seed: int = 0,
) -> Measure:
    """Share of texts whose ``k`` nearest others (by cosine) vote for their own label.

    Leave-one-out; among labels with equal votes, the one with the nearest neighbour wins. The
    bootstrap draws texts and keeps their neighbours fixed.

    Args:
        embeddings: shape (N, D), any real dtype.
        labels: one for each text.
        k: neighbours that vote.
        draws: number of bootstrap draws.
        seed: seed of the draws.

    Raises:
        CorpusError: fewer than two labels, or not more than ``k`` texts.
    """
    from sklearn.neighbors import NearestNeighbors

    numbers = _codes(embeddings, labels, k)
    nearest = NearestNeighbors(n_neighbors=k + 1, metric="cosine", algorithm="brute")
    rows = nearest.fit(embeddings).kneighbors(embeddings, return_distance=False)
    neighbour_rows = np.array(
        [
            row[row != i][:k] for i, row in enumerate(rows)
        ]  # a duplicate may come before the text itself
    )
    votes = np.zeros((len(numbers), int(numbers.max()) + 1))
    for rank in range(k):
        votes[np.arange(len(numbers)), numbers[neighbour_rows[:, rank]]] += 1 + 2.0 ** -(rank + 20)
    hits = (votes.argmax(axis=1) == numbers).astype(np.float64)
    texts = bootstrap.of_items(len(numbers), "texts")
    drawn = [weights @ hits / len(hits) for weights in texts.weights(draws, seed)]
    return measure(
        f"kNN accuracy (k = {k})",
        float(hits.mean()),
        np.concatenate(drawn),
        *(len(hits), "texts", texts.things),
    )


def clusters(
    embeddings: NDArray[np.floating],
    labels: Sequence[str],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Measure:
    """V-measure of k-means with as many clusters as labels.

    The harmonic mean of homogeneity and completeness (Rosenberg & Hirschberg 2007,
    https://aclanthology.org/D07-1043), averaged over :data:`CLUSTERINGS` clusterings of the unit
    vectors. The bootstrap draws texts and keeps their clusters fixed; since repeated texts
    always agree, the draws are too high, and are shifted to centre on the score.

    Args:
        embeddings: shape (N, D), any real dtype.
        labels: one for each text.
        draws: number of bootstrap draws.
        seed: seed of the draws and of the clusterings.

    Raises:
        CorpusError: fewer than two labels, or too few texts.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import v_measure_score

    numbers = _codes(embeddings, labels, 1)
    count = int(numbers.max()) + 1
    unit = vectors.unit(embeddings, embeddings.dtype.type)
    cells, values = [], []
    for start in range(CLUSTERINGS):
        assigned = KMeans(count, n_init=1, random_state=seed + start).fit_predict(unit)
        values.append(v_measure_score(numbers, assigned))
        at = np.arange(len(numbers)), numbers * count + assigned
        ones = np.ones(len(numbers), np.float32)
        cells.append(csr_array((ones, at), shape=(len(numbers), count * count)))
    texts = bootstrap.of_items(len(numbers), "texts")
    blocks = []
    for weights in texts.weights(draws, seed):
        shape = (len(weights), count, count)
        tables = [(weights.astype(np.float32) @ cell).reshape(shape) for cell in cells]
        blocks.append(np.mean([_v_measures(table.astype(np.float64)) for table in tables], axis=0))
    drawn = np.concatenate(blocks)
    drawn += np.mean(values) - drawn.mean()
    value = float(np.mean(values))
    return measure("V-measure", value, drawn, len(numbers), "texts", texts.things)


def _v_measures(tables: Floats) -> Floats:
    """V-measure of each contingency table, (B, labels, clusters) -> (B,), as scikit-learn's."""
    share = tables / tables.sum(axis=(1, 2), keepdims=True)

    def entropy(p: Floats) -> Floats:
        logs = np.log(p, out=np.zeros_like(p), where=p > 0)
        return np.asarray(-(p * logs).reshape(len(p), -1).sum(axis=1))

    joint_entropy, label_entropy, cluster_entropy = (
        entropy(share),
        entropy(share.sum(axis=2)),
        entropy(share.sum(axis=1)),
    )
    mutual = label_entropy + cluster_entropy - joint_entropy
    total = label_entropy + cluster_entropy
    return np.divide(2 * mutual, total, out=np.ones_like(total), where=total > 0)


def _codes(embeddings: NDArray[np.floating], labels: Sequence[str], k: int) -> NDArray[np.int64]:
    """Labels as numbers from 0."""
    if len(embeddings) != len(labels):
        raise CorpusError(f"{len(embeddings):,} embeddings were given for {len(labels):,} labels.")
    return codes(labels, k)


def codes(labels: Sequence[str], k: int = VOTERS) -> NDArray[np.int64]:
    """Labels as numbers from 0.

    Args:
        labels: one for each text.
        k: how many neighbours vote.

    Raises:
        CorpusError: fewer than two labels, or too few texts to measure.
    """
    names, numbers = np.unique(np.asarray(labels), return_inverse=True)
    if len(names) < 2:
        raise CorpusError("All texts have the same label, so nothing can be told apart.")
    if len(numbers) <= max(k, len(names)):
        raise CorpusError(
            f"{len(numbers):,} texts with {len(names):,} labels are too few to measure; take more."
        )
    return np.asarray(numbers)
