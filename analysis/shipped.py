"""The results that ship with the project: what the pages show first, computed in advance.

``python -m analysis.shipped`` computes them anew into ``assets/results``; a test recomputes a
part and compares. They are for the packaged default backbone in float32 on a CPU.
"""

import shutil
import sys

from analysis import backbone, corpora, selection, store, study
from analysis.methods import DEFAULT, METHODS
from analysis.rerouting import Plan

MAP_CORPUS, MAP_TEXTS = "chatterbot", 200
"""What the embedding-space page opens with."""


def windows(layers: int, width: int, bias: float = 1.0) -> list[Plan]:
    """Every window of ``width`` adjacent layers, cut off at the last layer as the rule's is."""
    return [Plan(tuple(range(first, min(first + width, layers))), bias) for first in range(layers)]


def compute() -> None:
    """Compute every shipped result into ``store.SHIPPED``, in place of those that are there."""
    shutil.rmtree(store.SHIPPED, ignore_errors=True)
    loaded = backbone.load(dtype="float32", device="cpu")
    with store.only(store.SHIPPED):
        found = study.dimensions(loaded, corpora.load_texts(corpora.CALIBRATION))
        automatic = Plan(found.selected())
        pairs = corpora.load_pairs("lee50")
        for method in METHODS.values():
            study.score(loaded, pairs, method, automatic)
        texts = corpora.sample(corpora.load_texts(MAP_CORPUS), MAP_TEXTS, 0).texts
        for name in ("mean", DEFAULT.name):
            study.projected(loaded, texts, METHODS[name], automatic)
        widths = (selection.window_width(loaded.layers), 1)
        plans = [plan for width in widths for plan in windows(loaded.layers, width)]
        for number, score in enumerate(study.sweep(loaded, pairs, plans), 1):
            print(f"{number}/{len(plans)} {score.plan.layers}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    compute()
