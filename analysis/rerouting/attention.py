"""Re-routed attention as arithmetic, in its two forms.

With ``o_i`` and ``LSE_i`` the causal attention output and log-sum-exp of token i, and a pair
(k_n, v_n) put in front of all others, attention is exactly

    g_i = sigmoid(q_i . k_n * scaling + b - LSE_i),      o'_i = (1 - g_i) o_i + g_i v_n

(the *closed form*: the fast causal kernel is unchanged and the gate ``g`` is a by-product). Where
a kernel gives no log-sum-exp, or a family changes its logits (soft capping, sinks), the pair is
concatenated to keys and values (the *concatenated form*).

The re-routed pair is KV-Embedding's (Tang & Yang, ACL 2026, https://arxiv.org/abs/2601.01046); the
closed form follows from how a softmax over two groups of keys splits, as in FlashAttention's
blocks (https://arxiv.org/abs/2205.14135).
"""

import math

import torch

from .kernels import Kernel, cpu_kernel
from .masks import BLOCK, Attend, Attended, Band, Mask, additive, blockwise, row_of

Pair = tuple[torch.Tensor, torch.Tensor]
"""The prefix's key and value, each (B, KV, 1, d)."""
Bias = float | list[float]
"""What is added to the prefix's scaled logit: one number, or one for each of H heads. -inf shuts
the prefix out: the head's gate is exactly 0."""


