"""What is drawn, how items weigh in a draw, and intervals and p-values against their definition."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata

from analysis.errors import CorpusError
from analysis.evaluation import bootstrap
from analysis.evaluation.bootstrap import Resampling, interval, p_value
from tests.support.rated_pairs import disjoint, pairs_of, world


def weights_of(resampling: Resampling, draws: int, seed: int = 0) -> NDArray[np.float64]:
    return np.concatenate(list(resampling.weights(draws, seed)))


def test_what_is_resampled_follows_from_what_is_shared() -> None:
    angles = np.random.default_rng(0).uniform(0, 3, size=120)
    apart = disjoint(rankdata(angles))
    assert bootstrap.of_pairs(apart).things == "pairs"
    threes = np.arange(120) // 3  # forty hubs of three pairs each
    assert bootstrap.of_pairs(replace(apart, left=threes)).things == "groups"
    few = replace(apart, left=np.arange(120) // 5)  # 24 hubs
    assert bootstrap.of_pairs(few).things == "texts"
    giant = replace(apart, left=np.maximum(np.arange(120) - 12, 0))  # one hub of 13, 107 pairs
    assert bootstrap.of_pairs(giant).things == "texts"
    assert bootstrap.of_pairs(world(20, seed=0)[1]).things == "texts"


def test_draws_weigh_whole_groups_and_products_of_texts() -> None:
    hubs = bootstrap.of_pairs(pairs_of(np.repeat(np.arange(40), 2), np.arange(40, 120), range(80)))
    weights = weights_of(hubs, 50)
    assert (hubs.things, weights.shape) == ("groups", (50, 80))
    assert (weights[:, ::2] == weights[:, 1::2]).all()
    assert (weights[:, ::2].sum(axis=1) == 40).all()

    triangle = bootstrap.of_pairs(world(3, seed=0)[1])
    triples = {tuple(row) for row in weights_of(triangle, 50).tolist()}
    assert triangle.things == "texts"
    # three texts drawn: each once, one missing and another twice, or one alone
    assert triples == {(1, 1, 1), (2, 0, 0), (0, 2, 0), (0, 0, 2), (0, 0, 0)}


def test_groups_are_numbered_and_named() -> None:
    alone = bootstrap.of_groups(np.array([7, 3, 9]), "queries")
    shared = bootstrap.of_groups(np.array([7, 3, 7]), "queries")
    assert (alone.things, alone.units) == ("queries", 3)
    assert (shared.things, shared.units) == ("groups of queries", 2)
    weights = weights_of(shared, 20)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, :2].sum(axis=1) == 2).all()


@given(st.integers(1, 60), st.integers(1, 50), st.integers(0, 5))
def test_the_stream_does_not_depend_on_its_blocks(units: int, at_once: int, seed: int) -> None:
    items = bootstrap.of_items(units, "texts")
    blocks = list(items.weights(40, seed, at_once=at_once))
    assert max(map(len, blocks)) <= at_once
    np.testing.assert_array_equal(np.concatenate(blocks), weights_of(items, 40, seed))


def test_components_are_those_of_the_graph() -> None:
    result = bootstrap.components(np.array([0, 1, 4]), np.array([1, 2, 5]), 6)
    assert len(set(result[:3])) == 1
    assert result[4] == result[5]
    assert len(set(result.tolist())) == 3


def test_the_interval_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        hits = (rng.random(80) < 0.6).astype(np.float64)
        low, high = interval(weights_of(bootstrap.of_items(80, "texts"), 500, seed) @ hits / 80)
        covered += low <= 60 <= high
    assert covered >= 180


def test_a_narrower_interval_lies_inside() -> None:
    drawn = np.random.default_rng(0).normal(size=2000)
    (low, high), (inner_low, inner_high) = interval(drawn), interval(drawn, 0.5)
    assert low < inner_low < inner_high < high


def test_p_agrees_with_the_interval() -> None:
    """Above 0.05 where the 95% interval holds 0, below where it does not."""
    rng = np.random.default_rng(0)
    for shift in np.linspace(0, 4, 41):
        drawn = rng.normal(shift, 1, 2000)
        low, high = interval(drawn)
        assert (low <= 0 <= high) == (p_value(drawn) > 0.05) or abs(low) < 2
    assert p_value(np.zeros(9)) == 1
    assert p_value(np.ones(999)) == 0.002


def test_p_is_right_as_often_as_it_says() -> None:
    """On paired samples without a difference about 5% of p-values are below 0.05."""
    rng = np.random.default_rng(1)
    items = bootstrap.of_items(60, "texts")
    below = 0
    for seed in range(400):
        below += p_value(weights_of(items, 400, seed) @ rng.normal(size=60) / 60) < 0.05
    assert 0.02 <= below / 400 <= 0.09


@pytest.mark.parametrize("drawn", [[np.nan], [np.nan, np.nan], []])
def test_nothing_defined_has_no_interval(drawn: Any) -> None:
    with pytest.raises(CorpusError, match="no resample can be scored"):
        interval(np.array(drawn, dtype=np.float64))
