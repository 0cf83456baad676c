"""The shape of an embedding space: how evenly it uses directions, how close similar texts are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..corpora.types import Pairs
from ..errors import CorpusError
from . import vectors

Floats = NDArray[np.float64]
_BLOCK = 1024  # rows handled at a time, since all would fill the memory


@dataclass(frozen=True)
class Geometry:
    """Four measures of one space, on ``texts`` texts; ``alignment`` is None without ratings."""

    anisotropy: float
    uniformity: float
    isotropy: float
    alignment: float | None
    texts: int


def geometry(embeddings: NDArray[Any], pairs: Pairs | None = None) -> Geometry:
    """All measures of one space.

    Args:
        embeddings: shape (N, D) with N >= 2, any real dtype.
        pairs: rated pairs of their rows, for the alignment.

    Raises:
        CorpusError: fewer than two rows, or one that is all zero or not finite.
    """
    return Geometry(
        anisotropy(embeddings),
        uniformity(embeddings),
        isotropy(embeddings),
        None if pairs is None else alignment(embeddings, pairs),
        len(embeddings),
    )


def anisotropy(embeddings: NDArray[Any]) -> float:
    """Mean cosine of two different embeddings: 0 for even directions, 1 for a single one.

    Exact over all n(n - 1) pairs, as the squared length of the sum of the unit vectors is the
    sum of all n^2 cosines. Source: Ethayarajh 2019, section 3.2
    (https://arxiv.org/abs/1909.00512).

    Args:
        embeddings: shape (N, D) with N >= 2, any real dtype.

    Raises:
        CorpusError: fewer than two rows, or one that is all zero or not finite.
    """
    unit = _unit(embeddings)
    n = len(unit)
    return float((np.square(unit.sum(axis=0)).sum() - n) / (n * (n - 1)))


def uniformity(embeddings: NDArray[Any], t: float = 2) -> float:
    """Log of the mean Gaussian potential exp(-t |u - v|^2) of two different unit vectors.

    Lower is more uniform; 0 if all directions coincide. Source: Wang & Isola 2020, section
    4.1.2 (https://arxiv.org/abs/2005.10242), with their t = 2; exact over all pairs.

    Args:
        embeddings: shape (N, D) with N >= 2, any real dtype.
        t: sharpness of the potential, above 0.

    Raises:
        CorpusError: fewer than two rows, or one that is all zero or not finite.
    """
    unit = _unit(embeddings)
    n = len(unit)
    sums = []
    for start in range(0, n, _BLOCK):
        exponents = 2 * t * (unit[start : start + _BLOCK] @ unit.T - 1)  # |u - v|^2 = 2 - 2 u.v
        np.fill_diagonal(exponents[:, start:], -np.inf)
        sums.append(logsumexp(exponents))
    return float(logsumexp(sums) - np.log(n * (n - 1)))


def isotropy(embeddings: NDArray[Any]) -> float:
    """Least over largest partition function, in (0, 1]: 1 if no direction is preferred.

    F(c) sums exp(c.w) over the unit vectors w; c runs over the eigenvectors of W'W and their
    opposites. Source: Mu & Viswanath 2018, equation 7 (https://arxiv.org/abs/1702.01417).

    Args:
        embeddings: shape (N, D) with N >= 2, any real dtype.

    Raises:
        CorpusError: fewer than two rows, or one that is all zero or not finite.
    """
    unit = _unit(embeddings)
    n, d = unit.shape
    if n < d:  # from the smaller WW'; along all other directions every text lies at 0
        values, vectors = np.linalg.eigh(unit @ unit.T)
        along = np.hstack([vectors * np.sqrt(values.clip(0)), np.zeros((n, 1))])
    else:
        along = unit @ np.linalg.eigh(unit.T @ unit)[1]
    logs = np.concatenate([logsumexp(sign * along, axis=0) for sign in (1, -1)])
    return float(np.exp(logs.min() - logs.max()))


def alignment(embeddings: NDArray[Any], pairs: Pairs, share: float = 0.2) -> float:
    """Mean squared distance of the unit vectors of pairs rated alike: 0 if they coincide.

    Pairs count as alike in the top ``share`` of the range that the ratings span. Source: Wang &
    Isola 2020, section 4.1.1 (https://arxiv.org/abs/2005.10242), with their exponent 2.

    Args:
        embeddings: shape (N, D), one row for each of ``pairs.texts``, any real dtype.
        pairs: rated pairs of those rows.
        share: part of the rating range, from 0 to 1.

    Raises:
        CorpusError: the rows are not embeddings, or not one for each text.
    """
    unit = _unit(embeddings)
    if len(unit) != len(pairs.texts):
        raise CorpusError(
            f"{len(unit):,} embeddings were given for the {len(pairs.texts):,} texts of "
            f"{pairs.name}."
        )
    low, high = pairs.scores.min(), pairs.scores.max()
    alike = pairs.scores >= high - share * (high - low)
    gaps = unit[pairs.left[alike]] - unit[pairs.right[alike]]
    return float(np.square(gaps).sum(axis=1).mean())


def anisotropy_by_layer(states: NDArray[np.float32]) -> Floats:
    """Mean cosine of two different texts' states at each layer, (L, N, D) -> (L,)."""
    return np.array([anisotropy(layer) for layer in states])


def _unit(embeddings: NDArray[Any]) -> Floats:
    rows = vectors.unit(embeddings)
    if len(rows) < 2:
        raise CorpusError("A space is measured on at least 2 embeddings.")
    return rows
