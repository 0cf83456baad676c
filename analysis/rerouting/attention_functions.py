"""The attention functions that models call: a family's attention, re-routed as the pass requests.

At every selected layer the layer's own key-value pair of the final token is put before the
sequence as a prefix that every token may attend to (KV-Embedding, Tang & Yang, ACL 2026,
https://arxiv.org/abs/2601.01046). The arithmetic is in ``attention``; how transformers comes to
call these functions is in ``patches``.
"""

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ..errors import PlanError
from . import forward_pass
from .attention import (
    attention_weights,
    closed_form,
    concatenated_form,
    last_token_weights,
    last_token_weights_by,
    relative_distance,
    with_prefix,
)
from .forward_pass import RunningPass, joined
from .kernels import cpu_kernel, kernel_for
from .masks import Attend, Attended, Band, JointBand, Mask, additive, blockwise

_SHORT = 5
"""A window for which forms are compared as well, since kernels under a mask are others."""


def _each_by_itself(attention: Callable[..., Attended]) -> Callable[..., Attended]:
    """An attention function that attends in each pass of a joint one by itself."""

    @wraps(attention)
    def attend(
        module: torch.nn.Module,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attention_mask: Mask | JointBand,
        **kwargs: Any,
    ) -> Attended:
        if len(passes := forward_pass.under_way()) < 2:
            return attention(module, query, key, value, attention_mask, **kwargs)
        if not isinstance(attention_mask, JointBand):
            raise PlanError("This family builds its own attention mask, which holds for one pass.")
        outputs = []
        for this_pass in passes:
            own = (this_pass.own_heads(x) for x in (query, key, value))
            mask = attention_mask.alone(this_pass.request.ids.shape[1])
            with forward_pass.only(this_pass):
                outputs.append(attention(module, *own, mask, **kwargs)[0])
        return joined(outputs), None

    return attend


@_each_by_itself
def over_sdpa(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Mask,
    scaling: float | None = None,
    **kwargs: Any,
) -> Attended:
    """Attend through PyTorch's ``scaled_dot_product_attention``, in either form.

    Args:
        module: the attention module that calls.
        query: (B, H, T, d).
        key: (B, KV, T, d), as attention sees it: normed and turned to its position.
        value: (B, KV, T, d).
        attention_mask: what the mask function of ``patches`` gave, or a mask of the family's own.
        scaling: factor of the logits; None for 1 / sqrt(d).
        **kwargs: what a family passes besides.

    Returns:
        Output (B, T, H, d), and None for the weights.
    """
    this_pass = forward_pass.current()
    if this_pass is not None and this_pass.replayed is not None:
        return _keep_replayed(this_pass.replayed, query, key, value)
    layer = _layer_of(module)
    attention_mask = _observe(this_pass, module, query, value, attention_mask, kwargs)

    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    uses_kernel = (
        this_pass is not None
        and query.is_cpu
        and "position_bias" not in kwargs
        and kwargs.get("is_causal", getattr(module, "is_causal", True)) in (None, True)
    )

    def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        if uses_kernel and q.shape[-1] == v.shape[-1] and not isinstance(m, Band):
            if m is not None:
                k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], 1) for x in (k, v))
            return cpu_kernel(q, k, v, m, scale)[0], None
        out, _ = sdpa_attention_forward(module, q, k, v, m, scaling=scaling, **kwargs)  # type: ignore[arg-type]
        return out.transpose(1, 2), None

    _keep_weights(this_pass, layer, plain, query, key, attention_mask)
    if this_pass is not None and this_pass.request.keep_attention:
        last = this_pass.request.last
        this_pass.attend(last_token_weights(query, key, attention_mask, last, scale))
    if this_pass is None or not this_pass.reroutes(layer):
        out, _ = blockwise(plain, query, key, value, attention_mask)
        return _finished(this_pass, layer, out), None
    request, result = this_pass.request, this_pass.result
    pair = this_pass.prefix(layer, key, value)
    bias = request.plan.biases_at(layer, query.shape[1])
    gate: torch.Tensor | None
    if request.strengths is not None:
        out, _ = blockwise(plain, query, key, value, attention_mask)
        full, gate = concatenated_form(query, key, value, pair, attention_mask, scale, bias)
        out = _partly(request.strengths, layer, out, full)
    elif (kernel := kernel_for(request.form, query.device)) and "position_bias" not in kwargs:
        given = (query, key, value, pair)
        out, gate = closed_form(*given, attention_mask, scale, bias, kernel)
        for mask in (attention_mask, Band(_SHORT)) if request.compare_forms else ():
            closed, _ = closed_form(*given, mask, scale, bias, kernel)
            concatenated, _ = concatenated_form(*given, mask, scale, bias)
            distance = relative_distance(concatenated, closed)
            result.family.form_distance = max(result.family.form_distance, distance)
    else:
        out, gate = concatenated_form(
            query, key, value, pair, attention_mask, scale, bias, request.keep_gates
        )
    if request.keep_gates and gate is not None:
        result.gates[layer] = gate
    return _finished(this_pass, layer, out), None


