"""Texts -> embeddings: progress, shared passes, and passes that resume where a plan first differs.

Methods of the same prompts share a pass. A ``Trace`` keeps the states of one pass, so that another
plan costs only the layers from where both part.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..errors import BackboneError, PlanError
from ..rerouting import forward_pass
from ..rerouting.forward_pass import Overwriting, PassRequest, PassResult
from ..rerouting.plan import PLAIN, Plan
from ..runtime import request_log
from ..runtime.events import Progress, quiet
from ..storage import result_store
from .batching import Batch, Prepared, prepare, within_memory
from .methods import Method
from .pooling import pool, weights
from .prompts import Role


@dataclass(frozen=True, eq=False)
class Encoding:
    """Embeddings float32 (N, D), L2-normalised, and what it took.

    ``tokens`` counts real tokens run, prompts included, each distinct prompt once; ``cut`` (N,)
    says how many tokens each text lost because it was too long.
    """

    embeddings: NDArray[np.float32]
    tokens: int
    seconds: float
    cut: tuple[int, ...]

    @property
    def texts_cut(self) -> int:
        """How many texts were too long and lost their end."""
        return sum(tokens > 0 for tokens in self.cut)

    @property
    def tokens_cut(self) -> int:
        """How many tokens they lost in all."""
        return sum(self.cut)


def check_plan(backbone: Backbone, plan: Plan) -> None:
    """Refuse a plan that the backbone cannot carry out.

    Raises:
        PlanError: a layer does not exist.
        BackboneError: the family, or one of the layers, cannot be re-routed.
    """
    if plan.layers and plan.layers[-1] >= backbone.layers:
        raise PlanError(
            f"Layer {plan.layers[-1]} does not exist: {backbone.facts.name} has layers 0 to "
            f"{backbone.layers - 1}."
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


def identity(backbone: Backbone, method: Method, *, max_tokens: int | None = None) -> str:
    """A digest of all that decides embeddings besides the texts and the packages' versions."""
    limit = {} if max_tokens is None else {"max_tokens": max_tokens}
    return result_store.digest(backbone.identity, method.identity, limit)


def encode(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    batch_tokens: int | None = None,
    progress: Progress = quiet,
) -> Encoding:
    """Encode ``texts`` by ``method``.

    ``progress(done, all)`` is called after every batch, in distinct texts.

    Raises:
        CorpusError, PlanError, BackboneError: see ``prepare``, ``check_plan`` and
            ``check_method``; or the states overflowed the backbone's dtype.
    """
    (found,) = encode_together(
        backbone,
        texts,
        [method],
        role=role,
        max_tokens=max_tokens,
        batch_tokens=batch_tokens,
        progress=progress,
    )
    return found


def encode_together(
    backbone: Backbone,
    texts: Sequence[str],
    methods: Sequence[Method],
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    batch_tokens: int | None = None,
    progress: Progress = quiet,
) -> list[Encoding]:
    """What ``encode`` gives for each of ``methods``, from as few passes as it takes.

    Methods of the same prompts share one plain pass, pooled in different ways; a plan runs only
    its layers from the first one on. ``tokens`` and ``seconds`` are of the whole pass that
    requests of the same prompts share.

    Raises:
        CorpusError, PlanError, BackboneError: as ``encode``.
    """
    for method in methods:
        check_method(backbone, method)
    shared: dict[Any, list[int]] = {}
    for number, method in enumerate(methods):
        shared.setdefault(_prompted_by(method), []).append(number)
    groups = [
        (
            members,
            prepare(
                backbone,
                texts,
                methods[members[0]],
                role=role,
                max_tokens=max_tokens,
                batch_tokens=batch_tokens,
            ),
        )
        for members in shared.values()
    ]
    whole, before = sum(ready.distinct for _, ready in groups), 0
    found: dict[int, Encoding] = {}
    for members, ready in groups:
        began = time.perf_counter()
        wanted = [methods[number] for number in members]
        vectors = _pooled(
            backbone,
            ready,
            wanted,
            partial(_passes, backbone, wanted),
            partial(_offset, progress, before, whole),
            halve=True,
        )
        seconds = time.perf_counter() - began
        for number, embeddings in zip(members, vectors, strict=True):
            found[number] = Encoding(embeddings, ready.tokens, seconds, ready.cut)
        before += ready.distinct
    return [found[number] for number in range(len(methods))]


def _offset(progress: Progress, before: int, whole: int, done: int, _all: int) -> None:
    progress(before + done, whole)


def _prompted_by(method: Method) -> Any:
    """What two methods share whose plain passes are the same."""
    return (method.templates, id(method.tidy), method.prepending, method.causal)


