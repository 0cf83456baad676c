"""Many plans on the same pairs: which layers and which bias score best, and by how much.

``run`` carries out a search; every score and comparison is stored at once, so that stopping loses
nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs
from ..embedding.methods import DEFAULT, Method
from ..evaluation import comparison
from ..evaluation.bootstrap import DRAWS
from ..evaluation.comparison import Difference
from ..evaluation.similarity import SPEARMAN
from ..rerouting.plan import PLAIN, Plan
from ..runtime.events import Progress, quiet
from ..storage import result_store
from . import held_out as halves
from . import score_store
from . import sweep as sweeps
from .held_out import Tested
from .score_result import Score
from .searches import AUTOMATIC, Search

NAMES = ("re-routing", "re-routing nothing")
"""Names of the two sides of a change."""
SPLITS = 50
"""Random halvings of the texts; each half is held out once."""


@dataclass(frozen=True, eq=False)
class Point:
    """A plan's score and its change against re-routing nothing, paired, not corrected."""

    score: Score
    change: Difference


@dataclass(frozen=True, eq=False)
class Walk:
    """The state of a search: its steps so far, and the scores of their plans as far as known.

    ``beside`` are the reference plans. ``points`` also holds re-routing nothing, as ``PLAIN``.
    ``done`` is true when nothing is left to score.
    """

    steps: tuple[tuple[Plan, ...], ...]
    beside: tuple[Plan, ...]
    points: Mapping[Plan, Point]
    done: bool

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The reference plans and the plans of all steps, each once."""
        return tuple(dict.fromkeys(plan for step in (self.beside, *self.steps) for plan in step))

    @property
    def missing(self) -> tuple[Plan, ...]:
        """The plans that are not scored yet."""
        return tuple(plan for plan in self.plans if plan not in self.points)

    @property
    def tried(self) -> tuple[Plan, ...]:
        """The scored plans of the search's own steps, from which its best is picked."""
        own_plans = dict.fromkeys(plan for step in self.steps for plan in step)
        return tuple(plan for plan in own_plans if plan in self.points)

    @property
    def best(self) -> Plan | None:
        """The plan of the search that scores best so far."""
        return max(self.tried, key=self.spearman, default=None)

    def spearman(self, plan: Plan) -> float:
        """The score of a scored plan."""
        return self.points[plan].score.measure(SPEARMAN).value

    @property
    def ranked(self) -> tuple[Plan, ...]:
        """The plans that ranks count: those of the search and re-routing nothing, as scored.

        Reference plans are not counted, so that a search has the same ranks with and without them.
        """
        return tuple(dict.fromkeys((*self.tried, *([PLAIN] if PLAIN in self.points else []))))

    def rank(self, plan: Plan) -> int:
        """A plan's rank among :attr:`ranked`, which a reference plan has, too; 1 is the best."""
        return 1 + sum(self.spearman(other) > self.spearman(plan) for other in self.ranked)

    @property
    def changes(self) -> tuple[Difference, ...]:
        """The changes of the search's plans, corrected by Holm's method for their number."""
        own = [self.points[plan].change for plan in self.tried if plan != PLAIN]
        return tuple(comparison.corrected(own))


def path(walk: Walk) -> list[Plan]:
    """The best plans of a greedy search so far, step by step, starting with nothing re-routed."""
    best_plans = [PLAIN]
    for step in walk.steps:
        if not all(plan in walk.points for plan in step):
            break
        best = max(step, key=walk.spearman)
        if walk.spearman(best) <= walk.spearman(best_plans[-1]):
            break
        best_plans.append(best)
    return best_plans


def added(way: Sequence[Plan]) -> list[int]:
    """The layers that a greedy search added, in order."""
    return [next(iter({*after.layers} - {*before.layers})) for before, after in pairwise(way)]


