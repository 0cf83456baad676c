"""Projecting embedding spaces to the plane and comparing two of them text by text.

A map alone invites over-reading, so three numbers go with it: how trustworthy it is, how much of
each text's neighbourhood survives from one space to the other, and the reason for the projection
that was used. Two maps are aligned first, so that what stands still looks still.

scikit-learn and UMAP take seconds to import and are imported where first used; UMAP compiles for
another ten to twenty, which :func:`warm_up` does ahead of time.
"""

import threading
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.errors import CorpusError, PlanError

Floats = NDArray[np.float64]

How = Literal["umap", "pca"]
PROJECTIONS: tuple[How, ...] = ("umap", "pca")
"""How a map can be drawn."""
FEWEST_FOR_UMAP = 15
"""Below this many distinct texts neighbourhoods say little and UMAP's start fails."""
MEGABYTES = 64
"""Distances are held that much at a time, since all of them would fill the memory."""

_UMAP_LOCK = threading.Lock()  # two fits at once abort the process under numba's workqueue layer


@dataclass(frozen=True, eq=False)
class Projection:
    """A map of an embedding space.

    Attributes:
        points: (N, 2) float64.
        how: the method that was used.
        reason: that method, with its settings or why it was chosen, for a caption.
    """

    points: Floats
    how: How
    reason: str


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


def _pca(rows: Floats) -> Floats:
    """(N, 2) coordinates along the two directions of largest variance, zero where there is none."""
    left, scales, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    points = np.zeros((len(rows), 2))
    points[:, : len(scales)] = (left * scales)[:, :2]
    return points


def _umap(rows: Floats, neighbours: int, min_dist: float, seed: int) -> Floats:
    with _UMAP_LOCK:
        from umap import UMAP

        fitted = UMAP(
            n_neighbors=neighbours,
            min_dist=min_dist,
            metric="cosine",
            random_state=seed,
            n_jobs=1,
        ).fit(rows)
    return np.asarray(fitted.embedding_, dtype=np.float64)


def project(
    embeddings: NDArray[np.floating],
    *,
    how: How = "umap",
    neighbours: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
) -> Projection:
    """Draw a map: UMAP by cosine, or PCA where that is asked for or the texts are too few.

    Texts with equal embeddings share one place. Only one UMAP runs in the process at a time.

    Args:
        embeddings: (N, D), any float type.
        how: the method; the other settings are UMAP's.
        neighbours: UMAP's neighbourhood, at least 2; capped at the distinct texts less one.
        min_dist: UMAP's least distance between points on the map, 0 to 1.
        seed: seeds UMAP; equal seeds give equal maps.

    Raises:
        CorpusError: no texts, or an embedding is not finite.
        PlanError: a setting of UMAP's that it does not take.
        ValueError: the embeddings are not two-dimensional.
    """
    rows = _checked(embeddings)
    if how == "umap" and not (neighbours >= 2 and 0 <= min_dist <= 1):
        raise PlanError(
            f"A map takes at least 2 neighbours and a least distance of 0 to 1, not {neighbours} "
            f"and {min_dist:g}."
        )
    if how == "pca":
        return Projection(_pca(rows), "pca", f"PCA: {len(rows)} texts")
    _, first, place = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    if len(first) < FEWEST_FOR_UMAP:
        return Projection(_pca(rows), "pca", f"PCA: fewer than {FEWEST_FOR_UMAP} distinct texts")
    neighbours = min(neighbours, len(first) - 1)
    # np.unique sorts; the texts' own order keeps the maps of two spaces alike
    rank = np.argsort(np.argsort(first))
    points = _umap(rows[np.sort(first)], neighbours, min_dist, seed)[rank[place]]
    return Projection(points, "umap", f"UMAP: {len(rows)} texts, {neighbours} neighbours, cosine")


def warm_up() -> None:
    """Import and compile UMAP on toy data, holding the lock; meant for a background thread."""
    project(np.random.default_rng(0).standard_normal((2 * FEWEST_FOR_UMAP, 4)))


def align(moving: Floats, fixed: Floats) -> Floats:
    """Lay one map over another: turn, mirror, shift and scale it as a whole.

    Orthogonal Procrustes (Schönemann 1966), scaled to the fixed map's spread rather than by least
    squares, which would shrink a map that has little in common with the other to a dot.

    Args:
        moving: (N, 2) points to move.
        fixed: (N, 2) points of the same texts in the same order.

    Returns:
        (N, 2) float64, ``moving`` laid over ``fixed``.

    Raises:
        ValueError: the shapes differ.
    """
    from scipy.linalg import orthogonal_procrustes

    centre = fixed.mean(axis=0)
    source, target = moving - moving.mean(axis=0), fixed - centre
    rotation, _ = orthogonal_procrustes(source, target)
    spread = np.linalg.norm(source)
    scale = np.linalg.norm(target) / spread if spread > 0 else 1.0
    return np.asarray(source @ rotation * scale + centre)


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
    from sklearn.preprocessing import normalize

    unit = normalize(_checked(embeddings))
    k = min(k, len(np.unique(unit, axis=0)))
    found = KMeans(k, n_init=1, random_state=seed).fit_predict(unit)
    by_size = np.argsort(-np.bincount(found, minlength=k), kind="stable")
    return np.asarray(np.argsort(by_size)[found])
