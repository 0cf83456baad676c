"""How an objective over embeddings changes as each head begins to re-route, from one backward pass.

Let m(l, h) in [0, 1] be how far head h of layer l follows re-routing, o' = o + m g (v_n - o), with
o its plain output, g its gate and v_n the final token's value. The derivatives of an objective with
respect to all m, at m = 0, take two passes over the texts: one for the embeddings, read where they
are stored, which give the objective's gradient with respect to each, and one that carries that
gradient back batch by batch, so that memory is a batch's. A backward pass has as many products as a
forward one, since weights are frozen, so together they cost about three forward passes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora.text_lists import as_texts
from ..errors import BackboneError, PlanError
from ..rerouting.plan import OFF, PLAIN, Head, Plan
from ..rerouting.torch_state import steady
from ..runtime.events import Progress, quiet
from .batch_memory import within_memory
from .batching import Batch, Prepared, prepare
from .cached_encoder import CachedEncoder
from .checks import check_method
from .encoder import MethodEncoder
from .methods import Method
from .prompts import Role
from .read_out import pooled_rows
from .shared_passes import run_batches

PASSES = 3
"""What derivatives cost, in forward passes over the texts, where no embeddings are stored."""
Objective = Callable[..., torch.Tensor]
"""From the embeddings of each part, float64 (N, D) of unit length, to a number."""


@dataclass(frozen=True, eq=False)
class HeadDerivatives:
    """The derivatives of an objective with respect to each head's strength.

    Attributes:
        values: float64 (L, H); NaN for layers that cannot be re-routed.
        objective: its value where nothing follows, under the base plan alone.
    """

    values: NDArray[np.float64]
    objective: float


@steady()
def head_derivatives(
    backbone: Backbone,
    parts: Iterable[tuple[Iterable[str], Role]],
    method: Method,
    objective: Objective,
    *,
    base: Plan = PLAIN,
    progress: Progress = quiet,
) -> HeadDerivatives:
    """The derivative of an objective with respect to the strength of every head.

    Args:
        backbone: the decoder.
        parts: texts with their role in the prompt; the objective takes the embeddings of each.
        method: a method that re-routes; its plan says the bias and the key position.
        objective: a differentiable function of the parts' embeddings.
        base: heads that re-route already, at full strength, each with its own bias; the derivatives
            are taken there.
        progress: counts distinct prompts, twice.

    Raises:
        BackboneError: the backbone cannot be re-routed, or its states overflowed.
        PlanError: the base has another key position than the method's plan.
        CorpusError, OutOfMemory: what encoding raises.
    """
    if backbone.refusal:
        raise BackboneError(backbone.refusal)
    plan = _every_head(backbone, method.plan, base)
    check_method(backbone, method.under(plan))
    listed = [(as_texts(texts), role) for texts, role in parts]
    ready = [prepare(backbone, texts, method, role=role) for texts, role in listed]
    total, finished = 2 * sum(each.distinct for each in ready), 0

    def count(prompts: int) -> None:
        nonlocal finished
        finished += prompts
        progress(finished, total)

    encoder, pooled = CachedEncoder(MethodEncoder(backbone, method.under(base)), norms=True), []
    for (texts, role), each in zip(listed, ready, strict=True):
        encoding = encoder.encode(texts, role=role)
        pooled.append(torch.from_numpy(encoding.pooled).double().requires_grad_())
        count(each.distinct)
    with torch.enable_grad():
        value = objective(*(torch.nn.functional.normalize(rows, dim=-1) for rows in pooled))
        gradients = torch.autograd.grad(value, pooled)
    strengths = _strengths(backbone, base)
    sums = {layer: torch.zeros(strength.shape).double() for layer, strength in strengths.items()}
    for gradient, each in zip(gradients, ready, strict=True):
        rows = _of_prompts(gradient, each)
        carry = partial(_carry_back, backbone, method.under(plan), strengths, sums, rows)
        within_memory(backbone, each.apart, carry, lambda batch: count(len(batch.rows)))
    values = np.full((backbone.layers, backbone.facts.heads), np.nan)
    for layer, derivative in sums.items():
        values[layer] = derivative.numpy()
    if not np.isfinite(values[list(sums)]).all():
        raise backbone.overflowed()
    return HeadDerivatives(values, float(value.detach()))


def _every_head(backbone: Backbone, plan: Plan, base: Plan) -> Plan:
    """The plan under which all heads re-route: those of the base with its biases.

    Raises:
        PlanError: the base has another key position.
    """
    if base.active and base.key_position != plan.key_position:
        raise PlanError(
            f"Heads that re-route already have the key position {base.key_position}, and the "
            f"method {plan.key_position}; choose one for both."
        )
    layers, single = [], []
    for layer in backbone.reroutable:
        biases = [
            plan.bias if bias == OFF else bias
            for bias in _biases(base, layer, backbone.facts.heads)
        ]
        if set(biases) == {plan.bias}:
            layers.append(layer)
        else:
            single += [Head(layer, head, bias) for head, bias in enumerate(biases)]
    return replace(plan, layers=tuple(layers), heads=tuple(single))


def _biases(plan: Plan, layer: int, heads: int) -> list[float]:
    biases = plan.biases_at(layer, heads)
    return [biases] * heads if isinstance(biases, float) else biases


def _of_prompts(gradient: torch.Tensor, ready: Prepared) -> torch.Tensor:
    """Gradients of distinct prompts' pooled vectors, from those (N, D) of each text's mean."""
    templates = len(ready.of_text)
    rows = torch.zeros(ready.distinct, gradient.shape[1], dtype=gradient.dtype)
    for of_text in torch.from_numpy(ready.of_text):
        rows.index_add_(0, of_text, gradient / templates)
    return rows


def _strengths(backbone: Backbone, base: Plan) -> dict[int, torch.Tensor]:
    """By layer, 1 for heads that ``base`` re-routes and 0 for others, float32 (H,)."""
    return {
        layer: torch.tensor(
            [float(bias != OFF) for bias in _biases(base, layer, backbone.facts.heads)],
            requires_grad=True,
        )
        for layer in backbone.reroutable
    }


def _carry_back(
    backbone: Backbone,
    method: Method,
    strengths: dict[int, torch.Tensor],
    sums: dict[int, torch.Tensor],
    gradient: torch.Tensor,
    batches: Sequence[Batch],
) -> None:
    """Add what a batch contributes to the derivatives, from the gradient (N, D) of its vectors."""
    (batch,) = batches
    (result,) = run_batches(backbone, batches, method, method.plan, strengths=strengths)
    with torch.enable_grad():
        rows = pooled_rows(backbone, batch, method, result).cpu().double()
        contribution = (rows * gradient[list(batch.rows)]).sum()
        if not contribution.requires_grad:  # a bias of -inf: nothing re-routes at any strength
            return
        found = torch.autograd.grad(contribution, list(strengths.values()), allow_unused=True)
    for derivative, value in zip(sums.values(), found, strict=True):
        if value is not None:  # layers after the one that is read
            derivative += value.double()