def run(
    backbone: Backbone,
    pairs: Pairs,
    search: Search,
    method: Method = DEFAULT,
    *,
    beside: Iterable[Plan] = (),
    at_hand: dict[Plan, Point] | None = None,
    sweep: Callable[..., Iterator[Score]] | None = None,
    progress: Progress = quiet,
) -> Iterator[Walk]:
    """Score the plans of a search, and yield its state after every score.

    The first state comes when only re-routing nothing is scored, the last when the search is done.

    Args:
        backbone: the decoder; with a ``sweep`` of workers it needs no weights.
        pairs: P rated pairs.
        search: the plans to score, see :mod:`analysis.experiments.searches`.
        method: a method that re-routes; its own plan is not used.
        beside: reference plans, scored before the search's own.
        at_hand: scored plans of the same backbone, pairs and method, which are not read again; new
            ones are added.
        sweep: scores plans, as :func:`analysis.experiments.sweep.sweep` does, the default.
        progress: counts the texts of the plan that is being scored.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding and scoring raise.
    """
    points = {} if at_hand is None else at_hand
    sweep = sweep or sweeps.sweep
    plain = score_store.known_score(backbone, pairs, method.under(PLAIN))
    if plain is None:
        (plain,) = sweep(backbone, pairs, [PLAIN], method, progress=progress)
    steps: list[tuple[Plan, ...]] = []

    def learn(scored: Sequence[Score]) -> None:
        changes = _changes(scored, plain, pairs)
        points.update(
            (score.plan, Point(score, change))
            for score, change in zip(scored, changes, strict=True)
        )

    def walk(done: bool = False) -> Walk:
        state = Walk(tuple(steps), tuple(beside), {}, done)
        return replace(state, points={p: points[p] for p in (PLAIN, *state.plans) if p in points})

    learn([plain])
    beside, step = list(beside), next(search, None)
    while step is not None:
        steps.append(tuple(step))
        new = [plan for plan in walk().plans if plan not in points]
        stored = score_store.known_scores(backbone, pairs, [method.under(plan) for plan in new])
        learn([score for score in stored if score is not None])
        missing = walk().missing
        if missing:
            yield walk()
        for first in (True, False):
            group = [plan for plan in missing if (plan in beside) == first]
            for score in sweep(backbone, pairs, group, method, progress=progress):
                learn([score])
                yield walk()
        try:
            current = walk()
            step = search.send({plan: current.spearman(plan) for plan in current.points})
        except StopIteration:
            step = None
    yield walk(done=True)


def held_out(
    walk: Walk, pairs: Pairs, automatic: Plan, *, splits: int = SPLITS, seed: int = 0
) -> dict[str, tuple[Plan, Tested]]:
    """The best plan of one half of the texts, and the automatic choice, on the other half.

    Args:
        walk: a search with at least one scored plan.
        pairs: the pairs that its plans were scored on.
        automatic: the automatic choice, one more candidate; left out where it is not scored.
        splits: number of halvings, see :func:`analysis.experiments.held_out.held_out`.
        seed: seed of the halvings.

    Returns:
        By name, :data:`AUTOMATIC` or ``held_out.BEST``: the plan, for the best the one that was
        picked most often, and its result.

    Raises:
        CorpusError: there are too few pairs to halve.
    """
    plans = list(walk.tried)
    if automatic in walk.points and automatic not in plans:
        plans.append(automatic)
    numbers = {PLAIN: (), **{plan: (number,) for number, plan in enumerate(plans)}}
    cosines = {number: _cosines(walk.points[plan].score) for plan, number in numbers.items()}
    chosen = {AUTOMATIC: numbers[automatic]} if automatic in numbers else {}
    tested = halves.held_out(cosines, pairs, chosen, splits=splits, seed=seed)
    return {result.name: (plans[result.layers[0]], result) for result in tested}


def _cosines(score: Score) -> NDArray[np.float64]:
    """The cosines of a score on rated pairs."""
    assert score.cosines is not None
    return score.cosines


def _changes(scored: Sequence[Score], plain: Score, pairs: Pairs) -> list[Difference]:
    """Each score's change against re-routing nothing, read from the store if it is there."""
    base_digest = result_store.digest(
        *(array.tolist() for array in (pairs.left, pairs.right, pairs.scores, _cosines(plain))),
        *(DRAWS, pairs.total),
    )
    changes = []
    for score in scored:
        key = result_store.key(
            "change", of=base_digest, cosines=result_store.digest(_cosines(score).tolist())
        )
        if (stored := result_store.get(key)) is None:
            measure, base = (each.measure(SPEARMAN) for each in (score, plain))
            change = comparison.difference(measure, base, NAMES, pairs.total)
            result_store.put(key, change.to_dict(), {})
        else:
            change = _difference(stored[0])
        changes.append(change)
    return changes


def _difference(facts: Mapping[str, object]) -> Difference:
    names = Difference.__dataclass_fields__
    return Difference(**{name: value for name, value in facts.items() if name in names})  # type: ignore[arg-type]
