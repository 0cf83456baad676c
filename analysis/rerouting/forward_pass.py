"""Passes through the decoder: requests go in, results come out.

A backbone's model is prepared once (see ``patches``). While passes run, the hooks on its layers
and its attention functions read the requests from one ``ContextVar`` and store the results there.
So threads that share one model cannot mix up their passes, and the model behaves as in plain
transformers whenever no pass runs.

Sequences are padded on the right and need no padding mask: under causal attention no real token
attends to what comes after it.

Several requests can run as one joint pass (:func:`run_jointly`): the model sees their tokens side
by side, as one row without padding whose positions start again at each sequence. Everything that a
model computes for each token alone (linear layers, norms, activations) is then computed at once.
Whatever looks at other tokens (attention, and what is kept or changed) sees each request by itself,
in the shape of its own ids.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import torch

from ..errors import PlanError
from .attention import Pair, gather_last
from .pass_request import PassRequest, PassResult
from .plan import Summed


@dataclass(eq=False)
class RunningPass:
    """A pass under way, as hooks and attention functions see it.

    Attributes:
        request: the request.
        result: the result so far.
        moved_keys: by layer, the prefix's key (B, KV, 1, d) where it is not the token's own.
        replayed: while an attention module is replayed (see ``key_position``), the queries and keys
            that reached its attention function; None at all other times.
        begin: the place of its first token in the row of a joint pass; None where it runs alone.
    """

    request: PassRequest
    result: PassResult = field(default_factory=PassResult)
    moved_keys: dict[int, torch.Tensor] = field(default_factory=dict)
    replayed: list[tuple[torch.Tensor, torch.Tensor]] | None = None
    begin: int | None = None

    def own(self, tokens: torch.Tensor) -> torch.Tensor:
        """Its part (B, T, ...) of what the model computes for each token, (1, N, ...) or that."""
        if self.begin is None:
            return tokens
        rows, width = self.request.ids.shape
        own = tokens[0, self.begin : self.begin + rows * width]
        return torch.unflatten(own, 0, (rows, width))

    def own_heads(self, heads: torch.Tensor) -> torch.Tensor:
        """Its part (B, H, T, d) of queries, keys or values (1, H, N, d)."""
        return self.own(heads.transpose(1, 2)).transpose(1, 2)

    def reroutes(self, layer: int) -> bool:
        """Whether attention at ``layer`` is re-routed."""
        return layer in self.request.plan.active

    def add(self, what: Summed, layer: int, tokens: torch.Tensor) -> None:
        """Add what a layer's attention gave, if it is to be summed.

        Args:
            what: what it is.
            layer: the layer, from 0.
            tokens: (B, T, D), or for values (B, KV, T, d).
        """
        request, result = self.request, self.result
        if request.sum_up != what or layer not in request.sum_layers:
            return
        if what == "values":
            tokens = tokens.transpose(1, 2).flatten(2)
        tokens, before = tokens.float(), result.summed
        if before is not None and before.shape != tokens.shape:
            raise PlanError(
                "The layers of this family give attention values of different widths, which cannot "
                "be summed; read fewer layers, or choose another method."
            )
        result.summed = tokens if before is None else before + tokens.to(before.device)

    def attended(self, layer: int, output: torch.Tensor) -> torch.Tensor:
        """Keep and steer what a layer's last token attended to, as requested.

        Args:
            layer: the layer, from 0.
            output: the heads' outputs before the output projection, (B, H, T, d).

        Returns:
            The outputs to go on with, of the same shape.
        """
        request = self.request
        if layer == request.keep_attended_at:
            self.result.attended = gather_last(output, request.last)[:, :, 0]
        if request.steering is None or layer != request.steering.layer:
            return output
        return request.steering.steered(output, request.last)

    def attend(self, weights: torch.Tensor) -> None:
        """Take the attention weights of a layer's last token, float32 (B, H, T), into account."""
        largest, before = weights.amax(1), self.result.attention
        if before is not None:
            largest = torch.maximum(before, largest.to(before.device))
        self.result.attention = largest

    def route(self, logits: torch.Tensor) -> None:
        """Keep a router's weights if requested, from its logits (B T, E) or (B, T, E)."""
        ids = self.request.ids
        if self.request.keep_routers and logits.shape[:-1].numel() == ids.numel():
            weights = logits.float().softmax(-1)
            self.result.routers.append(weights.view(*ids.shape, -1))

    def prefix(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> Pair:
        """The prefix of a layer: the key-value pair of each row's final token.

        Args:
            layer: a re-routed layer, from 0.
            key: (B, KV, T, d), as attention sees it.
            value: (B, KV, T, d).

        Returns:
            The prefix's key and value, each (B, KV, 1, d).
        """
        last, moved = self.request.last, self.moved_keys.get(layer)
        return gather_last(key, last) if moved is None else moved, gather_last(value, last)


_CURRENT: ContextVar[tuple[RunningPass, ...]] = ContextVar("forward_pass", default=())


def current() -> RunningPass | None:
    """The pass that runs alone in this thread; None where the model is called outside of any."""
    return _CURRENT.get()[0] if _CURRENT.get() else None


def under_way() -> tuple[RunningPass, ...]:
    """The passes that run in this thread as one; none where the model is called outside of any."""
    return _CURRENT.get()


@contextmanager
def only(*passes: RunningPass) -> Iterator[None]:
    """Make model calls in this thread, and in no other, part of these passes inside the block."""
    token = _CURRENT.set(passes)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def running(request: PassRequest) -> Iterator[RunningPass]:
    """Make every model call in this thread, and in no other, part of this pass inside the block."""
    with only(this_pass := RunningPass(request)):
        yield this_pass


def sequence_starts() -> torch.Tensor | None:
    """In a joint pass, the place of the first token of each token's sequence, int64 (N,)."""
    if len(passes := under_way()) < 2:
        return None
    sizes = [each.request.ids.shape for each in passes]
    widths = torch.tensor([width for rows, width in sizes for _ in range(rows)])
    return torch.repeat_interleave(widths.cumsum(0) - widths, widths)


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """The row (1, N, ...) of a joint pass from its parts (B, T, ...); a single part as it is."""
    return torch.cat([part.flatten(0, 1) for part in parts])[None] if len(parts) > 1 else parts[0]


def run(model: torch.nn.Module, request: PassRequest) -> PassResult:
    """Run one pass.

    Args:
        model: a backbone's model, prepared by ``patches``.
        request: what the pass runs on, starts from, changes and keeps.

    Returns:
        The final states and what was requested; without gradients, unless there are strengths.

    Raises:
        PlanError: the mask is to be removed and the family builds its own.
    """
    return run_jointly(model, [request])[0]


def run_jointly(model: torch.nn.Module, requests: Sequence[PassRequest]) -> list[PassResult]:
    """Run passes as one; each gives what :func:`run` gives for it.

    Args:
        model: a backbone's model, prepared by ``patches``; if there are several requests, one that
            ``backbones.probe`` found to allow that.
        requests: they run the same layers, and all have strengths or none has.

    Raises:
        PlanError: a mask is to be removed and the family builds its own.
    """
    widened = [
        _widened(each) if each.plan.key_position == "first" and each.ids.shape[1] == 1 else each
        for each in requests
    ]
    passes, inputs = _side_by_side(widened)
    mode = torch.inference_mode() if requests[0].strengths is None else torch.enable_grad()
    with mode, only(*passes):
        device = next(model.parameters()).device
        inputs = {name: ids.to(device) for name, ids in inputs.items()}
        final = model(**inputs, use_cache=False).last_hidden_state
    return [
        _finished(each, each.own(final), request.ids.shape[1])
        for each, request in zip(passes, requests, strict=True)
    ]


def _side_by_side(
    requests: Sequence[PassRequest],
) -> tuple[list[RunningPass], dict[str, torch.Tensor]]:
    """Passes that are to run as one, and the ids and positions that the model is called with."""
    if len(requests) == 1:
        return [RunningPass(requests[0])], {"input_ids": requests[0].ids}
    passes, begin = [], 0
    for request in requests:
        passes.append(RunningPass(request, begin=begin))
        begin += request.ids.numel()
    positions = [torch.arange(r.ids.shape[1]).expand(r.ids.shape) for r in requests]
    return passes, {
        "input_ids": joined([request.ids for request in requests]),
        "position_ids": joined(positions),
    }


def _finished(this_pass: RunningPass, final: torch.Tensor, width: int) -> PassResult:
    """The result of a pass from its final states (B, T or more, D), cut to its own width T."""
    request, result = this_pass.request, this_pass.result
    if not request.causal and result.family.makes_masks:
        raise PlanError("This family builds its own attention mask, which cannot be removed.")
    result.final, result.pre_norm = final[:, :width], result.pre_norm[:, :width]
    result.inputs = {layer: states[:, :width] for layer, states in result.inputs.items()}
    result.summed = None if result.summed is None else result.summed[:, :width]
    result.attention = None if result.attention is None else result.attention[:, :width]
    result.routers = [weights[:, :width] for weights in result.routers]
    result.gates = {layer: gate[..., :width] for layer, gate in result.gates.items()}
    if request.keep_weights_of is not None:
        result.weights = result.weights[..., :width, :width]
        result.visible = result.visible[..., :width, :width]
    return result


def _widened(request: PassRequest) -> PassRequest:
    """Add one column: the position before the first token is computed from the second one's."""
    states = request.start_states
    return replace(
        request,
        ids=torch.nn.functional.pad(request.ids, (0, 1)),
        start_states=None if states is None else torch.nn.functional.pad(states, (0, 0, 0, 1)),
    )
