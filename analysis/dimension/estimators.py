"""Estimators of the intrinsic dimension of a cloud of states, one row a text.

TwoNN (Facco et al. 2017, https://doi.org/10.1038/s41598-017-11873-y), the estimator of the method,
needs only each row's two nearest distances, so a cloud's neighbours are ranked once, and estimates
from any part of its texts use that ranking. Coinciding texts would bias the estimate silently (10%
duplicates turn a dimension of 5 into 4.1) and are left out.

scikit-learn and scikit-dimension take seconds to import and are imported where first used.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..runtime.lookup import by_name

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]
Cloud = Literal["last", "all"]
EstimatorName = Literal["twonn", "twonn-mle", "mle", "gride", "lpca"]
CLOUDS: dict[Cloud, str] = {
    "last": "the final token of each text",
    "all": "as many tokens, drawn from all tokens of all texts",
}
"""The tokens whose states a layer's dimension is estimated from."""

FEWEST = 20
"""Minimum number of distinct rows for an estimate."""

COINCIDE = 1e-5
"""Rows closer than this share of their norm count as one text. On SmolLM2 in float32 one text in
two batches differs by up to 1.2e-6 of the norm, a typical nearest neighbour by 2e-2 to 3e-1."""


BLOCK_MEGABYTES = 256
"""Distances held at a time; up to 5,792 texts are one block."""


@dataclass(frozen=True)
class Estimator:
    """A named estimator of intrinsic dimension.

    Attributes:
        name: the key in :data:`ESTIMATORS`.
        summary: one sentence for users.
        fit: float64 points to the dimension: (N, k) distances from each row to its k nearest,
            ascending, if ``neighbours`` is set, else the (N, D) rows themselves.
        neighbours: the k that ``fit`` takes; N - 1 where N is smaller.
    """

    name: str
    summary: str
    fit: Callable[[Floats], float]
    neighbours: int = 0


def _twonn(nearest: Floats, method: str = "linear") -> float:
    from skdim.id import TwoNN

    return float(TwoNN(dist=True, method=method).fit(nearest).dimension_)


def _mle(nearest: Floats) -> float:
    from skdim.id import MLE

    indices = np.zeros(nearest.shape, dtype=np.intp)  # required, read only for smoothing
    fitted = MLE().fit(
        nearest, precomputed_knn_arrays=(nearest, indices), n_neighbors=nearest.shape[1]
    )
    return float(fitted.dimension_)


def _gride(rows: Floats) -> float:
    from skdim.id import GRIDE

    return float(GRIDE(n1=2, n2=4).fit(rows).dimension_)


def _lpca(rows: Floats) -> float:
    # skdim.id.lPCA(ver="participation_ratio") without its SVD, which takes many times longer:
    # (sum of eigenvalues)^2 / sum of squared eigenvalues = trace(S)^2 / |S|_F^2, and both sides
    # of the singular value decomposition have the same eigenvalues
    centred = rows - rows.mean(axis=0)
    scatter = centred @ centred.T if len(rows) < rows.shape[1] else centred.T @ centred
    return float(np.trace(scatter) ** 2 / np.sum(scatter**2))


_TWONN = "From how much farther the second neighbour is than the first, by a fitted line."
_TWONN_MLE = "From the same two neighbours, by maximum likelihood instead of a line."
_MLE = "From how distances grow over the 20 nearest neighbours (Levina & Bickel 2005)."
_GRIDE = "Like TwoNN, with neighbours two and four: less sensitive to noise (Denti et al. 2022)."
_LPCA = "How many linear directions share the variance: the participation ratio of PCA."

ESTIMATORS: dict[str, Estimator] = {
    estimator.name: estimator
    for estimator in (
        Estimator("twonn", _TWONN, _twonn, neighbours=2),
        Estimator("twonn-mle", _TWONN_MLE, partial(_twonn, method="mle"), neighbours=2),
        Estimator("mle", _MLE, _mle, neighbours=20),
        Estimator("gride", _GRIDE, _gride),
        Estimator("lpca", _LPCA, _lpca),
    )
}
"""TwoNN: https://doi.org/10.1038/s41598-017-11873-y; MLE: Levina & Bickel 2005,
https://papers.nips.cc/paper/2577-maximum-likelihood-estimation-of-intrinsic-dimension; GRIDE: Denti
et al. 2022, https://doi.org/10.1038/s41598-022-20991-1; all but the last by scikit-dimension."""


def _by_block(rows: Floats, reduce: Callable[[Floats, int], Any]) -> Iterator[Any]:
    """``reduce`` of the squared distances (n, N) of n rows to all N, block after block of rows.

    It is called with them and the number of the block's first row. |x|^2 + |y|^2 - 2xy in float64
    errs by about 1e-15 |x|^2: that is 1e-5 of the squared distance of rows that only just do not
    coincide, and far less of any larger one.
    """
    from sklearn.metrics import pairwise_distances_chunked

    yield from pairwise_distances_chunked(
        rows - rows.mean(axis=0),
        reduce_func=reduce,
        metric="euclidean",
        squared=True,
        working_memory=BLOCK_MEGABYTES,
    )


