"""The corpora and the methods of docs/results.md."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from analysis.corpora import registry
from analysis.embedding.methods import DEFAULT, METHODS, VARIANTS, Method
from analysis.embedding.named_methods import method
from analysis.evaluation.labelled import VOTERS
from analysis.experiments.score_result import Corpus
from analysis.rerouting.head_lists import parse_choice
from analysis.rerouting.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
BACKBONES = ("smollm2", "gemma3-270m")
BASE = DEFAULT.name
KNN = f"kNN accuracy (k = {VOTERS})"


@dataclass(frozen=True)
class Set:
    """A corpus that every method is scored on, whole.

    Attributes:
        name: its name in the tables and the folder of its records.
        kind: pairs, labelled or retrieval.
        load: reads it.
        measures: what is kept of its scores, the main one first.
        max_tokens: where texts are cut, prompt included; None for the backbone's own limit.
    """

    name: str
    kind: str
    load: Callable[[], Corpus]
    measures: tuple[str, ...]
    max_tokens: int | None = None


def _pairs(name: str) -> Set:
    return Set(name, "pairs", partial(registry.load_pairs, name), ("Spearman",))


def _labelled(name: str) -> Set:
    return Set(name, "labelled", partial(registry.load_labelled, name), (KNN, "V-measure"))


def _retrieval(name: str, corpus: str, tokens: int) -> Set:
    load = partial(registry.load_retrieval, corpus)
    return Set(name, "retrieval", load, ("nDCG@10", "recall@10"), tokens)


LENGTHS = (512, 1024, 2048, 4096)
"""Tokens read of each document of qmsum-test, prompt included."""
SETS = (
    *map(_pairs, ("stsb-dev", "stsb-test", "sts12", "sts16", "sickr-test")),
    *map(_labelled, ("banking77-test", "clinc150-test", "sib200-eng")),
    _retrieval("scifact-mini", "scifact-mini", 512),
    *(_retrieval(f"qmsum-test.{length}", "qmsum-test", length) for length in LENGTHS),
)
PAIRS, LABELLED = (
    tuple(one.name for one in SETS if one.kind == kind) for kind in ("pairs", "labelled")
)

NAMED = tuple(name for name, each in (METHODS | VARIANTS).items() if not each.reading.routers)
"""Every method of the library in the order of the tables; the backbones are no mixtures of experts,
so that the one that reads routers is left out."""
COMPOSED = {
    "prompt-eol, one layer early": "prompt-eol+last-but-one",
    "prompt-eol, centred": "prompt-eol+centre",
    "prompt-eol, one layer early, centred": "prompt-eol+last-but-one+centre",
    "prompt-eol, whitened": "prompt-eol+whiten",
    "token-prepending, centred": "token-prepending+centre",
    "kv-embedding, centred": "kv-embedding+centre",
    "mean, centred": "mean+centre",
}
"""What is composed of the methods' parts: its name in the tables, and how it is spelled."""
RATED, UNRATED = "kv-embedding, chosen heads", "kv-embedding, heads chosen without ratings"
RATED_EOL = "prompt-eol, chosen heads"
CHOSEN = {
    RATED: ("heads", "judgements"),
    UNRATED: ("heads", "agreement"),
    RATED_EOL: ("heads-one-word", "judgements"),
}
"""Heads chosen on 100 pairs of stsb-dev: the shipped study that chose them, and its objective."""


def rows(backbone: str | None = None) -> tuple[str, ...]:
    """The names of all methods in the order of the tables.

    Args:
        backbone: leave out what no study chose for it; None for all.
    """
    chosen = [name for name in CHOSEN if backbone is None or _choice(backbone, name) is not None]
    return (*NAMED, *COMPOSED, *chosen)


def method_of(backbone: str, name: str, automatic: Plan) -> Method:
    """The method of a name in the tables.

    Args:
        backbone: name of the backbone, whose chosen heads differ.
        name: one of :func:`rows` of the backbone.
        automatic: the plan of methods that re-route and choose no heads.
    """
    if name not in CHOSEN:
        return method(COMPOSED.get(name, name)).under(automatic)
    row = _choice(backbone, name)
    assert row is not None, f"no heads were chosen for {backbone}"
    layers, heads = parse_choice(row["heads"])
    return method(row["method"]).under(Plan(layers, heads=heads))


def _choice(backbone: str, name: str) -> dict[str, Any] | None:
    """The first row of a study that says which heads were chosen for a method in the tables."""
    study, objective = CHOSEN[name]
    wanted = {"backbone": backbone, "objective": objective, "subject": "chosen heads"}
    return next((row for row in _rows_of(study) if wanted.items() <= row.items()), None)


@cache
def _rows_of(study: str) -> list[dict[str, Any]]:
    path = ROOT / "assets" / "studies" / f"{study}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["rows"]
    return found
