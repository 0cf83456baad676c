"""Two spaces compared: known answers, plain recomputations, and spaces of different widths."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score

from analysis.corpora.types import Pairs
from analysis.errors import CorpusError
from analysis.evaluation import isotropy, labelled
from analysis.evaluation.bootstrap import DRAWS
from analysis.spaces.comparison import NEAREST, VOTES, WIDER, Comparison, compare, mean_ratings
from analysis.spaces.neighbours import clusters, nearest, neighbourhood_overlap, shared, trust
from analysis.spaces.projection import project

RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(4), 30)
LEFT = (4 * np.eye(4, 20)[GROUPS] + RNG.standard_normal((120, 20))).astype(np.float32)
RIGHT = (LEFT @ RNG.standard_normal((20, 33)) + RNG.standard_normal((120, 33))).astype(np.float32)
MAPS = project(LEFT, how="pca").points, project(RIGHT, how="pca").points
LABELS = [f"group {group}" for group in GROUPS]


@pytest.fixture(scope="module")
def compared() -> Comparison:
    """Two spaces of 20 and 33 coordinates."""
    return compare(LEFT, RIGHT, MAPS, LABELS, of=500)


def test_nearest_equals_a_plain_recomputation() -> None:
    unit = LEFT.astype(np.float64) / np.linalg.norm(LEFT, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    result = nearest(LEFT, 7)
    np.testing.assert_array_equal(result.rows, np.argsort(-cosines, axis=1)[:, :7])
    np.testing.assert_allclose(result.cosines, -np.sort(-cosines, axis=1)[:, :7], atol=1e-6)
    assert nearest(LEFT[:4], 7).rows.shape == (4, 3)


@given(st.integers(0, 10_000), st.integers(3, 40), st.integers(1, 12))
def test_trust_equals_scikit_learns(seed: int, texts: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    space, points = rng.standard_normal((texts, 5)), rng.standard_normal((texts, 2))
    asked = min(k, (texts - 1) // 2)
    slow = trustworthiness(space, points, n_neighbors=asked, metric="cosine")
    assert trust(space, points, k) == pytest.approx(slow, abs=1e-12)


def test_trust_over_many_blocks_equals_one(monkeypatch: pytest.MonkeyPatch) -> None:
    full = trust(LEFT, MAPS[0]), nearest(LEFT, 9).rows
    monkeypatch.setattr("analysis.spaces.neighbours.MEGABYTES", 0.004)  # four rows of distances
    assert trust(LEFT, MAPS[0]) == pytest.approx(full[0], abs=1e-12)
    np.testing.assert_array_equal(nearest(LEFT, 9).rows, full[1])


@pytest.mark.slow
def test_no_table_of_all_distances_is_held() -> None:
    texts = 6000
    rows, points = RNG.standard_normal((texts, 3)), RNG.standard_normal((texts, 2))
    tracemalloc.start()
    try:
        nearest(rows)
        trust(rows, points)
        assert tracemalloc.get_traced_memory()[1] < texts * texts * 8 * 0.9
    finally:
        tracemalloc.stop()


def test_a_comparison_holds_what_its_parts_say(compared: Comparison) -> None:
    np.testing.assert_array_equal(compared.kept, neighbourhood_overlap(LEFT, RIGHT, NEAREST))
    np.testing.assert_array_equal(compared.kept_wider, neighbourhood_overlap(LEFT, RIGHT, WIDER))
    assert compared.wider == WIDER
    assert compared.chance == NEAREST / 119
    for side, rows, points in zip(
        (compared.left, compared.right), (LEFT, RIGHT), MAPS, strict=True
    ):
        assert side.coordinates == rows.shape[1]
        assert side.shape == isotropy.geometry(rows)
        assert side.trust == trust(rows, points, NEAREST)
        np.testing.assert_array_equal(side.nearest.rows, nearest(rows, NEAREST).rows)
        assert side.accuracy is not None
        slow = labelled.neighbours(rows, LABELS, k=VOTES)
        assert side.accuracy.value == slow.value > 80
        assert len(side.accuracy.drawn) == DRAWS
    assert compared.difference is not None
    assert compared.difference.items == 120
    assert compared.difference.of == 500
    assert not compared.refusal


def test_those_that_moved_most_come_first(compared: Comparison) -> None:
    order = compared.most_moved
    assert sorted(order) == list(range(120))
    keys = list(zip(compared.kept[order], compared.kept_wider[order], strict=True))
    assert keys == sorted(keys)
    assert len(set(compared.kept)) < len(set(keys))  # ties are settled


def test_a_text_that_changed_its_group_moved_most() -> None:
    moved = LEFT.copy()
    moved[3] = LEFT[100] + 0.1
    result = compare(LEFT, moved, MAPS)
    assert result.most_moved[0] == 3
    assert result.kept.mean() > 0.9


def test_a_space_and_itself_turned_keep_everything() -> None:
    turn, _ = np.linalg.qr(RNG.standard_normal((20, 20)))
    result = compare(LEFT, 3 * LEFT @ turn, MAPS)
    np.testing.assert_array_equal(result.kept, np.ones(120))
    assert result.left.accuracy is None
    assert result.difference is None


@pytest.mark.parametrize("texts", [3, 4, 7, 12])
def test_few_texts(texts: int) -> None:
    result = compare(LEFT[:texts], RIGHT[:texts], (MAPS[0][:texts], MAPS[1][:texts]))
    assert result.left.nearest.rows.shape == (texts, min(NEAREST, texts - 1))
    assert result.wider >= result.left.nearest.rows.shape[1]
    assert ((result.kept >= 0) & (result.kept <= 1)).all()


@pytest.mark.parametrize(
    ("labels", "reason"),
    [(["one"] * 120, "same label"), ([str(i) for i in range(120)], "too few to measure")],
)
def test_labels_that_cannot_be_measured_are_left_out_with_a_reason(
    labels: list[str], reason: str
) -> None:
    result = compare(LEFT, RIGHT, MAPS, labels)
    assert (result.left.accuracy, result.right.accuracy, result.difference) == (None, None, None)
    assert reason in result.refusal


def test_progress_counts_to_the_end() -> None:
    steps: list[tuple[int, int]] = []
    compare(LEFT, RIGHT, MAPS, progress=lambda done, full: steps.append((done, full)))
    assert steps == [(step, 6) for step in range(6)]


def test_spaces_of_other_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="120 and 119 texts"):
        compare(LEFT, RIGHT[1:], MAPS)
    with pytest.raises(CorpusError, match="not finite"):
        compare(LEFT * np.nan, RIGHT, MAPS)


def test_shared_counts_members_whatever_their_order() -> None:
    first, second = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 1, 9], [7, 8, 9]])
    np.testing.assert_allclose(shared(first, second), [2 / 3, 0])


def test_clusters_find_groups_and_number_them_by_size() -> None:
    rows = np.concatenate([LEFT[:50], LEFT[60:70], LEFT[90:]])
    groups = np.concatenate([GROUPS[:50], GROUPS[60:70], GROUPS[90:]])
    result = clusters(rows, 4)
    assert adjusted_rand_score(groups, result) > 0.9
    sizes = np.bincount(result)
    assert list(sizes) == sorted(sizes, reverse=True)
    np.testing.assert_array_equal(clusters(rows * 7, 4), result)  # by direction
    np.testing.assert_array_equal(clusters(np.ones((5, 3)), 4), np.zeros(5))


def test_pca_is_asked_for_by_name() -> None:
    result = project(LEFT, how="pca")
    assert (result.how, result.reason) == ("pca", "PCA: 120 texts")
    spreads = np.linalg.svd(LEFT - LEFT.mean(axis=0), compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(result.points, axis=0), spreads, rtol=1e-4)


def test_a_texts_mean_rating_is_that_of_its_pairs() -> None:
    pairs = Pairs(
        "own",
        ("a", "b", "c", "d"),
        np.array([0, 0, 1]),
        np.array([1, 2, 3]),
        np.array([1.0, 3.0, 5.0]),
        "made up",
    )
    np.testing.assert_allclose(mean_ratings(pairs, ["c", "a", "b"]), [3, 2, 3])
    with pytest.raises(CorpusError, match="in no rated pair of own"):
        mean_ratings(pairs, ["a", "z"])
