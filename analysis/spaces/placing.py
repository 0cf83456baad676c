"""Where a new vector belongs on a map that is drawn: UMAP's transform, or PCA's two directions."""

import numpy as np
from numpy.typing import NDArray

from . import projection
from .neighbours import Floats, checked
from .projection import ProjectionName

_EPOCHS, _RATE, _SEED = 100, 0.25, 42
"""UMAP's own settings of a transform: its epochs, a quarter of the rate of a fit, and its seed."""


def place(
    new: NDArray[np.floating],
    embeddings: NDArray[np.floating],
    points: Floats,
    *,
    how: ProjectionName,
    neighbours: int = 15,
    min_dist: float = 0.1,
) -> Floats:
    """Place new vectors on the map of a space, whose own points stay where they are.

    By UMAP, a vector begins at the mean of its nearest neighbours on the map, weighed by their
    membership, and is moved by the same attraction and repulsion as in a fit
    (https://umap-learn.readthedocs.io/en/latest/transform.html). It needs the map, not the fit, so
    that stored maps serve too; neighbours are exact. By PCA, it goes along the map's two
    directions. A vector that is one of the space's has its point.

    Args:
        new: (M, D) vectors.
        embeddings: (N, D) the vectors of the space.
        points: (N, 2) its map as it was projected, not aligned with another.
        how: the projection that was used.
        neighbours: UMAP's neighbourhood, as the map was made with.
        min_dist: UMAP's least distance between points, as the map was made with.

    Returns:
        (M, 2) float64.

    Raises:
        CorpusError: a vector is not finite.
        ValueError: the shapes do not fit.
    """
    rows, asked = checked(embeddings), checked(new)
    if len(rows) != len(points) or rows.shape[1] != asked.shape[1]:
        raise ValueError(
            f"{rows.shape} embeddings, {len(points)} points and new {asked.shape} do not fit"
        )
    if how == "pca":
        placed = _by_pca(asked, rows, points)
    else:
        _, first = np.unique(rows, axis=0, return_index=True)
        first = np.sort(first)
        placed = _by_umap(
            asked, rows[first], points[first], min(neighbours, len(first) - 1), min_dist
        )
    for number, vector in enumerate(asked):
        if len(same := np.flatnonzero((rows == vector).all(axis=1))):
            placed[number] = points[same[0]]
    return placed


def _by_pca(new: Floats, rows: Floats, points: Floats) -> Floats:
    """Along directions V with (rows - mean) V = points, which are (rows - mean)' points / s²."""
    centre = rows.mean(axis=0)
    squares = (points**2).sum(axis=0)
    scales = np.divide(1, squares, out=np.zeros(2), where=squares > 0)
    return np.asarray((new - centre) @ ((rows - centre).T @ points * scales))


def _by_umap(
    new: Floats, rows: Floats, points: Floats, neighbourhood: int, min_dist: float
) -> Floats:
    """UMAP's transform, made of its own steps."""
    from scipy.sparse import coo_matrix
    from sklearn.metrics import pairwise_distances

    with projection.FITTING:
        projection.umap_class()
        from umap import layouts, umap_
        from umap.distances import named_distances
        from umap.umap_ import INT32_MAX, INT32_MIN

        every = pairwise_distances(
            new.astype(np.float32), rows.astype(np.float32), metric=named_distances["cosine"]
        )
        near = np.argsort(every, axis=1, kind="stable")[:, :neighbourhood]
        distances = np.take_along_axis(every, near, axis=1).astype(np.float32)
        width, nearest_at = umap_.smooth_knn_dist(
            distances, float(neighbourhood), local_connectivity=0.0
        )
        at, to, strengths, _ = umap_.compute_membership_strengths(
            near.astype(np.int32), distances, width, nearest_at, bipartite=True
        )
        graph = coo_matrix((strengths, (at, to)), shape=(len(new), len(rows)))
        drawn = points.astype(np.float32)
        begun = graph.tocsr()
        begun.eliminate_zeros()
        start = umap_.init_graph_transform(begun, drawn)
        graph.data[graph.data < graph.data.max() / _EPOCHS] = 0.0
        graph.eliminate_zeros()
        a, b = umap_.find_ab_params(1.0, min_dist)
        noise = np.random.RandomState(_SEED).randint(INT32_MIN, INT32_MAX, 3).astype(np.int64)
        placed = layouts.optimize_layout_euclidean(
            *(start, drawn, graph.row, graph.col, _EPOCHS, len(rows)),
            *(umap_.make_epochs_per_sample(graph.data, _EPOCHS), a, b, noise),
            initial_alpha=_RATE,
        )
    return np.asarray(placed, dtype=np.float64)
