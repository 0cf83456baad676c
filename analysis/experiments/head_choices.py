"""Which heads to re-route: the names of ways to choose, and choices by a value of each head."""

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

ChoiceName = Literal["top", "relinearised", "single", "greedy", "steps"]
CHOICES: dict[ChoiceName, str] = {
    "top": "those of largest derivative outside the first fifth of the layers, all at once; 4 "
    "passes over the texts",
    "relinearised": "the same in four rounds, each with the derivative where those chosen so far "
    "re-route; about 13 passes",
    "single": "those that alone, at full strength, raise the objective most, exactly; half a pass "
    "for each head of the backbone",
    "greedy": "one by one, each time the one of four of largest derivative that raises the "
    "objective most, exactly, until none does; two to three passes for each head chosen",
    "steps": "each with a bias of its own, by gradient steps on how far it follows, of which the "
    "best is kept; at most 25 passes",
}
"""Ways to choose heads, by name, with the cost in forward passes over the texts."""
PARTS = 5
"""How many parts of a corpus choose by default, where choices are compared."""


def top(derivatives: NDArray[np.float64], count: int) -> tuple[Head, ...]:
    """The heads of largest derivative outside the first fifth of the layers, ascending.

    A derivative says how the objective begins to change. In the first layers a head at full
    strength is far from where the derivative was taken, so they are left out.

    Args:
        derivatives: (L, H), NaN where a layer cannot be re-routed.
        count: number of heads; fewer are given where fewer have a derivative above 0.
    """
    return largest(outside_the_first(derivatives), count)


def largest(values: NDArray[np.float64], count: int) -> tuple[Head, ...]:
    """The heads of largest value above 0, ascending.

    Args:
        values: (L, H); NaN and -inf are never chosen.
        count: number of heads; fewer are given where fewer have a value above 0.
    """
    return tuple(sorted(ranked(values)[:count]))


def extremes(derivatives: NDArray[np.float64]) -> tuple[Head, Head] | None:
    """The heads of largest and of smallest derivative outside the first fifth of the layers.

    Args:
        derivatives: (L, H), NaN where a layer cannot be re-routed.

    Returns:
        The two, or None where there are not two.
    """
    outside = outside_the_first(derivatives).ravel()
    places = np.flatnonzero(np.isfinite(outside))
    if len(places) < 2:
        return None
    ends = places[np.argmax(outside[places])], places[np.argmin(outside[places])]
    high, low = (Head(*divmod(int(place), derivatives.shape[1])) for place in ends)
    return high, low


def ranked(values: NDArray[np.float64]) -> list[Head]:
    """The heads of a value above 0, the largest first.

    Args:
        values: (L, H); NaN and -inf are left out.
    """
    flat = np.where(np.isfinite(values), values, -np.inf).ravel()
    order = np.argsort(-flat, kind="stable")
    return [Head(*divmod(int(place), values.shape[1])) for place in order if flat[place] > 0]


def random(derivatives: NDArray[np.float64], count: int, seed: int) -> tuple[Head, ...]:
    """As many heads at random, outside the first fifth of the layers: what choosing has to beat.

    Args:
        derivatives: (L, H), NaN where a layer cannot be re-routed.
        count: number of heads, or all there are.
        seed: seed of the draw.
    """
    values = outside_the_first(derivatives)
    places = np.flatnonzero(np.isfinite(values))
    drawn = np.random.default_rng(seed).permutation(places)[:count]
    return tuple(Head(*divmod(place, values.shape[1])) for place in sorted(drawn.tolist()))


def outside_the_first(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values of heads (L, H) that may be chosen by them; -inf for all others.

    Args:
        values: (L, H), NaN where a layer cannot be re-routed.
    """
    outside = np.where(np.isfinite(values), values, -np.inf)
    outside[: skipped(len(values))] = -np.inf
    return outside
