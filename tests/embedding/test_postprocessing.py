"""Post-processing: what it does to the space it was fitted on, and that it sees nothing else."""

import numpy as np
import pytest

from analysis.embedding.postprocessing import POSTPROCESSINGS, postprocessing
from analysis.errors import CorpusError, PlanError
from tests.support.checks import assert_one_sentence

RNG = np.random.default_rng(0)
CONE = (RNG.normal(size=(400, 12)) * np.linspace(0.1, 3, 12) + 5).astype(np.float32)


def test_none_is_the_same_array() -> None:
    assert POSTPROCESSINGS["none"].fit(CONE)(CONE) is CONE


@pytest.mark.parametrize("name", ["centre", "whiten"])
def test_directions_become_even(name: str) -> None:
    def mean_cosine(x: np.ndarray) -> float:
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        return float((unit @ unit.T)[~np.eye(len(x), dtype=bool)].mean())

    result = postprocessing(name).fit(CONE)(CONE)
    assert result.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, atol=1e-6)
    assert mean_cosine(CONE) > 0.5
    assert abs(mean_cosine(result)) < 0.01


def test_whitening_evens_out_the_spread() -> None:
    spread = [
        np.linalg.eigvalsh(np.cov(postprocessing(name).fit(CONE)(CONE).T))
        for name in ("centre", "whiten")
    ]
    ratios = [values[-1] / values[0] for values in spread]
    assert ratios[0] > 100
    assert ratios[1] < ratios[0] / 10


def test_it_depends_on_the_calibration_texts_only() -> None:
    for name in ("centre", "whiten", "standardise"):
        fitted = postprocessing(name).fit(CONE[:200])
        alone = np.concatenate([fitted(CONE[i : i + 1]) for i in range(200, 210)])
        np.testing.assert_allclose(fitted(CONE[200:210]), alone, atol=1e-6)


def test_standardising_is_by_hand() -> None:
    fitted = postprocessing("standardise").fit(CONE[:300])
    scores = (CONE[300:] - CONE[:300].mean(0)) / CONE[:300].std(0, ddof=1)
    expected = scores / np.linalg.norm(scores, axis=1, keepdims=True)
    np.testing.assert_allclose(fitted(CONE[300:]), expected, atol=1e-5)


def test_a_channel_that_does_not_vary_is_left_out() -> None:
    """Its rounding would else be all that counts."""
    flat = np.column_stack([CONE, np.full(len(CONE), 0.7, np.float32)])
    flat[::2, -1] = np.nextafter(flat[::2, -1], np.float32(1))
    result = postprocessing("standardise").fit(flat[:300])(flat[300:])
    assert not result[:, -1].any()
    expected = postprocessing("standardise").fit(CONE[:300])(CONE[300:])
    np.testing.assert_array_equal(result[:, :-1], expected)


def test_fewer_texts_than_directions_are_enough() -> None:
    result = postprocessing("whiten").fit(CONE[:5])(CONE)
    assert np.isfinite(result).all()
    mean = CONE[:5].mean(axis=0, keepdims=True)
    assert np.isfinite(postprocessing("centre").fit(CONE[:5])(mean)).all()


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(PlanError, match="no post-processing 'pca'; choose one of none") as raised:
        postprocessing("pca")
    assert_one_sentence(raised.value)
    for name in ("centre", "whiten", "standardise"):
        for few in (CONE[:1], CONE[[0, 0, 0]]):
            with pytest.raises(CorpusError, match="2 or more different") as refused:
                postprocessing(name).fit(few)
            assert_one_sentence(refused.value)
