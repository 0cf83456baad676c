"""One pass through the decoder: where it starts, what it keeps, how it is re-routed.

Every decoder layer is wrapped once, when its backbone loads. The wrapper reads what the current
pass wants from a ``ContextVar``: layers below the start are skipped and the start layer is handed
the stored state, so that a pass resumes exactly and through the family's own code; states that
are asked for are kept on the way, and no others.

Sequences are padded on the right and need no padding mask: under causal attention no real token
ever looks at what comes after it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch

from ..errors import PlanError
from .attention_functions import Form, Routing, routed
from .plan import PLAIN, Plan


@dataclass(frozen=True)
class Overwriting:
    """Before each layer start <= l < exit, the state at ``slots`` (B,) becomes the last token's."""

    slots: torch.Tensor
    start: int
    exit: int


@dataclass
class Pass:
    """What one pass starts from, changes, keeps and leaves behind.

    ``inputs`` maps a layer to the states entering it, (B, T, D) in the model's dtype;
    ``outputs`` each layer to its output at the K tokens of ``keep_at`` (rows (K,), columns
    (K,)), float32 (K, D) on the CPU; ``raw`` is the last layer's output before the final norm
    and ``final`` the one after it, (B, T, D). ``weights`` and ``visible`` (B, H, T, T) are those
    of the layer that is watched, before any re-routing there.
    """

    start: int = 0
    state: torch.Tensor | None = None
    keep_inputs: frozenset[int] = frozenset()
    keep_at: tuple[torch.Tensor, torch.Tensor] | None = None
    overwriting: Overwriting | None = None
    last: torch.Tensor = field(default_factory=torch.Tensor)
    inputs: dict[int, torch.Tensor] = field(default_factory=dict)
    outputs: dict[int, torch.Tensor] = field(default_factory=dict)
    gates: dict[int, torch.Tensor] = field(default_factory=dict)
    raw: torch.Tensor = field(default_factory=torch.Tensor)
    final: torch.Tensor = field(default_factory=torch.Tensor)
    weights: torch.Tensor = field(default_factory=torch.Tensor)
    visible: torch.Tensor = field(default_factory=torch.Tensor)


_PASS: ContextVar[Pass | None] = ContextVar("forward_pass", default=None)


def run(
    model: torch.nn.Module,
    ids: torch.Tensor,
    lengths: torch.Tensor,
    plan: Plan = PLAIN,
    *,
    form: Form = "closed",
    start: int = 0,
    state: torch.Tensor | None = None,
    keep_inputs: Sequence[int] = (),
    keep_at: tuple[torch.Tensor, torch.Tensor] | None = None,
    keep_gates: bool = False,
    watch: int | None = None,
    causal: bool = True,
    overwriting: Overwriting | None = None,
) -> Pass:
    """Run right-padded ``ids`` (B, T) of true ``lengths`` (B,), re-routed by ``plan``.

    With ``start`` and ``state`` (B, T, D, the states entering layer ``start``) the layers below
    are skipped; the result equals the whole pass as long as the plan holds no layer below.
    Unless ``causal``, the causal mask is removed and every token sees every real one.

    Raises:
        PlanError: the mask is to be removed where a plan re-routes or where the family makes a
            mask of its own.
    """
    if plan.active and not causal:
        raise PlanError(
            "Re-routing answers the causal mask: remove the mask or re-route, not both."
        )
    width = ids.shape[1]
    if plan.key_position == "first" and width == 1:  # place -1 is place 1 turned the other way
        ids = torch.nn.functional.pad(ids, (0, 1))
        state = None if state is None else torch.nn.functional.pad(state, (0, 0, 0, 1))
    wanted = Pass(start, state, frozenset(keep_inputs), keep_at, overwriting, lengths - 1)
    routing = Routing(plan, lengths - 1, form, keep_gates, causal, watch=watch)
    with torch.inference_mode(), routed(routing), _passing(wanted):
        output = model(input_ids=ids.to(_device(model)), use_cache=False)
    if not causal and routing.own_mask:
        raise PlanError("This family makes an attention mask of its own, which cannot be removed.")
    wanted.final, wanted.raw = output.last_hidden_state[:, :width], wanted.raw[:, :width]
    wanted.inputs = {layer: states[:, :width] for layer, states in wanted.inputs.items()}
    wanted.gates = {layer: gate[..., :width] for layer, gate in routing.gates.items()}
    if watch is not None:
        wanted.weights = routing.weights[..., :width, :width]
        wanted.visible = routing.visible[..., :width, :width]
    return wanted


@contextmanager
def _passing(wanted: Pass) -> Iterator[None]:
    token = _PASS.set(wanted)
    try:
        yield
    finally:
        _PASS.reset(token)


def _device(model: torch.nn.Module) -> torch.device:
    return next(model.parameters()).device


def instrument(layers: Sequence[torch.nn.Module]) -> None:
    """Wrap each decoder layer's ``forward`` so that passes can start late and keep states."""
    for index, layer in enumerate(layers):
        layer.forward = _wrapped(layer.forward, index, last=index == len(layers) - 1)


def _wrapped(inner: Callable[..., Any], index: int, *, last: bool) -> Callable[..., Any]:
    returns_tuple = False

    def forward(hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        nonlocal returns_tuple
        wanted = _PASS.get()
        if wanted is None:
            return inner(hidden_states, *args, **kwargs)
        if index < wanted.start:
            return (hidden_states,) if returns_tuple else hidden_states
        if index == wanted.start and wanted.state is not None:
            hidden_states = wanted.state.to(hidden_states.device)
        if index in wanted.keep_inputs:
            wanted.inputs[index] = hidden_states
        if (over := wanted.overwriting) is not None and over.start <= index < over.exit:
            rows = torch.arange(len(hidden_states), device=hidden_states.device)
            slots, end = (x.to(hidden_states.device) for x in (over.slots, wanted.last))
            hidden_states = hidden_states.index_put((rows, slots), hidden_states[rows, end])
        output = inner(hidden_states, *args, **kwargs)
        returns_tuple = isinstance(output, tuple)
        states = output[0] if returns_tuple else output
        if wanted.keep_at is not None:
            rows, columns = (x.to(states.device) for x in wanted.keep_at)
            wanted.outputs[index] = states[rows, columns].float().cpu()
        if last:
            wanted.raw = states
        return output

    return forward
