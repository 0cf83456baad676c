"""Which heads to re-route: by the derivative of an objective, or at random.

Each choice is a pure function of the derivatives (L, H); choosing costs nothing more.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..dimension.selection import skipped
from ..rerouting.plan import Head

ObjectiveName = Literal["judgements", "agreement", "halves", "uniformity"]
OBJECTIVES: dict[ObjectiveName, str] = {
    "judgements": "people's: Pearson's correlation of cosines and ratings, or how much nearer the "
    "nearest text of the same label, or the nearest relevant document, is than the nearest other",
    "agreement": "no labels: Pearson's correlation of cosines with those of another method, the "
    "teacher",
    "halves": "no labels: how well the first half of a text finds its second half among all",
    "uniformity": "no labels: how evenly the embeddings spread over the sphere",
}
"""What heads are to raise, by name."""


def top(derivatives: NDArray[np.float64], count: int) -> tuple[Head, ...]:
    """The heads of largest derivative outside the first fifth of the layers, ascending.

    A derivative says how the objective begins to change. In the first layers a head at full
    strength is far from where the derivative was taken, so they are left out.

    Args:
        derivatives: (L, H), NaN where a layer cannot be re-routed.
        count: number of heads; fewer are given where fewer have a derivative above 0.
    """
    values = _outside_the_first(derivatives)
    order = np.argsort(-values, axis=None, kind="stable")[:count]
    return _heads([int(place) for place in order if values.flat[place] > 0], values.shape[1])


def random(derivatives: NDArray[np.float64], count: int, seed: int) -> tuple[Head, ...]:
    """As many heads at random, outside the first fifth of the layers: what choosing has to beat.

    Args:
        derivatives: (L, H), NaN where a layer cannot be re-routed.
        count: number of heads, or all there are.
        seed: seed of the draw.
    """
    values = _outside_the_first(derivatives)
    places = np.flatnonzero(np.isfinite(values))
    drawn = np.random.default_rng(seed).permutation(places)[:count]
    return _heads(drawn.tolist(), values.shape[1])


def _outside_the_first(derivatives: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.where(np.isfinite(derivatives), derivatives, -np.inf)
    values[: skipped(len(values))] = -np.inf
    return values


def _heads(places: list[int], heads: int) -> tuple[Head, ...]:
    return tuple(Head(*divmod(place, heads)) for place in sorted(places))
