"""Many plans on the same pairs: which layers and which bias score best, and by how much.

``run`` carries any search out; every score and comparison is stored as it comes, so that stopping
loses nothing.
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
from . import score as scores
from . import sweep as sweeps
from .held_out import Tested
from .score import Score
from .searches import AUTOMATIC, Search

NAMES = ("re-routing", "re-routing nothing")
"""What the two sides of a change are called."""
SPLITS = 50
"""Halvings of the texts, each half held out once."""


@dataclass(frozen=True, eq=False)
class Point:
    """A plan's score and its change against re-routing nothing, paired, not corrected."""

    score: Score
    change: Difference


@dataclass(frozen=True, eq=False)
class Walk:
    """How far a search has come: its steps so far, and what is known of their plans.

    ``beside`` are the reference points, ``points`` holds re-routing nothing too, as ``PLAIN``.
    ``done`` when nothing is left to score.
    """

    steps: tuple[tuple[Plan, ...], ...]
    beside: tuple[Plan, ...]
    points: Mapping[Plan, Point]
    done: bool

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The reference points and the plans of all steps, each once."""
        return tuple(dict.fromkeys(plan for step in (self.beside, *self.steps) for plan in step))

    @property
    def missing(self) -> tuple[Plan, ...]:
        """Those not scored yet."""
        return tuple(plan for plan in self.plans if plan not in self.points)

    @property
    def tried(self) -> tuple[Plan, ...]:
        """The known plans of the search's own steps: what its best is picked from."""
        own = dict.fromkeys(plan for step in self.steps for plan in step)
        return tuple(plan for plan in own if plan in self.points)

    @property
    def best(self) -> Plan | None:
        """The plan of the search that scores best so far."""
        return max(self.tried, key=self.spearman, default=None)

    def spearman(self, plan: Plan) -> float:
        """The score of a known plan."""
        return self.points[plan].score.measure(SPEARMAN).value

    def rank(self, plan: Plan) -> int:
        """A known plan's place among all known, re-routing nothing included; 1 is the best."""
        return 1 + sum(self.spearman(other) > self.spearman(plan) for other in self.points)


def path(walk: Walk) -> list[Plan]:
    """The way a greedy search took through the steps that are scored, from nothing re-routed on."""
    found = [PLAIN]
    for step in walk.steps:
        if not all(plan in walk.points for plan in step):
            break
        best = max(step, key=walk.spearman)
        if walk.spearman(best) <= walk.spearman(found[-1]):
            break
        found.append(best)
    return found


def added(way: Sequence[Plan]) -> list[int]:
    """The layers that a greedy search added, in their order."""
    return [next(iter({*b.layers} - {*a.layers})) for a, b in pairwise(way)]


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
    """Score the plans of a search, and tell the walk as far as it is known.

    The first walk comes before anything but re-routing nothing is computed, then one after every
    new score, and the last when the search is done.

    The method is scored under the plans of the search; its own does not count. ``beside`` are
    plans scored before the search's own. ``at_hand`` are points of the same
    backbone, pairs and method that need not be read again; new ones are added. ``sweep`` scores
    plans as :func:`analysis.experiments.sweep.sweep`, the default, does; the backbone needs no
    weights of its own with another. ``progress`` counts the texts of the plan that is being scored.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding and scoring raise.
    """
    points = {} if at_hand is None else at_hand
    sweep = sweep or sweeps.sweep
    plain = scores.known_score(backbone, pairs, method.under(PLAIN))
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
        found = Walk(tuple(steps), tuple(beside), {}, done)
        return replace(found, points={p: points[p] for p in (PLAIN, *found.plans) if p in points})

    learn([plain])
    beside, wanted = list(beside), next(search, None)
    while wanted is not None:
        steps.append(tuple(wanted))
        new = [plan for plan in walk().plans if plan not in points]
        known = scores.known_scores(backbone, pairs, [method.under(plan) for plan in new])
        learn([score for score in known if score is not None])
        missing = walk().missing
        if missing:
            yield walk()
        for first in (True, False):
            group = [plan for plan in missing if (plan in beside) == first]
            for score in sweep(backbone, pairs, group, method, progress=progress):
                learn([score])
                yield walk()
        try:
            now = walk()
            wanted = search.send({plan: now.spearman(plan) for plan in now.points})
        except StopIteration:
            wanted = None
    yield walk(done=True)


def held_out(
    walk: Walk, pairs: Pairs, automatic: Plan, *, splits: int = SPLITS, seed: int = 0
) -> dict[str, tuple[Plan, Tested]]:
    """The best plan of one half of the texts, and the automatic choice, on the other half.

    Args:
        walk: what was tried, one plan at least, is what the best is picked from.
        pairs: what they were scored on.
        automatic: is among what is picked from; left out where it is not known.
        splits: how many halvings, see :func:`analysis.experiments.held_out.held_out`.
        seed: of the halvings.

    Returns:
        By name, :data:`AUTOMATIC` or ``held_out.BEST``: the plan, for the best the one that was
        picked most often, and how it did.

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
    return {one.name: (plans[one.layers[0]], one) for one in tested}


def _cosines(score: Score) -> NDArray[np.float64]:
    """The cosines of a score on rated pairs."""
    assert score.cosines is not None
    return score.cosines


def _changes(scored: Sequence[Score], plain: Score, pairs: Pairs) -> list[Difference]:
    """Each score's change against re-routing nothing, from the store where it is known."""
    of = result_store.digest(
        *(part.tolist() for part in (pairs.left, pairs.right, pairs.scores, _cosines(plain))),
        *(DRAWS, pairs.total),
    )
    changes = []
    for score in scored:
        key = result_store.key(
            "change", of=of, cosines=result_store.digest(_cosines(score).tolist())
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
