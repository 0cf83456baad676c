"""Which plans to try: windows, single layers or heads, biases, a greedy search, reference points.

A search is a generator: it yields plans to score and is sent all scores so far. A list of plans is
a search of one step; only the greedy search reads the scores.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..dimension import selection
from ..rerouting.plan import PLAIN, Head, Plan

if TYPE_CHECKING:
    from ..backbones.backbone import Backbone

Search = Generator[Sequence[Plan], Mapping[Plan, float], None]
"""Yields plans, is sent the Spearman correlation of each and of re-routing nothing."""
BIASES = tuple(float(bias) for bias in range(-4, 7))
"""Biases of a sweep, besides the plan's own; below them the prefix's weight vanishes."""
AUTOMATIC, ALL, RANDOM = "automatic choice", "all layers", "random"
DRAWN = 5
"""Number of random sets of layers among the reference plans."""


def sliding(layers: int, width: int, like: Plan = PLAIN) -> list[Plan]:
    """Every window of ``width`` adjacent layers, cut off at the last layer as a rule's is.

    Args:
        layers: number of layers.
        width: layers of a window.
        like: a plan whose bias and key position the windows have.
    """
    return [like.with_layers(range(first, min(first + width, layers))) for first in range(layers)]


def every_window(layers: int, like: Plan = PLAIN) -> list[Plan]:
    """Every window of every width, each once."""
    return list(
        dict.fromkeys(p for width in range(1, layers + 1) for p in sliding(layers, width, like))
    )


def heads_alone(layers: Iterable[int], heads: int, like: Plan = PLAIN) -> list[Plan]:
    """Every head by itself, layer by layer.

    Args:
        layers: the layers whose heads are meant.
        heads: query heads of a layer.
        like: a plan whose bias and key position the plans have.
    """
    return [
        replace(like, layers=(), heads=(Head(layer, head),))
        for layer in layers
        for head in range(heads)
    ]


def biases(plan: Plan) -> list[Plan]:
    """The plan at every bias of :data:`BIASES` and at its own; empty if nothing is re-routed."""
    return [replace(plan, bias=b) for b in sorted({*BIASES, plan.bias})] if plan.active else []


def reached(plans: Iterable[Plan], reroutable: Sequence[int]) -> list[Plan]:
    """The plans whose layers are all ``reroutable``."""
    return [plan for plan in plans if {*plan.layers, *plan.active} <= set(reroutable)]


def references(
    automatic: Plan, reroutable: Sequence[int], seed: int = 0
) -> dict[str, tuple[Plan, ...]]:
    """The reference plans of every search: automatic choice, random sets of its size, all layers.

    The automatic choice is left out where it has layers that cannot be re-routed. The random sets
    differ from each other; there are at most :data:`DRAWN`.

    Args:
        automatic: the plan of the selection rule.
        reroutable: layers that can be re-routed, from 0.
        seed: seed of the random sets.
    """
    rng = np.random.default_rng(seed)
    size = min(len(automatic.layers), len(reroutable))
    draws = (rng.choice(reroutable, size, replace=False) for _ in range(20 * DRAWN))
    random = dict.fromkeys(tuple(sorted(draw.tolist())) for draw in draws)
    return {
        AUTOMATIC: tuple(reached([automatic], reroutable)),
        RANDOM: tuple(automatic.with_layers(layers) for layers in list(random)[:DRAWN]),
        ALL: (automatic.with_layers(reroutable),),
    }


def at_once(plans: Sequence[Plan]) -> Search:
    """The search of one step."""
    yield plans


def greedy(like: Plan, reroutable: Sequence[int], limit: int) -> Search:
    """Forward selection: add the layer that helps most, until none helps or there are ``limit``.

    Args:
        like: a plan whose bias and key position all steps have.
        reroutable: layers that can be re-routed, from 0.
        limit: maximum number of layers.
    """
    best = PLAIN
    while len(best.layers) < min(limit, len(reroutable)):
        candidates = [layer for layer in reroutable if layer not in best.layers]
        step = [like.with_layers(sorted((*best.layers, layer))) for layer in candidates]
        scores = yield step
        next_best = max(step, key=scores.__getitem__)
        if scores[next_best] <= scores[best]:
            return
        best = next_best


SearchName = Literal[
    "windows", "single layers", "single heads", "all windows", "bias", "greedy search"
]
SEARCHES: dict[str, Callable[[Plan, "Backbone", int], Search]] = {
    "windows": lambda plan, backbone, _: at_once(
        reached(
            sliding(backbone.layers, selection.window_width(backbone.layers), plan),
            backbone.reroutable,
        )
    ),
    "single layers": lambda plan, backbone, _: at_once(
        reached(sliding(backbone.layers, 1, plan), backbone.reroutable)
    ),
    "single heads": lambda plan, backbone, _: at_once(
        heads_alone(backbone.reroutable, backbone.facts.heads, plan)
    ),
    "all windows": lambda plan, backbone, _: at_once(
        reached(every_window(backbone.layers, plan), backbone.reroutable)
    ),
    "bias": lambda plan, backbone, _: at_once(reached(biases(plan), backbone.reroutable)),
    "greedy search": lambda plan, backbone, limit: greedy(plan, backbone.reroutable, limit),
}
"""Each search by name: a function of a plan, the backbone and the most layers that a plan may have,
which only the greedy search uses."""
