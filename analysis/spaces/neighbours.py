"""Each text's nearest others in an embedding space, and how many stay so in another."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..evaluation import vectors

Floats = NDArray[np.float64]


MEGABYTES = 64
"""Distances are held that much at a time, since all of them would fill the memory."""


class Nearest(NamedTuple):
    """Each text's nearest others, nearest first: their rows (N, k) and cosines (N, k)."""

    rows: NDArray[np.intp]
    cosines: Floats


def _checked(embeddings: NDArray[np.floating], fewest: int = 1) -> Floats:
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"embeddings are texts by features, not an array of shape {rows.shape}")
    if len(rows) < fewest:
        raise CorpusError(f"This needs at least {fewest} texts and was given {len(rows)}.")
    if not np.isfinite(rows).all():
        raise CorpusError(
            "Some embeddings are not finite numbers, as when half precision overflows; "
            "run the backbone in float32 or bfloat16."
        )
    return rows


def nearest(embeddings: NDArray[np.floating], k: int = 10) -> Nearest:
    """Each text's ``k`` nearest others by cosine, found block by block.

    Args:
        embeddings: (N, D), any float type.
        k: at least 1; capped at N - 1.

    Raises:
        CorpusError: fewer than two texts, or an embedding is not finite.
    """
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    rows = _checked(embeddings, fewest=2)
    k = min(k, len(rows) - 1)
    with config_context(working_memory=MEGABYTES):
        found = NearestNeighbors(n_neighbors=k, metric="cosine", n_jobs=1).fit(rows).kneighbors()
    return Nearest(np.asarray(found[1]), 1 - np.asarray(found[0]))


def shared(first: NDArray[np.intp], second: NDArray[np.intp]) -> Floats:
    """The share of each row of ``first`` (N, k) that is also in that row of ``second``, (N,)."""
    both = first[:, :, None] == second[:, None, :]
    return np.asarray(both.any(axis=2).mean(axis=1))


def neighbourhood_overlap(
    a: NDArray[np.floating], b: NDArray[np.floating], k: int = 10
) -> NDArray[np.float64]:
    """How much of each text's neighbourhood is the same in two spaces.

    Args:
        a: (N, D) embeddings.
        b: (N, E) embeddings of the same texts in the same order.
        k: neighbourhood size, at least 1; capped at N - 1.

    Returns:
        (N,) float64, share from 0 to 1 of each text's k nearest others by cosine in ``a`` that are
        among its k nearest in ``b``. Chance alone gives about k / (N - 1).

    Raises:
        CorpusError: fewer than two texts, or an embedding is not finite.
        ValueError: the spaces do not hold the same number of texts.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} texts cannot be compared one to one")
    return shared(nearest(a, k).rows, nearest(b, k).rows)


def trust(embeddings: NDArray[np.floating], points: Floats, k: int = 10) -> float:
    """Trustworthiness of a map (Venna & Kaski 2001): are neighbours on it neighbours in the space?

    As scikit-learn's, found block by block; of equal distances none counts as the smaller.

    Args:
        embeddings: (N, D) the space, compared by cosine.
        points: (N, 2) the map.
        k: neighbourhood size, at least 1; capped at (N - 1) // 2, where the measure ends.

    Returns:
        0 to 1; 1 if each text's k nearest on the map are its k nearest in the space.

    Raises:
        CorpusError: fewer than three texts, or an embedding is not finite.
    """
    from sklearn.metrics import pairwise_distances_chunked
    from sklearn.neighbors import NearestNeighbors

    rows = _checked(embeddings, fewest=3)
    n = len(rows)
    k = min(k, (n - 1) // 2)
    near = NearestNeighbors(n_neighbors=k, n_jobs=1).fit(points).kneighbors(return_distance=False)

    def misplaced(distances: Floats, start: int) -> Floats:
        """How far beyond the k-th place in the space each text's neighbours on the map lie."""
        own = np.arange(start, start + len(distances))
        asked = np.take_along_axis(distances, near[own], axis=1)
        distances[own - start, own] = np.inf
        ranks = np.stack([(distances < one[:, None]).sum(axis=1) + 1 for one in asked.T])
        return np.asarray(np.maximum(ranks - k, 0).sum(axis=0), dtype=np.float64)

    blocks = pairwise_distances_chunked(
        rows, metric="cosine", reduce_func=misplaced, working_memory=MEGABYTES, n_jobs=1
    )
    return float(1 - 2 / (n * k * (2 * n - 3 * k - 1)) * np.concatenate(list(blocks)).sum())


def clusters(embeddings: NDArray[np.floating], k: int, seed: int = 0) -> NDArray[np.intp]:
    """k-means on the unit vectors: the cluster of each text, (N,), the largest being 0.

    Args:
        embeddings: (N, D), any float type.
        k: how many clusters, at least 1; capped at the distinct embeddings.
        seed: seeds the start.

    Raises:
        CorpusError: no texts, or an embedding is not finite.
    """
    from sklearn.cluster import KMeans

    unit = vectors.unit(_checked(embeddings))
    k = min(k, len(np.unique(unit, axis=0)))
    found = KMeans(k, n_init=1, random_state=seed).fit_predict(unit)
    by_size = np.argsort(-np.bincount(found, minlength=k), kind="stable")
    return np.asarray(np.argsort(by_size)[found])
