"""Results as rows: plain values by column, with what decides each number beside it."""

import math
from typing import Any

from ..backbones.backbone import Backbone
from ..embedding.methods import Method
from ..evaluation.comparison import Difference
from ..experiments.scoring import Measured

Row = dict[str, Any]
"""One row of an answer: plain values by column, nested at most twice."""


def of_method(method: Method) -> Row:
    """What of a method and its plan decides numbers."""
    plan = method.plan
    return {
        "method": method.name,
        "template": method.template,
        "pooling": method.pooling,
        "norm": method.norm,
        "layers": list(plan.layers),
        "bias": finite(plan.bias) if method.reroutes else None,
        "key_position": plan.key_position if method.reroutes else None,
    }


def of_measures(method: Method, score: Measured, backbone: Backbone) -> list[Row]:
    """A row for each measure of one method."""
    return [
        {
            **of_method(method.under(score.plan)),
            "corpus": score.corpus,
            "measure": measure.name,
            "value": measure.value,
            "ci_low": measure.ci_low,
            "ci_high": measure.ci_high,
            measure.things: measure.items,
            "texts_cut": score.texts_cut,
            "backbone": backbone.facts.name,
            "dtype": backbone.dtype.value,
        }
        for measure in score.measures
    ]


def of_change(change: Difference | None) -> Row:
    """A paired difference: against what, how large, how sure; or none."""
    names = ("against", "change", "change_low", "change_high", "p", "p_holm")
    if change is None:
        return dict.fromkeys(names)
    return {
        "against": change.second,
        "change": change.delta,
        "change_low": change.ci_low,
        "change_high": change.ci_high,
        "p": finite(change.p),
        "p_holm": change.p_holm,
    }


def finite(value: float) -> float | None:
    """A JSON number; None for what JSON cannot hold."""
    return float(value) if math.isfinite(value) else None
