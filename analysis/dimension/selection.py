"""From an intrinsic-dimension curve to the layers that are re-routed.

A rule is a value in :data:`RULES`: a name, a sentence for users and a function from the curve to
layers. ``paper`` is the published rule (https://arxiv.org/abs/2601.01046) and the default. The
others are our own and address its weakness: curves of small backbones fall towards their end, so
the arg min is among the last layers, where re-routing changes little. Layers are 0-based.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import PlanError
from ..rerouting.layer_lists import Layers
from ..runtime.lookup import by_name

Floats = NDArray[np.float64]


RuleName = Literal["paper", "lowest", "first-minimum", "early-minimum", "largest-drop"]


@dataclass(frozen=True)
class Rule:
    """A named way to choose layers from a curve.

    Attributes:
        name: the key in :data:`RULES`.
        summary: one sentence for users.
        choose: (L,) float64 curve, NaN where a layer has no dimension, to sorted layers; raises
            PlanError where no layer to choose from has a dimension.
    """

    name: str
    summary: str
    choose: Callable[[Floats], Layers]


def skipped(n_layers: int) -> int:
    """Number of first layers that no rule selects: floor(0.2 L), without rounding error."""
    return n_layers // 5


def window_width(n_layers: int) -> int:
    """Number of layers in a full window: floor(0.1 L) + 1, without rounding error."""
    return n_layers // 10 + 1


def select(curve: Floats, rule: str = "paper") -> Layers:
    """The layers that a rule chooses.

    Args:
        curve: (L,) float64, intrinsic dimension of each layer; a layer with NaN is never chosen.
        rule: a key of :data:`RULES`.

    Returns:
        Sorted distinct layers, at least one and at most ``window_width(L)``.

    Raises:
        PlanError: there is no such rule, or no layer to choose from has a dimension.
    """
    return by_name(RULES, rule, "selection rule").choose(np.asarray(curve, dtype=np.float64))


def frequency(resampled: Floats, rule: str = "paper") -> Floats:
    """How often each layer is selected over resampled texts.

    Args:
        resampled: (B, L) float64, curves of B resamples.
        rule: a key of :data:`RULES`.

    Returns:
        (L,) float64, share of the resamples, from 0 to 1, in which each layer is selected.

    Raises:
        PlanError: as :func:`select`.
    """
    chosen = np.zeros(np.shape(resampled))
    for row, curve in zip(chosen, resampled, strict=True):
        row[list(select(curve, rule))] = 1
    return np.asarray(chosen.mean(axis=0))


def choices(resampled: Floats, rule: str = "paper") -> dict[Layers, float]:
    """The choices over resampled texts and how often each occurs, the most frequent first.

    Args:
        resampled: (B, L) float64, curves of B resamples.
        rule: a key of :data:`RULES`.

    Returns:
        Share of the resamples, from 0 to 1, of each choice of layers that occurs.

    Raises:
        PlanError: as :func:`select`.
    """
    counted = Counter(select(curve, rule) for curve in resampled)
    return {layers: count / len(resampled) for layers, count in counted.most_common()}


def _lowest(curve: Floats, count: int = 1, spare_last: int = 0) -> Layers:
    """The ``count`` lowest layers after the skip and before ``spare_last``, lowest first."""
    candidates = np.arange(skipped(len(curve)), len(curve) - spare_last)
    candidates = candidates[np.isfinite(curve[candidates])]
    if not len(candidates):
        raise PlanError(
            "None of the layers to choose from has an intrinsic dimension; "
            "choose the layers by hand or use more varied texts."
        )
    order = np.argsort(curve[candidates], kind="stable")[:count]
    return tuple(candidates[order].tolist())


def _window(curve: Floats, start: int) -> Layers:
    """The full window from ``start``, cut off at the last layer, without layers that are NaN."""
    layers = range(start, min(len(curve), start + window_width(len(curve))))
    return tuple(layer for layer in layers if np.isfinite(curve[layer]))


def _paper(curve: Floats) -> Layers:
    return _window(curve, *_lowest(curve))


def _lowest_layers(curve: Floats) -> Layers:
    return tuple(sorted(_lowest(curve, window_width(len(curve)))))


def _first_minimum(curve: Floats) -> Layers:
    layers = np.flatnonzero(np.isfinite(curve))
    values = curve[layers]
    starts = np.flatnonzero(np.diff(values, prepend=np.nan))  # first of each run of equal values
    runs, layers = values[starts], layers[starts]
    dips = layers[1:-1][(runs[1:-1] < runs[:-2]) & (runs[1:-1] < runs[2:])]
    dips = dips[dips >= skipped(len(curve))]
    return _window(curve, int(dips[0])) if len(dips) else _paper(curve)


def _early_minimum(curve: Floats) -> Layers:
    return _window(curve, *_lowest(curve, spare_last=window_width(len(curve)) - 1))


def _largest_drop(curve: Floats) -> Layers:
    falls = -np.diff(curve, prepend=np.nan)  # falls[l]: how much layer l lowers the dimension
    falls[: skipped(len(curve))] = np.nan
    falls[~np.isfinite(falls)] = 0
    return _window(curve, int(falls.argmax())) if (falls > 0).any() else _paper(curve)


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "paper",
            "The published rule: skip the first fifth of the layers and start where the dimension "
            "is lowest.",
            _paper,
        ),
        Rule(
            "lowest",
            "Take the layers with the lowest dimension after the first fifth, side by side or not.",
            _lowest_layers,
        ),
        Rule(
            "first-minimum",
            "Start at the first valley of the curve after the first fifth, or where it is lowest "
            "if it has no valley.",
            _first_minimum,
        ),
        Rule(
            "early-minimum",
            "Start where the dimension is lowest, leaving out the first fifth and the last tenth.",
            _early_minimum,
        ),
        Rule(
            "largest-drop",
            "Start at the layer that lowers the dimension most, after the first fifth.",
            _largest_drop,
        ),
    )
}