def branches(plans: Sequence[Plan], layers: int) -> list[tuple[int, int]]:
    """Where each plan's pass can begin: (the earlier plan whose states it takes, at which layer).

    The source is the plan before it that acts alike on the most layers, the first such where
    several do; -1 and layer 0 where none acts alike on any. A plan that acts like an earlier one
    on all ``layers`` takes all from it.
    """
    found = []
    for number, plan in enumerate(plans):
        source, begin = -1, 0
        for earlier, other in enumerate(plans[:number]):
            if (parted := parting(plan, other, layers)) > begin:
                source, begin = earlier, parted
        found.append((source, begin))
    return found


def parting(one: Plan, other: Plan, layers: int) -> int:
    """The first of ``layers`` at which two plans act differently; ``layers`` if at none."""
    if (one.bias, one.key_position) == (other.bias, other.key_position):
        first = min({*one.active} ^ {*other.active}, default=layers)
    else:
        first = min((*one.active, *other.active), default=layers)
    return min(first, layers)


def _passes(backbone: Backbone, methods: Sequence[Method], batch: Batch) -> Iterator[PassResult]:
    """The pass of each request over one batch, begun where it parts from an earlier one.

    States are kept only where a later pass begins, and only until the last such has begun.
    """
    if len(methods) == 1:
        yield _run(backbone, batch, methods[0], methods[0].plan)
        return
    outputs = {layer for method in methods for layer in _output_of(backbone, method)}
    plans = [PLAIN, *(method.plan for method in methods)]
    tree = [
        (source, begin if begin == backbone.layers else min({begin, *outputs}))
        for source, begin in branches(plans, backbone.layers)
    ]
    last_use = {branch: number for number, branch in enumerate(tree)}
    kept: dict[tuple[int, int], torch.Tensor] = {}
    passes: dict[int, PassResult] = {}
    for number, (plan, branch) in enumerate(zip(plans, tree, strict=True)):
        source, begin = branch
        if begin == backbone.layers:
            result = passes[source]
        else:
            needed = [layer for from_, layer in tree if from_ == number and layer < backbone.layers]
            result = _run(
                *(backbone, batch, methods[0], plan),
                keep_inputs=(*needed, *outputs),
                start=begin,
                start_states=kept.get(branch),
            )
            kept |= {(number, layer): result.inputs[layer] for layer in needed}
            if last_use[branch] == number:
                kept.pop(branch, None)
        if (number, backbone.layers) in last_use:
            passes[number] = result
        if number:
            yield result


def _output_of(backbone: Backbone, method: Method) -> tuple[int, ...]:
    """The layer whose input is what ``method`` pools, unless that is the last layer's output."""
    return () if method.output == -1 else (backbone.layers + 1 + method.output,)


def _run(
    backbone: Backbone,
    batch: Batch,
    method: Method,
    plan: Plan,
    *,
    keep_inputs: Sequence[int] = (),
    **resumed: Any,
) -> PassResult:
    """One batch by ``method`` under ``plan``; keeps the inputs of the layers and of its output."""
    held = method.prepending
    request = PassRequest(
        batch.ids,
        batch.lengths,
        plan,
        backbone.form,
        keep_inputs=(*keep_inputs, *_output_of(backbone, method)),
        causal=method.causal,
        overwriting=None
        if held is None or batch.slots is None
        else Overwriting(batch.slots, held.start, held.stop(backbone.layers)),
        **resumed,
    )
    return forward_pass.run(backbone.model, request)


def _pooled(
    backbone: Backbone,
    ready: Prepared,
    methods: Sequence[Method],
    run: Callable[[Batch], Iterable[PassResult]],
    progress: Progress,
    *,
    halve: bool = False,
) -> list[NDArray[np.float32]]:
    """Run every batch and pool it for each method: float32 (N, D) each, in the texts' order.

    With ``halve``, a batch that does not fit into memory is run in halves.
    """
    out = np.empty((len(methods), ready.distinct, backbone.facts.hidden), np.float32)

    def pooled(batch: Batch) -> None:
        for vectors, method, result in zip(out, methods, run(batch), strict=True):
            states = result.pre_norm if method.norm == "pre" else result.final
            for layer in _output_of(backbone, method):
                states = result.inputs[layer]
            found = pool(states, weights(batch.prompts, method.pooling)).cpu().numpy()
            if not np.isfinite(found).all():
                raise backbone.overflowed()
            vectors[list(batch.rows)] = found

    done = 0
    for batch, _ in within_memory(backbone, ready.batches, pooled, halve=halve):
        done += len(batch.rows)
        request_log.count(encoded=len(batch.rows), tokens=int(batch.lengths.sum()))
        progress(done, ready.distinct)
    averaged = torch.from_numpy(out[:, ready.of_text].mean(axis=1))
    return list(torch.nn.functional.normalize(averaged, dim=-1).numpy())
