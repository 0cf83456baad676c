"""Recipe in, result out: each question the project asks, answered once and stored.

Every function takes a loaded backbone and plain values, looks in the store, and only then
computes. Results are frozen, carry the provenance that says what made them, and are equal whichever
way they came. Scores are made here; curves, embeddings and maps in the modules they are taken from.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import alone
from ..storage import provenance as stored
from ..storage import result_store
from ..storage.provenance import Provenance, others, rebuilt


@dataclass(frozen=True, eq=False)
class Score:
    """One method's STS score under one plan, with its pairs' cosines inside ``sts``."""

    method: str
    corpus: str
    plan: Plan
    sts: StsScore
    provenance: Provenance
    texts_cut: int = 0


def score(
    backbone: Backbone,
    pairs: Pairs,
    method: Method = DEFAULT,
    *,
    traced: bool = False,
    progress: Progress = quiet,
) -> Score:
    """Score ``method`` on rated pairs.

    ``traced`` keeps one plain pass in memory, so that the next plan costs only the layers from
    its first one on: right for a page, wasteful for a single score.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding and scoring raise.
    """
    encoder.check_method(backbone, method)
    if (known := known_score(backbone, pairs, method)) is not None:
        return known
    with alone(_score_key(backbone, _rated(pairs), method)):
        if (known := known_score(backbone, pairs, method)) is not None:
            return known
        new = fresh(backbone, pairs.texts, method, traced, progress)
        return _scored(backbone, pairs, method, new)


def _scored(backbone: Backbone, pairs: Pairs, method: Method, embedded: Embedded) -> Score:
    """The score of embeddings, which is stored."""
    result = similarity.sts(similarity.cosines(embedded.embeddings, pairs), pairs)
    by = backbone.provenance()
    found = Score(method.name, pairs.name, method.plan, result, by, embedded.texts_cut)
    keep(backbone, pairs, method, found)
    return found


def keep(backbone: Backbone, pairs: Pairs, method: Method, score: Score) -> None:
    """Store a score of ``method`` on ``pairs``, as ``known_score`` finds it."""
    arrays = {"cosines": score.sts.cosines}
    facts = {key: getattr(score.sts, key) for key in others(score.sts, arrays)}
    facts |= {"cut": score.texts_cut, **score.provenance.facts}
    acting = method.under(score.plan)
    result_store.put(_score_key(backbone, _rated(pairs), acting), facts, arrays)


def known_score(backbone: Backbone, pairs: Pairs, method: Method) -> Score | None:
    """The stored score of ``method``, or None; computes nothing."""
    return known_scores(backbone, pairs, method, [method.plan]).get(method.plan)


def known_scores(
    backbone: Backbone, pairs: Pairs, method: Method, plans: Sequence[Plan]
) -> dict[Plan, Score]:
    """The stored scores of ``method`` under those of ``plans`` that have one; computes nothing."""
    of, scores, here = _rated(pairs), {}, backbone.provenance()
    for plan in plans:
        acting = method.under(plan)
        if (found := result_store.get(_score_key(backbone, of, acting))) is not None:
            facts, arrays = found
            sts, by = rebuilt(StsScore, facts, arrays), stored.restored(facts, here)
            scores[plan] = Score(method.name, pairs.name, acting.plan, sts, by, facts["cut"])
    return scores


def _rated(pairs: Pairs) -> dict[str, str]:
    """What of rated pairs decides numbers."""
    return {
        "texts": result_store.digest(pairs.texts),
        "pairs": result_store.digest(
            pairs.left.tolist(), pairs.right.tolist(), pairs.scores.tolist()
        ),
    }


def _score_key(backbone: Backbone, rated: dict[str, str], method: Method) -> str:
    return result_store.key("score", **backbone.identity, **method.identity, **rated)


def sweep(
    backbone: Backbone,
    pairs: Pairs,
    plans: Sequence[Plan],
    method: Method = DEFAULT,
    *,
    progress: Progress = quiet,
) -> Iterator[Score]:
    """Scores of ``method`` under many plans, from the last layers (cheap) to the first.

    The method's own plan does not count.

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
            acting = method.under(plan)
            with alone(_score_key(backbone, _rated(pairs), acting)):
                if (found := known_score(backbone, pairs, acting)) is None:
                    encoder.check_method(backbone, acting)
                    if trace is None:
                        plain = method.under(PLAIN)
                        trace = Trace(
                            backbone, pairs.texts, plain, budget=budget, progress=progress
                        )
                    if following is not None and encoder.parting(
                        plan, following, layers
                    ) > encoder.parting(trace.plan, following, layers):
                        trace = trace.under(plan, progress)
                        embeddings = trace.embeddings
                    else:
                        embeddings = trace.embed(plan, progress)
                    cut = sum(tokens > 0 for tokens in trace.cut)
                    found = _scored(backbone, pairs, acting, Embedded(embeddings, cut))
            yield found
    finally:
        if seated:
            trace_cache.SEATS.release()
