"""The results that ship with the project: what the pages show first, computed in advance.

``python -m benchmarks.shipped_results`` computes them again into ``assets/results``; a test
recomputes a part and compares. They are for the packaged default backbone on a CPU, in the dtypes
that are chosen there automatically: bfloat16 where the CPU multiplies it faster, else float32. Of
the other packaged backbone the curve and the map of all windows ship, in bfloat16.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from analysis.backbones import backbone
from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry, sampling
from analysis.corpora.sampling import LABELLED, QUERIES
from analysis.corpora.types import Pairs
from analysis.dimension import selection
from analysis.embedding.methods import DEFAULT, METHODS, Method
from analysis.experiments import dimension, head_choices, output_layers, searches, space
from analysis.experiments import score as scores
from analysis.experiments.long_texts import LENGTHS, LONG_METHODS, places
from analysis.experiments.score_result import Corpus
from analysis.experiments.sensitivity import sensitivity
from analysis.experiments.space import MAP_CORPUS, MAP_TEXTS
from analysis.experiments.specs import OutputLayers
from analysis.experiments.sweep import sweep
from analysis.rerouting.plan import PLAIN, Plan
from analysis.storage import result_store
from pages.shared.head_colours import TEACHER, TEXTS

DTYPES = ("float32", "bfloat16")
OTHER = "gemma3-270m"
PAIRS = "lee50"
BY_LAYER = OutputLayers().method
MAPPED = ("bfloat16",)
"""Those in which every window is scored: ten minutes on two cores, and more than an hour in
float32."""
MEASURED = ("float32",)
"""Those in which labelled texts and retrieval are scored too, half an hour each on two cores."""


def compute() -> None:
    """Compute every shipped result again, and replace those in ``result_store.SHIPPED``."""
    shutil.rmtree(result_store.SHIPPED, ignore_errors=True)
    add()


def add() -> None:
    """Compute the shipped results that are missing."""
    for dtype in DTYPES:
        _add(backbone.load(dtype=dtype, device="cpu"))
    for dtype in MAPPED:
        _add_windows(backbone.load(OTHER, dtype=dtype, device="cpu"))


def _add_windows(loaded: Backbone) -> Plan:
    """The curve and what it selects, and the scores of windows."""
    with result_store.only(result_store.SHIPPED):
        found = dimension.dimensions(loaded, registry.load_texts(packaged.CALIBRATION))
        automatic = Plan(found.selected())
        beside = searches.references(automatic, loaded.reroutable).values()
        plans = [PLAIN, automatic]
        if loaded.dtype.value in MAPPED:
            plans += searches.every_window(loaded.layers)
        for width in (selection.window_width(loaded.layers), 1):
            plans += searches.sliding(loaded.layers, width)
        plans = list(dict.fromkeys([*plans, *(plan for each in beside for plan in each)]))
        for number, score in enumerate(sweep(loaded, registry.load_pairs(PAIRS), plans), 1):
            print(f"{number}/{len(plans)} {score.plan.layers}", file=sys.stderr, flush=True)
    return automatic


def _add(loaded: Backbone) -> None:
    automatic = _add_windows(loaded)
    with result_store.only(result_store.SHIPPED):
        pairs = registry.load_pairs(PAIRS)
        texts = sampling.sample(registry.load_texts(MAP_CORPUS), MAP_TEXTS, 0).texts
        for name in ("mean", DEFAULT.name):
            space.projected(loaded, texts, METHODS[name].under(automatic))
        heads = _head_sensitivity(loaded, pairs)
        by_layer = [METHODS[name].under(automatic) for name in BY_LAYER]
        output_layers.score_layers(loaded, pairs, by_layer)
    _measure(loaded, automatic, heads)


def _head_sensitivity(loaded: Backbone, pairs: Pairs) -> list[Method]:
    """What the map of heads opens with; the two heads that help and harm most, each alone."""
    texts = sampling.sample(registry.load_texts(packaged.CALIBRATION), TEXTS, 0)
    sensitivity(loaded, texts, objective="agreement", teacher=METHODS[TEACHER])
    heads = head_choices.extremes(sensitivity(loaded, pairs).values)
    return [DEFAULT.under(Plan(heads=(head,))) for head in heads or ()]


def _measure(loaded: Backbone, automatic: Plan, heads: list[Method]) -> None:
    """What pages with scores open with; embeddings are not shipped."""
    every = [METHODS[name].under(automatic) for name in scores.OPENING_METHODS]
    answers = registry.load_retrieval(registry.DEFAULTS["retrieval"])
    labelled = sampling.scored_part(registry.load_labelled(registry.DEFAULTS["labelled"]), LABELLED)
    asked = sampling.scored_part(answers, QUERIES)
    variants = places(answers)
    long = [METHODS[name].under(automatic) for name in LONG_METHODS]
    todo: list[tuple[Corpus, list[Method], int | None]] = [
        (registry.load_pairs(PAIRS), [*every, *heads], None),
        *((corpus, long, None) for corpus in variants.values()),
        *((variants["middle"], long, length) for length in LENGTHS),
    ]
    if loaded.dtype.value in MEASURED:
        todo += [
            (labelled, every, None),
            (asked, every, None),
        ]
    with tempfile.TemporaryDirectory() as folder, result_store.only(Path(folder)):
        for path in result_store.SHIPPED.glob("measured-*"):
            shutil.copy(path, folder)
        for corpus, methods, length in todo:
            scores.score(loaded, corpus, methods, max_tokens=length)
            for path in Path(folder).glob("measured-*"):
                shutil.copy(path, result_store.SHIPPED)
            print(f"{corpus.name} {length or ''}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    compute()
