"""A small corpus to score, and a guard against computing what is stored."""

from typing import Any, NoReturn

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs, Texts
from analysis.dimension import curve as curves
from analysis.dimension import states
from analysis.embedding import encoder
from analysis.embedding.methods import DEFAULT, Method
from analysis.evaluation import similarity
from analysis.experiments import score as scores
from analysis.experiments import sweep as sweeps
from analysis.experiments.score_result import Score
from analysis.rerouting.plan import Plan
from analysis.spaces import projection

WORDS = ("boat", "bank", "loan", "river", "house", "rain", "train", "song", "king", "bread")
TEXTS = Texts("made up", tuple(f"The {a} by the {b}." for a in WORDS for b in WORDS[:5]), "here")
PAIRS = Pairs(
    "made up",
    TEXTS.texts[:12],
    np.arange(11),
    np.arange(1, 12),
    np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]),
    "here",
)
PLAN = Plan((2, 3), 1.5)
COMPUTING = (
    (encoder, "encode"),
    (encoder, "encode_methods"),
    (states, "last_token_states"),
    (sweeps, "Trace"),
    (curves, "curve"),
    (similarity, "agreement"),
    (projection, "project"),
)
"""What computes a result, as module and name."""


def scored(
    backbone: Backbone, pairs: Pairs, method: Method = DEFAULT, *, traced: bool = False
) -> Score:
    """The score of one method."""
    (score,) = scores.score(backbone, pairs, [method], traced=traced)
    return score


def forbid_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make whatever computes fail, so that a result can only be read."""

    def compute(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("this was to be read, not computed")

    for module, name in COMPUTING:
        monkeypatch.setattr(module, name, compute)
