"""Scores of rated pairs against scipy, and intervals against simulations with a known truth."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr

from analysis.corpora.registry import load_pairs
from analysis.corpora.types import Pairs
from analysis.errors import CorpusError
from analysis.evaluation import comparison, similarity
from analysis.evaluation.bootstrap import DRAWS
from analysis.evaluation.comparison import Difference
from analysis.evaluation.measures import Measure
from analysis.evaluation.similarity import agreement, cosines
from tests.support.rated_pairs import disjoint, fan, pairs_of, world


def scored(embeddings: NDArray[Any], pairs: Pairs, **options: Any) -> Measure:
    """The Spearman correlation of embeddings' cosines."""
    return agreement(cosines(embeddings, pairs), pairs, **options)[0]


def compare(
    a: NDArray[Any], b: NDArray[Any], pairs: Pairs, names: tuple[str, str] = ("first", "second")
) -> Difference:
    return comparison.difference(scored(a, pairs), scored(b, pairs), names)


# Point estimates


def test_scores_are_scipys() -> None:
    pairs = load_pairs("lee50")
    embeddings = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    result = cosines(embeddings, pairs)
    rank, linear = agreement(result, pairs)
    wide = embeddings.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    expected = (wide[pairs.left] * wide[pairs.right]).sum(axis=1)
    np.testing.assert_allclose(result, expected, atol=1e-15)
    assert result.dtype == np.float64
    assert rank.value == pytest.approx(100 * spearmanr(result, pairs.scores).statistic, abs=1e-12)
    assert linear.value == pytest.approx(100 * pearsonr(result, pairs.scores).statistic, abs=1e-12)
    for measure, name in ((rank, "Spearman"), (linear, "Pearson")):
        assert (measure.name, measure.items, measure.things) == (name, 1225, "pairs")
        assert (measure.resampled, measure.drawn.shape) == ("texts", (DRAWS,))
        assert measure.ci_low < measure.value < measure.ci_high


@pytest.mark.parametrize(("sign", "expected"), [(-1, 100.0), (1, -100.0)])
def test_perfect_and_reversed_orders(sign: int, expected: float) -> None:
    angles = np.linspace(0, 3, 20)
    score = scored(fan(angles), disjoint(sign * angles), draws=100)
    assert score.value == pytest.approx(expected)
    assert (score.ci_low, score.ci_high) == pytest.approx((expected, expected))


def test_cosines_are_exact_for_a_text_and_itself_and_in_blocks() -> None:
    rng = np.random.default_rng(0)
    embeddings = (1e-3 * rng.normal(size=(3000, 7))).astype(np.float32)
    same = np.arange(3000)
    assert (cosines(embeddings, pairs_of(same, same, same)) == 1).all()
    there, back = (pairs_of(a, b, same) for a, b in ((same, same[::-1]), (same[::-1], same)))
    np.testing.assert_array_equal(cosines(embeddings, there), cosines(embeddings, back))
    np.testing.assert_array_equal(cosines(embeddings, there), cosines(embeddings, back)[::-1])


# Intervals


def test_repeating_every_pair_narrows_nothing() -> None:
    rng = np.random.default_rng(1)
    angles = rng.uniform(0, 3, size=60)
    pairs = disjoint(angles + rng.normal(size=60))
    left, right = np.tile(pairs.left, 5), np.tile(pairs.right, 5)
    often = replace(pairs, left=left, right=right, scores=np.tile(pairs.scores, 5))
    once, five = scored(fan(angles), pairs), scored(fan(angles), often)
    assert (once.resampled, five.resampled) == ("pairs", "groups")
    assert (five.ci_low, five.ci_high) == pytest.approx((once.ci_low, once.ci_high))


@pytest.mark.slow
def test_intervals_cover_the_truth_where_pairs_share_texts() -> None:
    embeddings, pairs = world(1200, seed=10_000)
    truth = 100 * spearmanr(cosines(embeddings, pairs), pairs.scores).statistic
    covered = {"texts": 0, "pairs": 0}
    for seed in range(150):
        embeddings, pairs = world(20, seed)
        both = np.concatenate([embeddings[pairs.left], embeddings[pairs.right]])
        for e, p in ((embeddings, pairs), (both, disjoint(pairs.scores))):
            score = scored(e, p, draws=300, seed=seed)
            covered[score.resampled] += score.ci_low <= truth <= score.ci_high
    assert covered["texts"] >= 0.9 * 150
    assert covered["pairs"] <= 0.75 * 150


