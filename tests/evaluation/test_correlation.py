"""Weighted correlations against scipy's of items that are repeated as often as they weigh."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

from analysis.evaluation import correlation
from analysis.evaluation.correlation import Weighted

Case = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]


@pytest.mark.slow
@given(
    st.integers(2, 12).flatmap(
        lambda n: st.tuples(
            *(hnp.arrays(np.float64, n, elements=st.integers(0, 4).map(float)) for _ in "xy"),
            hnp.arrays(np.int64, (3, n), elements=st.integers(0, 3)),
        )
    )
)
def test_weighted_correlations_are_those_of_repeated_items(case: Case) -> None:
    x, y, weights = case
    for precision, exact in ((np.float64, 1e-12), (np.float32, 1e-6)):
        weighted = Weighted(y, weights.astype(np.float64), precision)
        result = weighted.spearman(x), weighted.pearson(x)
        for number, times in enumerate(weights):
            with warnings.catch_warnings(action="ignore"):  # nothing to rank, on both sides
                repeated = np.repeat(np.stack([x, y]), times, axis=1)
                varied = repeated.shape[1] > 1 and (np.ptp(repeated, axis=1) > 0).all()
                expected = (
                    (spearmanr(*repeated).statistic, pearsonr(*repeated).statistic)
                    if varied
                    else (np.nan, np.nan)
                )
            for values, truth in zip(result, expected, strict=True):
                np.testing.assert_allclose(values[number], truth, atol=exact)


def test_a_sample_is_the_weighting_of_ones() -> None:
    x, y = np.random.default_rng(0).normal(size=(2, 500))
    x[:50] = x[50:100]  # ties
    assert correlation.spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-14)
    assert correlation.pearson(x, y) == pytest.approx(pearsonr(x, y).statistic, abs=1e-14)


def test_single_precision_is_right_to_seven_digits() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 3000))
    weights = rng.integers(0, 4, size=(20, 3000)).astype(np.float64)
    single, double = (Weighted(y, weights, each).spearman(x) for each in (np.float32, np.float64))
    np.testing.assert_allclose(single, double, atol=1e-7)
