"""Ranks: Demsar's worked example, scipy's own numbers, and what holds for any scores."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from analysis.errors import CorpusError
from analysis.evaluation.measures import Measure, measure
from analysis.evaluation.ranks import MeanRanks, over_corpora, ranks

AUC: dict[str, list[float]] = {
    "C4.5": [763, 599, 954, 628, 882, 936, 661, 583, 775, 1000, 940, 619, 972, 957],
    "C4.5+m": [768, 591, 971, 661, 888, 931, 668, 583, 838, 1000, 962, 666, 981, 978],
    "C4.5+cf": [771, 590, 968, 654, 886, 916, 609, 563, 866, 1000, 965, 614, 975.1, 946],
    "C4.5+m+cf": [798, 569, 967, 657, 898, 931, 685, 625, 875, 1000, 962, 669, 975, 970],
}
"""AUC x 1000 of four classifiers on 14 data sets: Demsar 2006, table 6.

On the last but one, two are equal as printed, with ranks 2 and 3; the difference is put in here.
"""


def _measures(values: NDArray[np.float64], drawn: NDArray[np.float64]) -> list[Measure]:
    return [
        measure("Spearman", float(value), row, 100, "pairs", "pairs")
        for value, row in zip(values, drawn, strict=True)
    ]


def _summary(scores: Mapping[str, Sequence[float]]) -> MeanRanks:
    sets = len(next(iter(scores.values())))
    return over_corpora(
        {f"set {i}": {name: row[i] for name, row in scores.items()} for i in range(sets)}
    )


def test_the_worked_example_of_demsar() -> None:
    found = _summary(AUC)
    means = dict(zip(found.names, found.means, strict=True))
    assert means == pytest.approx(
        {"C4.5": 3.143, "C4.5+m": 2.000, "C4.5+cf": 2.893, "C4.5+m+cf": 1.964}, abs=5e-4
    )
    assert found.names[0] == "C4.5+m+cf"
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    squares = sum(mean**2 for mean in found.means)
    assert 12 * 14 / 20 * (squares - 4 * 25 / 4) == pytest.approx(9.28, abs=0.005)
    # what scipy gives is corrected for ties
    assert (found.statistic, found.p) == tuple(stats.friedmanchisquare(*AUC.values()))
    assert found.p < 0.05
    assert found.level_with("C4.5+m+cf") == ("C4.5+m", "C4.5+cf", "C4.5")
    assert "over 14 corpora" in found.sentence
    assert "rough guide" not in found.sentence


def test_means_that_differ_by_more_than_the_critical_difference_are_told_apart() -> None:
    found = _summary({"a": [9] * 12, "b": [5] * 12, "c": [1] * 12})
    assert (found.names, list(found.means)) == (("a", "b", "c"), [1, 2, 3])
    assert found.critical_difference == pytest.approx(2.343 * math.sqrt(12 / 72), abs=1e-3)
    assert found.level_with("b") == ()
    assert "a is ahead of all others" in found.sentence
    nothing = _summary({"a": [1] * 3, "b": [1] * 3, "c": [1] * 3})
    assert list(nothing.means) == [2, 2, 2]
    assert math.isnan(nothing.p)
    assert "(p undefined; a rough guide for so few corpora), so no order" in nothing.sentence


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"a": {"x": 1.0, "y": 2.0, "z": 3.0}}, "not 1 and 3"),
        ({"a": {"x": 1.0, "y": 2.0}, "b": {"x": 1.0, "y": 2.0}}, "not 2 and 2"),
        ({"a": {"x": 1.0, "y": 2.0, "z": 3.0}, "b": {"x": 1.0}}, "no score of y, z on b"),
    ],
)
def test_what_cannot_be_summarised_is_refused(
    values: dict[str, dict[str, float]], problem: str
) -> None:
    with pytest.raises(CorpusError, match=problem):
        over_corpora(values)


def test_ranks_by_hand() -> None:
    drawn = np.array([[0.9, 0.8, 0.9, 0.9], [0.5, 0.9, 0.5, 0.6], [0.5, 0.5, 0.5, np.nan]])
    best, second, third = ranks(["a", "b", "c"], _measures(np.array([0.9, 0.5, 0.5]), drawn))
    assert (best.rank, best.low, best.high) == (1, 1, 2)
    assert (second.rank, second.low, second.high) == (2.5, 1, 2.5)
    assert (third.rank, third.low, third.high) == (2.5, 2.5, 3)
    assert (best.level_with, second.level_with) == (("b",), ("a", "c"))
    assert second.sentence == "b ranks 2.5 [1, 2.5] of 3, not told apart from a and c."
    (alone,) = ranks(["a"], _measures(np.array([0.9]), drawn[:1]))
    assert (alone.rank, alone.of, alone.level_with) == (1, 1, ())


def test_neighbours_are_told_apart_where_their_difference_is_clear() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 4000)
    drawn = np.stack([0.9 + noise, 0.5 + noise, 0.495 + noise[::-1]])
    best, second, third = ranks(["a", "b", "c"], _measures(np.array([0.9, 0.5, 0.495]), drawn))
    assert (best.interval, best.level_with) == ("1 [1, 1]", ())
    assert (second.level_with, third.level_with) == (("c",), ("b",))


def test_a_draw_that_scores_nothing_in_common_is_refused() -> None:
    drawn = np.array([[np.nan, 0.5], [0.5, np.nan]])
    measures = _measures(np.array([0.5, 0.4]), drawn)
    with pytest.raises(CorpusError, match="no resample can be scored"):
        ranks(["a", "b"], measures)
    drawn = np.where(np.eye(3), np.nan, 0.5)
    measures = _measures(np.array([0.5, 0.4, 0.3]), drawn)
    with pytest.raises(CorpusError, match="no resample scores all methods"):
        ranks(["a", "b", "c"], measures)


_SCORES = st.integers(2, 6).flatmap(
    lambda n: st.lists(
        st.lists(st.integers(0, 20), min_size=n, max_size=n), min_size=3, max_size=30
    )
)


@settings(max_examples=100, deadline=None)
@given(_SCORES)
def test_what_holds_for_any_scores(rows: list[list[int]]) -> None:
    drawn = np.array(rows, dtype=np.float64).T / 20
    count = len(drawn)
    names = [f"method {number}" for number in range(count)]
    found = ranks(names, _measures(drawn[:, 0], drawn))
    assert sum(rank.rank for rank in found) == count * (count + 1) / 2
    assert all(1 <= rank.low <= rank.high <= count for rank in found)
    renamed = ranks([name.upper() for name in names], _measures(drawn[:, 0], drawn))
    assert [(r.rank, r.low, r.high) for r in renamed] == [(r.rank, r.low, r.high) for r in found]
    assert [[n.lower() for n in r.level_with] for r in renamed] == [
        list(r.level_with) for r in found
    ]
    for first, second in combinations(found, 2):
        assert (second.name in first.level_with) == (first.name in second.level_with)
    better = np.vstack([drawn, drawn.max(axis=0) + 0.1])
    *_, best = ranks([*names, "best"], _measures(better[:, 0], better))
    assert (best.rank, best.low, best.high) == (1, 1, 1)


@settings(max_examples=60, deadline=None)
@given(_SCORES)
def test_what_holds_for_any_corpora(rows: list[list[int]]) -> None:
    values = {f"c{i}": {f"m{j}": float(v) for j, v in enumerate(row)} for i, row in enumerate(rows)}
    if len(rows[0]) < 3:
        return
    found = over_corpora(values)
    count = len(rows[0])
    assert sum(found.means) == pytest.approx(count * (count + 1) / 2)
    assert list(found.means) == sorted(found.means)
    table = np.array(rows, dtype=np.float64).T
    expected = stats.rankdata(-table, axis=0).mean(axis=1)
    assert dict(zip(found.names, found.means, strict=True)) == pytest.approx(
        {f"m{j}": mean for j, mean in enumerate(expected)}
    )
    if not math.isnan(found.p):
        assert (found.statistic, found.p) == pytest.approx(tuple(stats.friedmanchisquare(*table)))
