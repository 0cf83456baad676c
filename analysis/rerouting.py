"""The re-routing plan, and the attention function that carries it out.

At every selected layer the layer's own key-value pair of the final token is put before the
sequence as a prefix that every token may attend to (KV-Embedding, Tang & Yang, ACL 2026).
With ``o_i`` and ``LSE_i`` the causal attention output and log-sum-exp of token i, that is exactly

    g_i = sigmoid(q_i . k_n * scaling + b - LSE_i),      o'_i = (1 - g_i) o_i + g_i v_n

(the *closed form*: the fast causal kernel stays as it is and the gate ``g`` falls out). Where a
kernel's log-sum-exp is not to be had, or a family bends its logits (soft capping, sinks), the
prefix is really concatenated (the *concatenated form*), there through the family's own function.

The attention functions are registered with transformers under two names; what they do in a pass
is read from a ``ContextVar``, so that sessions sharing one model cannot mix up their plans.
"""

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from analysis.errors import PlanError

Form = Literal["closed", "concatenated"]
SDPA = "kv_rerouting"
EAGER = "kv_rerouting_eager"


@dataclass(frozen=True)
class Plan:
    """Which layers re-route (0-based, ascending) and the bias b on the prefix's logit.

    ``bias`` is added after the 1/sqrt(d) scaling and before the softmax; ``-inf`` is "off".

    Raises:
        PlanError: layers are negative, repeated or out of order, or the bias is nan or +inf.
    """

    layers: tuple[int, ...] = ()
    bias: float = 1.0

    def __post_init__(self) -> None:
        if any(layer < 0 for layer in self.layers) or list(self.layers) != sorted(set(self.layers)):
            raise PlanError(f"Layers {self.layers} must be distinct, ascending and at least 0.")
        if math.isnan(self.bias) or self.bias == math.inf:
            raise PlanError(f"The bias must be a number or -inf, not {self.bias}.")

    @property
    def active(self) -> tuple[int, ...]:
        """The layers at which anything happens: none when the bias is -inf."""
        return () if self.bias == -math.inf else self.layers


PLAIN = Plan()


@dataclass
class Routing:
    """What the attention functions need in one pass, and what they leave behind.

    ``last`` (B,) int64 is the index of each row's final real token. ``gates`` maps a layer to
    g, float32 (B, H, T), when ``keep_gates``; ``visited`` holds every layer that came by.
    ``bent`` is set when a family passed a soft cap or sinks.
    """

    plan: Plan
    last: torch.Tensor
    form: Form = "closed"
    keep_gates: bool = False
    gates: dict[int, torch.Tensor] = field(default_factory=dict)
    visited: set[int] = field(default_factory=set)
    bent: bool = False


_ROUTING: ContextVar[Routing | None] = ContextVar("routing", default=None)


@contextmanager
def routed(routing: Routing) -> Iterator[Routing]:
    """Carry out ``routing`` in every pass of this thread (and no other) inside the block."""
    token = _ROUTING.set(routing)
    try:
        yield routing
    finally:
        _ROUTING.reset(token)


