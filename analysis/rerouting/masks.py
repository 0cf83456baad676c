"""Attention masks without T x T entries: causal masks and sliding windows as bands.

transformers writes a mask as a table of T x T numbers for each text. Causal attention needs none,
and a sliding window is described by one number; blocks of its rows are built when needed.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers.masking_utils import causal_mask_function

BLOCK = 256
"""Queries handled at a time where a mask is needed, so that memory grows with T, not T x T."""


@dataclass(frozen=True)
class Band:
    """In place of a T x T mask: token i sees the ``window`` tokens that end with itself.

    Attributes:
        window: tokens that each token sees, itself included.
        ahead: tokens after itself that each token sees as well.
        lengths: (B,) int64, each row's number of real tokens, where what comes after them is to be
            hidden; None where nothing is.
    """

    window: int
    ahead: int = 0
    lengths: torch.Tensor | None = None

    def blocks(
        self, tokens: int, device: torch.device
    ) -> Iterator[tuple[slice, slice, torch.Tensor]]:
        """Cut the mask into blocks of at most ``BLOCK`` queries.

        Args:
            tokens: T, the number of tokens.
            device: where the blocks are made.

        Yields:
            The block's queries, the keys that any of them sees, and which sees which: bool
            (1 or B, 1, queries, keys), True = visible.
        """
        for begin in range(0, tokens, BLOCK):
            end, first = min(tokens, begin + BLOCK), max(0, begin - self.window + 1)
            stop = min(tokens, end + self.ahead)
            i = torch.arange(begin, end, device=device)[:, None]
            j = torch.arange(first, stop, device=device)
            visible = ((j <= i + self.ahead) & (j > i - self.window))[None, None]
            if self.lengths is not None:  # padding sees itself: a softmax over nothing is NaN
                real = j < self.lengths.to(device).view(-1, 1, 1, 1)
                visible = visible & (real | (j == i))
            yield slice(begin, end), slice(first, stop), visible

    def bidirectional(self, lengths: torch.Tensor) -> "Band":
        """The same window to both sides, over the real tokens of rows of ``lengths`` (B,)."""
        return Band(self.window, self.window - 1, lengths)


@dataclass(frozen=True)
class JointBand:
    """The mask of a joint pass, in which each sequence is masked by itself.

    Attributes:
        window: tokens that each token sees, itself included; None for all before it.
        always: whether a band is given also where causal attention alone would need no mask.
    """

    window: int | None
    always: bool

    def alone(self, tokens: int) -> Band | None:
        """The mask of sequences of so many tokens."""
        window = tokens + 1 if self.window is None else self.window
        return Band(window) if self.always or tokens >= window else None


Mask = torch.Tensor | Band | None
"""None for causal; a :class:`Band`; or bool (True = visible) or additive (B, 1, T, T)."""
Attended = tuple[torch.Tensor, torch.Tensor | None]
"""An attention's output, and the gate where it is known."""
Attend = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Mask], Attended]
"""Attention of queries on keys and values under a mask."""


def additive(mask: torch.Tensor, dtype: torch.dtype, *, finite: bool = False) -> torch.Tensor:
    """Turn a bool mask into one that is added to logits; an additive one stays as it is.

    Args:
        mask: bool (True = visible) or additive, of any shape.
        dtype: that of the logits.
        finite: hide by the dtype's lowest number instead of -inf, for code that cannot take -inf.

    Returns:
        A tensor of the mask's shape in ``dtype``.
    """
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    hidden = torch.finfo(dtype).min if finite else -math.inf
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, hidden)


def row_of(mask: Mask, tokens: int, last: torch.Tensor) -> torch.Tensor:
    """Which tokens each row's final real token attends to.

    Args:
        mask: causal, or a causal window, or a table.
        tokens: T.
        last: (B,) int64, the column of each row's final real token.

    Returns:
        (B, 1, 1, T): bool, True = visible, or additive as the table.
    """
    if isinstance(mask, torch.Tensor):
        index = last.view(-1, 1, 1, 1).expand(-1, 1, 1, mask.shape[3])
        return mask.expand(len(last), -1, -1, -1).gather(2, index)
    column, end = torch.arange(tokens, device=last.device), last.view(-1, 1, 1, 1)
    window = tokens if mask is None else mask.window
    return (column <= end) & (column > end - window)