def closed_form(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    pair: Pair,
    mask: Mask,
    scale: float,
    bias: Bias,
    attend: Kernel = cpu_kernel,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Re-route attention from a causal kernel's output and log-sum-exp.

    Args:
        query: (B, H, T, d), in any floating dtype.
        key: (B, KV, T, d), H a multiple of KV.
        value: (B, KV, T, d).
        pair: the prefix's key and value, each (B, KV, 1, d).
        mask: which keys each query sees; the prefix is seen by all.
        scale: factor of the logits, 1 / sqrt(d) in most families.
        bias: b, added to the prefix's scaled logit.
        attend: the kernel, on whose device the tensors lie.

    Returns:
        Output (B, H, T, d) in the query's dtype, and the gate g, float32 (B, H, T).
    """
    groups, width = query.shape[1] // key.shape[1], value.shape[-1]
    kernel_width = max(query.shape[-1], width)  # a kernel wants one head size
    if attend is not cpu_kernel:
        kernel_width += -kernel_width % 8  # and on GPUs a multiple of 8

    def kernel(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        if isinstance(m, torch.Tensor) or attend is not cpu_kernel:
            k, v = (x.repeat_interleave(groups, 1) for x in (k, v))
        q, k, v = (
            x
            if x.shape[-1] == kernel_width
            else torch.nn.functional.pad(x, (0, kernel_width - x.shape[-1]))
            for x in (q, k, v)
        )
        out, lse = attend(q, k, v, m, scale)  # type: ignore[arg-type]
        return out, lse[:, : q.shape[1]].float()

    out, lse = blockwise(kernel, query, key, value, mask)
    prefix_key, prefix_value = (x.repeat_interleave(groups, 1) for x in pair)
    logit = (query.float() * prefix_key.float()).sum(-1) * scale  # a row's sum, whatever T is
    gate = torch.sigmoid((logit + _by_head(bias, logit.device) - lse).double()).float()  # type: ignore[operator]
    out = out[..., :width].float()
    return (out + gate[..., None] * (prefix_value.float() - out)).to(query.dtype), gate


def concatenated_form(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    pair: Pair,
    mask: Mask,
    scale: float,
    bias: Bias,
    keep_gate: bool = False,
) -> Attended:
    """Re-route attention with the prefix concatenated in front and an explicit mask, on any device.

    Args:
        query: (B, H, T, d), in any floating dtype.
        key: (B, KV, T, d), H a multiple of KV.
        value: (B, KV, T, d).
        pair: the prefix's key and value, each (B, KV, 1, d).
        mask: which keys each query sees; the prefix is seen by all.
        scale: factor of the logits, 1 / sqrt(d) in most families.
        bias: b, added to the prefix's scaled logit.
        keep_gate: whether to compute the gate as well, at the cost of a second product.

    Returns:
        Output (B, H, T, d) in the query's dtype, and the gate g, float32 (B, H, T), or None.
    """
    groups = query.shape[1] // key.shape[1]

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        k = torch.cat([pair[0], k], 2).repeat_interleave(groups, 1)
        v = torch.cat([pair[1], v], 2).repeat_interleave(groups, 1)
        m = with_prefix(additive(m, q.dtype), bias)  # type: ignore[arg-type]
        if q.is_cpu and q.shape[-1] == v.shape[-1]:
            out, _ = cpu_kernel(q, k, v, m, scale)
        else:
            out = torch.nn.functional.scaled_dot_product_attention(
                q, k, v, attn_mask=m, scale=scale
            )
        if not keep_gate:
            return out, None
        logits = (q.float() @ k.float().transpose(2, 3)) * scale + m.float()
        return out, logits.softmax(-1)[..., 0]

    return blockwise(attend, query, key, value, Band(query.shape[2]) if mask is None else mask)


def with_prefix(mask: torch.Tensor, bias: Bias) -> torch.Tensor:
    """An additive mask with a column in front for the prefix, which all queries see.

    Args:
        mask: (1 or B, 1, queries, keys), any floating dtype.
        bias: b of one or of each head.

    Returns:
        (1 or B, 1 or H, queries, 1 + keys).
    """
    if isinstance(bias, float):
        return torch.nn.functional.pad(mask, (1, 0), value=bias)
    batch, _, queries, _ = mask.shape
    column = torch.tensor(bias, dtype=mask.dtype, device=mask.device).view(1, -1, 1, 1)
    column = column.expand(batch, -1, queries, 1)
    return torch.cat([column, mask.expand(-1, len(bias), -1, -1)], -1)


def _by_head(bias: Bias, device: torch.device) -> float | torch.Tensor:
    """A bias to add to numbers of shape (B, H, T)."""
    if isinstance(bias, float):
        return bias
    return torch.tensor(bias, dtype=torch.float32, device=device)[:, None]


def attention_weights(
    attend: Attend, query: torch.Tensor, key: torch.Tensor, mask: Mask
) -> torch.Tensor:
    """The attention weights of each token on each under ``attend``.

    Attention is linear in its values, whatever a family does to its logits: one-hot values come out
    as the weights. Where a row sums to less than 1, a family's sink takes the rest.

    Args:
        attend: the family's attention.
        query: (B, H, T, d).
        key: (B, KV, T, d).
        mask: which keys each query sees.

    Returns:
        float32 (B, H, T, T): rows are queries.
    """
    tokens = key.shape[2]
    marks = torch.eye(tokens, dtype=torch.float32, device=key.device).expand(
        *key.shape[:2], tokens, tokens
    )
    return blockwise(attend, query.float(), key.float(), marks, mask)[0]


def last_token_weights(
    query: torch.Tensor, key: torch.Tensor, mask: Mask, last: torch.Tensor, scale: float
) -> torch.Tensor:
    """The attention weights of each row's final real token, by a softmax of its logits.

    Args:
        query: (B, H, T, d).
        key: (B, KV, T, d), H a multiple of KV.
        mask: which keys each query sees.
        last: (B,) int64, the column of each row's final real token.
        scale: factor of the logits.

    Returns:
        float32 (B, H, T).
    """
    groups, last = query.shape[1] // key.shape[1], last.to(query.device)
    final = gather_last(query, last).view(len(key), key.shape[1], groups, 1, -1).float()
    logits = (final * key[:, :, None].float()).sum(-1) * scale  # a row's sum, whatever T is
    hidden = additive(row_of(mask, key.shape[2], last), torch.float32)
    return torch.softmax((logits + hidden).flatten(1, 2), -1)


def last_token_weights_by(
    attend: Attend, query: torch.Tensor, key: torch.Tensor, mask: Mask, last: torch.Tensor
) -> torch.Tensor:
    """The same under a family's own attention, from one-hot values, see :func:`attention_weights`.

    Args:
        attend: the family's attention.
        query: (B, H, T, d).
        key: (B, KV, T, d).
        mask: which keys each query sees.
        last: (B,) int64, the column of each row's final real token.

    Returns:
        float32 (B, H, T).
    """
    last, tokens = last.to(query.device), key.shape[2]
    final, row = gather_last(query, last).float(), row_of(mask, tokens, last)
    parts = []
    for begin in range(0, tokens, BLOCK):  # so that memory grows with T, not T x T
        marks = torch.eye(tokens, min(BLOCK, tokens - begin), device=key.device).roll(begin, 0)
        marks = marks.expand(*key.shape[:2], -1, -1)
        parts.append(attend(final, key.float(), marks, row)[0][:, :, 0])
    return torch.cat(parts, -1)


def relative_distance(reference: torch.Tensor, candidate: torch.Tensor) -> float:
    """The distance of two tensors of equal shape, as a share of the reference's norm.

    Args:
        reference: any shape, any floating dtype.
        candidate: the same shape.

    Returns:
        |reference - candidate| / |reference|, in float32; infinite where that is no number.
    """
    reference, candidate = reference.float(), candidate.float()
    distance = float((reference - candidate).norm() / reference.norm().clamp(min=1e-12))
    return math.inf if math.isnan(distance) else distance


def gather_last(states: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """Each row's final real token.

    Args:
        states: (B, KV, T, d).
        last: (B,) int64, the index of each row's final real token.

    Returns:
        (B, KV, 1, d).
    """
    index = last.to(states.device).view(-1, 1, 1, 1)
    return states.gather(2, index.expand(-1, states.shape[1], 1, states.shape[3]))
