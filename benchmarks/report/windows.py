"""Runs over all windows of layers: their scores, and every rule's choice on held-out halves.

One JSON file each, ``assets/report/<backbone>.<corpus>.windows.json``.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.backbones.backbone import Backbone
from analysis.corpora import registry, sampling, types
from analysis.dimension import selection
from analysis.embedding import cached_encoder
from analysis.embedding.methods import DEFAULT
from analysis.evaluation import comparison, similarity
from analysis.experiments import held_out, searches
from analysis.experiments.dimension import Dimensions
from analysis.rerouting.plan import PLAIN, Plan

WINDOWED = ("lee50", "stsb-dev", "sickr-test")
PART = 500
"""Pairs drawn of each set: there are as many passes as windows."""


def path(folder: Path, backbone: str, corpus: str) -> Path:
    """Where the run of a backbone on a corpus is stored."""
    return folder / f"{backbone}.{corpus}.windows.json"


def _pairs(name: str) -> types.Pairs:
    whole = registry.load_pairs(name)
    return whole if len(whole.texts) <= 100 else sampling.draw(whole, PART, 0)


def compute(loaded: Backbone, name: str, found: Dimensions) -> dict[str, Any]:
    """Score every window of the rule's width, and test every rule's choice.

    Args:
        loaded: the backbone.
        name: the corpus of rated pairs.
        found: the curve that rules read.
    """
    pairs = _pairs(name)
    chosen = {rule: found.selected(rule) for rule in selection.RULES}
    width = selection.window_width(loaded.layers)
    plans = [PLAIN, *searches.sliding(loaded.layers, width)]
    plans += [Plan(layers) for layers in chosen.values() if Plan(layers) not in plans]
    embedded = cached_encoder.encode_methods(
        loaded, pairs.texts, [DEFAULT.under(plan) for plan in plans]
    )
    cosines = {
        plan.layers: similarity.cosines(one.embeddings, pairs)
        for plan, one in zip(plans, embedded, strict=True)
    }
    measures = {
        layers: similarity.agreement(values, pairs)[0] for layers, values in cosines.items()
    }
    scores = {layers: measure.value for layers, measure in measures.items()}
    changes = comparison.differences(
        {str(layers): measure for layers, measure in measures.items() if layers},
        *(measures[()], "re-routing nothing", pairs.total),
    )
    return {
        **loaded.provenance().facts,
        "items": len(pairs.scores),
        "of": pairs.total,
        "width": width,
        "windows": [[list(layers), score] for layers, score in scores.items()],
        "changes": [asdict(change) for change in changes],
        "tested": [asdict(one) for one in held_out.held_out(cosines, pairs, chosen)],
        "variability": {
            rule: asdict(held_out.variability(found.curve.resampled, rule, scores))
            for rule in selection.RULES
        },
    }


def write(where: Path, result: dict[str, Any]) -> None:
    """Store a run."""
    text = json.dumps(_rounded(result), indent=1, allow_nan=False)
    where.write_text(text + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    """Numbers at four decimals, which is finer than what the bootstrap's seed decides."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    if isinstance(value, float):
        return None if value != value else round(value, 4)
    return value