def blockwise(
    attend: Attend, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Mask
) -> Attended:
    """Attend block by block under a :class:`Band`, at once under any other mask.

    Args:
        attend: the attention of one block.
        query: (B, H, T, d).
        key: (B, KV, T, d).
        value: (B, KV, T, d).
        mask: see :data:`Mask`.

    Returns:
        Output (B, H, T, d), and the gate (B, H, T) where ``attend`` gives one.
    """
    if not isinstance(mask, Band):
        return attend(query, key, value, mask)
    blocks = [
        attend(query[:, :, queries], key[:, :, keys], value[:, :, keys], visible)
        for queries, keys, visible in mask.blocks(query.shape[2], query.device)
    ]
    if len(blocks) == 1:
        return blocks[0]
    gates = [gate for _, gate in blocks if gate is not None]
    return torch.cat([output for output, _ in blocks], 2), torch.cat(gates, 2) if gates else None


def mask_or_band(
    dense: Callable[..., torch.Tensor | None],
    *,
    always: bool,
    starts: Callable[[], torch.Tensor | None] = lambda: None,
) -> Callable[..., Mask | JointBand]:
    """Wrap a mask function of transformers, so that it gives no T x T mask where a band will do.

    Args:
        dense: the function to wrap, as registered in transformers' ``AttentionMaskInterface``.
        always: give a band also where causal attention alone would need no mask.
        starts: gives, in a joint pass, the place of the first token of each token's sequence,
            int64 (N,); None outside of any.

    Returns:
        A function of the same arguments, which gives a :data:`Mask`, or a :class:`JointBand`.
    """

    def mask(
        *,
        q_length: int,
        kv_length: int,
        mask_function: Callable[..., Any] = causal_mask_function,
        attention_mask: torch.Tensor | None = None,
        local_size: int | None = None,
        allow_is_causal_skip: bool = True,
        **kwargs: Any,
    ) -> Mask | JointBand:
        window = kv_length + 1 if local_size is None else local_size
        if (
            attention_mask is None
            and (first := starts()) is not None
            and q_length == kv_length == len(first)
            and _is_band_in_each(mask_function, window, first)
        ):
            return JointBand(local_size, always)
        if (
            attention_mask is None
            and allow_is_causal_skip
            and q_length == kv_length
            and _is_band(mask_function, window, kv_length)
        ):
            return Band(window) if always or kv_length >= window else None
        return dense(
            q_length=q_length,
            kv_length=kv_length,
            mask_function=mask_function,
            attention_mask=attention_mask,
            local_size=local_size,
            allow_is_causal_skip=allow_is_causal_skip,
            **kwargs,
        )

    return mask


def _is_band(sees: Callable[..., Any], window: int, tokens: int) -> bool:
    """Whether token i sees itself and ``window - 1`` before it, tested along the band's edges."""
    i = torch.arange(tokens)
    batch = head = torch.zeros((), dtype=torch.int64)
    inside, edge = (i, i), (i[window - 1 :], i[: max(0, tokens - window + 1)])
    before, after = (i[window:], i[: max(0, tokens - window)]), (i[:-1], i[1:])
    return all(bool(sees(batch, head, *pair).all()) for pair in (inside, edge)) and not any(
        bool(sees(batch, head, *pair).any()) for pair in (before, after)
    )


def _is_band_in_each(sees: Callable[..., Any], window: int, first: torch.Tensor) -> bool:
    """Whether each token sees itself and ``window - 1`` before it from its sequence's first on."""
    tokens = len(first)
    i = torch.arange(tokens)
    batch = head = torch.zeros((), dtype=torch.int64)
    farthest = torch.maximum(first, i - window + 1)
    same = first[1:] == first[:-1]
    beyond, after = i[i - window >= first], i[:-1][same]
    return all(bool(sees(batch, head, i, j).all()) for j in (i, farthest)) and not any(
        bool(sees(batch, head, *pair).any())
        for pair in ((beyond, beyond - window), (after, after + 1))
    )
