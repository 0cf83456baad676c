"""Differences in words, and Holm's correction by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.evaluation.comparison import Difference, corrected, holm


@pytest.mark.parametrize(
    ("delta", "low", "high", "sentence"),
    [
        (2.1, 0.4, 3.9, "A scores 2.1 [0.4, 3.9] higher than B on 1,225 pairs."),
        (-2.1, -3.9, -0.4, "A scores 2.1 [0.4, 3.9] lower than B on 1,225 pairs."),
        (0.3, -1, 1.6, "No clear difference between A and B: +0.3 [-1.0, +1.6] on 1,225 pairs."),
        (-0.04, -1, 0, "No clear difference between A and B: +0.0 [-1.0, +0.0] on 1,225 pairs."),
        (-0.2, 0.1, 1, "No clear difference between A and B: -0.2 [+0.1, +1.0] on 1,225 pairs."),
    ],
)
def test_sentences(delta: float, low: float, high: float, sentence: str) -> None:
    assert Difference(delta, low, high, 1225, "A", "B").sentence == sentence


PLAIN = Difference(2.1, 0.4, 3.9, 300, "A", "B", "queries", 1500, 0.01)


def test_a_part_and_a_p_value_are_said() -> None:
    assert (
        PLAIN.sentence
        == "A scores 2.1 [0.4, 3.9] higher than B on 300 of 1,500 queries (p = 0.010)."
    )
    assert replace(PLAIN, p_holm=0.0001).sentence.endswith(
        "queries (p < 0.001 after Holm correction)."
    )
    doubtful = replace(PLAIN, p_holm=0.2)
    assert doubtful.sentence.endswith("(p = 0.200, not significant after Holm correction).")
    assert (PLAIN.clear, doubtful.clear) == (True, False)
    assert not replace(PLAIN, ci_low=-0.1).clear
    assert "not clear" not in replace(doubtful, ci_low=-0.1).sentence


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_raw_values_and_bonferroni(p: list[float]) -> None:
    result = holm(p)
    for raw, value in zip(p, result, strict=True):
        assert raw <= value <= min(1, raw * len(p)) + 1e-12
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(result)[order]) >= -1e-12).all()


def test_one_comparison_is_not_corrected() -> None:
    assert corrected([PLAIN]) == [PLAIN]
    assert [d.p_holm for d in corrected([PLAIN, replace(PLAIN, p=0.5)])] == [0.02, 0.5]
