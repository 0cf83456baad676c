"""Passes over batches, shared between plans as far as they are equal, and pooled into vectors.

Methods of the same prompts share a plain pass; a plan runs only the layers from the first one where
it differs from an earlier plan.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones import passes
from ..backbones.backbone import Backbone
from ..errors import BackboneError
from ..rerouting.interventions import Overwriting, Steering
from ..rerouting.pass_request import PassRequest, PassResult
from ..rerouting.plan import PLAIN, Plan
from ..rerouting.torch_state import steady
from ..runtime import request_log
from ..runtime.events import Progress
from .batch_memory import within_memory
from .batching import Batch, Prepared, padded
from .method_parts import Change
from .methods import Method
from .pooling import POOLINGS
from .read_out import PooledOnTheWay, latest_start, output_inputs, raw_width, summed_layers


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
    backbone: Backbone, methods: Sequence[Method], batches: Sequence[Batch]
) -> list[list[torch.Tensor]]:
    """Run batches jointly for each method, from where its plan differs from an earlier one's.

    Methods of one plan share a pass, whatever layer each reads: states are pooled as they leave
    their layer. They are kept only where a later pass begins, and only until the last such pass
    has begun.

    Args:
        backbone: the decoder.
        methods: M methods of the same prompts, each with its plan.
        batches: the prompts; several batches only where the backbone allows it.

    Returns:
        Of each batch, the pooled vectors of each method, float32 (B, D), not normalised.
    """
    distinct = list(dict.fromkeys(method.plan for method in methods))
    plans = distinct if len(distinct) == 1 else [PLAIN, *distinct]
    latest = min(latest_start(backbone, method) for method in methods)
    tree = [
        (source, begin if begin == backbone.layers else min(begin, latest))
        for source, begin in branches(plans, backbone.layers)
    ]
    pass_of = {  # by plan; the last number of an equal one, whose source is the first
        plan: source if begin == backbone.layers else number
        for number, (plan, (source, begin)) in enumerate(zip(plans, tree, strict=True))
    }
    last_use = {branch: number for number, branch in enumerate(tree)}
    states: dict[tuple[int, int], list[torch.Tensor]] = {}
    rows: list[dict[int, torch.Tensor]] = [{} for _ in batches]
    for number, (plan, branch) in enumerate(zip(plans, tree, strict=True)):
        if branch[1] == backbone.layers:
            continue
        readers = {i: m for i, m in enumerate(methods) if pass_of[m.plan] == number}
        needed = [layer for source, layer in tree if source == number and layer < backbone.layers]
        on_the_way = [PooledOnTheWay(backbone, batch, readers) for batch in batches]
        for pooling, entering in zip(on_the_way, states.get(branch, ()), strict=False):
            pooling(branch[1] - 1, entering)
        results = run_batches(
            *(backbone, batches, methods[0], plan),
            keep_inputs=[*needed, *on_the_way[0].kept],
            each_output=on_the_way,
            start=branch[1],
            start_states=states.get(branch),
        )
        states |= {
            (number, layer): [result.inputs[layer] for result in results] for layer in needed
        }
        if last_use[branch] == number:
            states.pop(branch, None)
        for pooled, pooling, result in zip(rows, on_the_way, results, strict=True):
            pooled |= pooling.finished(result)
    return [[pooled[i] for i in range(len(methods))] for pooled in rows]


def run_batches(
    backbone: Backbone,
    batches: Sequence[Batch],
    method: Method,
    plan: Plan,
    *,
    keep_inputs: Sequence[int] = (),
    each_output: Sequence[Callable[[int, torch.Tensor], object]] | None = None,
    start: int = 0,
    start_states: Sequence[torch.Tensor] | None = None,
    **requested: Any,
) -> list[PassResult]:
    """Run batches jointly by ``method`` under ``plan``; keep the inputs pooled or resumed from.

    Args:
        backbone: the decoder.
        batches: the prompts; several batches only where the backbone allows it.
        method: says how the mask and placeholders are treated, and which layer is pooled.
        plan: which layers re-route, and how.
        keep_inputs: further layers whose entering states are kept.
        each_output: takes each layer's output of each batch, in place of keeping what ``method``
            pools.
        start: the first layer that is run.
        start_states: of each batch, the states entering it.
        requested: ``keep_at`` or ``strengths`` of a pass.
    """
    change, contrast = method.change, method.change.contrast
    steerings: Sequence[Steering | None] = [None] * len(batches)
    if contrast is not None and start <= contrast.at(backbone.layers):
        steerings = _steering(backbone, batches, change, plan, requested.get("strengths"))
    prepending, read = change.prepending, () if each_output else output_inputs(backbone, method)
    nothing = [None] * len(batches)
    requests = [
        PassRequest(
            batch.ids,
            batch.lengths,
            plan,
            backbone.form,
            start=start,
            start_states=entering,
            keep_inputs=(*keep_inputs, *read),
            each_output=listener,
            sum_up=method.reading.summed,
            sum_layers=summed_layers(backbone, method),
            keep_routers=method.reading.routers,
            keep_attention=POOLINGS[method.pooling].by_attention,
            causal=change.causal,
            overwriting=None
            if prepending is None
            else _overwriting(batch, prepending.start, prepending.stop(backbone.layers)),
            steering=steering,
            **requested,
        )
        for batch, listener, entering, steering in zip(
            batches, each_output or nothing, start_states or nothing, steerings, strict=True
        )
    ]
    return passes.run_jointly(backbone, requests)


def _overwriting(batch: Batch, start: int, stop: int) -> Overwriting:
    """The states that the placeholders of a batch take before layers start <= l < stop."""
    copies = [
        (row, slot, source)
        for row, prompt in enumerate(batch.prompts)
        for slot, source in prompt.copies
    ]
    rows, slots, sources = torch.tensor(copies, dtype=torch.int64).view(-1, 3).unbind(1)
    return Overwriting(rows, slots, sources, start, stop)


def _steering(
    backbone: Backbone,
    batches: Sequence[Batch],
    change: Change,
    plan: Plan,
    strengths: Mapping[int, torch.Tensor] | None,
) -> list[Steering]:
    """What batches are moved away from, from a pass over their other prompts up to the layer."""
    contrast = change.contrast
    assert contrast is not None
    layer = contrast.at(backbone.layers)
    requests = [
        PassRequest(
            *padded([prompt.away_ids for prompt in batch.prompts]),
            plan,
            backbone.form,
            causal=change.causal,
            stop=layer + 1,
            keep_attended_at=layer,
            strengths=strengths,
        )
        for batch in batches
    ]
    results = passes.run_jointly(backbone, requests)
    return [Steering(layer, result.attended, contrast.strength) for result in results]


class Pooled(NamedTuple):
    """Embeddings float32 (N, D) of unit length, and norms float32 (N,) before normalisation."""

    embeddings: NDArray[np.float32]
    norms: NDArray[np.float32]


@steady()
def pool_batches(
    backbone: Backbone,
    ready: Prepared,
    methods: Sequence[Method],
    run: Callable[[Sequence[Batch]], Sequence[Sequence[torch.Tensor]]],
    progress: Progress,
    *,
    halve: bool = False,
) -> list[Pooled]:
    """Run every pass and pool its token states by each method, in the texts' order.

    Args:
        backbone: the decoder.
        ready: the batches of N texts.
        methods: they share the batches.
        run: gives, of each batch of a pass, the pooled vectors by each method, (B, D).
        progress: counts distinct prompts.
        halve: whether a pass that does not fit into memory is run in halves.

    Raises:
        BackboneError: the states overflowed the backbone's dtype.
        OutOfMemory: a pass does not fit into memory.
    """
    facts = backbone.facts
    out = np.empty((len(methods), ready.distinct, raw_width(backbone, methods[0])), np.float32)

    def pooled(batches: Sequence[Batch]) -> None:
        for batch, vectors_of in zip(batches, run(batches), strict=True):
            keep(batch, vectors_of)

    def keep(batch: Batch, vectors_of: Sequence[torch.Tensor]) -> None:
        for vectors, method, pooled_by in zip(out, methods, vectors_of, strict=True):
            rows = pooled_by.cpu().numpy()
            if not np.isfinite(rows).all():
                raise backbone.overflowed()
            if rows.shape[1] != out.shape[2]:
                raise BackboneError(
                    f"{method.name} reads values of {rows.shape[1]} channels, and {facts.name} has "
                    f"key-value heads of {out.shape[2]} together; choose another method or "
                    "backbone."
                )
            vectors[list(batch.rows)] = rows

    finished = 0

    def count(batch: Batch) -> None:
        nonlocal finished
        finished += len(batch.rows)
        request_log.count(encoded=len(batch.rows), tokens=int(batch.lengths.sum()))
        progress(finished, ready.distinct)

    within_memory(backbone, ready.passes, pooled, count, halve=halve)
    averaged = torch.from_numpy(out[:, ready.of_text].mean(axis=1))
    unit = torch.nn.functional.normalize(averaged, dim=-1).numpy()
    return [Pooled(*each) for each in zip(unit, averaged.norm(dim=-1).numpy(), strict=True)]
