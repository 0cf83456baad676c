"""The curve and its band: against a plain recomputation, and where the truth is known."""

from collections.abc import Callable

import numpy as np
import pytest
from skdim.id import TwoNN

from analysis.dimension.curve import Curve, curve
from analysis.dimension.estimators import ESTIMATORS, estimate
from analysis.dimension.selection import frequency, select
from analysis.errors import CorpusError, PlanError
from tests.support.clouds import gaussian


@pytest.mark.filterwarnings("ignore:Dropping")
@pytest.mark.parametrize(("noise", "most"), [(0, 4.2), (1e-8, 3.6), (1e-6, 0.2)])
def test_duplicates_do_not_lower_the_estimate(noise: float, most: float) -> None:
    rows = gaussian(900, 5, seed=0)
    again = rows[:100] * (1 + noise * np.random.default_rng(1).standard_normal((100, 1)))
    texts = np.concatenate([rows, again])
    assert TwoNN().fit(texts).dimension_ < most  # what they do to it
    result = curve(texts[None], resamples=10)
    assert result.dims[0] == pytest.approx(5, rel=0.05)
    assert result.dims[0] == pytest.approx(TwoNN().fit(rows).dimension_, rel=1e-6)
    assert (result.samples, result.duplicates_dropped) == (900, 100)


def test_the_resampled_curves_are_recentred_halves() -> None:
    clouds = np.stack([gaussian(80, d, seed=d) for d in (3, 6)])
    result = curve(clouds, resamples=8, seed=1)
    rng = np.random.default_rng(1)
    halves = [rng.choice(80, 40, replace=False) for _ in range(8)]
    plain = np.array([[TwoNN().fit(cloud[h]).dimension_ for cloud in clouds] for h in halves])
    np.testing.assert_allclose(result.resampled, result.dims + plain - plain.mean(axis=0))
    np.testing.assert_allclose(result.resampled.mean(axis=0), result.dims)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["twonn", "twonn-mle", "mle"])
def test_the_band_is_as_wide_as_estimates_scatter(estimator: str) -> None:
    curves = [
        curve(gaussian(200, 5, seed=s)[None], estimator=estimator, resamples=40, seed=s)
        for s in range(40)
    ]
    estimates = np.array([c.dims[0] for c in curves])
    spread = np.mean([c.resampled.std() for c in curves])
    assert 0.85 < spread / estimates.std() < 1.6
    covered = [c.low[0] <= estimates.mean() <= c.high[0] for c in curves]
    assert np.mean(covered) >= 0.85
    assert all(c.low[0] < c.dims[0] < c.high[0] for c in curves)


def test_a_valley_is_found_and_selected() -> None:
    depths = (9, 9, 8, 8, 7, 3, 8, 9, 9, 9)
    clouds = [gaussian(300, d, seed=i).astype(np.float32) for i, d in enumerate(depths)]
    result = curve(clouds, resamples=20)
    assert select(result.dims) == (5, 6)
    np.testing.assert_array_equal(frequency(result.resampled), [0] * 5 + [1, 1] + [0] * 3)


def test_the_seed_decides_and_progress_is_reported() -> None:
    clouds = np.stack([gaussian(60, d, seed=d) for d in (2, 4, 6)])
    steps: list[tuple[int, int]] = []
    first = curve(clouds, resamples=5, seed=3, progress=lambda *step: steps.append(step))
    same, other = curve(clouds, resamples=5, seed=3), curve(clouds, resamples=5, seed=4)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    for field in ("dims", "low", "high", "resampled"):
        np.testing.assert_array_equal(getattr(first, field), getattr(same, field))
    np.testing.assert_array_equal(first.dims, other.dims)
    assert not np.array_equal(first.resampled, other.resampled)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.filterwarnings("error")
def test_a_degenerate_layer_is_nan_and_does_not_cost_the_others_their_texts(estimator: str) -> None:
    alike = np.full((60, 50), 7.0)
    cloud = gaussian(60, 3, seed=6)
    result = curve([alike, cloud, cloud], estimator=estimator, resamples=6)
    assert (result.samples, result.duplicates_dropped) == (60, 0)
    assert np.isnan(result.dims[0])
    assert result.dims[1] == pytest.approx(3, rel=0.4)
    for part in (result.low, result.high, *result.resampled):
        np.testing.assert_array_equal(np.isnan(part), np.isnan(result.dims))
    np.testing.assert_array_equal(result.dims[1], result.dims[2])


def test_texts_that_coincide_at_one_layer_stay_at_the_others() -> None:
    clouds = [gaussian(60, 3, seed=7), gaussian(60, 3, seed=8)]
    clouds[0][40:] = clouds[0][:20]
    result = curve(clouds, resamples=4)
    assert (result.samples, result.duplicates_dropped) == (60, 0)
    np.testing.assert_allclose(result.dims, [estimate(clouds[0][:40]), estimate(clouds[1])])


def test_result_names_what_was_done() -> None:
    result = curve(gaussian(40, 3, seed=9)[None], estimator="lpca", resamples=3)
    assert isinstance(result, Curve)
    assert result.estimator == "lpca"
    assert result.dims.shape == result.low.shape == result.high.shape == (1,)
    assert result.resampled.shape == (3, 1)


GOOD = gaussian(30, 3, seed=10)
BAD_STATES = np.where(np.arange(30)[:, None] == 4, np.inf, GOOD)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: curve([GOOD, BAD_STATES]), CorpusError, "Layer 1 holds states .* not finite"),
        (lambda: curve([GOOD, GOOD * np.nan]), CorpusError, "Layer 1 .* float32 or bfloat16"),
        (lambda: curve([GOOD[[0] * 15 + [*range(15)]]]), CorpusError, "Only 15 of 30 texts"),
        (lambda: curve([GOOD], estimator="best"), PlanError, "twonn, twonn-mle, mle"),
        (lambda: curve([GOOD], resamples=1), ValueError, "at least 2 resamples"),
        (lambda: curve([GOOD, GOOD[:-1]]), ValueError, "the same texts"),
        (lambda: curve([]), ValueError, "the same texts"),
        (lambda: curve(GOOD), ValueError, "texts by features"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
