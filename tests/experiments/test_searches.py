"""Which plans searches try, where the score of every plan is known."""

from hypothesis import given
from hypothesis import strategies as st

from analysis.experiments import searches
from analysis.experiments.searches import ALL, AUTOMATIC, RANDOM, Search
from analysis.rerouting.plan import PLAIN, Plan


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
    result = max((plan for step in steps for plan in step), key=scores.__getitem__)
    helpful = sorted((b for b in brings if b > 0), reverse=True)[:most]
    assert max(scores[result], 0) == sum(helpful)
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


@given(st.sets(st.integers(0, 9), min_size=1), st.integers(1, 5))
def test_every_head_is_tried_alone_once(layers: set[int], heads: int) -> None:
    plans = searches.heads_alone(sorted(layers), heads, Plan((0, 1), -2.0, "first"))
    assert len(plans) == len(set(plans)) == len(layers) * heads
    assert {plan.active for plan in plans} == {(layer,) for layer in layers}
    assert {(plan.layers, len(plan.heads)) for plan in plans} == {((), 1)}
    assert {(plan.bias, plan.key_position) for plan in plans} == {(-2.0, "first")}


def test_a_bias_sweep_keeps_the_layers_and_the_key_and_tries_the_plans_own() -> None:
    plans = searches.biases(Plan((2, 3), 0.25, "first"))
    assert {plan.layers for plan in plans} == {(2, 3)}
    assert {plan.key_position for plan in plans} == {"first"}
    assert sorted({*searches.BIASES, 0.25}) == [plan.bias for plan in plans]
    assert searches.biases(PLAIN) == []


def test_reference_points_are_the_same_each_time_and_reach_no_other_layer() -> None:
    result = searches.references(Plan((1, 2)), (0, 1, 2, 5))
    assert result == searches.references(Plan((1, 2)), (0, 1, 2, 5))
    assert result[AUTOMATIC] == (Plan((1, 2)),)
    assert result[ALL] == (Plan((0, 1, 2, 5)),)
    sets = [plan.layers for plan in result[RANDOM]]
    assert len(sets) == len(set(sets)) == searches.DRAWN
    assert all(len(layers) == 2 and set(layers) <= {0, 1, 2, 5} for layers in sets)
    few = searches.references(Plan((0, 1)), (0, 1))[RANDOM]
    assert [plan.layers for plan in few] == [(0, 1)]
    assert searches.references(Plan((0, 3)), (0, 1))[AUTOMATIC] == ()
