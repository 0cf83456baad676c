"""Settings that people give: names that there are, and whole numbers."""

from typing import Any

import numpy as np
import pytest

from analysis.errors import PlanError
from analysis.runtime.lookup import by_name, whole_number
from tests.support.checks import assert_one_sentence


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3)])
def test_whole_numbers_are_plain_ones(value: Any) -> None:
    number = whole_number(value, "seed", 0)
    assert (number, type(number)) == (3, int)


@pytest.mark.parametrize("value", [None, 3.0, "3", [3], {}, np.float64(3), np.array([3, 4]), int])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(PlanError, match=r"^The seed must be a whole number, not") as caught:
        whole_number(value, "seed")
    assert_one_sentence(caught.value)


def test_numbers_that_are_too_small_are_refused() -> None:
    assert whole_number(-3, "shift") == -3
    with pytest.raises(PlanError, match="must be a whole number of at least 2, not 1"):
        whole_number(1, "number of parts", 2)


@pytest.mark.parametrize("name", ["c", None, ["a"], {}, {"a"}, np.array(["a", "b"]), 1, b"a"])
def test_what_is_no_name_names_nothing(name: Any) -> None:
    options = {"a": 1, "b": 2}
    assert by_name(options, "b", "letter") == by_name(options, np.str_("b"), "letter") == 2
    with pytest.raises(PlanError, match=r"^There is no letter .*choose one of a, b") as caught:
        by_name(options, name, "letter")
    assert_one_sentence(caught.value)
