"""Heads chosen by name, with what the objective is under them, exactly, and what choosing cost."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from ..backbones.backbone import Backbone
from ..dimension.selection import skipped
from ..embedding import trace_cache
from ..embedding.methods import DEFAULT, Method
from ..errors import PlanError, quoted
from ..rerouting.plan import Head, Plan
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..runtime.lookup import by_name
from ..storage import result_store
from ..storage.result_store import Stored
from .corpus_objective import check_teacher, checked_items, items_of
from .head_choices import CHOICES, ChoiceName, ObjectiveName
from .head_searches import CANDIDATES, ROUNDS, SEARCHES, STEPS, WEAK
from .head_trials import Trials
from .item_parts import parts_of
from .score_result import Corpus
from .sensitivity import Sensitivity, identity, sensitivity

if TYPE_CHECKING:
    import pandas as pd

SIZES = (8, 16, 24, 40, 60, 90)
"""Numbers of heads that are tried where none is given, besides choosing nothing."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """Heads to re-route, and the objective that they were chosen by.

    Attributes:
        plan: the heads, with the bias and key position of the method's plan, and biases of their
            own where the choice gives them.
        value: the objective under the plan, exactly.
        plain: the objective with nothing re-routed.
        passes: what choosing costs, in forward passes over the texts, where nothing is stored; a
            teacher's are not counted.
        how: a name of :data:`.head_choices.CHOICES`.
        count: number of heads asked for, or found inside the items; the plan may have fewer.
        objective: a name of :data:`.head_choices.OBJECTIVES`.
        teacher: name of the method whose cosines are agreed with, "" for none.
        method: name of the method whose heads they are.
        corpus: name of the corpus.
        items: pairs, texts or queries used.
        of: items of the full corpus.
        backbone: name of the backbone.
        dtype: of its weights.
        sensitivity: the derivatives of all heads with nothing re-routed.
        effects: float64 (L, H), what each head alone changes, exactly, where the choice computes
            it; else None.
        held_out: the objective on halves that did not choose, by number of heads, where the number
            was found inside the items.
    """

    plan: Plan
    value: float
    plain: float
    passes: float
    how: ChoiceName
    count: int
    objective: ObjectiveName
    teacher: str
    method: str
    corpus: str
    items: int
    of: int
    backbone: str
    dtype: str
    sensitivity: Sensitivity
    effects: NDArray[np.float64] | None = None
    held_out: tuple[tuple[int, float], ...] = ()

    @property
    def rank_correlations(self) -> tuple[float, float] | None:
        """Spearman's correlation of derivatives and effects: outside and inside the first fifth.

        NaN where all values are equal; None without effects.
        """
        if self.effects is None:
            return None
        first = skipped(len(self.effects))
        outside, inside = (
            _spearman(self.sensitivity.values[part], self.effects[part])
            for part in (slice(first, None), slice(first))
        )
        return outside, inside

    @property
    def settings(self) -> dict[str, Any]:
        """How the heads were chosen, from what and at which cost, and the objective: plain data."""
        correlations = self.rank_correlations or ()
        columns = zip(("correlation", "correlation_first_fifth"), correlations, strict=False)
        named = {name: value if math.isfinite(value) else None for name, value in columns}
        return {
            "choice": self.how,
            "count": self.count,
            **({"held_out": [list(each) for each in self.held_out]} if self.held_out else {}),
            "value": self.value,
            "plain": self.plain,
            "passes": self.passes,
            **named,
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row for each head that can re-route, the largest derivative first.

        Besides the columns of :meth:`.Sensitivity.to_rows` and :attr:`settings`: whether the head
        is chosen, and, where the choice gives them, its own bias and its exact effect alone.
        """
        chosen = {head[:2]: head.bias for head in self.plan.heads}
        rows = []
        for row in self.sensitivity.to_rows():
            place = row["layer"], row["head"]
            effect = {} if self.effects is None else {"effect": float(self.effects[place])}
            own = {"own_bias": chosen.get(place)} if self.how == "steps" else {}
            rows.append({**row, **effect, "chosen": place in chosen, **own, **self.settings})
        return rows

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows of :meth:`to_rows` as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.to_rows())


