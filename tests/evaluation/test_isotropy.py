"""Measures of spaces whose shape is known, and refusals."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.corpora.types import Pairs
from analysis.errors import CorpusError
from analysis.evaluation.isotropy import (
    alignment,
    anisotropy,
    anisotropy_by_layer,
    geometry,
    isotropy,
    uniformity,
)
from tests.support.checks import assert_one_sentence


def test_measures_of_a_space_are_the_means_over_all_pairs() -> None:
    embeddings = np.random.default_rng(0).normal(1, 1, size=(1500, 5)).astype(np.float32)
    unit = embeddings / np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    gram = (unit @ unit.T)[np.triu_indices(1500, 1)]
    assert anisotropy(embeddings) == pytest.approx(gram.mean())
    assert uniformity(embeddings) == pytest.approx(np.log(np.exp(-4 * (1 - gram)).mean()))
    assert uniformity(embeddings, t=3) == pytest.approx(np.log(np.exp(-6 * (1 - gram)).mean()))


def test_measures_of_known_spaces() -> None:
    one = np.ones((5, 3))
    assert (anisotropy(one), uniformity(one)) == pytest.approx((1, 0))
    axes = np.eye(4)
    assert (anisotropy(axes), uniformity(axes)) == pytest.approx((0, -4))
    opposite = np.array([[1, 0], [-2, 0]])
    assert (anisotropy(opposite), uniformity(opposite, t=100)) == pytest.approx((-1, -400))


@pytest.mark.parametrize("texts", [2, 19, 20, 21, 60])
def test_isotropy_is_that_over_all_eigenvectors(texts: int) -> None:
    embeddings = np.random.default_rng(texts).normal(size=(texts, 20)) + 0.3
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    directions = np.linalg.eigh(unit.T @ unit)[1]
    sums = np.exp(unit @ np.hstack([directions, -directions])).sum(axis=0)
    assert isotropy(embeddings) == pytest.approx(sums.min() / sums.max())


def test_isotropy_is_one_for_even_directions_and_low_for_a_cone() -> None:
    even = np.concatenate([np.eye(6), -np.eye(6)])
    assert isotropy(even) == pytest.approx(1)
    cone = np.ones((50, 6)) + 0.01 * np.random.default_rng(0).normal(size=(50, 6))
    assert isotropy(cone) == pytest.approx(np.exp(-2), abs=0.01), "all vectors along one direction"


@given(st.integers(0, 100))
def test_isotropy_is_that_of_a_loop(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(30, 4)) + 1
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    _, directions = np.linalg.eigh(unit.T @ unit)
    sums = [
        sum(float(np.exp(sign * w @ c)) for w in unit) for c in directions.T for sign in (1, -1)
    ]
    assert isotropy(points) == pytest.approx(min(sums) / max(sums))


def test_alignment_is_the_distance_of_pairs_rated_alike() -> None:
    points = np.array([[1.0, 0], [2, 0], [0, 1], [1, 0], [0, 3]])
    pairs = Pairs(
        "made",
        tuple("abcde"),
        np.array([0, 0, 0, 3]),
        np.array([1, 2, 3, 4]),
        np.array([5.0, 1, 4.5, 0]),
        "made up",
    )
    assert alignment(points, pairs) == 0
    further = Pairs(
        "made", tuple("abcde"), np.array([0, 0]), np.array([1, 2]), np.array([5.0, 4.9]), "made up"
    )
    assert alignment(points, further, share=1.0) == pytest.approx(1)
    with pytest.raises(CorpusError, match="4 embeddings were given for the 5 texts") as raised:
        alignment(points[:4], pairs)
    assert_one_sentence(raised.value)


def test_all_measures_at_once_and_layer_by_layer() -> None:
    states = np.random.default_rng(0).normal(0.5, 1, size=(3, 40, 8)).astype(np.float32)
    result = geometry(states[0])
    assert (result.anisotropy, result.texts) == (anisotropy(states[0]), 40)
    assert (result.uniformity, result.isotropy) == (uniformity(states[0]), isotropy(states[0]))
    assert result.alignment is None
    np.testing.assert_array_equal(anisotropy_by_layer(states), [anisotropy(s) for s in states])


def _broken(row: Any) -> NDArray[np.float64]:
    embeddings = np.random.default_rng(0).normal(size=(50, 2))
    embeddings[6] = row
    return embeddings


@pytest.mark.parametrize("measure", [anisotropy, uniformity, isotropy, geometry])
@pytest.mark.parametrize("embeddings", [np.ones((1, 2)), _broken(np.nan), _broken(0), np.ones(3)])
def test_spaces_that_cannot_be_measured(measure: Any, embeddings: NDArray[Any]) -> None:
    with pytest.raises(CorpusError):
        measure(embeddings)
