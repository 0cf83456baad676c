"""The estimators on clouds of known dimension, and the fast path against plain ones."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from skdim.id import GRIDE, MLE, TwoNN, lPCA

from analysis.dimension import estimators
from analysis.dimension.estimators import ESTIMATORS, drop_duplicates, estimate
from analysis.errors import CorpusError, PlanError
from tests.support.clouds import gaussian

REFERENCES: dict[str, Callable[[NDArray[np.float64]], float]] = {
    "twonn": lambda rows: TwoNN().fit(rows).dimension_,
    "twonn-mle": lambda rows: TwoNN(method="mle").fit(rows).dimension_,
    "mle": lambda rows: MLE().fit(rows).dimension_,
    "gride": lambda rows: GRIDE(n1=2, n2=4).fit(rows).dimension_,
    "lpca": lambda rows: lPCA(ver="participation_ratio").fit(rows).dimension_,
}


def test_every_estimator_has_a_reference_a_name_and_a_sentence() -> None:
    assert set(ESTIMATORS) == set(REFERENCES)
    for name, estimator in ESTIMATORS.items():
        assert estimator.name == name
        assert estimator.summary.endswith(".")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_estimates_equal_those_of_scikit_dimension_on_the_rows(
    estimator: str, dtype: type[np.floating]
) -> None:
    rows = gaussian(300, 5, seed=0).astype(dtype)
    expected = REFERENCES[estimator](rows.astype(np.float64))
    assert estimate(rows, estimator) == pytest.approx(expected, rel=1e-6)
    assert estimate(rows, estimator) == pytest.approx(5, rel=0.2)


@pytest.mark.parametrize("scale", [1e-3, 1e4])
def test_scale_and_place_do_not_matter(scale: float) -> None:
    rows = gaussian(200, 5, seed=1)
    assert estimate(scale * (rows + 3)) == pytest.approx(estimate(rows), rel=1e-6)


@pytest.mark.parametrize("noise", [0, 1e-8, 1e-6])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("offset", [0, 30])
def test_the_first_of_coinciding_rows_is_kept(
    noise: float, dtype: type[np.floating], offset: int
) -> None:
    rng = np.random.default_rng(3)
    rows = offset + gaussian(100, 8, seed=3)
    groups = np.concatenate([np.arange(100), np.zeros(60, int), [7, 7, 99]])  # a group beyond 40
    cloud = rows[groups] * (1 + noise * rng.standard_normal((len(groups), 50)))
    np.testing.assert_array_equal(drop_duplicates(cloud.astype(dtype)), np.arange(100))


def test_rows_that_are_merely_close_are_kept() -> None:
    rows = gaussian(50, 8, seed=4)
    cloud = np.concatenate([rows, rows * (1 + 1e-3)])
    assert len(drop_duplicates(cloud)) == 100


@pytest.mark.parametrize("estimator", ["twonn", "mle"])
@pytest.mark.parametrize("texts", [24, 150])
def test_halves_equal_a_plain_recomputation(
    estimator: str, texts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    cloud = gaussian(texts, 6, seed=5)
    cloud[-1] = cloud[0]
    seen: list[NDArray[np.float64]] = []

    def fit(_: object, points: NDArray[np.float64]) -> float:
        seen.append(points)
        return 1.0

    monkeypatch.setattr(estimators, "_fit", fit)
    kept, among = estimators.prepare(cloud, ESTIMATORS[estimator])
    for _ in range(20):
        members = rng.random(texts) < 0.5
        among(members)
        rows = cloud[np.intersect1d(kept, np.flatnonzero(members))]
        k = min(ESTIMATORS[estimator].neighbours, len(rows) - 1)
        plain = np.sort(cdist(rows, rows), axis=1)[:, 1 : k + 1]
        np.testing.assert_allclose(seen.pop(), plain, rtol=1e-9)


@pytest.mark.parametrize("estimator", ["twonn", "twonn-mle"])
@pytest.mark.filterwarnings("error")
def test_a_cloud_whose_distances_are_all_tied_has_no_estimate(estimator: str) -> None:
    assert np.isnan(estimate(np.eye(40), estimator))


@pytest.mark.parametrize("estimator", ["twonn", "twonn-mle", "mle"])
@pytest.mark.parametrize("members", [0, 1, 2])
def test_a_half_too_small_for_neighbours_has_no_estimate(estimator: str, members: int) -> None:
    _, among = estimators.prepare(gaussian(40, 3, seed=0), ESTIMATORS[estimator])
    assert np.isnan(among(np.arange(40) < members))


GOOD = gaussian(30, 3, seed=10)
BAD_STATES = np.where(np.arange(30)[:, None] == 4, np.inf, GOOD)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: estimate(BAD_STATES), CorpusError, "not finite"),
        (lambda: drop_duplicates(BAD_STATES), CorpusError, "not finite"),
        (lambda: estimate(GOOD[:19]), CorpusError, "Only 19 of 19 texts are distinct"),
        (lambda: estimate(np.ones((30, 4))), CorpusError, "Only 1 of 30 texts are distinct"),
        (lambda: estimate(GOOD, "best"), PlanError, "twonn, twonn-mle, mle, gride, lpca"),
        (lambda: estimate(GOOD[:0]), ValueError, "texts by features"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