def choose(
    backbone: Backbone,
    corpus: Corpus,
    method: Method = DEFAULT,
    *,
    how: ChoiceName = "top",
    count: int | None = 60,
    objective: ObjectiveName = "judgements",
    teacher: Method | None = None,
    progress: Progress = quiet,
) -> Chosen:
    """Choose the heads to re-route; results are stored.

    Args:
        backbone: the decoder.
        corpus: rated pairs, labelled texts, or queries with documents.
        method: a method that re-routes; its plan says the bias and the key position.
        how: a name of :data:`.head_choices.CHOICES`.
        count: number of heads at most. None finds it inside the items: heads are chosen on either
            half for each of :data:`SIZES` and none, judged on the other half, and chosen on all
            items by the best number.
        objective: a name of :data:`.head_choices.OBJECTIVES`.
        teacher: the method to agree with.
        progress: counts what the choice goes through: prompts, heads or steps.

    Raises:
        CorpusError: there are too few items, no labels, or all are alike.
        PlanError: no such choice or count, agreement without a teacher, or a method that does not
            re-route.
        BackboneError: the backbone cannot be re-routed, or its states overflowed.
    """
    check_choice(corpus, method, how=how, count=count, objective=objective)
    check_teacher(objective, teacher)
    key = result_store.key(
        "chosen heads",
        **identity(backbone, corpus, method, objective, teacher),
        choice=how,
        count=count,
        constants=[ROUNDS, CANDIDATES, STEPS, WEAK, *SIZES],
    )
    with lock_for(key), trace_cache.sweep_budget() as budget:
        if (stored := result_store.get(key)) is None:
            begin = partial(
                Trials,
                backbone,
                method=method,
                objective=objective,
                teacher=teacher,
                progress=progress,
            )
            stored = _search(begin, corpus, how, count, budget)
            result_store.put(key, *stored)
    facts, arrays = stored
    plain = sensitivity(
        *(backbone, corpus, method), objective=objective, teacher=teacher, progress=progress
    )
    heads = tuple(Head(*each) for each in facts["heads"])
    return Chosen(
        plan=replace(method.plan, layers=(), heads=heads),
        value=facts["value"],
        plain=facts["plain"],
        passes=facts["passes"],
        how=how,
        count=facts["count"],
        objective=objective,
        teacher=plain.teacher,
        method=method.name,
        corpus=corpus.name,
        items=plain.items,
        of=plain.total or plain.items,
        backbone=backbone.facts.name,
        dtype=backbone.dtype.value,
        sensitivity=plain,
        effects=arrays.get("effects"),
        held_out=tuple((size, value) for size, value in facts["held_out"]),
    )


def check_choice(
    corpus: Corpus,
    method: Method,
    *,
    how: ChoiceName,
    count: int | None,
    objective: ObjectiveName,
) -> None:
    """Refuse what needs no backbone to be refused; the arguments are those of :func:`choose`.

    Raises:
        CorpusError: the items, or those of a half, are too few or cannot be told apart.
        PlanError: no such choice or count, or a method that does not re-route.
    """
    by_name(CHOICES, how, "choice of heads")
    if count is not None and (type(count) is not int or count < 1):
        raise PlanError(
            f"A number of heads must be a whole number of at least 1, not {quoted(count)}; None "
            "finds it inside the items."
        )
    checked_items(corpus, method, objective)
    if count is None:
        for half in parts_of(corpus):
            checked_items(half, method, objective)


def _search(
    begin: Callable[..., Trials], corpus: Corpus, how: ChoiceName, count: int | None, budget: int
) -> Stored:
    """The heads with their value and cost, to be stored; ``begin`` makes trials of a corpus."""
    held_out: list[tuple[int, float]] = []
    passes = 0.0
    if count is None:
        held_out, passes = _on_halves(begin, corpus, how, budget)
        count = max(held_out, key=lambda each: each[1])[0]  # the first and smallest of equal ones
    trials = begin(corpus, budget=budget)
    heads = SEARCHES[how](trials, [count])[count] if count else ()
    value, plain = trials.value(heads), trials.value()
    facts = {
        "heads": [list(head) for head in heads],
        "value": value,
        "plain": plain,
        "passes": passes + trials.passes,
        "count": count,
        "held_out": held_out,
    }
    return facts, {"effects": trials.effects()} if how == "single" and count else {}


def _on_halves(
    begin: Callable[..., Trials], corpus: Corpus, how: ChoiceName, budget: int
) -> tuple[list[tuple[int, float]], float]:
    """The mean objective on halves that did not choose, by number of heads, and what that costs."""
    trials = [begin(half, budget=budget // 2) for half in parts_of(corpus)]
    sizes = _sizes(trials[0].backbone)
    values: list[list[float]] = []
    for chooser, judge in (trials, trials[::-1]):
        heads = SEARCHES[how](chooser, sizes)
        values.append([judge.value(heads.get(size, ())) for size in (0, *sizes)])
    items = items_of(corpus)[0]
    passes = sum(each.passes * items_of(each.corpus)[0] / items for each in trials)
    means = np.mean(values, axis=0).tolist()
    return list(zip((0, *sizes), means, strict=True)), passes


def _sizes(backbone: Backbone) -> list[int]:
    """The numbers of heads to try: those of which the backbone has so many, or all it has."""
    first = skipped(backbone.layers)
    available = backbone.facts.heads * sum(layer >= first for layer in backbone.reroutable)
    return [size for size in SIZES if size <= available] or [available]


def _spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's correlation of two sets of values where both are known; NaN if one is constant."""
    known = np.isfinite(first) & np.isfinite(second)
    one, other = first[known], second[known]
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other).statistic)
