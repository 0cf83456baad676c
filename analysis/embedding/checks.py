"""Checks before anything runs: can this backbone carry out this plan or method?"""

from ..backbones.backbone import Backbone
from ..backbones.facts import Facts
from ..errors import BackboneError, PlanError
from ..rerouting.plan import Plan
from ..runtime.lookup import whole_number
from .methods import Method
from .pooling import POOLINGS


def check_limit(max_tokens: int | None) -> int | None:
    """A limit of tokens as a plain integer, or None for no limit.

    Raises:
        PlanError: it is not a whole number of at least 1.
    """
    if max_tokens is None:
        return None
    return whole_number(max_tokens, "limit of tokens", 1)


def check_plan(backbone: Backbone, plan: Plan) -> None:
    """Refuse a plan that the backbone cannot carry out.

    Args:
        backbone: the decoder.
        plan: the plan to carry out.

    Raises:
        PlanError: a layer or a head does not exist.
        BackboneError: the family, or one of the layers, cannot be re-routed.
    """
    if plan.layers and plan.layers[-1] >= backbone.layers:
        raise PlanError(
            f"Layer {plan.layers[-1]} does not exist: {backbone.facts.name} has layers 0 to "
            f"{backbone.layers - 1}."
        )
    for layer, head, _ in plan.heads:
        if layer >= backbone.layers or head >= backbone.facts.heads:
            raise PlanError(
                f"Head {layer}.{head} does not exist: {backbone.facts.name} has layers 0 to "
                f"{backbone.layers - 1} of heads 0 to {backbone.facts.heads - 1}."
            )
    if beyond := [layer for layer in plan.active if layer not in backbone.reroutable]:
        raise BackboneError(
            backbone.refusal
            or f"Layers {beyond} of {backbone.facts.name} have no attention to re-route; "
            f"these have: {list(backbone.reroutable)}."
        )
    if plan.active and plan.key_position not in backbone.key_positions:
        raise BackboneError(
            f"{backbone.facts.name} ({backbone.facts.family}) has no rotary positions, so its keys "
            "cannot be moved to the first one; use the key position own."
        )


def check_method(backbone: Backbone, method: Method) -> None:
    """Refuse a method that the backbone cannot carry out.

    Args:
        backbone: the decoder.
        method: the method to carry out, its plan included.

    Raises:
        BackboneError: the causal mask of some layers cannot be removed, or the attention of those
            that are read or changed does not show.
        PlanError: the method needs more layers than there are.
        BackboneError, PlanError: its plan cannot be carried out, see ``check_plan``.
    """
    check_plan(backbone, method.plan)
    if not method.change.causal and len(backbone.reroutable) < backbone.layers:
        raise BackboneError(
            f"The causal mask of {backbone.facts.name} ({backbone.facts.family}) cannot be removed "
            f"at {backbone.layers - len(backbone.reroutable)} of its {backbone.layers} layers, so "
            f"{method.name} cannot be done; choose another method or backbone."
        )
    if contrast := method.change.contrast:
        layer = contrast.at(backbone.layers)
        if not 0 <= layer < backbone.layers:
            raise PlanError(
                f"{method.name} changes layer {layer}, which does not exist: "
                f"{backbone.facts.name} has layers 0 to {backbone.layers - 1}."
            )
        if layer not in backbone.reroutable:
            raise BackboneError(
                f"{method.name} changes what attention gives at layer {layer}, which "
                f"{backbone.facts.name} ({backbone.facts.family}) does not show; choose another "
                "method or backbone."
            )
    if method.reading.routers and not backbone.experts:
        raise BackboneError(
            f"{method.name} reads the routers of a mixture of experts, and {backbone.facts.name} "
            f"({backbone.facts.family}) has none that can be read; choose another method or "
            "backbone."
        )
    if POOLINGS[method.pooling].by_attention and not backbone.reroutable:
        raise BackboneError(
            f"{method.name} weighs tokens by attention, which {backbone.facts.name} "
            f"({backbone.facts.family}) does not show; choose another method or backbone."
        )
    check_output_layer(method.reading.layer, backbone.facts)
    if method.reading.summed:
        for layer in method.reading.layers:
            check_output_layer(layer, backbone.facts)
        first, last = (layer % backbone.layers for layer in method.reading.layers)
        if first > last:
            raise PlanError(
                f"{method.name} sums layers {first} to {last}, which are reversed; the first layer "
                "comes before the last."
            )
        if beyond := [n for n in range(first, last + 1) if n not in backbone.reroutable]:
            raise BackboneError(
                f"{method.name} reads {method.reading.name}, and layers {beyond} of "
                f"{backbone.facts.name} ({backbone.facts.family}) do not show theirs; choose "
                "another method or backbone."
            )


def check_output_layer(layer: int, facts: Facts) -> None:
    """Refuse an output layer, from 0 or from -1 backwards, that a backbone does not have.

    Raises:
        PlanError: there is no such layer.
    """
    if not -facts.layers <= layer < facts.layers:
        raise PlanError(
            f"Output layer {layer} does not exist: {facts.name} has layers 0 to "
            f"{facts.layers - 1}, or -{facts.layers} to -1 from the end."
        )
