"""Searches that are carried out: against every plan scored alone, kept, resumed, held out."""

from collections.abc import Iterable

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.corpora import columns
from analysis.corpora.types import Pairs
from analysis.embedding.methods import DEFAULT
from analysis.experiments import ablation, searches
from analysis.experiments import score as scores
from analysis.experiments import sweep as sweeps
from analysis.experiments.ablation import Walk
from analysis.experiments.held_out import BEST
from analysis.experiments.searches import AUTOMATIC
from analysis.rerouting.plan import PLAIN, Plan
from tests.support.passes import pass_starts
from tests.support.visits import OWN_PAIRS


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """A handful of rated pairs."""
    return columns.read_pairs("own.tsv", OWN_PAIRS.encode())


def finished(walks: Iterable[Walk]) -> Walk:
    *_, last = walks
    return last


@pytest.mark.slow
@pytest.mark.parametrize("name", list(searches.SEARCHES))
def test_every_search_scores_as_each_plan_alone(
    name: str, llama: Backbone, pairs: Pairs, empty_cache: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    del empty_cache
    plan = Plan((1, 2), 0.5)
    search = searches.SEARCHES[name](plan, llama, 2)
    walk = finished(ablation.run(llama, pairs, search))
    assert walk.done
    assert not walk.missing
    monkeypatch.setenv("KVE_CACHE", "/dev/null/nothing")  # nothing is known from before
    (plain,) = scores.score(llama, pairs, [DEFAULT])
    for one, point in walk.points.items():
        (alone,) = scores.score(llama, pairs, [DEFAULT.under(one)])
        assert alone.cosines is not None
        assert point.score.cosines is not None
        np.testing.assert_allclose(point.score.cosines, alone.cosines, atol=2e-6)
        assert point.change.delta == pytest.approx(
            point.score.first.value - plain.first.value, abs=1e-6
        )


@pytest.mark.slow
def test_all_windows_run_only_the_layers_from_where_each_parts_from_the_one_before(
    llama: Backbone, pairs: Pairs, empty_cache: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    del empty_cache
    layers = llama.layers
    scores.score(llama, pairs, [DEFAULT])
    starts = pass_starts(monkeypatch)
    plans = searches.every_window(layers)
    finished(ablation.run(llama, pairs, searches.at_once(plans)))
    batches, rest = divmod(len(starts), 1 + len(plans))
    assert batches > 0
    assert rest == 0
    # Of the n windows that begin at a layer, the widest runs all n layers from there, and each
    # narrower one those after its own last: 1, 2 ... n - 1. The plain pass runs them all.
    ran = layers + sum(n + n * (n - 1) // 2 for n in range(1, layers + 1))
    assert sum(layers - start for start in starts) == batches * ran


def test_a_walk_shows_what_is_known_at_once_and_every_score_as_it_comes(
    llama: Backbone, pairs: Pairs, empty_cache: object
) -> None:
    del empty_cache
    plans = searches.sliding(llama.layers, 1)
    first, *rest = ablation.run(llama, pairs, searches.at_once(plans))
    assert list(first.points) == [PLAIN]
    assert [len(walk.missing) for walk in rest] == [*range(len(plans) - 1, -1, -1), 0]
    assert [walk.done for walk in rest] == [False] * len(plans) + [True]


@pytest.mark.slow
def test_a_search_that_is_stopped_goes_on_from_where_it_was(
    llama: Backbone, pairs: Pairs, empty_cache: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    del empty_cache
    plans = searches.sliding(llama.layers, 2)
    walks = ablation.run(llama, pairs, searches.at_once(plans))
    for _ in range(4):
        walk = next(walks)
    known = set(walk.points)
    walks.close()  # type: ignore[attr-defined]
    scored: list[Plan] = []
    sweep = sweeps.sweep

    def counted(backbone: Backbone, of: Pairs, todo: list[Plan], *more: object, **how: object):  # type: ignore[no-untyped-def]
        scored.extend(todo)
        return sweep(backbone, of, todo, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(sweeps, "sweep", counted)
    again = finished(ablation.run(llama, pairs, searches.at_once(plans)))
    assert len(known) == 4
    assert set(scored) == set(plans) - known
    assert set(again.points) == {PLAIN, *plans}


@pytest.mark.slow
def test_the_best_is_the_searchs_own_and_ranks_count_no_reference(
    llama: Backbone, pairs: Pairs, empty_cache: object
) -> None:
    del empty_cache
    beside = [Plan((0, 3)), Plan((1, 4))]
    plans = searches.sliding(llama.layers, 1)
    walk = finished(ablation.run(llama, pairs, searches.at_once(plans), beside=beside))
    assert set(walk.points) == {PLAIN, *beside, *plans}
    assert walk.best in plans
    alone = finished(ablation.run(llama, pairs, searches.at_once(plans)))
    assert set(walk.ranked) == set(alone.ranked) == {PLAIN, *plans}
    for plan in walk.ranked:
        assert walk.rank(plan) == alone.rank(plan)
    assert {walk.rank(plan) for plan in beside} <= set(range(1, len(walk.ranked) + 2))
    assert len(walk.changes) == len(plans)
    assert all(change.p_holm is not None for change in walk.changes)
    assert walk.spearman(walk.best) == max(walk.spearman(plan) for plan in plans)


@pytest.mark.slow
def test_the_best_of_many_is_tested_on_texts_it_was_not_picked_on(
    llama: Backbone, empty_cache: object
) -> None:
    del empty_cache
    words = [f"a{i} boat b{i} bank c{i % 7}" for i in range(80)]
    rng = np.random.default_rng(0)
    pairs = Pairs("made", tuple(words), np.arange(40), np.arange(40, 80), rng.random(40), "")
    automatic = Plan((2, 3))
    plans = searches.sliding(llama.layers, 2)
    walk = finished(ablation.run(llama, pairs, searches.at_once(plans), beside=[automatic]))
    tested = ablation.held_out(walk, pairs, automatic, splits=5)
    assert list(tested) == [AUTOMATIC, BEST]
    assert tested[AUTOMATIC][0] == automatic
    best, held = tested[BEST]
    assert best in plans
    assert held.seen.mean >= tested[AUTOMATIC][1].seen.mean  # it was picked there
    assert 0 < held.share <= 1
