"""The attention function that carries a re-routing plan out.

At every selected layer the layer's own key-value pair of the final token is put before the
sequence as a prefix that every token may attend to (KV-Embedding, Tang & Yang, ACL 2026). The
arithmetic is in ``analysis.rerouting.attention``.

The attention functions are registered with transformers under two names; what they do in a pass
is read from a ``ContextVar``, so that sessions sharing one model cannot mix up their plans.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import eager_mask, sdpa_mask

from . import key_position
from .attention import (
    Attended,
    Band,
    Mask,
    additive,
    apart,
    blockwise,
    closed_form,
    concatenated_form,
    gather_last,
    mask_or_band,
    weights,
)
from .plan import Plan

Form = Literal["closed", "concatenated"]
SDPA = "kv_rerouting"
EAGER = "kv_rerouting_eager"


@dataclass
class Routing:
    """What the attention functions need in one pass, and what they leave behind.

    ``last`` (B,) int64 is the index of each row's final real token. ``gates`` maps a layer to
    g, float32 (B, H, T), when ``keep_gates``; ``visited`` holds the attention module of every
    layer that came by; ``keys`` a layer's prefix key (B, KV, 1, d) where it is not the token's
    own. ``bent`` is set when a family passed a soft cap or sinks, ``own_mask`` when it made a
    mask that this project did not. Unless ``causal``, every token sees every real one (within the
    window of a layer that has one), and nothing is re-routed. With ``check_forms`` a layer done in
    the closed form is done in the concatenated one too, and ``forms_apart`` is the largest
    distance of both. Of the layer to ``watch``, ``weights`` are what each token gives to each
    before any re-routing there, float32 (B, H, T, T), and ``visible`` is what it may look at.
    """

    plan: Plan
    last: torch.Tensor
    form: Form = "closed"
    keep_gates: bool = False
    causal: bool = True
    check_forms: bool = False
    watch: int | None = None
    gates: dict[int, torch.Tensor] = field(default_factory=dict)
    visited: dict[int, torch.nn.Module] = field(default_factory=dict)
    keys: dict[int, torch.Tensor] = field(default_factory=dict)
    bent: bool = False
    own_mask: bool = False
    forms_apart: float = 0.0
    weights: torch.Tensor = field(default_factory=torch.Tensor)
    visible: torch.Tensor = field(default_factory=torch.Tensor)

    def pair(
        self, layer: int, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The prefix of ``layer``, two (B, KV, 1, d), from its keys and values (B, KV, T, d)."""
        moved = self.keys.get(layer)
        return gather_last(key, self.last) if moved is None else moved, gather_last(
            value, self.last
        )


_ROUTING: ContextVar[Routing | None] = ContextVar("routing", default=None)


@contextmanager
def routed(routing: Routing) -> Iterator[Routing]:
    """Carry out ``routing`` in every pass of this thread (and no other) inside the block."""
    token = _ROUTING.set(routing)
    try:
        yield routing
    finally:
        _ROUTING.reset(token)


def instrument(module: torch.nn.Module) -> None:
    """Let an attention module find its prefix's key, where a plan wants it at another position."""
    inner = module.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        routing, layer = _ROUTING.get(), int(module.layer_idx)  # type: ignore[arg-type]
        if (
            routing is not None
            and routing.plan.key_position == "first"
            and layer in routing.plan.active
        ):
            _, routing.keys[layer] = key_position.replay(inner, args, kwargs, routing.last)
        return inner(*args, **kwargs)

    module.forward = forward


