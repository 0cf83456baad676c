"""One method under many plans on the same rated pairs, each plan at the cost of what it changes."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs
from ..embedding import trace_cache
from ..embedding.checks import check_method
from ..embedding.methods import DEFAULT, Method
from ..embedding.shared_passes import parting
from ..embedding.trace import Trace
from ..rerouting.plan import PLAIN, Plan
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from . import score as scores
from .score import Score


def sweep(
    backbone: Backbone,
    pairs: Pairs,
    plans: Sequence[Plan],
    method: Method = DEFAULT,
    *,
    progress: Progress = quiet,
) -> Iterator[Score]:
    """Score a method under many plans, from the last layers (cheap) to the first.

    Each score is stored as soon as it is known, so a sweep that is stopped goes on from there. A
    plan runs only the layers from where it parts from what is traced: the plain pass, or an
    earlier plan with which it has more in common. Its embeddings are not kept: those of hundreds
    of plans would push out all others.

    Args:
        backbone: what encodes.
        pairs: what is scored.
        plans: in any order.
        method: one that re-routes; its own plan does not count.
        progress: counts the texts of the plan that is being scored.

    Yields:
        The score under each plan.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding and scoring raise.
    """
    ordered = sorted(plans, key=lambda plan: plan.layers, reverse=True)
    seated = trace_cache.SEATS.acquire(blocking=False)
    budget = trace_cache.SWEPT if seated else 0
    layers, trace = backbone.layers, None
    try:
        for plan, following in zip_longest(ordered, ordered[1:]):
            acting = method.under(plan)
            with lock_for(scores.key_of(backbone, pairs, acting)):
                if (known := scores.known_score(backbone, pairs, acting)) is None:
                    check_method(backbone, acting)
                    if trace is None:
                        plain = method.under(PLAIN)
                        trace = Trace(
                            backbone, pairs.texts, plain, budget=budget, progress=progress
                        )
                    if following is not None and parting(plan, following, layers) > parting(
                        trace.plan, following, layers
                    ):
                        trace = trace.under(plan, progress)
                        embeddings = trace.embeddings
                    else:
                        embeddings = trace.embed(plan, progress)
                    cut = sum(tokens > 0 for tokens in trace.cut)
                    vectors = scores.Vectors(embeddings, cut)
                    known = scores.measured(backbone, pairs, acting, [vectors])
                    scores.keep(backbone, pairs, known)
            yield known
    finally:
        if seated:
            trace_cache.SEATS.release()
