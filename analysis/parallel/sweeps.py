"""A sweep over plans that workers share, each with the backbone on a device of its own."""

from collections.abc import Iterator, Sequence
from functools import partial

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs
from ..embedding.methods import DEFAULT, Method
from ..experiments import score as scores
from ..experiments import sweep as one_worker
from ..experiments.score import Score
from ..rerouting.plan import Plan
from ..runtime.events import Progress, quiet
from .engines import Workers
from .same_backbone import check_same

SHARES = 4
"""Shares for each worker: at most a plain pass more for each share, less waiting for the last."""


def sweep(
    workers: Workers[Backbone],
    backbone: Backbone,
    pairs: Pairs,
    plans: Sequence[Plan],
    method: Method = DEFAULT,
    *,
    progress: Progress = quiet,
) -> Iterator[Score]:
    """What :func:`analysis.experiments.sweep.sweep` gives, in the same order.

    ``backbone`` is the workers', with or without weights. Each takes plans that follow one
    another, since those have the most in common. ``progress`` counts plans.

    Raises:
        EngineError: the workers gave up, or have not all the same backbone.
        CorpusError, PlanError, BackboneError: what encoding and scoring raise.
    """
    ordered, done = sorted(plans, key=lambda plan: plan.layers, reverse=True), 0
    size = max(1, len(ordered) // (SHARES * workers.count))
    shares = (ordered[begin : begin + size] for begin in range(0, len(ordered), size))
    for share in workers.map(partial(_scored, backbone, pairs, method), shares):
        for score in share:
            if scores.known_score(backbone, pairs, score.method) is None:  # another machine's
                scores.keep(backbone, pairs, score)
            done += 1
            progress(done, len(ordered))
            yield score


def _scored(
    known: Backbone, pairs: Pairs, method: Method, backbone: Backbone, plans: Sequence[Plan]
) -> list[Score]:
    check_same(backbone, known)
    return list(one_worker.sweep(backbone, pairs, plans, method))
