"""Curves over layers: related ones are found, and smooth unrelated ones seldom called related."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from analysis.evaluation.over_layers import LEAST_LAYERS, relation

RNG = np.random.default_rng(0)


def smooth(rng: np.random.Generator, layers: int, share: float) -> NDArray[np.float64]:
    """A curve of which each layer keeps a ``share`` of the one before."""
    noise, values = rng.normal(size=layers + 100), [0.0]
    for each in noise:
        values.append(share * values[-1] + each)
    return np.array(values[-layers:])


def test_the_correlation_is_scipys_and_lies_in_its_interval() -> None:
    x, y = RNG.normal(size=(2, 24))
    found = relation(x, y)
    assert found is not None
    assert found.rho == pytest.approx(spearmanr(x, y).statistic)
    assert found.low <= found.rho <= found.high
    assert found == relation(x, y), "the draws have a seed"


def test_p_is_the_share_of_moves_that_go_together_as_well() -> None:
    x, y = RNG.normal(size=(2, 12))
    found = relation(x, y)
    each = [abs(spearmanr(x, np.roll(y, by)).statistic) for by in range(12)]
    assert found is not None
    assert found.p == pytest.approx(np.mean([value >= each[0] - 1e-9 for value in each]))


def test_curves_that_go_together_are_called_related_where_layers_suffice() -> None:
    x = RNG.normal(size=24)
    for sign in (1, -1):
        found = relation(x, sign * x + 0.1 * RNG.normal(size=24))
        assert found is not None
        assert found.clear
        assert sign * found.rho > 0.9
    few = relation(x[:15], x[:15])
    assert few is not None
    assert not few.clear, "15 layers cannot be moved 20 ways"


def test_nothing_is_said_of_few_layers_or_a_flat_curve() -> None:
    x = np.arange(24.0)
    assert relation(x[: LEAST_LAYERS - 1], x[: LEAST_LAYERS - 1]) is None
    assert relation(x, np.zeros(24)) is None


@pytest.mark.parametrize(("share", "most"), [(0.0, 0.1), (0.8, 0.12), (0.95, 0.25)])
def test_unrelated_curves_are_seldom_called_related(share: float, most: float) -> None:
    clear = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = relation(smooth(rng, 24, share), smooth(rng, 24, share))
        assert found is not None
        clear += found.clear
    assert clear <= most * 60
