"""Maps of known spaces, alignment, and the comparison of two spaces with plain recomputations."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import silhouette_score

from analysis.errors import CorpusError
from analysis.spaces.neighbours import neighbourhood_overlap, trust
from analysis.spaces.projection import align, project, warm_up
from tests.support.environment import ROOT

RNG = np.random.default_rng(0)
CLUSTERS = np.repeat(np.arange(3), 20)
EMBEDDINGS = (8 * np.eye(3, 16)[CLUSTERS] + RNG.standard_normal((60, 16))).astype(np.float32)
CIRCLE = np.exp(1j * np.sort(RNG.uniform(0, 2 * np.pi, 40))).view(float).reshape(-1, 2)


@pytest.mark.slow
def test_umap_separates_what_is_apart_and_repeats_itself() -> None:
    warm_up()
    result = project(EMBEDDINGS, seed=1)
    assert result.how == "umap"
    assert result.reason == "UMAP: 60 texts, 15 neighbours, cosine"
    assert result.points.shape == (60, 2)
    assert result.points.dtype == np.float64
    assert silhouette_score(result.points, CLUSTERS) > 0.5
    np.testing.assert_array_equal(project(EMBEDDINGS, seed=1).points, result.points)
    assert not np.array_equal(project(EMBEDDINGS, seed=2).points, result.points)


@pytest.mark.slow
def test_umap_compares_by_direction_alone() -> None:
    lengths = RNG.uniform(0.1, 10, (60, 1))
    points = project(EMBEDDINGS * lengths).points
    assert silhouette_score(points, CLUSTERS) > 0.5


@pytest.mark.slow
def test_equal_texts_share_a_place_and_leave_the_others_where_they_are() -> None:
    points = project(EMBEDDINGS).points
    again = project(EMBEDDINGS[[*range(60), 5, 5, 30]])
    np.testing.assert_array_equal(again.points[:60], points)
    np.testing.assert_array_equal(again.points[60:], points[[5, 5, 30]])
    assert again.reason.startswith("UMAP: 63 texts")


@pytest.mark.slow
@pytest.mark.parametrize(
    "embeddings",
    [
        np.repeat(np.eye(20), 20, axis=0),  # every neighbourhood is one place
        np.concatenate([np.zeros((1, 16)), EMBEDDINGS]),  # no direction
        np.repeat(EMBEDDINGS[:15], 20, axis=0) + 1e-9 * RNG.standard_normal((300, 16)),
    ],
    ids=["identical", "zero", "near-identical"],
)
def test_umap_survives_awkward_rows(embeddings: NDArray[np.floating]) -> None:
    result = project(embeddings)
    assert result.how == "umap"
    assert np.isfinite(result.points).all()


@pytest.mark.slow
def test_neighbours_are_capped_at_the_distinct_texts() -> None:
    assert project(EMBEDDINGS[:16], neighbours=50).reason == "UMAP: 16 texts, 15 neighbours, cosine"


@pytest.mark.parametrize(
    "embeddings",
    [
        EMBEDDINGS[:14],
        EMBEDDINGS[np.arange(60) % 14],  # 60 texts, 14 of them distinct
        np.ones((30, 4)),
        EMBEDDINGS[:1],
        EMBEDDINGS[:2],
        EMBEDDINGS[:10, :1],
    ],
    ids=["few", "few-distinct", "identical", "one", "two", "one-feature"],
)
def test_pca_below_fifteen_distinct_texts(embeddings: NDArray[np.floating]) -> None:
    result = project(embeddings)
    assert (result.how, result.reason) == ("pca", "PCA: fewer than 15 distinct texts")
    centred = embeddings - embeddings.mean(axis=0, dtype=np.float64)
    spreads = np.linalg.svd(centred, compute_uv=False)[:2]
    assert result.points.shape == (len(embeddings), 2)
    expected = np.pad(spreads, (0, 2 - len(spreads)))
    np.testing.assert_allclose(np.linalg.norm(result.points, axis=0), expected, atol=1e-6)


def test_only_one_umap_runs_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[int] = []
    most: list[int] = []

    class Slow:
        def __init__(self, **settings: Any) -> None:
            assert settings["n_jobs"] == 1
            assert settings["metric"] == "cosine"

        def fit(self, rows: NDArray[np.floating]) -> Self:
            running.append(1)
            most.append(len(running))
            time.sleep(0.02)
            running.pop()
            self.embedding_ = rows[:, :2]
            return self

    monkeypatch.setattr("umap.UMAP", Slow)
    threads = [threading.Thread(target=project, args=(EMBEDDINGS,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 5


@given(
    angle=st.floats(-4, 4),
    scale=st.floats(0.01, 100),
    shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    mirror=st.booleans(),
)
def test_a_map_turned_mirrored_scaled_and_shifted_is_laid_back(
    angle: float, scale: float, shift: tuple[float, float], mirror: bool
) -> None:
    fixed = EMBEDDINGS[:, :2].astype(np.float64)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moving = scale * (fixed * [1, -1 if mirror else 1]) @ turn + shift
    np.testing.assert_allclose(align(moving, fixed), fixed, atol=1e-8)


def test_alignment_keeps_shape_and_takes_the_spread_of_the_fixed_map() -> None:
    moving, fixed = RNG.standard_normal((50, 2)), 7 + 3 * RNG.standard_normal((50, 2))
    laid = align(moving, fixed)
    assert np.linalg.norm(laid - laid.mean(0)) == pytest.approx(
        np.linalg.norm(fixed - fixed.mean(0))
    )
    before, after = (np.linalg.norm(p - p[0], axis=1) for p in (moving, laid))
    np.testing.assert_allclose(after / after[1], before / before[1], atol=1e-9)


def test_a_map_that_is_one_point_is_moved_to_the_centre() -> None:
    np.testing.assert_allclose(align(np.ones((5, 2)), CIRCLE[:5]), [CIRCLE[:5].mean(0)] * 5)
    np.testing.assert_allclose(align(CIRCLE[:5], np.ones((5, 2))), np.ones((5, 2)))


def test_overlap_of_a_space_with_itself_turned_and_scaled_is_whole() -> None:
    turn, _ = np.linalg.qr(RNG.standard_normal((16, 16)))
    np.testing.assert_array_equal(neighbourhood_overlap(EMBEDDINGS, EMBEDDINGS), np.ones(60))
    turned = RNG.uniform(1, 5, (60, 1)) * (EMBEDDINGS @ turn)
    np.testing.assert_array_equal(neighbourhood_overlap(EMBEDDINGS, turned), np.ones(60))


@pytest.mark.parametrize("k", [1, 5, 10, 59, 500])
def test_overlap_equals_a_plain_recomputation(k: int) -> None:
    other = EMBEDDINGS + RNG.standard_normal((60, 16))

    def nearest(rows: NDArray[np.floating], text: int) -> set[int]:
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        ranked = np.argsort(-unit @ unit[text])
        return {int(i) for i in ranked if i != text and i in set(ranked[ranked != text][:k])}

    size = min(k, 59)
    plain = [len(nearest(EMBEDDINGS, i) & nearest(other, i)) / size for i in range(60)]
    np.testing.assert_allclose(neighbourhood_overlap(EMBEDDINGS, other, k), plain)


def test_overlap_of_unrelated_spaces_is_near_chance() -> None:
    a, b = RNG.standard_normal((2, 200, 30))
    assert neighbourhood_overlap(a, b).mean() == pytest.approx(10 / 199, abs=0.02)


def test_a_text_is_never_its_own_neighbour() -> None:
    a = np.repeat(EMBEDDINGS[:3], 2, axis=0)  # each text's nearest is its twin
    b = a[[0, 2, 1, 4, 3, 5]]  # and here it is another
    np.testing.assert_array_equal(neighbourhood_overlap(a, a, 1), np.ones(6))
    np.testing.assert_array_equal(neighbourhood_overlap(a, b, 1), np.zeros(6))


@pytest.mark.slow
def test_trust_is_one_for_a_faithful_map_and_low_for_a_shuffled_one() -> None:
    assert trust(CIRCLE, CIRCLE, 5) == 1
    assert trust(CIRCLE, RNG.permutation(CIRCLE), 5) < 0.7
    assert 0.8 < trust(EMBEDDINGS, project(EMBEDDINGS).points) <= 1


@pytest.mark.parametrize("texts", [3, 4, 10])
def test_trust_caps_its_neighbourhood(texts: int) -> None:
    assert trust(CIRCLE[:texts], CIRCLE[:texts], 100) == 1


BAD = np.where(np.arange(60)[:, None] == 3, np.nan, EMBEDDINGS)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: project(BAD), CorpusError, "not finite"),
        (lambda: project(EMBEDDINGS[:0]), CorpusError, "at least 1 text"),
        (lambda: project(EMBEDDINGS[0]), ValueError, "texts by features"),
        (lambda: neighbourhood_overlap(EMBEDDINGS, BAD), CorpusError, "not finite"),
        (lambda: neighbourhood_overlap(CIRCLE[:1], CIRCLE[:1]), CorpusError, "at least 2 texts"),
        (lambda: neighbourhood_overlap(CIRCLE, CIRCLE[:9]), ValueError, "40 and 9 texts"),
        (lambda: trust(BAD, EMBEDDINGS[:, :2].astype(np.float64), 5), CorpusError, "not finite"),
        (lambda: trust(CIRCLE[:2], CIRCLE[:2], 5), CorpusError, "at least 3 texts"),
        (lambda: align(CIRCLE, CIRCLE[:9]), ValueError, "shape"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()


UNWRITABLE = """
import tempfile
from pathlib import Path
import numba.core.caching as caching
import numpy as np

caching.CacheImpl._locator_classes = [caching.UserProvidedCacheLocator]  # what else there is
from analysis.errors import SettingsError
from analysis.spaces import projection

rows = np.random.default_rng(0).standard_normal((20, 4))
make = tempfile.mkdtemp

def refuse(**_):
    raise FileNotFoundError("no usable temporary directory")

tempfile.mkdtemp = refuse
try:
    projection.project(rows)
except SettingsError as error:
    print(error)
tempfile.mkdtemp = make
print(projection.project(rows).how)
"""


@pytest.mark.slow
def test_a_map_needs_no_folder_that_numba_can_keep(tmp_path: Path) -> None:
    """Beside UMAP's files and in the user's cache nothing can be written, as in containers."""
    environment = {name: v for name, v in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    printed = subprocess.run(
        [sys.executable, "-c", UNWRITABLE],
        env=environment | {"TMPDIR": str(tmp_path)},
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    ).stdout.splitlines()
    assert printed[0].startswith("UMAP needs a folder for what it compiles, and none can be")
    assert printed[1:] == ["umap"]
    assert list(tmp_path.iterdir()) == []
