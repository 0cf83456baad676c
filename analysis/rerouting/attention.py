"""Re-routed attention as arithmetic: its two forms, and masks that never hold T x T numbers.

With ``o_i`` and ``LSE_i`` the causal attention output and log-sum-exp of token i, and a pair
(k_n, v_n) put in front of all others, attention is exactly

    g_i = sigmoid(q_i . k_n * scaling + b - LSE_i),      o'_i = (1 - g_i) o_i + g_i v_n

(the *closed form*: the fast causal kernel stays as it is and the gate ``g`` falls out). Where a
kernel's log-sum-exp is not to be had, or a family bends its logits (soft capping, sinks), the
pair is really concatenated (the *concatenated form*).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers.masking_utils import causal_mask_function

BLOCK = 256
"""Queries attended to at a time where a mask is needed, so that memory grows with T, not T x T."""


@dataclass(frozen=True)
class Band:
    """In place of a T x T mask: token i sees the ``window`` tokens that end with itself.

    It also sees the ``ahead`` tokens after itself; ``lengths`` (B,), where given, hides what comes
    after each row's real tokens.
    """

    window: int
    ahead: int = 0
    lengths: torch.Tensor | None = None

    def blocks(
        self, tokens: int, device: torch.device
    ) -> Iterator[tuple[slice, slice, torch.Tensor]]:
        """Queries, the keys that any sees, and which does, bool (1 or B, 1, rows, columns)."""
        for begin in range(0, tokens, BLOCK):
            end, first = min(tokens, begin + BLOCK), max(0, begin - self.window + 1)
            stop = min(tokens, end + self.ahead)
            i = torch.arange(begin, end, device=device)[:, None]
            j = torch.arange(first, stop, device=device)
            seen = ((j <= i + self.ahead) & (j > i - self.window))[None, None]
            if self.lengths is not None:  # padding sees itself, as a row of nothing has no softmax
                real = j < self.lengths.to(device).view(-1, 1, 1, 1)
                seen = seen & (real | (j == i))
            yield slice(begin, end), slice(first, stop), seen

    def both_ways(self, lengths: torch.Tensor) -> "Band":
        """The same window to both sides, over the real tokens of rows of ``lengths`` (B,)."""
        return Band(self.window, self.window - 1, lengths)


Mask = torch.Tensor | Band | None
"""None for causal; a :class:`Band`; or bool (True = visible) or additive (B, 1, T, T)."""
Attended = tuple[torch.Tensor, torch.Tensor | None]


def closed_form(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    pair: tuple[torch.Tensor, torch.Tensor],
    mask: Mask,
    scale: float,
    bias: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Re-routed attention from the causal kernel's output and log-sum-exp (CPU).

    Shapes: ``query`` (B, H, T, d); ``key``, ``value`` (B, KV, T, d); ``pair`` two (B, KV, 1, d).
    Returns output (B, H, T, d) and the gate g, float32 (B, H, T).
    """
    groups, width = query.shape[1] // key.shape[1], value.shape[-1]
    wide = max(query.shape[-1], width)  # the kernel wants one head size

    def kernel(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        if isinstance(m, torch.Tensor):
            m = additive(m, q.dtype)
            k, v = (x.repeat_interleave(groups, 1) for x in (k, v))
        q, k, v = (
            x if x.shape[-1] == wide else torch.nn.functional.pad(x, (0, wide - x.shape[-1]))
            for x in (q, k, v)
        )
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, 0.0, m is None, attn_mask=m, scale=scale
        )
        return out, lse[:, : q.shape[1]].float()

    out, lse = blockwise(kernel, query, key, value, mask)
    k_last, v_last = (x.repeat_interleave(groups, 1) for x in pair)
    logit = (query.float() * k_last.float()).sum(-1) * scale  # row by row, whatever their number
    gate = torch.sigmoid((logit + bias - lse).double()).float()  # type: ignore[operator]
    out = out[..., :width].float()
    return (out + gate[..., None] * (v_last.float() - out)).to(query.dtype), gate


