"""Each text's nearest neighbours in an embedding space, and how many it keeps in another."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..evaluation import vectors

Floats = NDArray[np.float64]


MEGABYTES = 64
"""Memory for distances at a time, since all of them would fill it."""


class Nearest(NamedTuple):
    """Each text's nearest neighbours, nearest first: their rows (N, k) and cosines (N, k)."""

    rows: NDArray[np.intp]
    cosines: Floats


def checked(embeddings: NDArray[np.floating], fewest: int = 1) -> Floats:
    """Embeddings (N, D) as float64.

    Raises:
        CorpusError: fewer than ``fewest``, or one is not finite.
        ValueError: they are not two-dimensional.
    """
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
    """Each text's ``k`` nearest neighbours by cosine, computed block by block.

    Args:
        embeddings: (N, D), any float type.
        k: at least 1; capped at N - 1.

    Raises:
        CorpusError: fewer than two texts, or an embedding is not finite.
    """
    from sklearn import config_context
    from sklearn.neighbors import NearestNeighbors

    rows = checked(embeddings, fewest=2)
    k = min(k, len(rows) - 1)
    with config_context(working_memory=MEGABYTES):
        distances, neighbours = (
            NearestNeighbors(n_neighbors=k, metric="cosine", n_jobs=1).fit(rows).kneighbors()
        )
    return Nearest(np.asarray(neighbours), 1 - np.asarray(distances))


def nearest_to(new: NDArray[np.floating], embeddings: NDArray[np.floating], k: int = 10) -> Nearest:
    """The ``k`` texts nearest to each of some other vectors by cosine; equal ones keep their order.

    Args:
        new: (M, D), any float type.
        embeddings: (N, D) the texts.
        k: at least 1; capped at N.

    Returns:
        Rows of the texts (M, k) and cosines (M, k).

    Raises:
        CorpusError: a vector is not finite or all zero, or they are of another width.
    """
    cosines = vectors.unit(checked(new)) @ vectors.unit(checked(embeddings)).T
    rows = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return Nearest(rows, np.clip(np.take_along_axis(cosines, rows, axis=1), -1, 1))


def shared(first: NDArray[np.intp], second: NDArray[np.intp]) -> Floats:
    """The share of each row of ``first`` (N, k) that is also in that row of ``second``, (N,)."""
    same = first[:, :, None] == second[:, None, :]
    return np.asarray(same.any(axis=2).mean(axis=1))


def neighbourhood_overlap(
    a: NDArray[np.floating], b: NDArray[np.floating], k: int = 10
) -> NDArray[np.float64]:
    """How much of each text's neighbourhood is the same in two spaces.

    Args:
        a: (N, D) embeddings.
        b: (N, E) embeddings of the same texts in the same order.
        k: neighbourhood size, at least 1; capped at N - 1.

    Returns:
        (N,) float64, share from 0 to 1 of each text's k nearest neighbours by cosine in ``a`` that
        are among its k nearest in ``b``. Chance alone gives about k / (N - 1).

    Raises:
        CorpusError: fewer than two texts, or an embedding is not finite.
        ValueError: the spaces do not hold the same number of texts.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} texts cannot be compared one to one")
    return shared(nearest(a, k).rows, nearest(b, k).rows)


def trust(embeddings: NDArray[np.floating], points: Floats, k: int = 10) -> float:
    """Trustworthiness of a map: are neighbours on it neighbours in the space?

    The measure of Venna & Kaski 2001 (https://doi.org/10.1007/3-540-44668-0_68), as in scikit-learn
    but block by block; of equal distances none counts as smaller.

    Args:
        embeddings: (N, D) the space, compared by cosine.
        points: (N, 2) the map.
        k: neighbourhood size, at least 1; capped at (N - 1) // 2, the largest that the measure is
            defined for.

    Returns:
        0 to 1; 1 if each text's k nearest on the map are its k nearest in the space.

    Raises:
        CorpusError: fewer than three texts, or an embedding is not finite.
    """
    from sklearn.metrics import pairwise_distances_chunked
    from sklearn.neighbors import NearestNeighbors

    rows = checked(embeddings, fewest=3)
    n = len(rows)
    k = min(k, (n - 1) // 2)
    near = NearestNeighbors(n_neighbors=k, n_jobs=1).fit(points).kneighbors(return_distance=False)

    def misplaced(distances: Floats, start: int) -> Floats:
        """How far beyond the k-th place in the space each text's neighbours on the map lie."""
        block_rows = np.arange(start, start + len(distances))
        near_distances = np.take_along_axis(distances, near[block_rows], axis=1)
        distances[block_rows - start, block_rows] = np.inf
        ranks = np.stack(
            [(distances < column[:, None]).sum(axis=1) + 1 for column in near_distances.T]
        )
        return np.asarray(np.maximum(ranks - k, 0).sum(axis=0), dtype=np.float64)

    blocks = pairwise_distances_chunked(
        rows, metric="cosine", reduce_func=misplaced, working_memory=MEGABYTES, n_jobs=1
    )
    return float(1 - 2 / (n * k * (2 * n - 3 * k - 1)) * np.concatenate(list(blocks)).sum())


def clusters(embeddings: NDArray[np.floating], k: int, seed: int = 0) -> NDArray[np.intp]:
    """k-means on the unit vectors: the cluster of each text, (N,), numbered from the largest, 0.

    Args:
        embeddings: (N, D), any float type.
        k: number of clusters, at least 1; capped at the number of distinct embeddings.
        seed: seed of the start.

    Raises:
        CorpusError: no texts, or an embedding is not finite.
    """
    from sklearn.cluster import KMeans

    unit = vectors.unit(checked(embeddings))
    k = min(k, len(np.unique(unit, axis=0)))
    assigned = KMeans(k, n_init=1, random_state=seed).fit_predict(unit)
    by_size = np.argsort(-np.bincount(assigned, minlength=k), kind="stable")
    return np.asarray(np.argsort(by_size)[assigned])
