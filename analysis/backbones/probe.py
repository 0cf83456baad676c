"""Tests what re-routing can do on a model, by running it when it is loaded.

Some families ignore transformers' attention interface with only a log line, some use masks of their
own, some have no rotary positions. None of this is read from a list of names: twelve tokens are
run, and the output is compared with the plain model's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from ..errors import BackboneError, PlanError, listed, quoted
from ..rerouting import forward_pass, key_position, patches
from ..rerouting.attention import relative_distance
from ..rerouting.family_traits import FamilyTraits
from ..rerouting.kernels import CUDA_KERNELS, Form
from ..rerouting.pass_request import PassRequest
from ..rerouting.patches import EAGER, SDPA
from ..rerouting.plan import KeyPosition, Plan
from . import load_errors
from .decoder import routers

FORMS: tuple[tuple[str, Form], ...] = ((SDPA, "closed"), (EAGER, "concatenated"))
"""The attention functions to try, the faster one first, and the form that each computes."""
ROUNDING = {torch.float32: 1e-4, torch.bfloat16: 3e-2, torch.float16: 1e-2}
"""The distance that rounding may put between equal states, as a share of their norm."""


@dataclass(frozen=True)
class Reach:
    """What re-routing can do on a model.

    Attributes:
        form: how re-routed attention is computed.
        form_reason: why so, where layers lie on another device than the CPU; else empty.
        reroutable: the layers (0-based) that can be re-routed; empty where none can.
        key_positions: the supported positions of the prefix's key.
        refusal: why it cannot be done, as a sentence; None where it can.
        separate: why prompts of different lengths run separately; None where they share a pass.
        experts: of a mixture of experts, the number of each router's, in the layers' order; none
            where a family gives other than logits for each token.
    """

    form: Form
    reroutable: tuple[int, ...]
    key_positions: tuple[KeyPosition, ...] = ()
    refusal: str | None = None
    separate: str | None = None
    experts: tuple[int, ...] = ()
    form_reason: str = ""


def check_causal(model: Any) -> None:
    """Refuse encoders: padding on the right is harmless only if no token sees a later one.

    Raises:
        BackboneError: early tokens change with later ones, or are not finite.
    """
    request = _sample(model)
    swapped = torch.cat([request.ids[:, :6], request.ids[:, 6:].flip(1)], 1)
    early, early_swapped = (
        forward_pass.run(model, PassRequest(ids, request.lengths)).final[:, :6]
        for ids in (request.ids, swapped)
    )
    if not bool(torch.isfinite(early).all()):
        raise load_errors.overflowed(model.config.model_type, str(model.dtype).partition(".")[2])
    if relative_distance(early, early_swapped) > ROUNDING[model.dtype]:
        raise BackboneError(
            f"{model.config.model_type} is not a causal decoder: its early tokens see the later "
            "ones; choose a decoder-only language model."
        )


def with_experts(reach: Reach, model: Any, layers: Sequence[torch.nn.Module]) -> Reach:
    """What re-routing can do on a model with its experts, whose weights passes may keep from then.

    Args:
        reach: what it can do.
        model: a frozen model whose layers are patched.
        layers: its layers in order.
    """
    if not (found := routers(model, layers)):
        return reach
    patches.keep_weights_of(found)
    kept = forward_pass.run(model, replace(_sample(model), keep_routers=True)).routers
    experts = tuple(weights.shape[-1] for weights in kept) if len(kept) == len(found) else ()
    return replace(reach, experts=experts, separate=reach.separate or _EXPERTS)


def probe(model: Any, layers: int) -> Reach:
    """Find which form works and which layers can be re-routed, or why none can.

    The checks: the attention implementation stays set, the layers call it, the empty plan and a
        bias
    that hides the prefix equal the plain model, a plan changes the result, both forms agree.
    A model that passes is left with this project's attention, any other with its own.

    Args:
        model: a frozen model whose layers are patched; the attention functions are registered.
        layers: its number of decoder layers.
    """
    total_rounding = 2e-4 if model.dtype == torch.float32 else 0.1  # after all layers
    plain = _final(model, Plan())
    form, family = _switch_attention(model)
    modules = {i: module for i, module in family.attention_modules.items() if 0 <= i < layers}
    reached = tuple(sorted(modules))

    def refuse(reason: str) -> Reach:
        model.set_attn_implementation(
            "sdpa" if getattr(model, "_supports_sdpa", False) else "eager"
        )
        sentence = f"{model.config.model_type} cannot be re-routed: {reason}."
        return Reach("concatenated", (), refusal=sentence, separate=_OWN_ATTENTION)

    if not reached:
        return refuse("it does not use transformers' attention interface")
    if family.makes_masks:
        return refuse("it builds an attention mask of its own")
    if relative_distance(plain, _final(model, Plan())) > total_rounding:
        return refuse("with no layer selected its output would differ from the plain model's")
    hidden_prefix = Plan(
        tuple(range(layers)), -1e4
    )  # not -inf, which would not reach the attention
    if relative_distance(plain, _final(model, hidden_prefix, form)) > total_rounding:
        return refuse("with the prefix hidden its output would differ from the plain model's")
    reason = ""
    if form == "closed" and (device := _other_device(model)):
        form, reason = choose_form(device, partial(_forms_differ, model, Plan(reached)))
    request = _sample(model, Plan(reached), form, compare_forms=form != "concatenated")
    rerouted = forward_pass.run(model, request)
    if relative_distance(plain, rerouted.final) < 1e-6 or not rerouted.final.isfinite().all():
        return refuse("a plan has no effect on its output")
    if rerouted.family.form_distance > ROUNDING[model.dtype]:
        return refuse("its closed and concatenated forms disagree")
    patches.sum_outputs_of(modules)
    return Reach(
        *(form, reached, _key_positions(model, [modules[i] for i in reached])),
        separate=_why_separate(model, request, rerouted.final),
        form_reason=reason,
    )


def _other_device(model: Any) -> str | None:
    """The kind of device beside the CPU that layers of a model lie on; None where all are on it."""
    kinds = {parameter.device.type for parameter in model.parameters()} - {"cpu", "meta"}
    return next(iter(sorted(kinds)), None)


def _forms_differ(model: Any, plan: Plan, form: Form) -> float:
    """The distance of a form and the concatenated one on twelve tokens, with and without a mask."""
    request = _sample(model, plan, form, compare_forms=True)
    distance = forward_pass.run(model, request).family.form_distance
    return distance / ROUNDING[model.dtype]


def choose_form(device: str, differ: Callable[[Form], float]) -> tuple[Form, str]:
    """The first closed form whose kernel serves on a device, and why it or none does.

    Args:
        device: the kind of device, such as ``cuda``.
        differ: runs a form and returns how far it is from the concatenated one, as a share of what
            rounding may put between them; raises where the kernel refuses.

    Returns:
        The form (``closed`` where none serves: layers on the CPU have it still), and the reason as
        part of a sentence.
    """
    if device != "cuda":
        return "closed", f"PyTorch has no attention kernel for {device} that gives a log-sum-exp"
    refused = []
    for form in CUDA_KERNELS:
        name = form.removeprefix("closed-")
        try:
            distance = differ(form)
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:
            refused.append(f"{name} refuses ({quoted(str(error).strip().split(chr(10))[0])})")
            continue
        if distance <= 1:
            passed = f", after {listed(refused)}" if refused else ""
            return form, f"PyTorch's {name} kernel gives the log-sum-exp{passed}"
        refused.append(f"{name} differs from the concatenated form")
    return "closed", f"no kernel serves: {listed(refused)}"


_EXPERTS = "its experts take the tokens of a pass together, and so round them"
_OWN_ATTENTION = "its own attention takes texts of one length at a time"


def _why_separate(model: Any, request: PassRequest, alone: torch.Tensor) -> str | None:
    """Why passes of this model cannot run jointly; None where they can.

    Args:
        model: the model.
        request: a pass, which runs again beside another of two shorter sequences.
        alone: the final states that the pass gives alone. They have to be the same to the bit, and
            so have those of a single token, for which kernels are others.
    """
    if alone.device.type != "cpu":
        return "on a GPU, prompts of different lengths are padded"
    shorter = replace(request, ids=request.ids[:, 1:11].view(2, 5), lengths=torch.tensor([5, 5]))
    single = replace(request, ids=request.ids[:, 5:6], lengths=torch.tensor([1]))
    alone = torch.cat([alone, forward_pass.run(model, single).final], 1)
    try:
        _, *beside = forward_pass.run_jointly(model, [shorter, request, single])
    except (PlanError, TypeError, ValueError, RuntimeError, IndexError):
        return "its decoder takes one sequence a row"
    jointly = torch.cat([result.final for result in beside], 1)
    if torch.equal(jointly, alone):
        return None
    if relative_distance(alone, jointly) < ROUNDING[model.dtype]:
        return "its layers round a token otherwise beside other prompts"
    return "its layers mix prompts that stand in one row"


def _sample(
    model: Any, plan: Plan | None = None, form: Form = "closed", *, compare_forms: bool = False
) -> PassRequest:
    """A pass over twelve tokens to try a model on."""
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    ids = torch.arange(3, 3 + 12).remainder(vocabulary).view(1, -1)
    lengths = torch.tensor([12])
    return PassRequest(ids, lengths, plan or Plan(), form, compare_forms=compare_forms)


def _final(model: Any, plan: Plan, form: Form = "closed") -> torch.Tensor:
    return forward_pass.run(model, _sample(model, plan, form)).final


def _switch_attention(model: Any) -> tuple[Form, FamilyTraits]:
    """Switch a model to the first attention function that works; return its form and the traits."""
    family, form = FamilyTraits(), FORMS[0][1]
    for name, form in FORMS:
        try:
            model.set_attn_implementation(name)
            if model.config.get_text_config(decoder=True)._attn_implementation != name:
                break
            family = FamilyTraits()
            family = forward_pass.run(model, _sample(model)).family
        except (ValueError, AttributeError, TypeError):
            continue
        if not family.changes_logits or form == "concatenated":
            break
    return form, family


def _key_positions(model: Any, modules: Sequence[torch.nn.Module]) -> tuple[KeyPosition, ...]:
    """The supported positions of the prefix's key; ``first`` needs rotary positions.

    Each attention module is run again for the final token alone: the logit of a query at 1 with a
    key at 0 must equal that of 0 with -1. Modules that pass are patched.
    """
    request = _sample(model)
    calls: dict[torch.nn.Module, tuple[tuple[Any, ...], dict[str, Any]]] = {}
    hooks = [
        module.register_forward_pre_hook(
            lambda module, args, kwargs: calls.__setitem__(module, (args, kwargs)),
            with_kwargs=True,
        )
        for module in modules
    ]
    forward_pass.run(model, request)
    for hook in hooks:
        hook.remove()
    if not all(key_position.has_rotation(module.forward, *calls[module]) for module in modules):
        return ("own",)
    with torch.inference_mode(), forward_pass.running(request) as this_pass:
        for module in modules:
            rotated = {
                place: key_position.replay(module.forward, *calls[module], this_pass, place)
                for place in (1, 0, -1)
            }
            if not _same_rotation(rotated, 1e-4 if model.dtype == torch.float32 else 5e-2):
                return ("own",)
    patches.patch_attention_modules(modules)
    return ("own", "first")


def _same_rotation(rotated: dict[int, tuple[torch.Tensor, torch.Tensor]], tolerance: float) -> bool:
    """Whether the logit of a query at 1 with a key at 0 is that of a query at 0 with one at -1.

    ``rotated`` maps each place to the query (B, H, 1, d) and the key (B, KV, 1, d) there; they may
    differ by ``tolerance`` of the largest logit that their lengths allow.
    """
    query, key = rotated[0]
    groups = query.shape[1] // key.shape[1]
    logits = [
        (rotated[place][0] * rotated[place - 1][1].repeat_interleave(groups, 1)).float().sum(-1)
        for place in (1, 0)
    ]
    largest = (query.float().norm(dim=-1) * key.float().norm(dim=-1).max()).max()
    return bool((logits[0] - logits[1]).abs().max() <= tolerance * largest)
