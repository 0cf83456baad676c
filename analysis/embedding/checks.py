"""Checks before anything runs: can this backbone carry out this plan or method?"""

import operator

from ..backbones.backbone import Backbone
from ..errors import BackboneError, PlanError, quoted
from ..rerouting.plan import Plan
from .methods import Method


def check_limit(max_tokens: int | None) -> int | None:
    """A limit of tokens as a plain integer, or None for no limit.

    Raises:
        PlanError: it is not a whole number of at least 1.
    """
    if max_tokens is None:
        return None
    try:
        limit = operator.index(max_tokens)
    except TypeError:
        limit = 0
    if limit < 1:
        raise PlanError(
            f"A limit of {quoted(max_tokens)} tokens is none; give a whole number of at least 1, "
            "or None."
        )
    return limit


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
        BackboneError: the causal mask of some layers cannot be removed.
        PlanError: the method needs more layers than there are.
        BackboneError, PlanError: its plan cannot be carried out, see ``check_plan``.
    """
    check_plan(backbone, method.plan)
    if not method.causal and len(backbone.reroutable) < backbone.layers:
        raise BackboneError(
            f"The causal mask of {backbone.facts.name} ({backbone.facts.family}) cannot be removed "
            f"at {backbone.layers - len(backbone.reroutable)} of its {backbone.layers} layers, so "
            f"{method.name} cannot be done; choose another method or backbone."
        )
    if not 1 <= -method.output <= backbone.layers:
        raise PlanError(
            f"{method.name} reads layer {method.output} from the end, and {backbone.facts.name} "
            f"has {backbone.layers} layers."
        )
