"""Passes over batches, shared between plans as far as they are equal, and pooled into vectors.

Methods of the same prompts share a plain pass; a plan runs only the layers from the first one where
it differs from an earlier plan.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones import passes
from ..backbones.backbone import Backbone
from ..rerouting.forward_pass import Overwriting, PassRequest, PassResult
from ..rerouting.plan import PLAIN, Plan
from ..rerouting.torch_state import steady
from ..runtime import request_log
from ..runtime.events import Progress
from .batch_memory import within_memory
from .batching import Batch, Prepared
from .methods import Method
from .pooling import pool, weights


def branches(plans: Sequence[Plan], layers: int) -> list[tuple[int, int]]:
    """Where each plan's pass can begin: (the earlier plan whose states it takes, at which layer).

    The source is the earlier plan that is equal on the most layers from the first on, the first of
    several such; -1 and layer 0 where none is equal on any. A plan that equals an earlier one on
    all ``layers`` takes its result.

    Args:
        plans: the plans, in the order of their passes.
        layers: number of layers.
    """
    starts = []
    for number, plan in enumerate(plans):
        source, begin = -1, 0
        for earlier, earlier_plan in enumerate(plans[:number]):
            if (first := first_difference(plan, earlier_plan, layers)) > begin:
                source, begin = earlier, first
        starts.append((source, begin))
    return starts


def first_difference(plan: Plan, reference: Plan, layers: int) -> int:
    """The first layer at which two plans act differently.

    Args:
        plan: a plan.
        reference: another plan.
        layers: number of layers L.

    Returns:
        A layer from 0; L if they act alike in all layers.
    """
    same_key = plan.key_position == reference.key_position
    for layer in sorted({*plan.active, *reference.active}):
        if not same_key or plan.at(layer) != reference.at(layer):
            return min(layer, layers)
    return layers


def shared_passes(
    backbone: Backbone, methods: Sequence[Method], batch: Batch
) -> Iterator[PassResult]:
    """Run one batch for each method, from the layer where its plan differs from an earlier one's.

    States are kept only where a later pass begins, and only until the last such pass has begun.

    Args:
        backbone: the decoder.
        methods: methods of the same prompts, each with its plan.
        batch: the prompts.
    """
    if len(methods) == 1:
        yield run_batch(backbone, batch, methods[0], methods[0].plan)
        return
    outputs = {layer for method in methods for layer in output_inputs(backbone, method)}
    plans = [PLAIN, *(method.plan for method in methods)]
    tree = [
        (source, begin if begin == backbone.layers else min({begin, *outputs}))
        for source, begin in branches(plans, backbone.layers)
    ]
    last_use = {branch: number for number, branch in enumerate(tree)}
    states: dict[tuple[int, int], torch.Tensor] = {}
    results: dict[int, PassResult] = {}
    for number, (plan, branch) in enumerate(zip(plans, tree, strict=True)):
        source, begin = branch
        if begin == backbone.layers:
            result = results[source]
        else:
            needed = [
                layer
                for branch_source, layer in tree
                if branch_source == number and layer < backbone.layers
            ]
            result = run_batch(
                *(backbone, batch, methods[0], plan),
                keep_inputs=(*needed, *outputs),
                start=begin,
                start_states=states.get(branch),
            )
            states |= {(number, layer): result.inputs[layer] for layer in needed}
            if last_use[branch] == number:
                states.pop(branch, None)
        if (number, backbone.layers) in last_use:
            results[number] = result
        if number:
            yield result


def output_inputs(backbone: Backbone, method: Method) -> tuple[int, ...]:
    """The layer whose input is what ``method`` pools, unless that is the last layer's output."""
    return () if method.output == -1 else (backbone.layers + 1 + method.output,)


def run_batch(
    backbone: Backbone,
    batch: Batch,
    method: Method,
    plan: Plan,
    *,
    keep_inputs: Sequence[int] = (),
    **resumed: Any,
) -> PassResult:
    """Run one batch by ``method`` under ``plan``; keep the inputs pooled or resumed from.

    Args:
        backbone: the decoder.
        batch: the prompts.
        method: says how the mask and placeholders are treated, and which layer is pooled.
        plan: which layers re-route, and how.
        keep_inputs: further layers whose entering states are kept.
        resumed: ``start`` and ``start_states`` of a pass that resumes.
    """
    prepending = method.prepending
    request = PassRequest(
        batch.ids,
        batch.lengths,
        plan,
        backbone.form,
        keep_inputs=(*keep_inputs, *output_inputs(backbone, method)),
        causal=method.causal,
        overwriting=None
        if prepending is None or batch.slots is None
        else Overwriting(batch.slots, prepending.start, prepending.stop(backbone.layers)),
        **resumed,
    )
    return passes.run(backbone, request)


def pooled_rows(
    backbone: Backbone, batch: Batch, method: Method, result: PassResult
) -> torch.Tensor:
    """The pooled vectors of a batch, float32 (B, D), not normalised.

    Args:
        backbone: the decoder.
        batch: the prompts.
        method: says which states are read and how they are pooled.
        result: the pass over the batch by ``method``.
    """
    states = result.pre_norm if method.norm == "pre" else result.final
    for layer in output_inputs(backbone, method):
        states = result.inputs[layer]
    return pool(states, weights(batch.prompts, method.pooling))


class Pooled(NamedTuple):
    """Embeddings float32 (N, D) of unit length, and norms float32 (N,) before normalisation."""

    embeddings: NDArray[np.float32]
    norms: NDArray[np.float32]


@steady()
def pool_batches(
    backbone: Backbone,
    ready: Prepared,
    methods: Sequence[Method],
    run: Callable[[Batch], Iterable[PassResult]],
    progress: Progress,
    *,
    halve: bool = False,
) -> list[Pooled]:
    """Run every batch and pool its token states by each method, in the texts' order.

    Args:
        backbone: the decoder.
        ready: the batches of N texts.
        methods: they share the batches.
        run: gives the pass of each method over a batch.
        progress: counts distinct prompts.
        halve: whether a batch that does not fit into memory is run in halves.

    Raises:
        BackboneError: the states overflowed the backbone's dtype.
        OutOfMemory: a batch does not fit into memory.
    """
    out = np.empty((len(methods), ready.distinct, backbone.facts.hidden), np.float32)

    def pooled(batch: Batch) -> None:
        for vectors, method, result in zip(out, methods, run(batch), strict=True):
            rows = pooled_rows(backbone, batch, method, result).cpu().numpy()
            if not np.isfinite(rows).all():
                raise backbone.overflowed()
            vectors[list(batch.rows)] = rows

    finished = 0

    def count(batch: Batch) -> None:
        nonlocal finished
        finished += len(batch.rows)
        request_log.count(encoded=len(batch.rows), tokens=int(batch.lengths.sum()))
        progress(finished, ready.distinct)

    within_memory(backbone, ready.batches, pooled, count, halve=halve)
    averaged = torch.from_numpy(out[:, ready.of_text].mean(axis=1))
    unit = torch.nn.functional.normalize(averaged, dim=-1).numpy()
    return [Pooled(*each) for each in zip(unit, averaged.norm(dim=-1).numpy(), strict=True)]