def test_the_seed_sets_the_interval() -> None:
    embeddings, pairs = world(20, seed=0)
    score, again, other = (scored(embeddings, pairs, seed=seed) for seed in (3, 3, 4))
    assert (score.ci_low, score.ci_high) == (again.ci_low, again.ci_high)
    assert (score.ci_low, score.ci_high) != (other.ci_low, other.ci_high)


def test_draws_that_cannot_be_ranked_are_left_out() -> None:
    angles = np.array([0.5, 1, 2])
    score = scored(fan(angles), disjoint(-angles), draws=200)
    defined = np.isfinite(score.drawn).sum()
    assert 100 < defined < 200  # a ninth of the draws is one pair three times
    assert score.ci_low == pytest.approx(100)


def test_draws_of_many_pairs_are_those_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is computed in passing, and gives the same."""
    embeddings, pairs = world(30, seed=0)
    kept = scored(embeddings, pairs)
    monkeypatch.setattr(similarity, "_CACHED", 0)
    np.testing.assert_array_equal(scored(embeddings, pairs).drawn, kept.drawn)


def test_stored_measures_draw_again_when_asked() -> None:
    embeddings, pairs = world(30, seed=0)
    result = cosines(embeddings, pairs)
    computed = agreement(result, pairs)
    stored = similarity.restored([measure.to_dict() for measure in computed], result, pairs)
    for one, other in zip(computed, stored, strict=True):
        assert one.to_dict() == other.to_dict()
        np.testing.assert_array_equal(one.drawn, other.drawn)


def test_four_thousand_draws_are_quick() -> None:
    pairs = load_pairs("lee50")
    embeddings = np.random.default_rng(0).normal(size=(50, 64))
    start = time.perf_counter()
    scored(embeddings, pairs)
    assert time.perf_counter() - start < 5  # 0.2 s on a quiet core, half of that for the next


# Differences


def test_differences_are_paired() -> None:
    embeddings, pairs = world(40, seed=1)
    rng = np.random.default_rng(2)
    near = embeddings + 0.05 * rng.normal(size=embeddings.shape)
    difference = compare(embeddings, near, pairs, ("A", "B"))
    a, b = scored(embeddings, pairs), scored(near, pairs)
    assert difference.delta == pytest.approx(a.value - b.value)
    assert (difference.first, difference.second, difference.items) == ("A", "B", 780)
    assert difference.ci_high - difference.ci_low < 0.3 * (a.ci_high - a.ci_low)
    assert difference == compare(embeddings, near, pairs, ("A", "B"))
    mirrored = compare(near, embeddings, pairs)
    assert (mirrored.delta, mirrored.ci_low) == pytest.approx(
        (-difference.delta, -difference.ci_high)
    )


def test_a_method_does_not_differ_from_itself_or_its_rescaling() -> None:
    embeddings, pairs = world(20, seed=1)
    difference = compare(embeddings, 2 * embeddings, pairs)
    assert (difference.delta, difference.ci_low, difference.ci_high) == (0, 0, 0)
    assert difference.sentence.startswith(
        "No clear difference between first and second: +0.0 [+0.0"
    )


def test_a_lost_signal_is_found() -> None:
    embeddings, pairs = world(40, seed=1)
    noise = np.random.default_rng(2).normal(size=embeddings.shape)
    assert compare(embeddings, noise, pairs).sentence.count("higher than second") == 1
    assert compare(noise, embeddings, pairs).sentence.count("lower than second") == 1


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
    with pytest.raises(CorpusError, match=message):
        scored(embeddings, load_pairs("lee50"))


@pytest.mark.parametrize("scores", [[1.0, 2.0], [1.0, 1.0, 1.0]])
def test_unfit_ratings_are_refused(scores: list[float]) -> None:
    angles = np.arange(len(scores))
    with pytest.raises(CorpusError, match="cannot be ranked"):
        scored(fan(angles), disjoint(np.array(scores)))
