"""Re-routed attention as its formula reads: one loop over rows, tokens and heads, nothing shared.

It knows no mask and no kernel: which tokens a token sees is worked out from positions, padding
and the sliding window. ``attending`` puts it into a whole model of any family in place of
transformers' own attention.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface

NAME = "slow_rerouting"


def rerouted(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    last: Sequence[int],
    sees: Callable[[int, int, int], bool],
    scale: float,
    bias: float | Sequence[float] | None,
    *,
    cap: float | None = None,
    sinks: torch.Tensor | None = None,
    self_bonus: float = 0.0,
    turn: Callable[[torch.Tensor, int], torch.Tensor] = lambda key, _: key,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs (B, H, T, d) and the prefix's softmax weights (B, H, T).

    ``query`` (B, H, T, d); ``key``, ``value`` (B, KV, T, d); ``last`` each row's final real
    token; ``sees(row, i, j)`` whether token i sees token j. ``bias`` is one number or one for each
    head; None prepends nothing.
    ``self_bonus`` is added to the logit that the final token has for itself. ``turn`` moves the
    prefix's key (d,) from the final token's position elsewhere.
    """
    rows, heads, tokens, _ = query.shape
    groups = heads // key.shape[1]
    out = query.new_zeros(rows, heads, tokens, value.shape[-1])
    gate = query.new_zeros(rows, heads, tokens)
    for b in range(rows):
        for i in range(tokens):
            seen = torch.tensor([j for j in range(tokens) if sees(b, i, j)], dtype=torch.int64)
            if not len(seen):
                continue  # padding before the text
            for h in range(heads):
                q, k, v, n = query[b, h, i], key[b, h // groups], value[b, h // groups], last[b]
                logits, values = k[seen] @ q * scale, v[seen]
                own = turn(k[n], n) @ q * scale
                if cap is not None:
                    logits, own = cap * (logits / cap).tanh(), cap * (own / cap).tanh()
                if i == n:
                    logits += self_bonus * (seen == n)
                if bias is not None:
                    b_h = bias if isinstance(bias, float) else bias[h]
                    logits = torch.cat([(own + b_h).view(1), logits])
                    values = torch.cat([v[n : n + 1], values])
                if sinks is not None:
                    logits = torch.cat([logits, sinks[h : h + 1]])
                    values = torch.cat([values, torch.zeros_like(values[:1])])
                weights = logits.softmax(0)
                out[b, h, i] = weights @ values
                if bias is not None:
                    gate[b, h, i] = weights[0]
    return out, gate


@dataclass
class Slow:
    """What a pass through a whole model re-routes: ``layers``, ``bias``, and the rows' padding.

    ``heads`` are layers whose heads have a bias each.

    ``real`` (B, T) marks the tokens that are no padding; ``window`` gives each layer's sliding
    window. With ``self_weighted`` nothing is prepended and the final token's weight for itself is
    multiplied by 1 + e^bias instead. Unless ``causal``, tokens see what comes later too. ``gates``
    is filled with each layer's (B, H, T).
    """

    layers: tuple[int, ...]
    bias: float
    real: torch.Tensor
    window: Callable[[int], int | None]
    self_weighted: bool = False
    causal: bool = True
    heads: dict[int, list[float]] = field(default_factory=dict)
    turn: Callable[[int, torch.Tensor, int], torch.Tensor] = lambda _layer, key, _n: key
    gates: dict[int, torch.Tensor] = field(default_factory=dict)


_CURRENT: list[Slow] = []


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None = None,  # noqa: ARG001  (some families hand it over by name)
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    slow, layer = _CURRENT[-1], int(module.layer_idx)  # type: ignore[arg-type]
    real, window = slow.real.tolist(), slow.window(layer)

    def sees(row: int, i: int, j: int) -> bool:
        near = window is None or abs(i - j) < window
        return (j <= i or not slow.causal) and near and real[row][i] and real[row][j]

    selected = layer in slow.layers or layer in slow.heads
    out, gate = rerouted(
        query,
        key,
        value,
        [max(i for i, is_real in enumerate(row) if is_real) for row in real],
        sees,
        query.shape[-1] ** -0.5 if scaling is None else scaling,
        slow.heads.get(layer, slow.bias) if selected and not slow.self_weighted else None,
        cap=softcap,
        sinks=s_aux,
        self_bonus=math.log1p(math.exp(slow.bias)) if selected and slow.self_weighted else 0.0,
        turn=lambda key, n: slow.turn(layer, key, n),
    )
    if selected:
        slow.gates[layer] = gate
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, lambda *_args, **_kwargs: None)


@contextmanager
def attending(model: Any, slow: Slow) -> Iterator[None]:
    """Let ``model``, which is not instrumented, attend by the formula inside the block."""
    before = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    _CURRENT.append(slow)
    try:
        with torch.inference_mode():
            yield
    finally:
        _CURRENT.pop()
        model.set_attn_implementation(before)
