"""Token states -> one vector. A pooling is a weight for every token of a prompt.

All poolings here are linear in the token states, so one row of weights describes each: what is
averaged, what is left out, and how much each token counts. The pages colour tokens by that row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from .prompts import Prompted

if TYPE_CHECKING:
    import torch

Pooling = Literal["last", "mean", "hybrid", "text-mean", "last-copy-mean"]


def _last(p: Prompted) -> NDArray[np.float32]:
    row = np.zeros(len(p.ids), np.float32)
    row[-1] = 1
    return row


def _mean(p: Prompted) -> NDArray[np.float32]:
    return np.full(len(p.ids), 1 / len(p.ids), np.float32)


def _span_mean(p: Prompted, copy: int) -> NDArray[np.float32]:
    first, stop = p.spans[copy]
    row = np.zeros(len(p.ids), np.float32)
    row[first:stop] = 1 / (stop - first)
    return row


POOLINGS: dict[Pooling, Callable[[Prompted], NDArray[np.float32]]] = {
    "last": _last,
    "mean": _mean,
    "hybrid": lambda p: (_last(p) + _mean(p)) * np.float32(0.5),
    "text-mean": lambda p: _span_mean(p, 0),
    "last-copy-mean": lambda p: _span_mean(p, -1),
}
"""``hybrid`` is KV-Embedding's (h_last + h_mean) / 2 (https://arxiv.org/abs/2601.01046), averaged
before normalisation, the mean over all tokens, prompt and beginning-of-sequence included;
``text-mean`` leaves the prompt out."""


def weights(prompts: Sequence[Prompted], pooling: Pooling) -> torch.Tensor:
    """Pooling weights of right-padded prompts.

    Args:
        prompts: B prompts.
        pooling: a key of :data:`POOLINGS`.

    Returns:
        Shape (B, T), float32; padding weighs 0, rows sum to 1.
    """
    import torch  # takes seconds; the command line lists poolings without it

    width = max(len(p.ids) for p in prompts)
    rows = torch.zeros(len(prompts), width, dtype=torch.float32)
    for i, prompt in enumerate(prompts):
        rows[i, : len(prompt.ids)] = torch.from_numpy(POOLINGS[pooling](prompt))
    return rows


def pool(states: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Weighted sum of token states, not normalised.

    Summed token after token, so that padding after them changes no bit.

    Args:
        states: (B, T, D), any floating dtype.
        rows: (B, T) weights, float32, see :func:`weights`.

    Returns:
        Shape (B, D), float32.
    """
    return (rows.to(states.device)[..., None] * states.float()).sum(1)
