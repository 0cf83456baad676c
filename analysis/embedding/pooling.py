"""Token states -> one vector. A pooling is a weight for every token of a prompt.

All poolings here are linear in the token states, so one row of weights describes each: what is
averaged, what is left out, and how much each token counts. The pages colour tokens by that row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from .prompted import Prompted

if TYPE_CHECKING:
    import torch

Pooling = Literal["last", "mean", "hybrid", "text-mean", "last-copy-mean", "attended"]


def _last(p: Prompted) -> NDArray[np.float32]:
    row = np.zeros(len(p.ids), np.float32)
    row[-1] = 1
    return row


def _mean(p: Prompted) -> NDArray[np.float32]:
    return np.full(len(p.ids), 1 / len(p.ids), np.float32)


def _last_twice(p: Prompted) -> NDArray[np.float32]:
    row = np.full(len(p.ids), 1 / (len(p.ids) + 1), np.float32)
    row[-1] *= 2
    return row


def _span_mean(copy: int, p: Prompted) -> NDArray[np.float32]:
    first, stop = p.spans[copy]
    row = np.zeros(len(p.ids), np.float32)
    row[first:stop] = 1
    row[list(p.slots)] = 0
    return row / np.float32(row.sum())


@dataclass(frozen=True)
class Tokens:
    """Which tokens are pooled: a named row of weights, called with a prompt.

    Attributes:
        name: its name.
        meaning: which tokens count, in a few words.
        row: from a prompt of T tokens their weights, float32 (T,), which sum to 1.
        source: the link of its publication, if there is one.
        by_attention: whether each weight is multiplied by how much the last token attends to that
            token, at most over layers and heads, after which they sum to 1 again.
    """

    name: Pooling
    meaning: str
    row: Callable[[Prompted], NDArray[np.float32]]
    source: str = ""
    by_attention: bool = False

    def __call__(self, prompt: Prompted) -> NDArray[np.float32]:
        """The weights of a prompt's tokens, float32 (T,)."""
        return self.row(prompt)


POOLINGS: dict[Pooling, Tokens] = {
    tokens.name: tokens
    for tokens in (
        Tokens("last", "the last token", _last),
        Tokens("mean", "all tokens alike, prompt and beginning-of-sequence included", _mean),
        Tokens(
            "hybrid",
            "half the last token, half the mean, averaged before normalisation",
            lambda p: (_last(p) + _mean(p)) * np.float32(0.5),
            "https://arxiv.org/abs/2601.01046",
        ),
        Tokens(
            "text-mean",
            "the text's tokens alike, without the prompt and placeholders",
            partial(_span_mean, 0),
        ),
        Tokens(
            "last-copy-mean",
            "the tokens of the text's last copy alike",
            partial(_span_mean, -1),
            "https://arxiv.org/abs/2402.15449",
        ),
        # the largest entries of (A + A^T) / 2 in the last token's row, A causal attention
        Tokens(
            "attended",
            "all tokens, by how much the last one attends to each; itself twice",
            _last_twice,
            "https://arxiv.org/abs/2502.20726",
            by_attention=True,
        ),
    )
}


def weights(
    prompts: Sequence[Prompted], pooling: Pooling, attention: torch.Tensor | None = None
) -> torch.Tensor:
    """Pooling weights of right-padded prompts.

    Args:
        prompts: B prompts.
        pooling: a key of :data:`POOLINGS`.
        attention: how much the last token attends to each token, (B, T), for a pooling by
            attention.

    Returns:
        Shape (B, T), float32; padding weighs 0, rows sum to 1.
    """
    import torch  # takes seconds; the command line lists poolings without it

    width = max(len(p.ids) for p in prompts)
    rows = torch.zeros(len(prompts), width, dtype=torch.float32)
    for i, prompt in enumerate(prompts):
        rows[i, : len(prompt.ids)] = torch.from_numpy(POOLINGS[pooling](prompt))
    if not POOLINGS[pooling].by_attention or attention is None:
        return rows
    rows = rows * attention.cpu()
    return rows / rows.sum(1, keepdim=True)


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
