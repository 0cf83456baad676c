"""How an objective over embeddings changes as each head begins to re-route, from one backward pass.

Let m(l, h) in [0, 1] be how far head h of layer l follows re-routing, o' = o + m g (v_n - o), with
o its plain output, g its gate and v_n the final token's value. The derivatives of an objective with
respect to all m, at m = 0, take two passes over the texts: one for the embeddings, which give the
objective's gradient with respect to each, and one that carries that gradient back batch by batch,
so that memory is a batch's. Together they cost about as much as four forward passes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..errors import BackboneError
from ..rerouting.plan import OFF, PLAIN, Plan
from ..rerouting.torch_state import steady
from ..runtime.events import Progress, quiet
from .batch_memory import within_memory
from .batching import Batch, Prepared, prepare
from .checks import check_method
from .methods import Method
from .prompts import Role
from .shared_passes import pooled_rows, run_batch

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
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> HeadDerivatives:
    """The derivative of an objective with respect to the strength of every head.

    Args:
        backbone: the decoder.
        parts: texts with their role in the prompt; the objective takes the embeddings of each.
        method: a method that re-routes; its plan says the bias and the key position.
        objective: a differentiable function of the parts' embeddings.
        base: heads that re-route already, at full strength; the derivatives are taken there.
        max_tokens: texts are cut so that no prompt is longer.
        progress: counts distinct prompts, twice.

    Raises:
        BackboneError: the backbone cannot be re-routed, or its states overflowed.
        PlanError, CorpusError, OutOfMemory: what encoding raises.
    """
    if backbone.refusal:
        raise BackboneError(backbone.refusal)
    plan = method.plan.with_layers(backbone.reroutable)
    for used in (plan, base):
        check_method(backbone, method.under(used))
    ready = [
        prepare(backbone, texts, method, role=role, max_tokens=max_tokens) for texts, role in parts
    ]
    total, finished = 2 * sum(each.distinct for each in ready), 0

    def count(batch: Batch) -> None:
        nonlocal finished
        finished += len(batch.rows)
        progress(finished, total)

    pooled = []
    for each in ready:
        rows = torch.empty(each.distinct, backbone.facts.hidden, dtype=torch.float64)
        keep = partial(_keep, backbone, method.under(base), rows)
        within_memory(backbone, each.batches, keep, count)
        if not rows.isfinite().all():
            raise backbone.overflowed()
        pooled.append(rows.requires_grad_())
    with torch.enable_grad():
        value = objective(*map(_embeddings, pooled, ready))
        gradients = torch.autograd.grad(value, pooled)
    strengths = _strengths(backbone, base)
    sums = {layer: torch.zeros(strength.shape).double() for layer, strength in strengths.items()}
    for gradient, each in zip(gradients, ready, strict=True):
        carry = partial(_carry_back, backbone, method.under(plan), strengths, sums, gradient)
        within_memory(backbone, each.batches, carry, count)
    values = np.full((backbone.layers, backbone.facts.heads), np.nan)
    for layer, derivative in sums.items():
        values[layer] = derivative.numpy()
    if not np.isfinite(values[list(sums)]).all():
        raise backbone.overflowed()
    return HeadDerivatives(values, float(value.detach()))


def _keep(backbone: Backbone, method: Method, rows: torch.Tensor, batch: Batch) -> None:
    """Put the pooled vectors of a batch into their rows."""
    result = run_batch(backbone, batch, method, method.plan)
    rows[list(batch.rows)] = pooled_rows(backbone, batch, method, result).cpu().double()


def _embeddings(rows: torch.Tensor, ready: Prepared) -> torch.Tensor:
    """Embeddings (N, D) of unit length: the mean over templates, normalised, as encoding does."""
    return torch.nn.functional.normalize(rows[torch.from_numpy(ready.of_text)].mean(0), dim=-1)


def _strengths(backbone: Backbone, base: Plan) -> dict[int, torch.Tensor]:
    """By layer, 1 for heads that ``base`` re-routes and 0 for others, float32 (H,)."""
    strengths = {}
    for layer in backbone.reroutable:
        biases = base.biases_at(layer, backbone.facts.heads)
        each = [biases] * backbone.facts.heads if isinstance(biases, float) else biases
        strengths[layer] = torch.tensor([float(bias != OFF) for bias in each], requires_grad=True)
    return strengths


def _carry_back(
    backbone: Backbone,
    method: Method,
    strengths: dict[int, torch.Tensor],
    sums: dict[int, torch.Tensor],
    gradient: torch.Tensor,
    batch: Batch,
) -> None:
    """Add what a batch contributes to the derivatives, from the gradient (N, D) of its vectors."""
    result = run_batch(backbone, batch, method, method.plan, strengths=strengths)
    with torch.enable_grad():
        rows = pooled_rows(backbone, batch, method, result).cpu().double()
        contribution = (rows * gradient[list(batch.rows)]).sum()
        found = torch.autograd.grad(contribution, list(strengths.values()), allow_unused=True)
    for derivative, value in zip(sums.values(), found, strict=True):
        if value is not None:  # layers after the one that is read
            derivative += value.double()
