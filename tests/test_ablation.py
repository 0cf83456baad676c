"""Searches over plans: against every plan scored alone, and where the truth is known."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import ablation, corpora, forward, searches, study
from analysis.ablation import Walk
from analysis.backbone import Backbone
from analysis.corpora import Pairs
from analysis.methods import DEFAULT
from analysis.plans import PLAIN, Plan
from analysis.searches import ALL, AUTOMATIC, RANDOM, Search
from analysis.windows import BEST
from tests.visits import OWN_PAIRS


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """A handful of rated pairs."""
    return corpora.read_pairs("own.tsv", OWN_PAIRS.encode())


def finished(walks: Iterable[Walk]) -> Walk:
    *_, last = walks
    return last


def searched(search: Search, scores: dict[Plan, float]) -> list[tuple[Plan, ...]]:
    """The steps of a search where the score of every plan is known."""
    steps: list[tuple[Plan, ...]] = []
    wanted = next(search, None)
    while wanted is not None:
        steps.append(tuple(wanted))
        try:
            wanted = search.send(scores)
        except StopIteration:
            wanted = None
    return steps


class Additive(dict[Plan, float]):
    """A plan's score is the sum of what its layers bring."""

    def __init__(self, brings: list[float]) -> None:
        self.brings = brings

    def __missing__(self, plan: Plan) -> float:
        return sum(self.brings[layer] for layer in plan.layers)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=6), st.integers(1, 6))
def test_greedy_finds_the_best_where_layers_add_up(brings: list[int], most: int) -> None:
    scores = Additive([float(b) for b in brings])
    steps = searched(searches.greedy(PLAIN, range(len(brings)), most), scores)
    found = max((plan for step in steps for plan in step), key=scores.__getitem__)
    helpful = sorted((b for b in brings if b > 0), reverse=True)[:most]
    assert max(scores[found], 0) == sum(helpful)
    assert len(steps) <= min(most, len(brings), len(helpful) + 1)


@given(st.integers(1, 12), st.integers(1, 12))
def test_windows_are_every_run_of_layers_once(layers: int, width: int) -> None:
    like = Plan((0,), -2.0)
    every = searches.every_window(layers, like)
    assert {plan.layers for plan in every} == {
        tuple(range(a, b)) for a in range(layers) for b in range(a + 1, layers + 1)
    }
    assert len(every) == layers * (layers + 1) // 2
    assert {plan.bias for plan in every} == {-2.0}
    sliding = searches.sliding(layers, width, like)
    assert [plan.layers[0] for plan in sliding] == list(range(layers))
    assert all(len(plan.layers) <= width and plan in every for plan in sliding)


def test_a_bias_sweep_keeps_the_layers_and_the_key_and_tries_the_plans_own() -> None:
    plans = searches.biases(Plan((2, 3), 0.25, "first"))
    assert {plan.layers for plan in plans} == {(2, 3)}
    assert {plan.key_position for plan in plans} == {"first"}
    assert sorted({*searches.BIASES, 0.25}) == [plan.bias for plan in plans]
    assert searches.biases(PLAIN) == []


def test_reference_points_are_the_same_each_time_and_reach_no_other_layer() -> None:
    found = searches.references(Plan((1, 2)), (0, 1, 2, 5))
    assert found == searches.references(Plan((1, 2)), (0, 1, 2, 5))
    assert found[AUTOMATIC] == (Plan((1, 2)),)
    assert found[ALL] == (Plan((0, 1, 2, 5)),)
    sets = [plan.layers for plan in found[RANDOM]]
    assert len(sets) == len(set(sets)) == searches.DRAWN
    assert all(len(layers) == 2 and set(layers) <= {0, 1, 2, 5} for layers in sets)
    few = searches.references(Plan((0, 1)), (0, 1))[RANDOM]
    assert [plan.layers for plan in few] == [(0, 1)]
    assert searches.references(Plan((0, 3)), (0, 1))[AUTOMATIC] == ()


@pytest.mark.parametrize("name", list(searches.SEARCHES))
def test_every_search_scores_as_each_plan_alone(
    name: str, llama: Backbone, pairs: Pairs, empty_cache: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    del empty_cache
    plan = Plan((1, 2), 0.5)
    search = searches.SEARCHES[name](plan, llama.layers, llama.reroutable, 2)
    walk = finished(ablation.run(llama, pairs, search))
    assert walk.done
    assert not walk.missing
    monkeypatch.setenv("KVE_CACHE", "/dev/null/nothing")  # nothing is known from before
    plain = study.score(llama, pairs, DEFAULT, PLAIN).sts
    for one, point in walk.points.items():
        alone = study.score(llama, pairs, DEFAULT, one).sts
        np.testing.assert_allclose(point.score.sts.cosines, alone.cosines, atol=2e-6)
        assert point.change.delta == pytest.approx(
            point.score.sts.spearman - plain.spearman, abs=1e-6
        )


def test_all_windows_run_only_the_layers_from_where_each_parts_from_the_one_before(
    llama: Backbone, pairs: Pairs, empty_cache: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    del empty_cache
    layers, starts = llama.layers, []
    run = forward.run

    def spy(*args: Any, start: int = 0, **kwargs: Any) -> forward.Pass:
        starts.append(start)
        return run(*args, start=start, **kwargs)

    study.score(llama, pairs, DEFAULT, PLAIN)
    monkeypatch.setattr(forward, "run", spy)
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
    sweep = study.sweep

    def counted(backbone: Backbone, of: Pairs, todo: list[Plan], *more: object, **how: object):  # type: ignore[no-untyped-def]
        scored.extend(todo)
        return sweep(backbone, of, todo, *more, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(study, "sweep", counted)
    again = finished(ablation.run(llama, pairs, searches.at_once(plans)))
    assert len(known) == 4
    assert set(scored) == set(plans) - known
    assert set(again.points) == {PLAIN, *plans}


def test_the_best_is_the_searchs_own_and_ranks_count_all(
    llama: Backbone, pairs: Pairs, empty_cache: object
) -> None:
    del empty_cache
    beside = [Plan((0, 3)), Plan((1, 4))]
    plans = searches.sliding(llama.layers, 1)
    walk = finished(ablation.run(llama, pairs, searches.at_once(plans), beside=beside))
    assert set(walk.points) == {PLAIN, *beside, *plans}
    assert walk.best in plans
    order = sorted(walk.points, key=walk.spearman, reverse=True)
    assert walk.rank(order[0]) == 1
    assert walk.spearman(walk.best) == max(walk.spearman(plan) for plan in plans)


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
