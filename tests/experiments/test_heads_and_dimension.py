"""Do layers of low dimension hold the heads that help? Where the answer is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis.evaluation.over_layers import LEAST_LAYERS
from analysis.experiments.heads_and_dimension import relations, sentence

RNG = np.random.default_rng(0)
LAYERS, FIRST_FIFTH = 30, 6
NOISE = RNG.normal(size=(LAYERS, 6))


def test_the_correlation_is_scipys_over_the_layers_that_count() -> None:
    dims, values = RNG.uniform(5, 20, LAYERS), NOISE.copy()
    dims[7], values[11] = np.nan, np.nan
    found = relations(dims, values)
    used = [i for i in range(FIRST_FIFTH, LAYERS) if i not in (7, 11)]
    for name, summary in (("mean", values.mean(1)), ("best", values.max(1))):
        expected = spearmanr(dims[used], summary[used]).statistic
        relation = found[name]  # type: ignore[index]
        assert relation.rho == pytest.approx(expected)
        assert relation.layers == len(used)
        assert relation.low <= relation.rho <= relation.high


@pytest.mark.parametrize(
    ("slope", "answer"), [(-1.0, "Yes"), (1.0, "No, rather those of high"), (0.0, "It cannot")]
)
def test_the_answer_is_what_was_put_in(slope: float, answer: str) -> None:
    dims = np.linspace(5, 20, LAYERS)[RNG.permutation(LAYERS)]
    values = slope * dims[:, None] + 0.1 * NOISE
    found = relations(dims, values)
    text = sentence(found, "derivative")
    assert text.startswith(answer)
    assert "over 24 layers" in text
    assert found["mean"].text in text
    assert found == relations(dims, values), "the draws have a seed"


def test_what_nobody_can_know_is_not_answered() -> None:
    dims = np.linspace(5, 20, LAYERS)
    few = np.where(np.arange(LAYERS) < FIRST_FIFTH + LEAST_LAYERS - 1, dims, np.nan)
    for asked in (
        (few, NOISE),
        (np.full(LAYERS, 7.0), NOISE),
        (dims, np.zeros((LAYERS, 6))),
        (np.full(LAYERS, np.nan), NOISE),
    ):
        assert relations(*asked) == {}
    assert "too few layers" in sentence({}, "derivative")
