"""Labelled scores: known answers, slow references, and what cannot be measured."""

import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import v_measure_score

from analysis.errors import CorpusError
from analysis.evaluation import comparison
from analysis.evaluation import labelled as scores
from analysis.evaluation.labelled import clusters, labelled, neighbours
from analysis.evaluation.measures import Measure
from tests.support.checks import assert_one_sentence


def blobs(
    groups: int, each: int, spread: float, seed: int = 0
) -> tuple[NDArray[np.float64], list[str]]:
    """Points around ``groups`` random directions, and their group as a label."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(groups, 16)), each, axis=0)
    labels = [f"group {i}" for i in range(groups) for _ in range(each)]
    return centres + spread * rng.normal(size=centres.shape), labels


def test_groups_that_lie_apart_score_full_marks_and_noise_scores_chance() -> None:
    points, labels = blobs(5, 20, 0.01)
    for result in labelled(points, labels):
        assert result.value == pytest.approx(100)
        assert (result.ci_low, result.ci_high) == pytest.approx((100, 100))
        assert (result.items, result.things) == (100, "texts")
    noise = np.random.default_rng(1).normal(size=points.shape)
    accuracy, agreement = labelled(noise, labels)
    assert 5 < accuracy.value < 40
    assert agreement.value < 25


def test_many_small_groups_lie_within_their_interval() -> None:
    """Repeated texts agree with themselves, which would put the bootstrap above the score."""
    points, labels = blobs(20, 3, 2.0)
    result = clusters(points, labels)
    assert result.ci_low < result.value < result.ci_high


def test_neighbours_are_those_of_a_loop() -> None:
    points, labels = blobs(4, 15, 1.5)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    hits = 0
    for i in range(len(unit)):
        order = [j for j in np.argsort(-(unit @ unit[i]), kind="stable") if j != i][:5]
        votes: dict[str, float] = {}
        for rank, j in enumerate(order):
            votes[labels[j]] = votes.get(labels[j], 0) + 1 + 1e-6 / (rank + 1)
        hits += max(votes, key=lambda label: votes[label]) == labels[i]
    assert neighbours(points, labels).value == pytest.approx(100 * hits / len(unit))


def test_a_text_does_not_vote_for_itself_even_among_duplicates() -> None:
    points = np.repeat(np.eye(3), 4, axis=0)
    labels = ["a", "b"] * 6
    result = neighbours(points, labels, k=3)
    assert result.value == 0, "of four equal points, two of the three others bear the other label"


@given(st.integers(0, 1000))
def test_v_measures_of_tables_are_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, result = rng.integers(4, size=(2, 50))
    table = np.zeros((1, 4, 4))
    np.add.at(table[0], (truth, result), 1)
    expected = v_measure_score(truth, result)
    assert scores._v_measures(table)[0] == pytest.approx(expected, abs=1e-9)


def test_differences_are_paired_and_corrected() -> None:
    good, labels = blobs(4, 25, 1.0)
    worse = good + 2 * np.random.default_rng(2).normal(size=good.shape)
    base = neighbours(worse, labels)
    result = comparison.differences(
        {"good": neighbours(good, labels), "same": base}, base, "worse", of=500
    )
    assert result[0].sentence.startswith("good scores ")
    assert "higher than worse on 100 of 500 texts (p " in result[0].sentence
    assert (result[1].delta, result[1].ci_low, result[1].ci_high) == (0, 0, 0)
    assert result[1].p == 1
    other = neighbours(good[:50], labels[:50])
    with pytest.raises(CorpusError) as raised:
        comparison.differences({"other": other}, base, "worse")
    assert_one_sentence(raised.value)


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (np.eye(8), ["a"] * 8, "same label"),
        (np.eye(4), ["a", "b"] * 2, "too few"),
        (np.eye(4), ["a", "b"], "4 embeddings were given for 2 labels"),
        (np.eye(8), list("abcdefgh"), "too few"),
    ],
)
def test_what_cannot_be_measured_is_said(points: Any, labels: list[str], message: str) -> None:
    with pytest.raises(CorpusError, match=message) as raised:
        labelled(points, labels)
    assert_one_sentence(raised.value)


def test_the_same_seed_gives_the_same() -> None:
    points, labels = blobs(3, 20, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (labelled(points, labels, seed=3) for _ in "ab")
    for a, b in zip(first, second, strict=True):
        assert isinstance(a, Measure)
        assert (a.value, a.ci_low, a.ci_high) == (b.value, b.ci_low, b.ci_high)


@pytest.mark.slow
def test_many_labels_do_not_fill_the_memory() -> None:
    rng = np.random.default_rng(0)
    labels = [str(label) for label in np.arange(3_000) % 150]
    tracemalloc.start()
    clusters(rng.standard_normal((3_000, 4)).astype(np.float32), labels, draws=20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000 * 150**2 * 4 / 2  # one table of texts by cells, of which there were five
