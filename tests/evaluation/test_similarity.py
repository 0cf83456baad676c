"""STS scores against scipy, and intervals against simulations where the truth is known."""

import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy.stats import pearsonr, rankdata, spearmanr

from analysis.corpora.registry import load_pairs
from analysis.corpora.types import Pairs
from analysis.errors import CorpusError
from analysis.evaluation import similarity
from analysis.evaluation.comparison import Difference, interval
from analysis.evaluation.similarity import StsScore, _resamples, _spearman, cosines


def sts(embeddings: NDArray[Any], pairs: Pairs, **options: Any) -> StsScore:
    return similarity.sts(cosines(embeddings, pairs), pairs, **options)


def compare(a: NDArray[Any], b: NDArray[Any], pairs: Pairs, **options: Any) -> Difference:
    return similarity.compare(cosines(a, pairs), cosines(b, pairs), pairs, **options)


def _pairs(left: Any, right: Any, scores: Any) -> Pairs:
    left, right = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
    texts = tuple(f"text {i}" for i in range(max(left.max(), right.max()) + 1))
    return Pairs("made", texts, left, right, np.asarray(scores, dtype=np.float64), "made up")


def _disjoint(scores: NDArray[Any]) -> Pairs:
    count = len(scores)
    return _pairs(np.arange(count), np.arange(count, 2 * count), scores)


def _fan(angles: NDArray[Any]) -> NDArray[np.float64]:
    """Embeddings whose i-th disjoint pair is ``angles[i]`` (radians) apart."""
    turned = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([np.tile([1.0, 0.0], (len(angles), 1)), turned])


