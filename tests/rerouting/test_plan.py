"""What a plan admits, and where it is off."""

import math
from typing import Any

import numpy as np
import pytest

from analysis.errors import PlanError
from analysis.rerouting.plan import OFF, PLAIN, Head, Plan


@pytest.mark.parametrize("layers", [(-1,), (1, 1), (2, 1)])
def test_plan_refuses_layers_out_of_order(layers: tuple[int, ...]) -> None:
    with pytest.raises(PlanError, match="distinct, ascending"):
        Plan(layers)


@pytest.mark.parametrize("bias", [math.nan, math.inf])
def test_plan_refuses_a_bias_that_is_no_number(bias: float) -> None:
    with pytest.raises(PlanError, match="bias"):
        Plan((0,), bias)


@pytest.mark.parametrize("layers", [(1.5,), ("1",), (None,), 3, None])
def test_plan_refuses_layers_that_are_no_numbers(layers: Any) -> None:
    with pytest.raises(PlanError, match="whole numbers"):
        Plan(layers)
    with pytest.raises(PlanError, match="the bias a number"):
        Plan((1,), bias="high")  # type: ignore[arg-type]


def test_equal_numbers_are_the_same_plan() -> None:
    layers: Any = np.array([1, 2])
    plan = Plan(layers, 2)
    assert plan == Plan((1, 2), 2.0)
    assert [type(layer) for layer in plan.layers] == [int, int]
    assert type(plan.bias) is float
    assert Plan(range(1, 3), np.float32(2)) == plan  # type: ignore[arg-type]


def test_plan_refuses_a_key_position_that_does_not_exist() -> None:
    with pytest.raises(PlanError, match="choose one of own, first"):
        Plan((0,), key_position="last")  # type: ignore[arg-type]


def test_a_plan_that_is_off_has_no_active_layers() -> None:
    assert Plan((1, 2), -math.inf).active == PLAIN.active == ()
    assert Plan((1, 2), -3.0).active == (1, 2)


@pytest.mark.parametrize(
    ("heads", "reason"),
    [
        (((-1, 0),), "at least 0"),
        (((1, -1),), "at least 0"),
        (((1, 1), (1, 0)), "ascending"),
        (((1, 1), (1, 1, 2.0)), "distinct"),
        (((0, 1),), "Layer 0 re-routes as a whole"),
        (((1, 1, math.inf),), "bias"),
        (((1, 1, math.nan),), "bias"),
        (((1,),), "a layer and its number|its layer and its number"),
        ((1,), "its layer and its number"),
        (((1, 0.5),), "its layer and its number"),
        (((1, 0, "high"),), "its layer and its number"),
    ],
)
def test_plan_refuses_heads_that_are_none(heads: Any, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        Plan((0,), heads=heads)


def test_a_plan_says_what_happens_at_a_layer() -> None:
    plan = Plan((0,), 2.0, heads=((1, 3), (1, 5, -1), (2, 0, OFF)))  # type: ignore[arg-type]
    assert plan.heads == (Head(1, 3), Head(1, 5, -1.0), Head(2, 0, OFF))
    assert plan.active == (0, 1)
    assert [plan.at(layer) for layer in range(3)] == [2.0, ((3, 2.0), (5, -1.0)), OFF]
    assert plan.biases_at(0, 6) == 2.0
    assert plan.biases_at(1, 6) == [OFF, OFF, OFF, 2.0, OFF, -1.0]
    assert plan.biases_at(2, 6) == OFF
    assert plan.without(1) == Plan((0,), 2.0, heads=((2, 0, OFF),))  # type: ignore[arg-type]
    assert plan.without(0).layers == ()
    assert plan.with_layers([4]) == Plan((4,), 2.0)


def test_the_plans_bias_turns_only_heads_off_that_have_none_of_their_own() -> None:
    assert Plan((0,), OFF, heads=(Head(1, 3), Head(2, 5, 1.0))).active == (2,)
