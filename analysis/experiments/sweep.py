"""One method under many plans on the same rated pairs; a plan costs only the layers it changes."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs
from ..embedding import trace_cache
from ..embedding.checks import check_method
from ..embedding.methods import DEFAULT, Method
from ..embedding.shared_passes import first_difference
from ..embedding.trace import Trace
from ..rerouting.plan import PLAIN, Plan
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from . import score as scores
from . import score_store
from .score_result import Score


def sweep(
    backbone: Backbone,
    pairs: Pairs,
    plans: Sequence[Plan],
    method: Method = DEFAULT,
    *,
    progress: Progress = quiet,
) -> Iterator[Score]:
    """Score a method under many plans, from the last layers (cheap) to the first.

    Each score is stored at once, so a sweep that is stopped resumes there. A plan runs only the
    layers from where it differs from the traced pass: the plain one, or that of an earlier plan
    with more in common. Embeddings are not stored: those of hundreds of plans would push out all
    others.

    Args:
        backbone: the decoder.
        pairs: the rated pairs to score on.
        plans: the plans, in any order.
        method: a method that re-routes; its own plan is not used.
        progress: counts the texts of the plan that is being scored.

    Yields:
        The score under each plan.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding and scoring raise.
    """
    ordered = sorted(plans, key=lambda plan: plan.active, reverse=True)
    layers, trace = backbone.layers, None
    with trace_cache.sweep_budget() as budget:
        for plan, following in zip_longest(ordered, ordered[1:]):
            planned = method.under(plan)
            with lock_for(score_store.key_of(backbone, pairs, planned)):
                if (score := score_store.known_score(backbone, pairs, planned)) is None:
                    check_method(backbone, planned)
                    if trace is None:
                        plain = method.under(PLAIN)
                        trace = Trace(
                            backbone, pairs.texts, plain, budget=budget, progress=progress
                        )
                    if following is not None and first_difference(
                        plan, following, layers
                    ) > first_difference(trace.plan, following, layers):
                        trace = trace.under(plan, progress)
                        embeddings = trace.embeddings
                    else:
                        embeddings = trace.embed(plan, progress)
                    cut = sum(tokens > 0 for tokens in trace.cut)
                    vectors = scores.Vectors(embeddings, cut)
                    score = scores.measured(backbone, pairs, planned, [vectors])
                    score_store.store_score(backbone, pairs, score)
            yield score
