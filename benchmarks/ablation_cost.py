"""Claim: an ablation takes less time than one full pass for each plan."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs
from analysis.dimension import selection
from analysis.embedding import trace_cache
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT
from analysis.experiments import searches
from analysis.experiments.sweep import sweep
from analysis.rerouting.plan import Plan
from analysis.storage import result_store
from benchmarks.measuring import Ratio, backbone, compare, described, pairs


def measure() -> list[Ratio]:
    """Measure single layers, windows of the rule's width, and all windows, as the page does."""
    loaded = backbone()
    layers = loaded.layers
    width = selection.window_width(layers)
    every = [Plan(tuple(range(s, e + 1))) for s in range(layers) for e in range(s, layers)]
    few, fewer = pairs(30), pairs(8)
    ours = partial(_sweep, loaded)
    each = [
        _compared(loaded, few, name, searches.sliding(layers, size), 0.60, ours)
        for name, size in (("every single layer", 1), (f"every window of {width} layers", width))
    ]
    return [*each, _compared(loaded, fewer, "all windows", every, 0.40, ours, repetitions=1)]


def _compared(
    loaded: Backbone,
    rated: Pairs,
    name: str,
    plans: Sequence[Plan],
    target: float,
    ours: partial[None],
    repetitions: int = 2,
) -> Ratio:
    return compare(
        f"{name} ({len(plans)} plans)",
        partial(ours, rated, plans),
        "one full pass for each",
        # a pass in the middle of the network costs what any other does
        partial(encode, loaded, rated.texts, DEFAULT.under(Plan((loaded.layers // 2,)))),
        on=described(rated.texts, rated.name),
        target=target,
        scale=len(plans),
        repetitions=repetitions,
        note="the alternative is one pass, timed and multiplied",
    )


def _sweep(loaded: Backbone, rated: Pairs, plans: Sequence[Plan]) -> None:
    """What the page on ablation does, scores and their intervals included, nothing stored yet."""
    trace_cache.forget()
    with tempfile.TemporaryDirectory() as folder, result_store.only(Path(folder)):
        for _ in sweep(loaded, rated, plans):
            pass
