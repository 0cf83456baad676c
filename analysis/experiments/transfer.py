"""Do heads chosen on one corpus help on another? Held against random heads and whole layers.

Items of the judged corpus that share a text with those the heads were chosen on are left out. As
many heads at random, drawn many times from the same layers, say what choosing is worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..embedding.methods import Method
from ..evaluation import comparison
from ..evaluation.comparison import NOTHING, Difference
from ..rerouting.plan import PLAIN, Head, Plan
from ..runtime.events import Progress, quiet
from . import head_choices
from .score import score
from .score_result import Corpus, Score

Subject = Literal["nothing", "chosen heads", "whole layers", "baseline"]


@dataclass(frozen=True, eq=False)
class Judged:
    """A choice on the judged corpus; ``change`` is over re-routing nothing, which has none."""

    subject: Subject
    scored: Score
    change: Difference | None


@dataclass(frozen=True, eq=False)
class Transfer:
    """Chosen heads on a corpus that did not choose them.

    Attributes:
        judged: re-routing nothing, the chosen heads, whole layers, and baselines.
        random: float64 (S,), the changes of as many heads at random over re-routing nothing.
    """

    judged: tuple[Judged, ...]
    random: NDArray[np.float64]

    @property
    def p_random(self) -> float | None:
        """The chance that heads drawn at random change the score as much: (1 + above) / (1 + S)."""
        if not len(self.random):
            return None
        change = self.judged[1].change
        assert change is not None
        return float(1 + (self.random >= change.delta).sum()) / (1 + len(self.random))


def transfer(
    backbone: Backbone,
    corpus: Corpus,
    method: Method,
    plan: Plan,
    *,
    layers: Sequence[int] = (),
    baselines: Sequence[Method] = (),
    random_sets: int = 20,
    progress: Progress = quiet,
) -> Transfer:
    """Score chosen heads on a corpus by its first measure, beside what they have to beat.

    Args:
        backbone: one that can be re-routed.
        corpus: the corpus to judge on, without what the heads were chosen on.
        method: the method whose heads they are.
        plan: the chosen heads, with their bias and key position.
        layers: whole layers to score too.
        baselines: methods to score too.
        random_sets: how many sets of as many heads to draw, outside the first fifth of the layers.
        progress: counts texts.

    Raises:
        PlanError, CorpusError, BackboneError: what scoring raises.
    """
    plain = replace(plan, heads=(), layers=())
    subjects: list[tuple[Subject, Method]] = [
        ("nothing", method.under(PLAIN)),
        ("chosen heads", method.under(plan)),
    ]
    if layers:
        subjects.append(("whole layers", method.under(plain.with_layers(layers))))
    subjects += [("baseline", baseline) for baseline in baselines]
    drawn = [
        method.under(replace(plain, heads=heads))
        for heads in random_heads(backbone, len(plan.heads), random_sets)
    ]
    scores = score(backbone, corpus, [*(m for _, m in subjects), *drawn], progress=progress)
    base, *others = scores[: len(subjects)]
    changes = comparison.differences(
        {
            f"{number}. {subject}": scored.first
            for number, ((subject, _), scored) in enumerate(
                zip(subjects[1:], others, strict=True), 1
            )
        },
        base.first,
        NOTHING,
        corpus.total,
    )
    judged = [
        Judged(subject, scored, change)
        for (subject, _), scored, change in zip(
            subjects, scores[: len(subjects)], (None, *changes), strict=True
        )
    ]
    random = np.array([scored.first.value for scored in scores[len(subjects) :]])
    return Transfer(tuple(judged), random - base.first.value)


def random_heads(backbone: Backbone, count: int, sets: int) -> list[tuple[Head, ...]]:
    """Sets of ``count`` heads that can be re-routed, drawn with the seeds 0, 1, ..."""
    reroutable = np.full((backbone.layers, backbone.facts.heads), np.nan)
    reroutable[list(backbone.reroutable)] = 0
    return [head_choices.random(reroutable, count, seed) for seed in range(sets)] if count else []
