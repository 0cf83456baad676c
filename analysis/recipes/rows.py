"""Results as rows: plain values by column, with what decides each number beside it."""

import math
from typing import Any

from ..backbones.backbone import Backbone
from ..evaluation.comparison import Difference
from ..experiments.score import Score

Row = dict[str, Any]
"""One row of an answer: plain values by column, nested at most twice."""


def of_measures(score: Score, backbone: Backbone) -> list[Row]:
    """A row for each measure of one method, on the backbone by the name it was asked for."""
    named = {"backbone": backbone.facts.name, "dtype": backbone.dtype.value}
    return [row | named for row in score.to_rows()]


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
