"""The rank of each rule's layers among all windows of equal width, on any kind of corpus.

Every window of as many adjacent layers as the rules select is scored, and so are re-routing nothing
and each rule's choice. A rank has an interval too: in each bootstrap draw of the corpus all windows
are ranked again.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..backbones.backbone import Backbone
from ..dimension import selection
from ..embedding.methods import DEFAULT, Method
from ..errors import PlanError
from ..evaluation import comparison
from ..evaluation.comparison import NOTHING, Difference
from ..rerouting import layer_lists
from ..rerouting.plan import PLAIN, Plan
from ..runtime.events import Progress, quiet
from . import score as scores
from . import searches
from .dimension import Dimensions
from .score_result import Corpus, Score


@dataclass(frozen=True, eq=False)
class Ranked:
    """A choice of layers: its score, its change over re-routing nothing, and its rank.

    ``rules`` are those that select it. ``rank`` is 1 for the best of the ``windows``; a rule's
    layers that are not a window are ranked as if they were one more. ``low`` and ``high`` hold 95%
    of its ranks over bootstrap draws.
    """

    plan: Plan
    rules: tuple[str, ...]
    scored: Score
    change: Difference
    rank: int
    low: int
    high: int
    windows: int


def ranked(
    backbone: Backbone,
    corpus: Corpus,
    dimensions: Dimensions,
    method: Method = DEFAULT,
    *,
    progress: Progress = quiet,
) -> list[Ranked]:
    """Every window, and every rule's choice from the curve, the best first.

    Args:
        backbone: one that can be re-routed.
        corpus: the corpus, scored by its first measure.
        dimensions: the curve that the rules read.
        method: a method that re-routes; all plans have its plan's bias and key position, and its
            layers are not used.
        progress: counts texts.

    Raises:
        PlanError: no window lies within the layers that can be re-routed.
        CorpusError, BackboneError: what encoding and measuring raise.
    """
    like = method.plan
    width = selection.window_width(backbone.layers)
    windows = searches.reached(searches.sliding(backbone.layers, width, like), backbone.reroutable)
    if not windows:
        raise PlanError(
            backbone.refusal
            or f"No window of {width} layers of {backbone.facts.name} can be re-routed; choose "
            "another backbone."
        )
    rules: dict[Plan, tuple[str, ...]] = {}
    for rule in selection.RULES:
        plan = replace(like, layers=dimensions.selected(rule))
        if plan in searches.reached([plan], backbone.reroutable):
            rules[plan] = (*rules.get(plan, ()), rule)
    plans = [PLAIN, *dict.fromkeys([*windows, *rules])]
    scored = scores.score(
        backbone, corpus, [method.under(plan) for plan in plans], progress=progress
    )
    by_plan = dict(zip(plans, scored, strict=True))
    first = {plan: score.first for plan, score in by_plan.items()}
    names = {plan: layer_lists.format_layers(plan.layers, 0) for plan in plans[1:]}
    changes = comparison.differences(
        {f"re-routing {names[plan]}": first[plan] for plan in names},
        first[PLAIN],
        NOTHING,
        corpus.total,
    )
    values = np.array([first[plan].value for plan in windows])
    drawn = np.stack([first[plan].drawn for plan in windows])
    choices = []
    for plan, change in zip(names, changes, strict=True):
        ranks = 1 + (drawn > first[plan].drawn).sum(axis=0)
        low, high = np.quantile(ranks, [0.025, 0.975], method="nearest")
        rank = 1 + int((values > first[plan].value).sum())
        chosen_by = rules.get(plan, ())
        choices.append(
            Ranked(
                *(plan, chosen_by, by_plan[plan], change),
                *(rank, int(low), int(high), len(windows)),
            )
        )
    return sorted(choices, key=lambda choice: choice.rank)
