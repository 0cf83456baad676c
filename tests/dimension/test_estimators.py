"""The estimators on clouds of known dimension, the fast path against plain ones, and the band."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from skdim.id import GRIDE, MLE, TwoNN, lPCA

from analysis.dimension import estimators
from analysis.dimension.estimators import ESTIMATORS, Curve, curve, drop_duplicates, estimate
from analysis.dimension.selection import frequency, select
from analysis.errors import CorpusError, PlanError


def gaussian(texts: int, dims: int, seed: int, features: int = 50) -> np.ndarray:
    """(texts, features) cloud of a Gaussian that fills ``dims`` directions."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((features, dims)))
    return rng.standard_normal((texts, dims)) @ basis.T


REFERENCES = {
    "twonn": lambda rows: TwoNN().fit(rows).dimension_,
    "twonn-mle": lambda rows: TwoNN(method="mle").fit(rows).dimension_,
    "mle": lambda rows: MLE().fit(rows).dimension_,
    "gride": lambda rows: GRIDE(n1=2, n2=4).fit(rows).dimension_,
    "lpca": lambda rows: lPCA(ver="participation_ratio").fit(rows).dimension_,
}


def test_every_estimator_has_a_reference_a_name_and_a_sentence():
    assert set(ESTIMATORS) == set(REFERENCES)
    for name, estimator in ESTIMATORS.items():
        assert estimator.name == name
        assert estimator.summary.endswith(".")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_estimates_equal_those_of_scikit_dimension_on_the_rows(estimator, dtype):
    rows = gaussian(300, 5, seed=0).astype(dtype)
    expected = REFERENCES[estimator](rows.astype(np.float64))
    assert estimate(rows, estimator) == pytest.approx(expected, rel=1e-6)
    assert estimate(rows, estimator) == pytest.approx(5, rel=0.2)


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_scale_and_place_do_not_matter(scale):
    rows = gaussian(200, 5, seed=1)
    assert estimate(scale * (rows + 3)) == pytest.approx(estimate(rows), rel=1e-6)


@pytest.mark.filterwarnings("ignore:Dropping")
@pytest.mark.parametrize(("noise", "most"), [(0, 4.1), (1e-8, 3.6), (1e-6, 0.2)])
def test_duplicates_do_not_lower_the_estimate(noise, most):
    rows = gaussian(900, 5, seed=0)
    again = rows[:100] * (1 + noise * np.random.default_rng(1).standard_normal((100, 1)))
    texts = np.concatenate([rows, again])
    assert TwoNN().fit(texts).dimension_ < most  # what they do to it
    found = curve(texts[None], resamples=10)
    assert found.dims[0] == pytest.approx(5, rel=0.05)
    assert found.dims[0] == pytest.approx(TwoNN().fit(rows).dimension_, rel=1e-6)
    assert (found.samples, found.duplicates_dropped) == (900, 100)


@pytest.mark.parametrize("noise", [0, 1e-8, 1e-6])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("offset", [0, 30])
def test_the_first_of_coinciding_rows_is_kept(noise, dtype, offset):
    rng = np.random.default_rng(3)
    rows = offset + gaussian(100, 8, seed=3)
    groups = np.concatenate([np.arange(100), np.zeros(60, int), [7, 7, 99]])  # a group beyond 40
    cloud = rows[groups] * (1 + noise * rng.standard_normal((len(groups), 50)))
    np.testing.assert_array_equal(drop_duplicates(cloud.astype(dtype)), np.arange(100))


def test_rows_that_are_merely_close_are_kept():
    rows = gaussian(50, 8, seed=4)
    cloud = np.concatenate([rows, rows * (1 + 1e-3)])
    assert len(drop_duplicates(cloud)) == 100


@pytest.mark.parametrize("estimator", ["twonn", "mle"])
@pytest.mark.parametrize("texts", [24, 150])
def test_halves_equal_a_plain_recomputation(estimator, texts, monkeypatch):
    rng = np.random.default_rng(5)
    cloud = gaussian(texts, 6, seed=5)
    cloud[-1] = cloud[0]
    seen: list[np.ndarray] = []
    monkeypatch.setattr(estimators, "_fit", lambda _, points: seen.append(points) or 1.0)
    kept, among = estimators._prepare(cloud, ESTIMATORS[estimator])
    for _ in range(20):
        members = rng.random(texts) < 0.5
        among(members)
        rows = cloud[np.intersect1d(kept, np.flatnonzero(members))]
        k = min(ESTIMATORS[estimator].neighbours, len(rows) - 1)
        plain = np.sort(cdist(rows, rows), axis=1)[:, 1 : k + 1]
        np.testing.assert_allclose(seen.pop(), plain, rtol=1e-9)


