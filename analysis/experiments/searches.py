"""Which plans to try: windows, single layers, biases, a greedy search, and reference points.

A search is a generator: it yields plans to score and is sent the scores known by then. A list of
plans is thus a search of one step, and the greedy one reads what it is sent.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ..dimension import selection
from ..rerouting.plan import PLAIN, Plan

Search = Generator[Sequence[Plan], Mapping[Plan, float], None]
"""Yields plans, is sent the Spearman correlation of each and of re-routing nothing."""
BIASES = tuple(float(bias) for bias in range(-4, 7))
"""What a bias sweep tries besides the plan's own; below, the prefix's weight vanishes."""
AUTOMATIC, ALL, RANDOM = "automatic choice", "all layers", "random"
DRAWN = 5
"""Random sets of layers among the reference points."""


def sliding(layers: int, width: int, like: Plan = PLAIN) -> list[Plan]:
    """Every window of ``width`` adjacent layers, cut off at the last layer as the rule's is."""
    return [
        replace(like, layers=tuple(range(first, min(first + width, layers))))
        for first in range(layers)
    ]


def every_window(layers: int, like: Plan = PLAIN) -> list[Plan]:
    """Every window of every width, each once."""
    return list(
        dict.fromkeys(p for width in range(1, layers + 1) for p in sliding(layers, width, like))
    )


def biases(plan: Plan) -> list[Plan]:
    """The plan's layers at every bias of :data:`BIASES`, and at its own; none without layers."""
    return [replace(plan, bias=b) for b in sorted({*BIASES, plan.bias})] if plan.layers else []


def reached(plans: Iterable[Plan], reroutable: Sequence[int]) -> list[Plan]:
    """Those of the plans that touch no layer but the ``reroutable`` ones."""
    return [plan for plan in plans if set(plan.layers) <= set(reroutable)]


def references(
    automatic: Plan, reroutable: Sequence[int], seed: int = 0
) -> dict[str, tuple[Plan, ...]]:
    """What every search is held against: the automatic choice, random sets as large, all layers.

    The automatic choice is left out where it has layers that cannot be re-routed. The random sets
    are different from each other, fewer than :data:`DRAWN` where there are no more.
    """
    rng = np.random.default_rng(seed)
    size = min(len(automatic.layers), len(reroutable))
    draws = (rng.choice(reroutable, size, replace=False) for _ in range(20 * DRAWN))
    random = dict.fromkeys(tuple(sorted(draw.tolist())) for draw in draws)
    return {
        AUTOMATIC: tuple(reached([automatic], reroutable)),
        RANDOM: tuple(replace(automatic, layers=layers) for layers in list(random)[:DRAWN]),
        ALL: (replace(automatic, layers=tuple(reroutable)),),
    }


def at_once(plans: Sequence[Plan]) -> Search:
    """The search of one step."""
    yield plans


def greedy(like: Plan, reroutable: Sequence[int], most: int) -> Search:
    """Forward selection: add the layer that helps most, until none helps or there are ``most``."""
    here = PLAIN
    while len(here.layers) < min(most, len(reroutable)):
        others = [layer for layer in reroutable if layer not in here.layers]
        step = [replace(like, layers=tuple(sorted((*here.layers, layer)))) for layer in others]
        scores = yield step
        found = max(step, key=scores.__getitem__)
        if scores[found] <= scores[here]:
            return
        here = found


SearchName = Literal["windows", "single layers", "all windows", "bias", "greedy search"]
SEARCHES: dict[str, Callable[[Plan, int, Sequence[int], int], Search]] = {
    "windows": lambda plan, layers, reroutable, _: at_once(
        reached(sliding(layers, selection.window_width(layers), plan), reroutable)
    ),
    "single layers": lambda plan, layers, reroutable, _: at_once(
        reached(sliding(layers, 1, plan), reroutable)
    ),
    "all windows": lambda plan, layers, reroutable, _: at_once(
        reached(every_window(layers, plan), reroutable)
    ),
    "bias": lambda plan, _layers, reroutable, _: at_once(reached(biases(plan), reroutable)),
    "greedy search": lambda plan, _, reroutable, most: greedy(plan, reroutable, most),
}
"""By name: the search around a plan, of so many layers, those that can be re-routed, at most so
many at once, which only the greedy one heeds."""