def _over_sdpa(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Mask,
    scaling: float | None = None,
    **kwargs: Any,
) -> Attended:
    """Attention of (B, H, T, d) queries on (B, KV, T, d) pairs -> (B, T, H, d), by plan."""
    if (nothing := key_position.caught(query, key, value)) is not None:
        return nothing, None
    routing, layer, attention_mask = _note(module, query, attention_mask, kwargs)

    def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        out, _ = sdpa_attention_forward(module, q, k, v, m, scaling=scaling, **kwargs)  # type: ignore[arg-type]
        return out.transpose(1, 2), None

    _watch(routing, layer, plain, query, key, attention_mask)
    if routing is None or layer not in routing.plan.active:
        out, _ = blockwise(plain, query, key, value, attention_mask)
        return out.transpose(1, 2).contiguous(), None
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    pair, bias = routing.pair(layer, key, value), routing.plan.bias
    if routing.form == "closed" and query.device.type == "cpu" and "position_bias" not in kwargs:
        out, gate = closed_form(query, key, value, pair, attention_mask, scale, bias)
        found: torch.Tensor | None = gate
        if routing.check_forms:
            other, _ = concatenated_form(query, key, value, pair, attention_mask, scale, bias)
            routing.forms_apart = max(routing.forms_apart, apart(other, out))
    else:
        out, found = concatenated_form(
            query, key, value, pair, attention_mask, scale, bias, routing.keep_gates
        )
    if routing.keep_gates and found is not None:
        routing.gates[layer] = found
    return out.transpose(1, 2).contiguous(), None


def _over_eager(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Mask,
    **kwargs: Any,
) -> Attended:
    """The same through the family's own eager function, always in the concatenated form."""
    if (nothing := key_position.caught(query, key, value)) is not None:
        return nothing, None
    family_attention = sys.modules[type(module).__module__].eager_attention_forward
    routing, layer, attention_mask = _note(module, query, attention_mask, kwargs)
    active = routing is not None and layer in routing.plan.active
    pair = routing.pair(layer, key, value) if active else None  # type: ignore[union-attr]

    def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        mask = m if not isinstance(m, torch.Tensor) else additive(m, q.dtype, finite=True)
        out, _ = family_attention(module, q, k, v, mask, **kwargs)
        return out.transpose(1, 2), None

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        if pair is None or routing is None:
            return plain(q, k, v, m)
        k, v = torch.cat([pair[0], k], 2), torch.cat([pair[1], v], 2)
        m = additive(m, q.dtype, finite=True)  # type: ignore[arg-type]
        m = torch.nn.functional.pad(m, (1, 0), value=routing.plan.bias)
        out, _ = plain(q, k, v, m)
        if not routing.keep_gates:
            return out, None
        mark = torch.zeros_like(v[..., :1])  # attended to like a value, it is the prefix's weight
        mark[:, :, 0] = 1
        return out, plain(q, k, mark, m)[0][..., 0].float()

    _watch(routing, layer, plain, query, key, attention_mask)
    out, gate = blockwise(attend, query, key, value, attention_mask)
    if active and gate is not None:
        routing.gates[layer] = gate  # type: ignore[union-attr]
    return out.transpose(1, 2).contiguous(), None


def _note(
    module: torch.nn.Module, query: torch.Tensor, mask: Mask, kwargs: dict[str, Any]
) -> tuple[Routing | None, int, Mask]:
    """This pass's routing, told that ``module``'s layer came by; its number; the mask to use."""
    routing, layer = _ROUTING.get(), getattr(module, "layer_idx", -1)
    if routing is not None:
        routing.visited[layer] = module
        routing.own_mask |= isinstance(mask, torch.Tensor)
        routing.bent |= kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None
        if not routing.causal and not isinstance(mask, torch.Tensor):
            mask = (mask or Band(query.shape[2])).both_ways(routing.last + 1)
    return routing, layer, mask


def _watch(
    routing: Routing | None,
    layer: int,
    plain: Callable[..., Attended],
    query: torch.Tensor,
    key: torch.Tensor,
    mask: Mask,
) -> None:
    """Keep the weights of the layer that is watched; even weights show what a token may see."""
    if routing is not None and layer == routing.watch:
        routing.weights = weights(plain, query, key, mask)
        routing.visible = weights(plain, torch.zeros_like(query), key, mask) > 0


for _name, _attention, _mask in (
    (SDPA, _over_sdpa, mask_or_band(sdpa_mask, always=False)),
    (EAGER, _over_eager, mask_or_band(eager_mask, always=True)),
):
    AttentionInterface.register(_name, _attention)
    AttentionMaskInterface.register(_name, _mask)
