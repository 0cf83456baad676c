"""The results that ship with the project: what the pages show first, computed in advance.

``python -m analysis.shipped`` computes them anew into ``assets/results``; a test recomputes a
part and compares. They are for the packaged default backbone on a CPU, in the dtypes that are
chosen there automatically: bfloat16 where the CPU has units for it, else float32.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from analysis import backbone, corpora, passages, scoring, searches, selection, store, study
from analysis.backbone import Backbone
from analysis.corpora import Retrieval
from analysis.methods import DEFAULT, METHODS, Method
from analysis.passages import Place
from analysis.plans import PLAIN, Plan

DTYPES = ("float32", "bfloat16")
MAP_CORPUS, MAP_TEXTS = "chatterbot", 200
"""What the embedding-space page opens with."""
LABELLED, QUERIES = 300, 100
"""How much is scored unless more is asked for: texts; queries."""
LONG_METHODS = ("kv-embedding", "prompt-only", "mean")
LONG_QUERIES, LONG_DOCUMENTS, AROUND, LENGTHS = 40, 100, 4, (32, 64, 128)
"""What the page on long texts opens with."""


def places(whole: Retrieval) -> dict[Place, Retrieval]:
    """A part of ``whole`` with each answer at the start, in the middle and at the end."""
    drawn = corpora.part(whole, LONG_QUERIES, LONG_DOCUMENTS)
    return passages.position_variants(drawn, around=AROUND)


def compute() -> None:
    """Compute every shipped result into ``store.SHIPPED``, in place of those that are there."""
    shutil.rmtree(store.SHIPPED, ignore_errors=True)
    add()


def add() -> None:
    """Compute the shipped results that are missing."""
    for dtype in DTYPES:
        _add(backbone.load(dtype=dtype, device="cpu"))


def _add(loaded: Backbone) -> None:
    with store.only(store.SHIPPED):
        found = study.dimensions(loaded, corpora.load_texts(corpora.CALIBRATION))
        automatic = Plan(found.selected())
        pairs = corpora.load_pairs("lee50")
        for plan in (PLAIN, automatic):
            study.score(loaded, pairs, DEFAULT, plan)
        texts = corpora.sample(corpora.load_texts(MAP_CORPUS), MAP_TEXTS, 0).texts
        for name in ("mean", DEFAULT.name):
            study.projected(loaded, texts, METHODS[name], automatic)
        widths = (selection.window_width(loaded.layers), 1)
        plans = [plan for width in widths for plan in searches.sliding(loaded.layers, width)]
        beside = searches.references(automatic, loaded.reroutable).values()
        plans += [plan for reference in beside for plan in reference if plan not in plans]
        for number, score in enumerate(study.sweep(loaded, pairs, plans), 1):
            print(f"{number}/{len(plans)} {score.plan.layers}", file=sys.stderr, flush=True)
    _measure(loaded, automatic)


def _measure(loaded: Backbone, automatic: Plan) -> None:
    """What the pages on similarity and long texts open with; embeddings are not shipped."""
    every = [(method, automatic) for method in METHODS.values()]
    answers = corpora.load_retrieval(corpora.USUAL["retrieval"])
    labelled = corpora.part(corpora.load_labelled(corpora.USUAL["labelled"]), LABELLED)
    asked = corpora.part(answers, QUERIES)
    variants = places(asked)
    long = [(METHODS[name], automatic) for name in LONG_METHODS]
    todo: list[tuple[scoring.Corpus, list[tuple[Method, Plan]], int | None]] = [
        *((corpus, long, None) for corpus in variants.values()),
        *((variants["middle"], long, length) for length in LENGTHS),
        (corpora.load_pairs("lee50"), every, None),
        (labelled, every, None),
        (asked, every, None),
    ]
    with tempfile.TemporaryDirectory() as folder, store.only(Path(folder)):
        for path in store.SHIPPED.glob("measured-*"):
            shutil.copy(path, folder)
        for corpus, requests, length in todo:
            scoring.measured(loaded, corpus, requests, max_tokens=length)
            for path in Path(folder).glob("measured-*"):
                shutil.copy(path, store.SHIPPED)
            print(f"{corpus.name} {length or ''}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    compute()
