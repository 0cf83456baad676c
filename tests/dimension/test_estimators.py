"""The estimators on clouds of known dimension, and the fast path against plain ones."""

import tracemalloc
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
    kept = drop_duplicates(cloud)
    among = estimators.ranked(cloud, kept, ESTIMATORS[estimator])
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
    cloud = gaussian(40, 3, seed=0)
    among = estimators.ranked(cloud, drop_duplicates(cloud), ESTIMATORS[estimator])
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


# DADApy, whose releases need numpy below 2

DADAPY = {
    (300, 5, 0): 4.695783974834173,
    (1000, 2, 1): 1.94609658182375,
    (500, 10, 2): 9.258170024982546,
}
"""What compute_id_2NN of DADApy 0.3.4 gives (https://github.com/sissa-data-science/DADApy) on
``gaussian(texts, dims, seed)``; the same after its remove_identical_points if a tenth of the rows
is there twice."""


def by_the_line(rows: NDArray[np.float64]) -> float:
    """DADApy's compute_id_2NN restated: a line through 0 and 90% of the points (log mu, -log(1-F)).

    mu is the second over the first distance, F the share of points with a lower mu or the same.
    """
    nearest = np.sort(cdist(rows, rows), axis=1)
    log_mu = np.sort(np.log(nearest[:, 2] / nearest[:, 1]))[: int(0.9 * len(rows))]
    line = -np.log(1 - np.arange(1, len(log_mu) + 1) / len(rows))
    return float(log_mu @ line / (log_mu @ log_mu))


def with_duplicates(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([rows, rows[: len(rows) // 10]])


@pytest.mark.parametrize("change", [lambda rows: rows, with_duplicates])
@pytest.mark.parametrize("cloud", DADAPY)
def test_twonn_equals_dadapy_and_scikit_dimension_duplicates_included(
    cloud: tuple[int, int, int], change: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> None:
    texts, dims, seed = cloud
    rows = gaussian(texts, dims, seed)
    line = DADAPY[cloud]
    assert by_the_line(rows) == pytest.approx(line, rel=1e-9)
    assert estimate(change(rows)) == pytest.approx(line, rel=1e-6)
    assert estimate(change(rows)) == pytest.approx(TwoNN().fit(rows).dimension_, rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_twonn_equals_dadapys_line_on_curved_clouds(seed: int) -> None:
    flat = np.random.default_rng(seed).uniform(size=(400, 2 + seed))
    rows = np.hstack([np.cos(3 * flat), np.sin(3 * flat), flat**2])
    assert estimate(rows) == pytest.approx(by_the_line(rows), rel=1e-6)
    assert estimate(with_duplicates(rows)) == pytest.approx(by_the_line(rows), rel=1e-6)


# Many points


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_blocks_give_what_one_block_gives(estimator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = with_duplicates(gaussian(900, 5, seed=6))
    at_once = estimate(rows, estimator), drop_duplicates(rows)
    monkeypatch.setattr(estimators, "BLOCK_MEGABYTES", 0.1)  # a dozen rows
    assert estimate(rows, estimator) == pytest.approx(at_once[0], rel=1e-9)
    np.testing.assert_array_equal(drop_duplicates(rows), at_once[1])


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["twonn", "lpca"])
def test_memory_does_not_grow_with_the_square_of_the_points(
    estimator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimators, "BLOCK_MEGABYTES", 16)
    rows = gaussian(8_000, 3, seed=7, features=8)
    estimate(rows[:100], estimator)  # imports
    tracemalloc.start()
    dimension = estimate(rows, estimator)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert dimension == pytest.approx(3, rel=0.1)
    assert peak < 8_000**2 * 8 / 5  # all distances at once take 512 MB


@pytest.mark.nightly
def test_forty_thousand_points() -> None:
    assert estimate(gaussian(40_000, 3, seed=8, features=16)) == pytest.approx(3, rel=0.05)
