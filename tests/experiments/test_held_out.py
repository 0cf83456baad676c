"""Rules on held-out halves: against a slow loop, and where the truth is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.corpora.registry import load_pairs
from analysis.corpora.types import Pairs
from analysis.dimension import selection
from analysis.errors import CorpusError, PlanError
from analysis.experiments import held_out as windows
from analysis.experiments.held_out import BEST, held_out, variability
from tests.support.checks import assert_one_sentence

RNG = np.random.default_rng(0)


def disjoint(count: int) -> Pairs:
    texts = tuple(f"text {i}" for i in range(2 * count))
    return Pairs(
        "made", texts, np.arange(count), np.arange(count, 2 * count), RNG.random(count), ""
    )


PAIRS = disjoint(200)
PLANS = [(), *((i, i + 1) for i in range(6))]


def noisy(levels: list[float]) -> dict[tuple[int, ...], np.ndarray]:
    """Cosines that hold the ratings and noise of each plan's level."""
    return {
        plan: PAIRS.scores + level * RNG.normal(size=len(PAIRS.scores))
        for plan, level in zip(PLANS, levels, strict=True)
    }


def test_a_window_that_is_better_is_found_on_either_half() -> None:
    result = held_out(noisy([1, 2, 2, 0.3, 2, 2, 2]), PAIRS, {"good": (2, 3), "bad": (0, 1)})
    good, bad, best = result
    assert [one.name for one in result] == ["good", "bad", BEST]
    assert (good.rank.mean, good.windows) == (1, 6)
    assert good.gain.low > 0
    assert bad.gain.mean < 0
    assert bad.rank.mean > 3
    assert (best.layers, best.share) == ((2, 3), 1.0)
    assert best.score == good.score


def test_the_best_of_many_alike_gains_nothing_on_the_other_half() -> None:
    cosines = noisy([0.2] * 7)
    best = held_out(cosines, PAIRS, {"any": (0, 1)})[-1]
    assert abs(best.gain.mean) < 8
    assert best.gain.low < 0 < best.gain.high
    assert 2 < best.rank.mean < 5
    assert best.share < 1


def test_halves_share_no_text_and_each_is_held_out() -> None:
    for pairs in (PAIRS, load_pairs("lee50")):
        halves = windows._halves(pairs, 5, 0).astype(bool)
        assert halves.shape == (10, len(pairs.scores))
        for one, other in halves.reshape(5, 2, -1):
            texts = [{*pairs.left[half], *pairs.right[half]} for half in (one, other)]
            assert not texts[0] & texts[1]
            assert min(one.sum(), other.sum()) > 0.2 * len(pairs.scores) / 2


def test_each_half_is_held_out_and_scored_as_by_scipy() -> None:
    cosines = noisy([1, 2, 2, 0.3, 2, 2, 2])
    first, second = windows._halves(PAIRS, 1, 0).astype(bool)
    good, best = held_out(cosines, PAIRS, {"good": (2, 3)}, splits=1)
    on = [spearmanr(cosines[2, 3][half], PAIRS.scores[half]).statistic for half in (first, second)]
    gains = [
        100 * (score - spearmanr(cosines[()][half], PAIRS.scores[half]).statistic)
        for score, half in zip(on, (first, second), strict=True)
    ]
    assert good.score.mean == pytest.approx(100 * np.mean(on))
    assert good.gain.mean == best.seen.mean == pytest.approx(np.mean(gains))
    assert good.gain.low == pytest.approx(np.quantile(gains, 0.025))


def test_the_selections_own_variability() -> None:
    curves = np.full((10, 10), 5.0)
    curves[:7, 4] = 1  # the paper's rule starts at the lowest layer
    curves[7:, 6] = 1
    scores: dict[tuple[int, ...], float] = {(4, 5): 60.0, (6, 7): 50.0}
    assert selection.select(curves[0]) == (4, 5)
    result = variability(curves, "paper", scores)
    assert result.shares == (((4, 5), 0.7), ((6, 7), 0.3))
    assert result.score.mean == pytest.approx(57)
    assert (result.score.low, result.score.high, result.unscored) == (50, 60, 0)
    half = variability(curves, "paper", {(4, 5): 60.0})
    assert half.score.mean == 60
    assert half.unscored == pytest.approx(0.3)


def test_what_cannot_be_tested_is_said() -> None:
    cosines = noisy([1] * 7)
    with pytest.raises(PlanError, match="were not scored") as raised:
        held_out(cosines, PAIRS, {"paper": (8, 9)})
    assert_one_sentence(raised.value)
    few = disjoint(4)
    with pytest.raises(CorpusError, match="too few pairs to halve") as refused:
        held_out({(): few.scores, (0,): few.scores}, few, {"paper": (0,)})
    assert_one_sentence(refused.value)
    with pytest.raises(PlanError, match="None of the layers") as nothing:
        variability(np.full((2, 10), 5.0), "paper", {})
    assert_one_sentence(nothing.value)
