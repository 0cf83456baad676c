"""Everything that is changed in transformers and its models, and why.

1. Two attention functions and their mask functions are registered under names of this project
   (:func:`register_attention_functions`). Why: transformers lets a model be switched to a
   registered function, so a family's own code stays untouched, and no T x T mask is made.
2. Each decoder layer gets two hooks (:func:`patch_layers`): before it, states are kept, replaced
   or overwritten; after it, they are kept. Why hooks: nothing of the layer is skipped.
3. Each decoder layer's ``forward`` is wrapped (:func:`patch_layers`). Why no hook: a pass that
   resumes must skip the layers below its start, one that stops early those from there on, and a
   hook cannot keep a module from running.
4. Attention modules get a hook (:func:`sum_outputs_of`) that adds their outputs up where a pass
   sums them. Why a hook: nothing is skipped.
5. Routers of experts get a hook (:func:`keep_weights_of`) that keeps their weights where a pass
   asks for them. Why a hook: nothing is skipped.
6. Attention modules whose positions are rotary get a hook (:func:`patch_attention_modules`) that
   computes the prefix's key at another position. Why a hook: nothing is skipped.

None of this has an effect outside a pass (see ``forward_pass``). The linear layers, which are
replaced for speed, are in ``backbones.packed_linear``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask, sdpa_mask

from . import attention_functions, forward_pass, key_position
from .forward_pass import RunningPass, joined
from .masks import mask_or_band

SDPA = "kv_rerouting"
EAGER = "kv_rerouting_eager"


def register_attention_functions() -> None:
    """Register this project's attention in transformers as ``SDPA`` and ``EAGER``, once."""
    for name, attention, mask in (
        (SDPA, attention_functions.over_sdpa, _mask_or_band(sdpa_mask, always=False)),
        (EAGER, attention_functions.over_eager, _mask_or_band(eager_mask, always=True)),
    ):
        if name not in AttentionInterface():  # type: ignore[no-untyped-call]
            AttentionInterface.register(name, attention)
        if name not in AttentionMaskInterface():  # type: ignore[no-untyped-call]
            AttentionMaskInterface.register(name, mask)


_mask_or_band = partial(mask_or_band, starts=forward_pass.sequence_starts)


def patch_layers(layers: Sequence[torch.nn.Module]) -> None:
    """Let passes start late, change states and keep them; once for each model.

    Args:
        layers: the decoder layers in order.
    """
    for index, layer in enumerate(layers):
        layer.register_forward_pre_hook(partial(_before_layer, index), with_kwargs=True)
        layer.register_forward_hook(partial(_after_layer, index, index == len(layers) - 1))
        layer.forward = _unless_skipped(layer.forward, index, index == len(layers) - 1)


def patch_attention_modules(modules: Iterable[torch.nn.Module]) -> None:
    """Let plans move the prefix's key to another position; once for each module.

    Args:
        modules: attention modules that are passed rotary positions, each with a ``layer_idx``.
    """
    for module in modules:
        module.register_forward_pre_hook(_keep_moved_key, with_kwargs=True)


def sum_outputs_of(modules: Mapping[int, torch.nn.Module]) -> None:
    """Let passes sum what attention modules give, after their output projection; once for each.

    Args:
        modules: the attention modules by layer.
    """
    for layer, module in modules.items():
        module.register_forward_hook(partial(_sum_output, layer))


def keep_weights_of(routers: Iterable[tuple[torch.nn.Module, int]]) -> None:
    """Let passes keep the weights of a model's routers; once for each.

    Args:
        routers: in the layers' order, each with the place of its logits in what it returns.
    """
    for module, place in routers:
        module.register_forward_hook(partial(_keep_router, place))


def _keep_router(place: int, _module: torch.nn.Module, _args: tuple[Any, ...], output: Any) -> None:
    logits = output[place] if isinstance(output, tuple) else output
    if not isinstance(logits, torch.Tensor):
        return
    for this_pass in (passes := forward_pass.under_way()):
        row = logits.flatten(0, -2)[None] if len(passes) > 1 else logits
        this_pass.route(this_pass.own(row))


def _sum_output(layer: int, _module: torch.nn.Module, _args: tuple[Any, ...], output: Any) -> None:
    for this_pass in forward_pass.under_way():
        row = output[0] if isinstance(output, tuple) else output
        this_pass.add("outputs", layer, this_pass.own(row))


def _unless_skipped(inner: Callable[..., Any], index: int, is_last: bool) -> Callable[..., Any]:
    """A layer's ``forward`` that returns its states unchanged where a pass does not run it.

    The last one returns the stored states where the pass starts after it.
    """
    returns_tuple = False

    def forward(hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        nonlocal returns_tuple
        passes = forward_pass.under_way()
        if passes and not passes[0].request.runs(index):
            states = hidden_states
            if is_last and index < passes[0].request.start:
                states = _start_states(passes, hidden_states)
            return (states,) if returns_tuple else states
        output = inner(hidden_states, *args, **kwargs)
        returns_tuple = isinstance(output, tuple)
        return output

    return forward


def _start_states(passes: Sequence[RunningPass], entering: torch.Tensor) -> torch.Tensor:
    """The states that passes start from, as one row; those that enter where they have none."""
    stored = [each.request.start_states for each in passes]
    given = [states for states in stored if states is not None]
    return joined(given).to(entering.device) if len(given) == len(stored) else entering


def _before_layer(
    index: int, _layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Insert the stored states where passes start; keep and overwrite states as requested."""
    passes = forward_pass.under_way()
    if not passes or not passes[0].request.runs(index):
        return None
    passes[0].request.before_layer()
    original = states = args[0] if args else kwargs["hidden_states"]
    if index == passes[0].request.start:
        states = _start_states(passes, original)
    parts = [this_pass.own(states) for this_pass in passes]
    for this_pass, part in zip(passes, parts, strict=True):
        if index in this_pass.request.keep_inputs:
            this_pass.result.inputs[index] = part
    changed = [_overwritten(index, *each) for each in zip(passes, parts, strict=True)]
    if any(after is not before for after, before in zip(changed, parts, strict=True)):
        states = joined(changed)
    if states is original:
        return None
    return ((states, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": states})


def _overwritten(index: int, this_pass: RunningPass, states: torch.Tensor) -> torch.Tensor:
    """The states (B, T, D) that a pass enters a layer with."""
    over = this_pass.request.overwriting
    return over.changed(states) if over is not None and over.start <= index < over.exit else states


def _after_layer(
    index: int, is_last: bool, _layer: torch.nn.Module, _args: tuple[Any, ...], output: Any
) -> None:
    """Keep or hand over the layer's output if requested."""
    for this_pass in forward_pass.under_way():
        states = this_pass.own(output[0] if isinstance(output, tuple) else output)
        if this_pass.request.keep_at is not None and index >= this_pass.request.start:
            rows, columns = (x.to(states.device) for x in this_pass.request.keep_at)
            this_pass.result.outputs[index] = states[rows, columns].float().cpu()
        if this_pass.request.each_output is not None and this_pass.request.runs(index):
            this_pass.request.each_output(index, states)
        if is_last:
            this_pass.result.pre_norm = states


def _keep_moved_key(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Compute the prefix's key where the plan moves it from its own position."""
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    for this_pass in forward_pass.under_way():
        if this_pass.request.plan.key_position == "first" and this_pass.reroutes(layer):
            _, this_pass.moved_keys[layer] = key_position.replay(
                module.forward, args, kwargs, this_pass
            )
