"""Recipe in, result out: each question the project asks, answered once and stored.

Every function takes a loaded backbone and plain values, looks in the store, and only then
computes. Results are frozen, carry a ``Made`` that says what made them, and are equal whichever
way they came. Scores are made here; curves, embeddings and maps in the modules they are taken from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs
from ..embedding import encoder, trace_cache
from ..embedding.cached_encoder import Embedded, fresh
from ..embedding.methods import DEFAULT, Method
from ..embedding.trace import Trace
from ..evaluation import similarity
from ..evaluation.similarity import StsScore
from ..rerouting.plan import PLAIN, Plan
from ..runtime.fair_lock import alone
from ..storage import result_store
from ..storage.provenance import (
    Made,
    Progress,
    how_of,
    made,
    made_of,
    others,
    quiet,
    rebuilt,
    weights_of,
)


@dataclass(frozen=True, eq=False)
class Score:
    """One method's STS score under one plan, with its pairs' cosines inside ``sts``."""

    method: str
    corpus: str
    plan: Plan
    sts: StsScore
    made: Made
    texts_cut: int = 0


def score(
    backbone: Backbone,
    pairs: Pairs,
    method: Method = DEFAULT,
    plan: Plan = PLAIN,
    *,
    traced: bool = False,
    progress: Progress = quiet,
) -> Score:
    """Score ``method`` under ``plan`` on rated pairs.

    ``traced`` keeps one plain pass in memory, so that the next plan costs only the layers from
    its first one on: right for a page, wasteful for a single score.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding and scoring raise.
    """
    plan = plan if method.reroutes else PLAIN
    encoder.check_plan(backbone, plan)
    if (known := known_score(backbone, pairs, method, plan)) is not None:
        return known
    with alone(_score_key(backbone, _rated(pairs), method, plan)):
        if (known := known_score(backbone, pairs, method, plan)) is not None:
            return known
        new = fresh(backbone, pairs.texts, method, plan, traced, progress)
        return _scored(backbone, pairs, method, plan, new)


def _scored(
    backbone: Backbone, pairs: Pairs, method: Method, plan: Plan, embedded: Embedded
) -> Score:
    """The score of embeddings, which is stored."""
    result = similarity.sts(similarity.cosines(embedded.embeddings, pairs), pairs)
    found = Score(method.name, pairs.name, plan, result, made(backbone), embedded.texts_cut)
    keep(backbone, pairs, method, found)
    return found


def keep(backbone: Backbone, pairs: Pairs, method: Method, score: Score) -> None:
    """Store a score of ``method`` on ``pairs``, as ``known_score`` finds it."""
    arrays = {"cosines": score.sts.cosines}
    facts = {key: getattr(score.sts, key) for key in others(score.sts, arrays)}
    facts |= {"cut": score.texts_cut, "made": asdict(score.made)}
    result_store.put(_score_key(backbone, _rated(pairs), method, score.plan), facts, arrays)


def known_score(backbone: Backbone, pairs: Pairs, method: Method, plan: Plan) -> Score | None:
    """The stored score of ``method`` under ``plan``, or None; computes nothing."""
    return known_scores(backbone, pairs, method, [plan]).get(plan)


def known_scores(
    backbone: Backbone, pairs: Pairs, method: Method, plans: Sequence[Plan]
) -> dict[Plan, Score]:
    """The stored scores of those of ``plans`` that have one; computes nothing."""
    of, scores = _rated(pairs), {}
    for plan in plans:
        acting = plan if method.reroutes else PLAIN
        if (found := result_store.get(_score_key(backbone, of, method, acting))) is not None:
            facts, arrays = found
            sts, by = rebuilt(StsScore, facts, arrays), made_of(backbone, facts)
            scores[plan] = Score(method.name, pairs.name, acting, sts, by, facts["cut"])
    return scores


def _rated(pairs: Pairs) -> dict[str, str]:
    """What of rated pairs decides numbers."""
    return {
        "texts": result_store.digest(pairs.texts),
        "pairs": result_store.digest(
            pairs.left.tolist(), pairs.right.tolist(), pairs.scores.tolist()
        ),
    }


def _score_key(backbone: Backbone, rated: dict[str, str], method: Method, plan: Plan) -> str:
    return result_store.key("score", **weights_of(backbone), **how_of(method, plan), **rated)


def sweep(
    backbone: Backbone,
    pairs: Pairs,
    plans: Sequence[Plan],
    method: Method = DEFAULT,
    *,
    progress: Progress = quiet,
) -> Iterator[Score]:
    """Scores of many plans, from the last layers (cheap) to the first.

    Each score is stored as soon as it is known, so a sweep that is stopped goes on from there. A
    plan runs only the layers from where it parts from what is traced: the plain pass, or an
    earlier plan with which it has more in common. Its embeddings are not kept: those of hundreds
    of plans would push out all others.
    """
    ordered = sorted(plans, key=lambda plan: plan.layers, reverse=True)
    seated = trace_cache.SEATS.acquire(blocking=False)
    budget = trace_cache.SWEPT if seated else 0
    layers, trace = backbone.layers, None
    try:
        for plan, following in zip_longest(ordered, ordered[1:]):
            with alone(_score_key(backbone, _rated(pairs), method, plan)):
                if (found := known_score(backbone, pairs, method, plan)) is None:
                    encoder.check_plan(backbone, plan)
                    if trace is None:
                        trace = Trace(
                            backbone, pairs.texts, method, budget=budget, progress=progress
                        )
                    if following is not None and encoder.parting(
                        plan, following, layers
                    ) > encoder.parting(trace.plan, following, layers):
                        trace = trace.under(plan, progress)
                        embeddings = trace.embeddings
                    else:
                        embeddings = trace.embed(plan, progress)
                    cut = sum(tokens > 0 for tokens in trace.cut)
                    found = _scored(backbone, pairs, method, plan, Embedded(embeddings, cut))
            yield found
    finally:
        if seated:
            trace_cache.SEATS.release()
