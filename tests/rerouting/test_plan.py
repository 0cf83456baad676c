"""What a plan admits, and where it is off."""

import math

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


def test_plan_refuses_a_key_position_that_does_not_exist() -> None:
    with pytest.raises(PlanError, match="use own or first"):
        Plan((0,), key_position="last")  # type: ignore[arg-type]


def test_a_plan_that_is_off_has_no_active_layers() -> None:
    assert Plan((1, 2), -math.inf).active == PLAIN.active == ()
    assert Plan((1, 2), -3.0).active == (1, 2)
