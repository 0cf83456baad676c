"""Rank and linear correlation of weighted items, under many weightings at once.

A weight is how often an item is drawn, so that one function gives the score of a sample, those of
its bootstrap draws and those of its halves. Ranks are mid-ranks: items of the same value, copies
of one item among them, share their mean rank.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ranks = NDArray[np.floating]
_ROUNDING = 1e-12  # a variance below this share of the mean square is that of a single value


class Weighted:
    """One variable under many weightings, to be correlated with others.

    Ranks of the variable are computed once: the ranks of human ratings in 4,000 draws serve every
    method that is scored on them.
    """

    def __init__(
        self, values: Floats, weights: Floats, precision: type[np.floating] = np.float64
    ) -> None:
        """Rank ``values`` under every weighting.

        Args:
            values: shape (P,).
            weights: shape (b, P), integers from 0.
            precision: dtype of the ranks. In float32 they take half the memory and correlations are
                right to 8 digits, the precision that draws are stored in.
        """
        self._values = values - values.mean()
        self._weights: Ranks = np.ascontiguousarray(weights.T, dtype=precision)
        self._total = np.asarray(weights.sum(axis=1, dtype=np.float64))
        self._cubes = np.einsum("bp,bp,bp->b", weights, weights, weights, dtype=np.float64)
        order, starts = _groups(values)
        totals = np.add.reduceat(weights.T[order], starts, axis=0)
        ranks = np.cumsum(totals, axis=0) - totals / 2 - self._total / 2
        self._spread = self._spread_of(totals)
        group = np.unique(values, return_inverse=True)[1]
        self._ranks: Ranks = (ranks[group] * weights.T).astype(precision)

    @property
    def nbytes(self) -> int:
        """Bytes that the weights and ranks take."""
        return self._weights.nbytes + self._ranks.nbytes

    def spearman(self, other: Floats) -> Floats:
        """Spearman's rank correlation with ``other`` (P,) under each weighting.

        Of two variables with ranks r and s, both centred, it is sum(w r s) over the root of
        sum(w r^2) sum(w s^2). With W the sum of weights and t those of items that share a value,
        sum(w r^2) = (W^3 - sum t^3) / 12: all the work is in the cross term.

        Returns:
            Shape (b,) from -1 to 1, NaN where either variable has a single value among the weighted
            items.
        """
        order, starts = _groups(other)
        totals, ranks = self._weights[order], self._ranks[order]
        spread = (self._total**3 - self._cubes) / 12
        if len(starts) < len(order):  # ties
            totals, ranks = (np.add.reduceat(table, starts, axis=0) for table in (totals, ranks))
            spread = self._spread_of(totals.astype(np.float64))
        below = np.cumsum(totals, axis=0)
        totals *= 0.5
        below -= totals
        ranks *= below
        return _ratio(ranks.sum(axis=0, dtype=np.float64), spread * self._spread)

    def pearson(self, other: Floats) -> Floats:
        """Pearson's linear correlation with ``other`` (P,) under each weighting.

        Returns:
            Shape (b,) from -1 to 1, NaN where it is not defined.
        """
        x, y = other - other.mean(), self._values
        columns = np.stack([x, y, x * y, x * x, y * y])
        sums = columns @ self._weights.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            mx, my, xy, xx, yy = sums / self._total
            spread_x, spread_y = (
                np.where(square - mean * mean > _ROUNDING * square, square - mean * mean, 0.0)
                for square, mean in ((xx, mx), (yy, my))
            )
            return _ratio(xy - mx * my, spread_x * spread_y)

    def _spread_of(self, totals: Floats) -> Floats:
        """Weighted sum of squares of centred mid-ranks, of groups (G, b) -> (b,)."""
        return np.asarray((self._total**3 - np.einsum("gb,gb,gb->b", *[totals] * 3)) / 12)


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation of two variables, ties at their mean rank.

    Args:
        first: shape (P,), float64.
        second: shape (P,), float64.

    Returns:
        From -1 to 1, NaN where either has a single value.
    """
    return float(Weighted(second, np.ones((1, len(second)))).spearman(first)[0])


def pearson(first: Floats, second: Floats) -> float:
    """Pearson's linear correlation of two variables.

    Args:
        first: shape (P,), float64.
        second: shape (P,), float64.

    Returns:
        From -1 to 1, NaN where either has a single value.
    """
    return float(Weighted(second, np.ones((1, len(second)))).pearson(first)[0])


def _groups(values: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of values (P,), and where in it each new value begins."""
    order = np.argsort(values, kind="stable")
    return order, np.flatnonzero(np.diff(values[order], prepend=-np.inf))


def _ratio(cross: Floats, squares: Floats) -> Floats:
    """``cross`` over the root of ``squares``; NaN where those are not above 0."""
    defined = squares > 0
    root = np.sqrt(squares, out=np.ones_like(squares), where=defined)
    return np.where(defined, np.clip(cross / root, -1, 1), np.nan)
