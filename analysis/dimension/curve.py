"""The intrinsic dimension of every layer, with a 95% band.

One cloud a layer, one row a text, the same texts at all layers. The band comes from halves of the
texts: a bootstrap with replacement would create duplicates, which lower the estimates
    (:mod:`analysis.dimension.estimators`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .estimators import Floats, check_enough, drop_duplicates, estimator_named, ranked


@dataclass(frozen=True, eq=False)
class Curve:
    """Intrinsic dimension of each layer. A layer whose cloud is degenerate is NaN throughout.

    Attributes:
        dims: (L,) float64, the estimate from all distinct rows.
        low: (L,) float64, lower end of the 95% band.
        high: (L,) float64, upper end of the 95% band.
        resampled: (B, L) float64, curves drawn jointly: each from one half of the texts, the same
            at all layers, recentred on ``dims``.
        samples: distinct texts used.
        duplicates_dropped: texts left out because they coincide with an earlier one everywhere.
        estimator: a key of :data:`ESTIMATORS`.
    """

    dims: Floats
    low: Floats
    high: Floats
    resampled: Floats
    samples: int
    duplicates_dropped: int
    estimator: str


def curve(
    clouds: NDArray[np.floating] | Sequence[NDArray[np.floating]],
    *,
    estimator: str = "twonn",
    resamples: int = 100,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Curve:
    """Intrinsic dimension layer by layer, with a 95% band.

    The band comes from halves of the texts drawn without replacement. Around its own mean an
    estimate from n/2 of n texts varies as much as one from n texts varies around the truth:
    s^2 / (n/2) - s^2 / n = s^2 / n (Politis, Romano & Wolf 1999, Subsampling,
    https://doi.org/10.1007/978-1-4612-1554-7). So each resampled
    curve is ``dims + (half - mean of the halves)`` and the band is their 2.5 to 97.5% quantiles.
    The band is rather too wide than too narrow: halves share points but not all neighbours, which
    for TwoNN widens the spread by a factor between 1 and sqrt(2); 1.2 to 1.35 was measured on
    Gaussian clouds.

    Args:
        clouds: (L, N, D) or L clouds of (N, D): the same N texts in the same order at each layer,
            any float type; computed in float64.
        estimator: a key of :data:`ESTIMATORS`.
        resamples: number of halves B, at least 2.
        seed: seed of the halves; equal seeds give equal curves.
        progress: called with (layers done, L) after each layer.

    Raises:
        CorpusError: fewer than ``FEWEST`` distinct texts, or a state is not finite (the sentence
            names the layer).
        PlanError: there is no such estimator.
        ValueError: the clouds do not hold the same texts, or ``resamples`` is below 2.
    """
    chosen = estimator_named(estimator)
    if resamples < 2:
        raise ValueError("a band needs at least 2 resamples")
    if len({len(cloud) for cloud in clouds}) != 1:
        raise ValueError("each layer's cloud must hold the same texts, in the same order")
    distinct = [drop_duplicates(cloud, f"Layer {index}") for index, cloud in enumerate(clouds)]
    n_texts = len(clouds[0])
    texts = np.unique(np.concatenate(distinct))
    check_enough(len(texts), n_texts)

    rng = np.random.default_rng(seed)
    halves = np.zeros((resamples, n_texts), dtype=np.bool_)
    for half in halves:
        half[rng.choice(texts, len(texts) // 2, replace=False)] = True
    dims = np.empty(len(clouds))
    resampled = np.empty((resamples, len(clouds)))
    for index, cloud in enumerate(clouds):
        estimate_among = ranked(cloud, distinct[index], chosen)
        dims[index] = estimate_among(np.ones(n_texts, dtype=np.bool_))
        halved = np.array([estimate_among(half) for half in halves])
        resampled[:, index] = dims[index] + halved - halved.mean()
        if progress is not None:
            progress(index + 1, len(clouds))
    dims[np.isnan(resampled).any(axis=0)] = np.nan
    low, high = np.quantile(resampled, (0.025, 0.975), axis=0)
    return Curve(dims, low, high, resampled, len(texts), n_texts - len(texts), chosen.name)
