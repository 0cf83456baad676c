"""Pooling weights and what they make of token states."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analysis.embedding.pooling import POOLINGS, Pooling, pool, weights
from analysis.embedding.prompted import Prompted

SHORT = Prompted((5, 6, 7), ((1, 2),))
ECHO = Prompted((1, 2, 3, 4, 5, 6, 7, 8), ((2, 4), (5, 8)))
BARE = Prompted((9,), ((0, 1),))
EXPECTED: dict[Pooling, list[list[float]]] = {
    "last": [[0, 0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0, 0]],
    "mean": [[1 / 3] * 3 + [0] * 5, [1 / 8] * 8, [1, 0, 0, 0, 0, 0, 0, 0]],
    "hybrid": [
        [1 / 6, 1 / 6, 4 / 6, 0, 0, 0, 0, 0],
        [1 / 16] * 7 + [9 / 16],
        [1, 0, 0, 0, 0, 0, 0, 0],
    ],
    "text-mean": [
        [0, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 1 / 2, 1 / 2, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0, 0],
    ],
    "last-copy-mean": [
        [0, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3],
        [1, 0, 0, 0, 0, 0, 0, 0],
    ],
    "attended": [  # before attention weighs them
        [1 / 4, 1 / 4, 2 / 4, 0, 0, 0, 0, 0],
        [1 / 9] * 7 + [2 / 9],
        [1, 0, 0, 0, 0, 0, 0, 0],
    ],
}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_weights_count_the_tokens_they_should(pooling: Pooling) -> None:
    rows = weights([SHORT, ECHO, BARE], pooling)
    assert rows.dtype == torch.float32
    np.testing.assert_allclose(rows.numpy(), EXPECTED[pooling], atol=1e-7)


@given(st.data())
def test_weights_sum_to_one_and_leave_padding_out(data: st.DataObject) -> None:
    prompts = []
    for _ in range(data.draw(st.integers(1, 5))):
        tokens = data.draw(st.integers(1, 12))
        spans = []
        for _ in range(data.draw(st.integers(1, 2))):
            first = data.draw(st.integers(0, tokens - 1))
            spans.append((first, data.draw(st.integers(first + 1, tokens))))
        prompts.append(Prompted(tuple(range(tokens)), tuple(spans)))
    for pooling in POOLINGS:
        rows = weights(prompts, pooling)
        assert rows.shape == (len(prompts), max(len(p.ids) for p in prompts))
        assert (rows >= 0).all()
        torch.testing.assert_close(rows.sum(1), torch.ones(len(prompts)))
        for row, prompt in zip(rows, prompts, strict=True):
            assert (row[len(prompt.ids) :] == 0).all()


def test_pooled_vectors_are_weighted_sums() -> None:
    states = torch.randn(2, 8, 6)
    rows = weights([SHORT, ECHO], "mean")
    pooled = pool(states, rows)
    for i, tokens in enumerate((3, 8)):
        mean = states[i, :tokens].mean(0)
        torch.testing.assert_close(pooled[i], mean)


def test_hybrid_averages_before_it_normalises() -> None:
    """The longer of the two vectors counts for more; normalised first, both would count alike."""
    last, others = torch.tensor([9.0, 0.0]), torch.tensor([0.0, 3.0])
    states = torch.stack([others, others, last])[None]
    mean = states[0].mean(0)
    pooled = pool(states, weights([SHORT], "hybrid"))[0]
    torch.testing.assert_close(pooled, (last + mean) / 2)
    pooled = pooled / pooled.norm()
    normalised_first = last / last.norm() + mean / mean.norm()
    assert not torch.allclose(pooled, normalised_first / normalised_first.norm(), atol=0.01)


def test_narrow_states_are_summed_in_float32() -> None:
    states = torch.ones(1, 2048, 2, dtype=torch.bfloat16)
    states[0, :, 1] = 1 / 256  # a running sum in bfloat16 would stop growing
    rows = torch.full((1, 2048), 1 / 2048)
    pooled = pool(states, rows)
    assert pooled.dtype == torch.float32
    torch.testing.assert_close(pooled[0, 1] / pooled[0, 0], torch.tensor(1 / 256))
