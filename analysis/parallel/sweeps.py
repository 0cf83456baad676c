"""A sweep over plans, shared among workers, each with the backbone on its own device."""

from collections.abc import Iterator, Sequence
from functools import partial

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs
from ..embedding.methods import DEFAULT, Method
from ..experiments import score_store
from ..experiments import sweep as one_worker
from ..experiments.score_result import Score
from ..rerouting.plan import Plan
from ..runtime.events import Progress, quiet
from .engines import Workers
from .same_backbone import check_same

SHARES = 4
"""Shares for each worker: each share costs one more plain pass, more shares end more evenly."""


def sweep(
    workers: Workers[Backbone],
    backbone: Backbone,
    pairs: Pairs,
    plans: Sequence[Plan],
    method: Method = DEFAULT,
    *,
    progress: Progress = quiet,
) -> Iterator[Score]:
    """Like :func:`analysis.experiments.sweep.sweep`, by several workers, in the same order.

    Each worker takes adjacent plans, which have the most in common.

    Args:
        workers: workers with the backbone.
        backbone: the same backbone, with or without weights.
        pairs: the rated pairs to score on.
        plans: the plans, in any order.
        method: a method that re-routes; its own plan is not used.
        progress: counts plans.

    Raises:
        EngineError: the workers gave up, or have not all the same backbone.
        CorpusError, PlanError, BackboneError: what encoding and scoring raise.
    """
    ordered, finished = sorted(plans, key=lambda plan: plan.active, reverse=True), 0
    size = max(1, len(ordered) // (SHARES * workers.count))
    shares = (ordered[begin : begin + size] for begin in range(0, len(ordered), size))
    for share in workers.map(partial(_scored, backbone, pairs, method), shares):
        for score in share:
            if (
                score_store.known_score(backbone, pairs, score.method) is None
            ):  # scored on another machine
                score_store.store_score(backbone, pairs, score)
            finished += 1
            progress(finished, len(ordered))
            yield score


def _scored(
    expected: Backbone, pairs: Pairs, method: Method, backbone: Backbone, plans: Sequence[Plan]
) -> list[Score]:
    check_same(backbone, expected)
    return list(one_worker.sweep(backbone, pairs, plans, method))
