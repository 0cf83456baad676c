"""What a plan admits, and where it is off."""

import math
from typing import Any

import numpy as np
import pytest

from analysis.errors import PlanError
from analysis.rerouting.plan import PLAIN, Plan


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
    with pytest.raises(PlanError, match="use own or first"):
        Plan((0,), key_position="last")  # type: ignore[arg-type]


def test_a_plan_that_is_off_has_no_active_layers() -> None:
    assert Plan((1, 2), -math.inf).active == PLAIN.active == ()
    assert Plan((1, 2), -3.0).active == (1, 2)