def concatenated_form(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    pair: tuple[torch.Tensor, torch.Tensor],
    mask: Mask,
    scale: float,
    bias: float,
    keep_gate: bool = False,
) -> Attended:
    """The same with the prefix really in front and an explicit mask, on any device."""
    groups = query.shape[1] // key.shape[1]

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        k = torch.cat([pair[0], k], 2).repeat_interleave(groups, 1)
        v = torch.cat([pair[1], v], 2).repeat_interleave(groups, 1)
        m = torch.nn.functional.pad(additive(m, q.dtype), (1, 0), value=bias)  # type: ignore[arg-type]
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=m, scale=scale)
        if not keep_gate:
            return out, None
        logits = (q.float() @ k.float().transpose(2, 3)) * scale + m.float()
        return out, logits.softmax(-1)[..., 0]

    return blockwise(attend, query, key, value, Band(query.shape[2]) if mask is None else mask)


def additive(mask: torch.Tensor, dtype: torch.dtype, *, finite: bool = False) -> torch.Tensor:
    """A bool mask (True = visible) as one to add to logits; an additive one stays as it is."""
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    shut = torch.finfo(dtype).min if finite else -math.inf
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, shut)


def blockwise(
    attend: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Mask], Attended],
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: Mask,
) -> Attended:
    """``attend`` to (B, H, T, d) and a gate (B, H, T), block by block under a :class:`Band`."""
    if not isinstance(mask, Band):
        return attend(query, key, value, mask)
    parts = [
        attend(query[:, :, rows], key[:, :, columns], value[:, :, columns], seen)
        for rows, columns, seen in mask.blocks(query.shape[2], query.device)
    ]
    if len(parts) == 1:
        return parts[0]
    rest = [gate for _, gate in parts if gate is not None]
    return torch.cat([out for out, _ in parts], 2), torch.cat(rest, 2) if rest else None


def weights(
    attend: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Mask], Attended],
    query: torch.Tensor,
    key: torch.Tensor,
    mask: Mask,
) -> torch.Tensor:
    """What each token gives to each under ``attend``, float32 (B, H, T, T): rows are queries.

    Attention is linear in its values, whatever a family does to its logits: values that mark one
    token each come out as the weights. A row's rest is what a family's sink takes.
    """
    tokens = key.shape[2]
    marks = torch.eye(tokens, device=key.device).expand(*key.shape[:2], tokens, tokens)
    return blockwise(attend, query.float(), key.float(), marks, mask)[0]


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The distance of two tensors as a share of the first one's length."""
    return float((one.float() - other.float()).norm() / one.float().norm().clamp(min=1e-12))


def gather_last(states: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """The final real token's row of each (B, KV, T, d): (B, KV, 1, d)."""
    index = last.to(states.device).view(-1, 1, 1, 1)
    return states.gather(2, index.expand(-1, states.shape[1], 1, states.shape[3]))


def mask_or_band(dense: Callable[..., torch.Tensor | None], *, always: bool) -> Callable[..., Mask]:
    """transformers' mask function ``dense``, saved the T x T mask where none or a band will do.

    ``always`` gives a band where causal attention alone would need no mask.
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
    ) -> Mask:
        window = kv_length + 1 if local_size is None else local_size
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
    """Whether token i sees itself and ``window - 1`` before it, tried along the band's edges."""
    i = torch.arange(tokens)
    batch = head = torch.zeros((), dtype=torch.int64)
    inside, edge = (i, i), (i[window - 1 :], i[: max(0, tokens - window + 1)])
    before, after = (i[window:], i[: max(0, tokens - window)]), (i[:-1], i[1:])
    return all(bool(sees(batch, head, *pair).all()) for pair in (inside, edge)) and not any(
        bool(sees(batch, head, *pair).any()) for pair in (before, after)
    )
