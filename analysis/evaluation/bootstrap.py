"""The bootstrap behind every interval and p-value.

Independent units are drawn: texts, queries, pairs, or groups of those that share a text or a
document. A draw takes as many units as there are, with replacement; an item weighs as often as its
units were drawn. The draws of a seed do not depend on the scores, so methods that are measured on
the same corpus share them and are compared in pairs. The method: Efron & Tibshirani 1993,
https://doi.org/10.1201/9780429246593.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..corpora.types import Pairs
from ..errors import CorpusError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

DRAWS = 4000
"""Bootstrap draws everywhere: enough for a p-value of 0.0005, which survives ten comparisons."""
FEW_GROUPS, LARGE_GROUP = 30, 0.1
"""Minimum number of groups to draw, and maximum share of the items in one of them."""
_CELLS = 1_000_000  # weights in memory at a time


@dataclass(frozen=True, eq=False)
class Resampling:
    """The units that a bootstrap draws, and the weight of each item in a draw.

    Attributes:
        things: name of the units, such as "texts" or "groups of queries".
        units: number of units.
        members: for each unit that an item depends on, shape (items,), its number. An item's weight
            is the product of how often they are drawn.
    """

    things: str
    units: int
    members: tuple[Indices, ...]

    def weights(
        self, draws: int = DRAWS, seed: int = 0, *, at_once: int | None = None
    ) -> Iterator[Floats]:
        """The weight of each item in each draw, in blocks that fit into memory.

        Args:
            draws: number of draws, at least 1.
            seed: seed of the draws, which do not depend on the blocks.
            at_once: draws in a block; None chooses by the number of items.

        Yields:
            Shape (b, items), integers from 0 as float64.
        """
        rng = np.random.default_rng(seed)
        at_once = at_once or max(1, _CELLS // max(self.units, len(self.members[0])))
        for start in range(0, draws, at_once):
            rows = min(at_once, draws - start)
            drawn = rng.integers(self.units, size=(rows, self.units))
            drawn += self.units * np.arange(rows)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=rows * self.units)
            counts = counts.reshape(rows, self.units)
            yield np.prod([counts[:, unit] for unit in self.members], axis=0, dtype=np.float64)


def of_items(items: int, things: str) -> Resampling:
    """Draw each item on its own.

    Args:
        items: number of items.
        things: name of the items, such as "texts".
    """
    return Resampling(things, items, (np.arange(items),))


def of_pairs(pairs: Pairs) -> Resampling:
    """Choose the units to draw for rated pairs by the graph of shared texts.

    Pairs that share a text are not independent, so drawing pairs would give intervals that are too
    narrow: the 1,225 pairs of lee50 hold 50 texts, and the sample size is 50. If no two pairs share
        a
    text, pairs are drawn; if they form at least :data:`FEW_GROUPS` groups of which none holds more
    than :data:`LARGE_GROUP` of the pairs, complete groups (the cluster bootstrap). Otherwise texts
    are drawn, and a pair's weight is the product of its two texts' counts: the pigeonhole
    bootstrap, whose variance is rather too large than too small (Owen 2007, https://doi.org/10.1214/07-AOAS122).
    """
    texts = len(pairs.texts)
    component = components(pairs.left, pairs.right, texts)[pairs.left]
    _, group, sizes = np.unique(component, return_inverse=True, return_counts=True)
    if sizes.max() == 1:
        return Resampling("pairs", len(sizes), (group,))
    if len(sizes) >= FEW_GROUPS and sizes.max() <= LARGE_GROUP * len(group):
        return Resampling("groups", len(sizes), (group,))
    return Resampling("texts", texts, (pairs.left, pairs.right))


def of_groups(group: Indices, things: str) -> Resampling:
    """Draw complete groups of items.

    Args:
        group: shape (items,), the group of each item, any integers.
        things: name of the items, such as "queries".
    """
    _, numbered = np.unique(group, return_inverse=True)
    groups = int(numbered.max()) + 1
    name = things if groups == len(group) else f"groups of {things}"
    return Resampling(name, groups, (numbered,))


def components(first: Indices, second: Indices, nodes: int) -> Indices:
    """The connected component of each node of a graph.

    Args:
        first: shape (E,), one end of each edge.
        second: shape (E,), the other end.
        nodes: number of nodes, N.

    Returns:
        Shape (N,), components numbered from 0.
    """
    edges = coo_array((np.ones(len(first)), (first, second)), shape=(nodes, nodes))
    return np.asarray(connected_components(edges, directed=False)[1], dtype=np.int64)


def interval(drawn: NDArray[np.floating], confidence: float = 0.95) -> tuple[float, float]:
    """The central percentile interval of the finite draws, times 100.

    Args:
        drawn: shape (B,), the score in each draw as a share of 1; NaN where it is not defined.
        confidence: share of the draws inside the interval.

    Raises:
        CorpusError: no draw is defined.
    """
    defined = np.asarray(drawn[np.isfinite(drawn)], dtype=np.float64)
    if not len(defined):
        raise CorpusError("There is too little data for an interval: no resample can be scored.")
    low, high = 100 * np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def p_value(drawn: NDArray[np.floating]) -> float:
    """Two-sided p-value of the hypothesis that a difference is 0, from its draws.

    The smallest level at which the percentile interval leaves out 0, with one added to numerator
    and denominator (Davison & Hinkley 1997, section 4.2.5, https://doi.org/10.1017/CBO9780511802843).

    Args:
        drawn: shape (B,), the difference in each draw.

    Returns:
        At most 1.
    """
    defined = drawn[np.isfinite(drawn)]
    beyond = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(defined) + 1))