def _world(texts: int, seed: int) -> tuple[NDArray[np.float64], Pairs]:
    """All pairs of texts whose embeddings hold their meaning, which is rated, and noise."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(texts, 3))
    left, right = np.triu_indices(texts, 1)
    unrated = _pairs(left, right, np.zeros(len(left)))
    embeddings = np.hstack([meaning, 0.7 * rng.normal(size=(texts, 3))])
    return embeddings, replace(unrated, scores=cosines(meaning, unrated))


# Point estimates


def test_scores_are_scipys() -> None:
    pairs = load_pairs("lee50")
    embeddings = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    score = sts(embeddings, pairs, resamples=50)
    wide = embeddings.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    expected = (wide[pairs.left] * wide[pairs.right]).sum(axis=1)
    np.testing.assert_allclose(score.cosines, expected, atol=1e-15)
    assert score.spearman == 100 * spearmanr(score.cosines, pairs.scores).statistic
    assert score.pearson == pytest.approx(100 * pearsonr(score.cosines, pairs.scores).statistic)
    assert (score.pairs, score.texts, score.resamples) == (1225, 50, 50)
    assert score.cosines.dtype == np.float64


@pytest.mark.parametrize(("sign", "expected"), [(-1, 100.0), (1, -100.0)])
def test_perfect_and_reversed_orders(sign: int, expected: float) -> None:
    angles = np.linspace(0, 3, 20)
    score = sts(_fan(angles), _disjoint(sign * angles), resamples=100)
    assert score.spearman == pytest.approx(expected)
    assert (score.ci_low, score.ci_high) == pytest.approx((expected, expected))


def test_cosines_are_exact_for_a_text_and_itself_and_in_blocks() -> None:
    rng = np.random.default_rng(0)
    embeddings = (1e-3 * rng.normal(size=(3000, 7))).astype(np.float32)
    same = np.arange(3000)
    assert (cosines(embeddings, _pairs(same, same, same)) == 1).all()
    there, back = (_pairs(a, b, same) for a, b in ((same, same[::-1]), (same[::-1], same)))
    np.testing.assert_array_equal(cosines(embeddings, there), cosines(embeddings, back))
    np.testing.assert_array_equal(cosines(embeddings, there), cosines(embeddings, back)[::-1])


@given(
    st.integers(2, 12).flatmap(
        lambda n: st.tuples(
            *(hnp.arrays(np.float64, n, elements=st.integers(0, 4).map(float)) for _ in "xy"),
            hnp.arrays(np.int64, (3, n), elements=st.integers(0, 3)),
        )
    )
)
def test_weighted_spearman_is_that_of_repeated_pairs(
    case: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]],
) -> None:
    x, y, weights = case
    for found, times in zip(_spearman(x, y, weights.astype(np.float64)), weights, strict=True):
        with warnings.catch_warnings(action="ignore"):  # nothing to rank, on both sides
            repeated = np.repeat(np.stack([x, y]), times, axis=1)
            varied = repeated.shape[1] > 1 and (np.ptp(repeated, axis=1) > 0).all()
            expected = spearmanr(*repeated).statistic if varied else np.nan
        np.testing.assert_allclose(found, expected, atol=1e-12)


# Intervals


def test_what_is_resampled_follows_from_what_is_shared() -> None:
    angles = np.random.default_rng(0).uniform(0, 3, size=120)
    fan = _fan(angles)
    disjoint = _disjoint(rankdata(angles))
    assert sts(fan, disjoint, resamples=10).resampled == "pairs"
    threes = np.arange(120) // 3  # forty hubs of three pairs each
    groups = replace(disjoint, left=threes)
    assert sts(fan, groups, resamples=10).resampled == "groups"
    few = replace(disjoint, left=np.arange(120) // 5)  # 24 hubs
    assert sts(fan, few, resamples=10).resampled == "texts"
    giant = replace(disjoint, left=np.maximum(np.arange(120) - 12, 0))  # one hub of 13, 107 pairs
    assert sts(fan, giant, resamples=10).resampled == "texts"
    assert sts(*_world(20, seed=0), resamples=10).resampled == "texts"


def test_draws_weigh_whole_groups_and_products_of_texts() -> None:
    hubs = _pairs(np.repeat(np.arange(40), 2), np.arange(40, 120), np.arange(80))
    unit, draws = _resamples(hubs, 50, seed=0)
    weights = np.concatenate(list(draws))
    assert (unit, weights.shape) == ("groups", (50, 80))
    assert (weights[:, ::2] == weights[:, 1::2]).all()
    assert (weights[:, ::2].sum(axis=1) == 40).all()

    _, triangle = _world(3, seed=0)
    unit, draws = _resamples(triangle, 50, seed=0)
    triples = {tuple(row) for row in np.concatenate(list(draws)).tolist()}
    assert unit == "texts"
    # three texts drawn: each once, one missing and another twice, or one alone
    assert triples == {(1, 1, 1), (2, 0, 0), (0, 2, 0), (0, 0, 2), (0, 0, 0)}


def test_repeating_every_pair_narrows_nothing() -> None:
    rng = np.random.default_rng(1)
    angles = rng.uniform(0, 3, size=60)
    pairs = _disjoint(angles + rng.normal(size=60))
    left, right = np.tile(pairs.left, 5), np.tile(pairs.right, 5)
    often = replace(pairs, left=left, right=right, scores=np.tile(pairs.scores, 5))
    once, five = sts(_fan(angles), pairs), sts(_fan(angles), often)
    assert (once.resampled, five.resampled) == ("pairs", "groups")
    assert (five.ci_low, five.ci_high) == pytest.approx((once.ci_low, once.ci_high))


def test_intervals_cover_the_truth_where_pairs_share_texts() -> None:
    embeddings, pairs = _world(1200, seed=10_000)
    truth = 100 * spearmanr(cosines(embeddings, pairs), pairs.scores).statistic
    covered = {"texts": 0, "pairs": 0}
    for seed in range(150):
        embeddings, pairs = _world(20, seed)
        both = np.concatenate([embeddings[pairs.left], embeddings[pairs.right]])
        for e, p in ((embeddings, pairs), (both, _disjoint(pairs.scores))):
            score = sts(e, p, resamples=300, seed=seed)
            covered[score.resampled] += score.ci_low <= truth <= score.ci_high
    assert covered["texts"] >= 0.9 * 150
    assert covered["pairs"] <= 0.75 * 150


def test_confidence_and_seed_set_the_interval() -> None:
    embeddings, pairs = _world(20, seed=0)
    score = sts(embeddings, pairs, seed=3)
    again, other, narrow = (
        sts(embeddings, pairs, seed=seed, confidence=confidence)
        for seed, confidence in ((3, 0.95), (4, 0.95), (3, 0.5))
    )
    assert (score.ci_low, score.ci_high) == (again.ci_low, again.ci_high)
    assert (score.ci_low, score.ci_high) != (other.ci_low, other.ci_high)
    assert score.ci_low < narrow.ci_low < score.spearman < narrow.ci_high < score.ci_high


def test_draws_that_cannot_be_ranked_are_left_out_and_counted() -> None:
    angles = np.array([0.5, 1, 2])
    score = sts(_fan(angles), _disjoint(-angles), resamples=200)
    assert 100 < score.resamples < 200  # a ninth of the draws is one pair three times
    assert score.ci_low == pytest.approx(100)
    with pytest.raises(CorpusError, match="no resample can be scored"):
        interval(np.array([np.nan, np.nan]), 0.95)


def test_a_thousand_resamples_are_quick() -> None:
    pairs = load_pairs("lee50")
    embeddings = np.random.default_rng(0).normal(size=(50, 64))
    start = time.perf_counter()
    sts(embeddings, pairs)
    assert time.perf_counter() - start < 5  # 0.15 s on a quiet core


# Differences


def test_differences_are_paired() -> None:
    embeddings, pairs = _world(40, seed=1)
    rng = np.random.default_rng(2)
    near = embeddings + 0.05 * rng.normal(size=embeddings.shape)
    difference = compare(embeddings, near, pairs, names=("A", "B"))
    a, b = sts(embeddings, pairs), sts(near, pairs)
    assert difference.delta == pytest.approx(a.spearman - b.spearman)
    assert (difference.first, difference.second, difference.items) == ("A", "B", 780)
    assert difference.ci_high - difference.ci_low < 0.3 * (a.ci_high - a.ci_low)
    assert difference == compare(embeddings, near, pairs, names=("A", "B"))
    mirrored = compare(near, embeddings, pairs)
    assert (mirrored.delta, mirrored.ci_low) == pytest.approx(
        (-difference.delta, -difference.ci_high)
    )


def test_a_method_does_not_differ_from_itself_or_its_rescaling() -> None:
    embeddings, pairs = _world(20, seed=1)
    difference = compare(embeddings, 2 * embeddings, pairs)
    assert (difference.delta, difference.ci_low, difference.ci_high) == (0, 0, 0)
    assert difference.sentence.startswith("No clear difference between first and second: +0.0 [0.0")


def test_a_lost_signal_is_found() -> None:
    embeddings, pairs = _world(40, seed=1)
    noise = np.random.default_rng(2).normal(size=embeddings.shape)
    assert compare(embeddings, noise, pairs).sentence.startswith("first is ahead of second by ")
    assert compare(noise, embeddings, pairs).sentence.startswith("second is ahead of first by ")


# Bad input


def _broken(row: Any) -> NDArray[np.float64]:
    embeddings = np.random.default_rng(0).normal(size=(50, 2))
    embeddings[6] = row
    return embeddings


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (_broken([np.nan, 1]), "embedding of text 7 is not finite"),
        (_broken([np.inf, 1]), "embedding of text 7 is not finite"),
        (_broken(0), "embedding of text 7 is all zero"),
        (np.ones((49, 2)), "49 embeddings were given for the 50 texts of lee50"),
        (np.ones((51, 2)), "51 embeddings were given"),
        (np.ones(50), "two axes, texts and width, not 1"),
        (np.ones((50, 2, 2)), "two axes, texts and width, not 3"),
        (np.ones((50, 0)), "all zero"),
        (np.ones((50, 2)), "1,225 pairs of lee50 cannot be ranked: .* same cosine"),
    ],
)
def test_unfit_embeddings_are_refused(embeddings: NDArray[Any], message: str) -> None:
    pairs, fit = load_pairs("lee50"), np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(CorpusError, match=message):
        sts(embeddings, pairs)
    with pytest.raises(CorpusError, match=message):
        compare(fit, embeddings, pairs)


@pytest.mark.parametrize("scores", [[1.0, 2.0], [1.0, 1.0, 1.0]])
def test_unfit_ratings_are_refused(scores: list[float]) -> None:
    angles = np.arange(len(scores))
    with pytest.raises(CorpusError, match="cannot be ranked"):
        sts(_fan(angles), _disjoint(np.array(scores)))
