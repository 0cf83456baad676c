"""Claim: flipping the switch of layer s runs only the layers from s on."""

import tempfile
from functools import partial
from itertools import count
from pathlib import Path

from analysis.corpora import registry
from analysis.embedding import trace_cache
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT
from analysis.experiments.score import score
from analysis.rerouting.plan import Plan
from analysis.storage import result_store
from benchmarks.measuring import Ratio, backbone, compare, described


def measure() -> list[Ratio]:
    """A flip near the input, in the middle and at the last layer, as the page does it."""
    loaded, rated = backbone(), registry.load_pairs("lee50")
    trace_cache.forget()
    with tempfile.TemporaryDirectory() as folder, result_store.only(Path(folder)):
        score(loaded, rated, [DEFAULT], traced=True)

    biases = count()  # a plan that was the last one would cost nothing at all

    def flip(layer: int) -> None:
        plan = Plan((layer,), next(biases) / 100)
        with tempfile.TemporaryDirectory() as folder, result_store.only(Path(folder)):
            score(loaded, rated, [DEFAULT.under(plan)], traced=True)

    return [
        compare(
            f"one switch flipped at layer {layer}, scored with its interval",
            partial(flip, layer),
            "a full pass",
            partial(encode, loaded, rated.texts, DEFAULT.under(Plan((layer,)))),
            on=described(rated.texts, rated.name),
            target=round((loaded.layers - layer) / loaded.layers + 0.1, 3),
            repetitions=3,
        )
        for layer in (0, loaded.layers // 2, loaded.layers - 1)
    ]