@_each_by_itself
def over_eager(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Mask,
    **kwargs: Any,
) -> Attended:
    """Attend through the family's own eager function, always in the concatenated form.

    Args:
        module: the attention module that calls.
        query: (B, H, T, d).
        key: (B, KV, T, d), as attention sees it: normed and turned to its position.
        value: (B, KV, T, d).
        attention_mask: what the mask function of ``patches`` gave, or a mask of the family's own.
        **kwargs: what a family passes besides, such as a soft cap or sinks.

    Returns:
        Output (B, T, H, d), and None for the weights.
    """
    this_pass = forward_pass.current()
    if this_pass is not None and this_pass.replayed is not None:
        return _keep_replayed(this_pass.replayed, query, key, value)
    family_attention = sys.modules[type(module).__module__].eager_attention_forward
    layer = _layer_of(module)
    attention_mask = _observe(this_pass, module, query, value, attention_mask, kwargs)

    def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        mask = m if not isinstance(m, torch.Tensor) else additive(m, q.dtype, finite=True)
        out, _ = family_attention(module, q, k, v, mask, **kwargs)
        return out.transpose(1, 2), None

    _keep_weights(this_pass, layer, plain, query, key, attention_mask)
    if this_pass is not None and this_pass.request.keep_attention:
        last = this_pass.request.last
        this_pass.attend(last_token_weights_by(plain, query, key, attention_mask, last))
    if this_pass is None or not this_pass.reroutes(layer):
        out, _ = blockwise(plain, query, key, value, attention_mask)
        return _finished(this_pass, layer, out), None
    request, pair = this_pass.request, this_pass.prefix(layer, key, value)

    def rerouted(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, m: Mask) -> Attended:
        k, v = torch.cat([pair[0], k], 2), torch.cat([pair[1], v], 2)
        m = additive(m, q.dtype, finite=True)  # type: ignore[arg-type]
        m = with_prefix(m, request.plan.biases_at(layer, q.shape[1]))
        out, _ = plain(q, k, v, m)
        if not request.keep_gates:
            return out, None
        mark = torch.zeros_like(v[..., :1])  # attended to like a value, it is the prefix's weight
        mark[:, :, 0] = 1
        return out, plain(q, k, mark, m)[0][..., 0].float()

    out, gate = blockwise(rerouted, query, key, value, attention_mask)
    if request.strengths is not None:
        before, _ = blockwise(plain, query, key, value, attention_mask)
        out = _partly(request.strengths, layer, before, out)
    if gate is not None:
        this_pass.result.gates[layer] = gate
    return _finished(this_pass, layer, out), None


def _finished(this_pass: RunningPass | None, layer: int, out: torch.Tensor) -> torch.Tensor:
    """A layer's outputs (B, H, T, d) as models want them, (B, T, H, d), steered as requested."""
    if this_pass is not None:
        out = this_pass.attended(layer, out)
    return out.transpose(1, 2).contiguous()


def _partly(
    strengths: Mapping[int, torch.Tensor],
    layer: int,
    plain: torch.Tensor,
    rerouted: torch.Tensor,
) -> torch.Tensor:
    """Outputs (B, H, T, d) between the plain and the re-routed: o + m (o' - o) for each head."""
    strength = strengths.get(layer)
    if strength is None:
        return rerouted
    return plain + strength.to(plain)[:, None, None] * (rerouted - plain)


def _layer_of(module: torch.nn.Module) -> int:
    """An attention module's layer; -1 where it does not say."""
    layer = getattr(module, "layer_idx", None)
    return -1 if layer is None else int(layer)


def _keep_replayed(
    replayed: list[tuple[torch.Tensor, torch.Tensor]],
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
) -> Attended:
    """Keep query and key, all that a replay needs; return zeros (B, T, H, d) as the output."""
    replayed.append((query, key))
    return value.new_zeros(len(query), query.shape[2], query.shape[1], value.shape[-1]), None


def _observe(
    this_pass: RunningPass | None,
    module: torch.nn.Module,
    query: torch.Tensor,
    value: torch.Tensor,
    mask: Mask,
    kwargs: dict[str, Any],
) -> Mask:
    """Record the family's traits and values seen at a layer; return the mask to use there."""
    if this_pass is None:
        return mask
    this_pass.add("values", _layer_of(module), value)
    family = this_pass.result.family
    family.attention_modules[_layer_of(module)] = module
    family.makes_masks |= isinstance(mask, torch.Tensor)
    family.changes_logits |= kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None
    if this_pass.request.causal or isinstance(mask, torch.Tensor):
        return mask
    return (mask or Band(query.shape[2])).bidirectional(this_pass.request.lengths)


def _keep_weights(
    this_pass: RunningPass | None,
    layer: int,
    plain: Attend,
    query: torch.Tensor,
    key: torch.Tensor,
    mask: Mask,
) -> None:
    """Keep a layer's weights if requested; weights of equal logits show what a token may see."""
    if this_pass is not None and layer == this_pass.request.keep_weights_of:
        this_pass.result.weights = attention_weights(plain, query, key, mask)
        this_pass.result.visible = attention_weights(plain, torch.zeros_like(query), key, mask) > 0