def _checked(cloud: NDArray[np.floating], name: str = "The cloud") -> Floats:
    rows = np.asarray(cloud, dtype=np.float64)
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"a cloud is texts by features, not an array of shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise CorpusError(
            f"{name} holds states that are not finite numbers, as when half precision overflows; "
            "run the backbone in float32 or bfloat16."
        )
    return rows


def drop_duplicates(cloud: NDArray[np.floating], name: str = "The cloud") -> Indices:
    """Find the rows to keep so that no two coincide up to rounding.

    Args:
        cloud: (N, D) states, any float type.
        name: name of the cloud in an error.

    Returns:
        (M,) ascending indices of the first row of each group; a row is left out if it lies within
        ``COINCIDE`` times its norm of an earlier one.

    Raises:
        CorpusError: a state is not finite.
        ValueError: the cloud is empty or not two-dimensional.
    """
    rows = _checked(cloud, name)
    limits = (COINCIDE * np.linalg.norm(rows, axis=1)) ** 2

    def repeated(squared: Floats, first: int) -> Mask:
        """Whether each row of the block coincides with an earlier one."""
        near = squared <= limits[first : first + len(squared), None]
        return np.asarray(np.tril(near, k=first - 1).any(axis=1))

    return np.flatnonzero(~np.concatenate(list(_by_block(rows, repeated))))


def _fit(estimator: Estimator, points: Floats) -> float:
    """The estimate, or NaN if the points allow none (too few, or all distances equal)."""
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            dimension = estimator.fit(points)
    except ValueError:
        return np.nan
    return dimension if np.isfinite(dimension) and dimension > 0 else np.nan


def ranked(
    cloud: NDArray[np.floating], texts: Indices, estimator: Estimator
) -> Callable[[Mask], float]:
    """Rank the neighbours of a cloud's distinct texts once, for estimates from many parts of them.

    Args:
        cloud: (N, D) states, any float type; computed in float64.
        texts: (M,) the distinct texts, as :func:`drop_duplicates` finds them.
        estimator: the estimator.

    Returns:
        A function from an (N,) mask of texts to the estimate from the distinct ones among them,
        NaN where there is none.
    """
    if len(texts) < FEWEST:
        return lambda _: np.nan
    if not estimator.neighbours:
        return lambda members: _fit(
            estimator, np.asarray(cloud[texts[members[texts]]], dtype=np.float64)
        )

    # of 4k + 40 nearest texts, a random half holds fewer than k about once in 1e12 rows
    width = min(4 * estimator.neighbours + 40, len(texts) - 1)

    def nearest_of(squared: Floats, first: int) -> tuple[Indices, Floats]:
        """The numbers and squared distances (n, width) of the nearest, nearest first."""
        own = np.arange(len(squared))
        squared[own, first + own] = np.inf
        order = np.argpartition(squared, width - 1, axis=1)[:, :width]
        rank = np.argsort(np.take_along_axis(squared, order, axis=1), axis=1, kind="stable")
        order = np.take_along_axis(order, rank, axis=1)
        return order, np.take_along_axis(squared, order, axis=1)

    blocks = list(_by_block(np.asarray(cloud[texts], dtype=np.float64), nearest_of))
    order = texts[np.concatenate([numbers for numbers, _ in blocks])]
    distances = np.sqrt(np.concatenate([squared for _, squared in blocks]))

    def estimate_among(members: Mask) -> float:
        rows = members[texts]
        inside = members[order[rows]]
        k = max(1, min(estimator.neighbours, int(rows.sum()) - 1))
        nearest = inside & (inside.cumsum(axis=1) <= k)
        complete = nearest.sum(axis=1) == k
        return _fit(estimator, distances[rows][complete][nearest[complete]].reshape(-1, k))

    return estimate_among


def estimator_named(estimator: str) -> Estimator:
    """The estimator of this name.

    Raises:
        PlanError: there is none.
    """
    return by_name(ESTIMATORS, estimator, "dimension estimator")


def check_enough(distinct: int, n_texts: int) -> None:
    """Refuse to estimate from too few texts.

    Raises:
        CorpusError: fewer than :data:`FEWEST` texts are distinct.
    """
    if distinct < FEWEST:
        raise CorpusError(
            f"Only {distinct} of {n_texts} texts are distinct; an intrinsic dimension needs at "
            f"least {FEWEST}, and a reliable one several hundred."
        )


def estimate(cloud: NDArray[np.floating], estimator: str = "twonn") -> float:
    """Intrinsic dimension of one cloud, coinciding rows left out.

    Args:
        cloud: (N, D) states, any float type; computed in float64.
        estimator: a key of :data:`ESTIMATORS`.

    Returns:
        The dimension, or NaN if the cloud allows no estimate (all distances equal).

    Raises:
        CorpusError: fewer than ``FEWEST`` distinct rows, or a state is not finite.
        PlanError: there is no such estimator.
        ValueError: the cloud is empty or not two-dimensional.
    """
    chosen = estimator_named(estimator)
    texts = drop_duplicates(cloud)
    check_enough(len(texts), len(cloud))
    return ranked(cloud, texts, chosen)(np.ones(len(cloud), dtype=np.bool_))
