"""Differences in words, p-values against their definition, and Holm's correction by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import CorpusError
from analysis.evaluation.comparison import Difference, corrected, holm, interval, p_value


@pytest.mark.parametrize(
    ("delta", "low", "high", "sentence"),
    [
        (2.1, 0.4, 3.9, "A is ahead of B by 2.1 [0.4, 3.9] on 1,225 pairs."),
        (-2.1, -3.9, -0.4, "B is ahead of A by 2.1 [0.4, 3.9] on 1,225 pairs."),
        (0.3, -1, 1.6, "No clear difference between A and B: +0.3 [-1.0, 1.6] on 1,225 pairs."),
        (-0.04, -1, 0, "No clear difference between A and B: +0.0 [-1.0, 0.0] on 1,225 pairs."),
        (-0.2, 0.1, 1, "No clear difference between A and B: -0.2 [0.1, 1.0] on 1,225 pairs."),
    ],
)
def test_sentences(delta: float, low: float, high: float, sentence: str) -> None:
    assert Difference(delta, low, high, 1225, "A", "B").sentence == sentence


PLAIN = Difference(2.1, 0.4, 3.9, 300, "A", "B", "queries", 1500, 0.01)


def test_a_part_and_a_p_value_are_said() -> None:
    assert (
        PLAIN.sentence == "A is ahead of B by 2.1 [0.4, 3.9] on 300 of 1,500 queries (p = 0.010)."
    )
    assert replace(PLAIN, p_holm=0.0001).sentence.endswith(
        "queries (Holm-corrected p = less than 0.001)."
    )
    doubtful = replace(PLAIN, p_holm=0.2)
    assert doubtful.sentence.endswith(
        "(Holm-corrected p = 0.200, so not clear among as many comparisons)."
    )
    assert (PLAIN.clear, doubtful.clear) == (True, False)
    assert not replace(PLAIN, ci_low=-0.1).clear
    assert "not clear" not in replace(doubtful, ci_low=-0.1).sentence


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1, 1])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_raw_values_and_bonferroni(p: list[float]) -> None:
    found = holm(p)
    for raw, value in zip(p, found, strict=True):
        assert raw <= value <= min(1, raw * len(p)) + 1e-12
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(found)[order]) >= -1e-12).all()


def test_one_comparison_is_not_corrected() -> None:
    assert corrected([PLAIN]) == [PLAIN]
    assert [d.p_holm for d in corrected([PLAIN, replace(PLAIN, p=0.5)])] == [0.02, 0.5]


def test_p_agrees_with_the_interval() -> None:
    """Above 0.05 where the 95% interval holds 0, below where it does not."""
    rng = np.random.default_rng(0)
    for shift in np.linspace(0, 4, 41):
        drawn = rng.normal(shift, 1, 2000)
        low, high = interval(drawn)
        assert (low <= 0 <= high) == (p_value(drawn) > 0.05) or abs(low) < 2
    assert p_value(np.zeros(9)) == 1
    assert p_value(np.ones(999)) == 0.002


def test_p_is_right_as_often_as_it_says() -> None:
    """On paired samples without a difference about 5% of p-values are below 0.05."""
    rng = np.random.default_rng(1)
    below = 0
    for _ in range(400):
        sample = rng.normal(size=60)
        counts = rng.multinomial(60, np.full(60, 1 / 60), size=400)
        below += p_value(counts @ sample / 60) < 0.05
    assert 0.02 <= below / 400 <= 0.09


def test_nothing_defined_has_no_interval() -> None:
    with pytest.raises(CorpusError, match="no resample can be scored"):
        interval(np.array([np.nan]))