def _over_sdpa(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Attention of (B, H, T, d) queries on (B, KV, T, d) pairs -> (B, T, H, d), by plan."""
    routing, layer = _note(module, kwargs)
    if routing is None or layer not in routing.plan.active:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    pair = gather_last(key, routing.last), gather_last(value, routing.last)
    if routing.form == "closed" and query.device.type == "cpu" and "position_bias" not in kwargs:
        out, gate = closed_form(query, key, value, pair, attention_mask, scale, routing.plan.bias)
        found: torch.Tensor | None = gate
    else:
        out, found = concatenated_form(
            query, key, value, pair, attention_mask, scale, routing.plan.bias, routing.keep_gates
        )
    if routing.keep_gates and found is not None:
        routing.gates[layer] = found
    return out.transpose(1, 2).contiguous(), None


def _over_eager(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The same through the family's own eager function, always in the concatenated form."""
    family_attention = sys.modules[type(module).__module__].eager_attention_forward
    routing, layer = _note(module, kwargs)
    if routing is None or layer not in routing.plan.active:
        return family_attention(module, query, key, value, attention_mask, **kwargs)  # type: ignore[no-any-return]
    key = torch.cat([gather_last(key, routing.last), key], 2)
    value = torch.cat([gather_last(value, routing.last), value], 2)
    mask = attention_mask[..., : query.shape[2]]
    column = torch.full_like(mask[..., :1], routing.plan.bias)
    mask = torch.cat([column, mask], -1)
    out, attention = family_attention(module, query, key, value, mask, **kwargs)
    if routing.keep_gates:
        routing.gates[layer] = attention[..., 0].float()
    return out, attention


def _note(module: torch.nn.Module, kwargs: dict[str, Any]) -> tuple[Routing | None, int]:
    """This pass's routing, told that ``module``'s layer came by; and that layer's number."""
    routing, layer = _ROUTING.get(), getattr(module, "layer_idx", -1)
    if routing is not None:
        routing.visited.add(layer)
        routing.bent |= kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None
    return routing, layer


def gather_last(states: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """The final real token's row of each (B, KV, T, d): (B, KV, 1, d)."""
    index = last.to(states.device).view(-1, 1, 1, 1)
    return states.gather(2, index.expand(-1, states.shape[1], 1, states.shape[3]))


def closed_form(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    pair: tuple[torch.Tensor, torch.Tensor],
    mask: torch.Tensor | None,
    scale: float,
    bias: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Re-routed attention from the causal kernel's output and log-sum-exp (CPU).

    Shapes: ``query`` (B, H, T, d); ``key``, ``value`` (B, KV, T, d); ``pair`` two (B, KV, 1, d);
    ``mask`` None for causal, else bool or additive (B, 1, T, T). Returns output (B, H, T, d) and
    the gate g, float32 (B, H, T).
    """
    heads, groups = query.shape[1], query.shape[1] // key.shape[1]
    k_last, v_last = (x.repeat_interleave(groups, 1) for x in pair)
    if mask is not None:
        mask = _additive(mask, query.dtype)
        key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
    width = value.shape[-1]
    wide = max(query.shape[-1], width)  # the kernel wants one head size
    q, k, v = (
        x if x.shape[-1] == wide else torch.nn.functional.pad(x, (0, wide - x.shape[-1]))
        for x in (query, key, value)
    )
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, 0.0, mask is None, attn_mask=mask, scale=scale
    )
    logit = torch.einsum("bhtd,bhd->bht", query.float(), k_last[:, :, 0].float()) * scale
    gate = torch.sigmoid(logit + bias - lse[:, :heads].float())
    return torch.lerp(out[..., :width].float(), v_last.float(), gate[..., None]).to(out.dtype), gate


def concatenated_form(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    pair: tuple[torch.Tensor, torch.Tensor],
    mask: torch.Tensor | None,
    scale: float,
    bias: float,
    keep_gate: bool = False,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The same with the prefix really in front and an explicit T x (T + 1) mask, on any device."""
    groups, tokens = query.shape[1] // key.shape[1], query.shape[2]
    key = torch.cat([pair[0], key], 2).repeat_interleave(groups, 1)
    value = torch.cat([pair[1], value], 2).repeat_interleave(groups, 1)
    if mask is None:
        mask = torch.ones(1, 1, tokens, tokens, dtype=torch.bool, device=query.device).tril()
    mask = torch.nn.functional.pad(_additive(mask, query.dtype), (1, 0), value=bias)
    out = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, scale=scale
    )
    gate = None
    if keep_gate:
        logits = (query.float() @ key.float().transpose(2, 3)) * scale + mask.float()
        gate = logits.softmax(-1)[..., 0]
    return out, gate


def _additive(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A bool mask (True = visible) as one to add to logits; an additive one stays as it is."""
    if mask.dtype != torch.bool:
        return mask.to(dtype)
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -math.inf)


for _name, _attention, _mask in ((SDPA, _over_sdpa, sdpa_mask), (EAGER, _over_eager, eager_mask)):
    AttentionInterface.register(_name, _attention)
    AttentionMaskInterface.register(_name, _mask)