def test_the_resampled_curves_are_recentred_halves():
    clouds = np.stack([gaussian(80, d, seed=d) for d in (3, 6)])
    found = curve(clouds, resamples=8, seed=1)
    rng = np.random.default_rng(1)
    halves = [rng.choice(80, 40, replace=False) for _ in range(8)]
    plain = np.array([[TwoNN().fit(cloud[h]).dimension_ for cloud in clouds] for h in halves])
    np.testing.assert_allclose(found.resampled, found.dims + plain - plain.mean(axis=0))
    np.testing.assert_allclose(found.resampled.mean(axis=0), found.dims)


@pytest.mark.parametrize("estimator", ["twonn", "twonn-mle", "mle"])
def test_the_band_is_as_wide_as_estimates_scatter(estimator):
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


def test_a_valley_is_found_and_selected():
    depths = (9, 9, 8, 8, 7, 3, 8, 9, 9, 9)
    clouds = [gaussian(300, d, seed=i).astype(np.float32) for i, d in enumerate(depths)]
    found = curve(clouds, resamples=20)
    assert select(found.dims) == (5, 6)
    np.testing.assert_array_equal(frequency(found.resampled), [0] * 5 + [1, 1] + [0] * 3)


def test_the_seed_decides_and_progress_is_reported():
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
def test_a_degenerate_layer_is_nan_and_does_not_cost_the_others_their_texts(estimator):
    alike = np.full((60, 50), 7.0)
    cloud = gaussian(60, 3, seed=6)
    found = curve([alike, cloud, cloud], estimator=estimator, resamples=6)
    assert (found.samples, found.duplicates_dropped) == (60, 0)
    assert np.isnan(found.dims[0])
    assert found.dims[1] == pytest.approx(3, rel=0.4)
    for part in (found.low, found.high, *found.resampled):
        np.testing.assert_array_equal(np.isnan(part), np.isnan(found.dims))
    np.testing.assert_array_equal(found.dims[1], found.dims[2])


@pytest.mark.parametrize("estimator", ["twonn", "twonn-mle"])
@pytest.mark.filterwarnings("error")
def test_a_cloud_whose_distances_are_all_tied_has_no_estimate(estimator):
    assert np.isnan(estimate(np.eye(40), estimator))


@pytest.mark.parametrize("estimator", ["twonn", "twonn-mle", "mle"])
@pytest.mark.parametrize("members", [0, 1, 2])
def test_a_half_too_small_for_neighbours_has_no_estimate(estimator, members):
    _, among = estimators._prepare(gaussian(40, 3, seed=0), ESTIMATORS[estimator])
    assert np.isnan(among(np.arange(40) < members))


def test_texts_that_coincide_at_one_layer_stay_at_the_others():
    clouds = [gaussian(60, 3, seed=7), gaussian(60, 3, seed=8)]
    clouds[0][40:] = clouds[0][:20]
    found = curve(clouds, resamples=4)
    assert (found.samples, found.duplicates_dropped) == (60, 0)
    np.testing.assert_allclose(found.dims, [estimate(clouds[0][:40]), estimate(clouds[1])])


def test_result_names_what_was_done():
    found = curve(gaussian(40, 3, seed=9)[None], estimator="lpca", resamples=3)
    assert isinstance(found, Curve)
    assert found.estimator == "lpca"
    assert found.dims.shape == found.low.shape == found.high.shape == (1,)
    assert found.resampled.shape == (3, 1)


GOOD = gaussian(30, 3, seed=10)
BAD_STATES = np.where(np.arange(30)[:, None] == 4, np.inf, GOOD)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: curve([GOOD, BAD_STATES]), CorpusError, "Layer 1 holds states .* not finite"),
        (lambda: curve([GOOD, GOOD * np.nan]), CorpusError, "Layer 1 .* float32 or bfloat16"),
        (lambda: estimate(BAD_STATES), CorpusError, "not finite"),
        (lambda: drop_duplicates(BAD_STATES), CorpusError, "not finite"),
        (lambda: estimate(GOOD[:19]), CorpusError, "Only 19 of 19 texts are distinct"),
        (lambda: estimate(np.ones((30, 4))), CorpusError, "Only 1 of 30 texts are distinct"),
        (lambda: curve([GOOD[[0] * 15 + [*range(15)]]]), CorpusError, "Only 15 of 30 texts"),
        (lambda: estimate(GOOD, "best"), PlanError, "twonn, twonn-mle, mle, gride, lpca"),
        (lambda: curve([GOOD], estimator="best"), PlanError, "twonn, twonn-mle, mle"),
        (lambda: curve([GOOD], resamples=1), ValueError, "at least 2 resamples"),
        (lambda: curve([GOOD, GOOD[:-1]]), ValueError, "the same texts"),
        (lambda: curve([]), ValueError, "the same texts"),
        (lambda: curve(GOOD), ValueError, "texts by features"),
        (lambda: estimate(GOOD[:0]), ValueError, "texts by features"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, error, message):
    with pytest.raises(error, match=message):
        call()
