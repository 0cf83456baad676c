"""Everything that is changed in transformers and its models, and why.

1. Two attention functions and their mask functions are registered under names of this project
   (:func:`register_attention_functions`). Why: transformers lets a model be switched to a
   registered function, so a family's own code stays untouched, and no T x T mask is made.
2. Each decoder layer gets two hooks (:func:`patch_layers`): before it, states are kept, replaced
   or overwritten; after it, they are kept. Why hooks: nothing of the layer is skipped.
3. Each decoder layer's ``forward`` is wrapped (:func:`patch_layers`). Why no hook: a pass that
   resumes must skip the layers below its start, and a hook cannot keep a module from running.
4. Attention modules whose positions are rotary get a hook (:func:`patch_attention_modules`) that
   computes the prefix's key at another position. Why a hook: nothing is skipped.

None of this has an effect outside a pass (see ``forward_pass``). The linear layers, which are
replaced for speed, are in ``backbones.packed_linear``.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask, sdpa_mask

from . import attention_functions, forward_pass, key_position
from .masks import mask_or_band

SDPA = "kv_rerouting"
EAGER = "kv_rerouting_eager"


def register_attention_functions() -> None:
    """Register this project's attention in transformers as ``SDPA`` and ``EAGER``, once."""
    for name, attention, mask in (
        (SDPA, attention_functions.over_sdpa, mask_or_band(sdpa_mask, always=False)),
        (EAGER, attention_functions.over_eager, mask_or_band(eager_mask, always=True)),
    ):
        if name not in AttentionInterface():  # type: ignore[no-untyped-call]
            AttentionInterface.register(name, attention)
        if name not in AttentionMaskInterface():  # type: ignore[no-untyped-call]
            AttentionMaskInterface.register(name, mask)


def patch_layers(layers: Sequence[torch.nn.Module]) -> None:
    """Let passes start late, change states and keep them; once for each model.

    Args:
        layers: the decoder layers in order.
    """
    for index, layer in enumerate(layers):
        layer.register_forward_pre_hook(partial(_before_layer, index), with_kwargs=True)
        layer.register_forward_hook(partial(_after_layer, index, index == len(layers) - 1))
        layer.forward = _unless_skipped(layer.forward, index)


def patch_attention_modules(modules: Iterable[torch.nn.Module]) -> None:
    """Let plans move the prefix's key to another position; once for each module.

    Args:
        modules: attention modules that are passed rotary positions, each with a ``layer_idx``.
    """
    for module in modules:
        module.register_forward_pre_hook(_keep_moved_key, with_kwargs=True)


def _unless_skipped(inner: Callable[..., Any], index: int) -> Callable[..., Any]:
    """A layer's ``forward`` that returns its states unchanged below the start of a pass."""
    returns_tuple = False

    def forward(hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        nonlocal returns_tuple
        this_pass = forward_pass.current()
        if this_pass is not None and index < this_pass.request.start:
            return (hidden_states,) if returns_tuple else hidden_states
        output = inner(hidden_states, *args, **kwargs)
        returns_tuple = isinstance(output, tuple)
        return output

    return forward


def _before_layer(
    index: int, _layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Insert the stored states where the pass starts; keep and overwrite states as requested."""
    this_pass = forward_pass.current()
    if this_pass is None or index < this_pass.request.start:
        return None
    request = this_pass.request
    request.before_layer()
    original = states = args[0] if args else kwargs["hidden_states"]
    if index == request.start and request.start_states is not None:
        states = request.start_states.to(original.device)
    if index in request.keep_inputs:
        this_pass.result.inputs[index] = states
    if (over := request.overwriting) is not None and over.start <= index < over.exit:
        rows = torch.arange(len(states), device=states.device)
        slots, last = (x.to(states.device) for x in (over.slots, request.last))
        states = states.index_put((rows, slots), states[rows, last])
    if states is original:
        return None
    return ((states, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": states})


def _after_layer(
    index: int, is_last: bool, _layer: torch.nn.Module, _args: tuple[Any, ...], output: Any
) -> None:
    """Keep the layer's output if requested."""
    this_pass = forward_pass.current()
    if this_pass is None or index < this_pass.request.start:
        return
    states = output[0] if isinstance(output, tuple) else output
    if this_pass.request.keep_at is not None:
        rows, columns = (x.to(states.device) for x in this_pass.request.keep_at)
        this_pass.result.outputs[index] = states[rows, columns].float().cpu()
    if is_last:
        this_pass.result.pre_norm = states


def _keep_moved_key(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Compute the prefix's key where the plan moves it from its own position."""
    this_pass = forward_pass.current()
    if this_pass is None or this_pass.request.plan.key_position != "first":
        return
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    if this_pass.reroutes(layer):
        _, this_pass.moved_keys[layer] = key_position.replay(
            module.forward, args, kwargs, this_pass
        )
