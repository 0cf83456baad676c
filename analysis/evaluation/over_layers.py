"""How two curves over layers go together: Spearman's correlation, its interval and a test.

Neighbouring layers are alike, so two smooth curves that have nothing to do with each other often
look related. The interval is a bootstrap that draws runs of neighbouring layers (the circular block
bootstrap, Politis & Romano 1992). It is too narrow where curves are very smooth, so a test stands
beside it: one curve is moved along the layers by every distance, and p is the share of these, no
distance counted, whose correlation is at least as strong.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bootstrap import DRAWS

Floats = NDArray[np.float64]
LEAST_LAYERS = 8
"""Layers below which nothing is said."""
RUN = 3
"""Neighbouring layers that are drawn together."""
CLEAR = 0.05
"""p below which curves are called related; 20 layers are needed to reach it."""


@dataclass(frozen=True)
class Relation:
    """Spearman's correlation over layers, with its 95% interval.

    Attributes:
        rho: the correlation.
        low: lower end of the interval.
        high: upper end of the interval.
        layers: number of layers used.
        p: how often curves that are moved against each other go together as strongly.
    """

    rho: float
    low: float
    high: float
    layers: int
    p: float

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0 and p is at most 0.05."""
        return (self.low > 0 or self.high < 0) and self.p <= CLEAR

    @property
    def text(self) -> str:
        """The correlation with its interval and p."""
        return f"{self.rho:+.2f} [{self.low:+.2f}, {self.high:+.2f}] (p = {self.p:.2f})"


def relation(x: Floats, y: Floats, *, seed: int = 0) -> Relation | None:
    """How two curves over the same layers go together.

    Args:
        x: (K,), one value a layer, in the layers' order; finite.
        y: (K,), likewise.
        seed: seed of the draws.

    Returns:
        None where there are fewer than :data:`LEAST_LAYERS` layers, or one curve is flat.
    """
    layers = len(x)
    if layers < LEAST_LAYERS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    starts = np.random.default_rng(seed).integers(layers, size=(DRAWS, -(-layers // RUN), 1))
    drawn = ((starts + np.arange(RUN)) % layers).reshape(DRAWS, -1)[:, :layers]
    low, high = np.nanpercentile(_correlations(x[drawn], y[drawn]), (2.5, 97.5))
    moved = (np.arange(layers) + np.arange(layers)[:, None]) % layers
    each = np.abs(_correlations(np.broadcast_to(x, moved.shape), y[moved]))
    (rho,) = _correlations(x[None], y[None])
    p = float((each >= each[0] - 1e-9).mean())
    return Relation(float(rho), float(low), float(high), layers, p)


def _correlations(x: Floats, y: Floats) -> Floats:
    """Spearman's correlation of each row of two arrays (N, layers); NaN where a row is constant."""
    from scipy.stats import rankdata  # takes a second, not needed to read a relation

    a, b = (
        ranks - ranks.mean(axis=1, keepdims=True)
        for ranks in (rankdata(side, axis=1) for side in (x, y))
    )
    with np.errstate(invalid="ignore"):
        return np.asarray((a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1)))
