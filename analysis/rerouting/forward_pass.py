"""One pass through the decoder: a request goes in, a result comes out.

A backbone's model is prepared once (see ``patches``). While a pass runs, the hooks on its layers
and its attention functions read the request from one ``ContextVar`` and store the result there. So
threads that share one model cannot mix up their passes, and the model behaves as in plain
transformers whenever no pass runs.

Sequences are padded on the right and need no padding mask: under causal attention no real token
attends to what comes after it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import torch

from ..errors import PlanError
from .attention import Form, Pair, gather_last
from .plan import PLAIN, Plan


def _go_on() -> None:
    """Do nothing before a layer."""


@dataclass(frozen=True, eq=False)
class Overwriting:
    """Before each layer start <= l < exit, the state at ``slots`` becomes the last token's.

    Token Prepending (https://arxiv.org/abs/2412.11556) puts a placeholder there.

    Attributes:
        slots: (B,) int64, the placeholder's column in each row.
        start: first layer that gets the changed state.
        exit: first layer that is not.
    """

    slots: torch.Tensor
    start: int
    exit: int


@dataclass(frozen=True, eq=False)
class PassRequest:
    """What one pass runs on, starts from, changes and keeps.

    Attributes:
        ids: token ids, int64 (B, T), padded on the right.
        lengths: (B,) int64, each row's number of real tokens.
        plan: which layers re-route, and how.
        form: how re-routed attention is computed.
        causal: whether tokens see only those before them. If not, every token sees every real one
            (within the window of a layer that has one), and nothing may be re-routed.
        start: the first layer that is run. Those below are skipped, and the result equals that of
            the total pass as long as the plan holds none of them.
        start_states: the states entering layer ``start``, (B, T, D) in the model's dtype.
        overwriting: which states are overwritten on the way, if any.
        keep_inputs: layers whose entering states are kept.
        keep_at: rows (K,) and columns (K,) of tokens whose state after every layer is kept.
        keep_gates: whether the gates of re-routed layers are kept.
        strengths: by re-routed layer, how far each head follows the plan, float32 (H,): from 0, the
            plain output, to 1, the re-routed one. Given, the pass is computed in the concatenated
            form and keeps what a derivative with respect to them needs.
        keep_weights_of: a layer whose attention weights are kept, as they are before re-routing.
        compare_forms: whether layers in the closed form are computed in the concatenated one too.
        before_layer: called before each layer that is run; may wait, or raise to stop the pass.

    Raises:
        PlanError: the mask is to be removed where the plan re-routes.
    """

    ids: torch.Tensor
    lengths: torch.Tensor
    plan: Plan = PLAIN
    form: Form = "closed"
    causal: bool = True
    start: int = 0
    start_states: torch.Tensor | None = None
    overwriting: Overwriting | None = None
    keep_inputs: Collection[int] = ()
    keep_at: tuple[torch.Tensor, torch.Tensor] | None = None
    keep_gates: bool = False
    strengths: Mapping[int, torch.Tensor] | None = None
    keep_weights_of: int | None = None
    compare_forms: bool = False
    before_layer: Callable[[], object] = _go_on

    def __post_init__(self) -> None:
        if self.plan.active and not self.causal:
            raise PlanError(
                "Re-routing works under the causal mask: remove the mask or re-route, not both."
            )

    @property
    def last(self) -> torch.Tensor:
        """(B,) int64, the column of each row's final real token."""
        return self.lengths - 1


@dataclass(eq=False)
class FamilyTraits:
    """What a pass revealed about the model's family; the probe reads it.

    Attributes:
        attention_modules: by layer, the modules whose attention function was called.
        changes_logits: whether the family passed a soft cap or sinks.
        makes_masks: whether it passed a mask that is not this project's.
        form_distance: largest distance between both forms at a layer, where they were compared.
    """

    attention_modules: dict[int, torch.nn.Module] = field(default_factory=dict)
    changes_logits: bool = False
    makes_masks: bool = False
    form_distance: float = 0.0


@dataclass(eq=False)
class PassResult:
    """The result of one pass; what was not requested is empty.

    Attributes:
        final: the states after the final norm, (B, T, D) in the model's dtype.
        pre_norm: the last layer's output before it, (B, T, D) in the model's dtype.
        inputs: by layer, the states entering it, (B, T, D) in the model's dtype.
        outputs: by layer, its output at the K tokens of ``keep_at``, float32 (K, D) on the CPU.
        gates: by re-routed layer, how much each token attends to the prefix, float32 (B, H, T).
        weights: attention weights of the layer of ``keep_weights_of``, before any re-routing there,
            float32 (B, H, T, T).
        visible: of the same layer, which tokens each token may attend to, bool (B, H, T, T).
        family: what the pass revealed about the model's family.
    """

    final: torch.Tensor = field(default_factory=torch.Tensor)
    pre_norm: torch.Tensor = field(default_factory=torch.Tensor)
    inputs: dict[int, torch.Tensor] = field(default_factory=dict)
    outputs: dict[int, torch.Tensor] = field(default_factory=dict)
    gates: dict[int, torch.Tensor] = field(default_factory=dict)
    weights: torch.Tensor = field(default_factory=torch.Tensor)
    visible: torch.Tensor = field(default_factory=torch.Tensor)
    family: FamilyTraits = field(default_factory=FamilyTraits)


@dataclass(eq=False)
class RunningPass:
    """A pass under way, as hooks and attention functions see it.

    Attributes:
        request: the request.
        result: the result so far.
        moved_keys: by layer, the prefix's key (B, KV, 1, d) where it is not the token's own.
        replayed: while an attention module is replayed (see ``key_position``), the queries and keys
            that reached its attention function; None at all other times.
    """

    request: PassRequest
    result: PassResult = field(default_factory=PassResult)
    moved_keys: dict[int, torch.Tensor] = field(default_factory=dict)
    replayed: list[tuple[torch.Tensor, torch.Tensor]] | None = None

    def reroutes(self, layer: int) -> bool:
        """Whether attention at ``layer`` is re-routed."""
        return layer in self.request.plan.active

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


_CURRENT: ContextVar[RunningPass | None] = ContextVar("forward_pass", default=None)


def current() -> RunningPass | None:
    """The pass that runs in this thread; None where the model is called outside of any."""
    return _CURRENT.get()


@contextmanager
def running(request: PassRequest) -> Iterator[RunningPass]:
    """Make every model call in this thread, and in no other, part of this pass inside the block."""
    token = _CURRENT.set(this_pass := RunningPass(request))
    try:
        yield this_pass
    finally:
        _CURRENT.reset(token)


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
    width = request.ids.shape[1]
    if request.plan.key_position == "first" and width == 1:
        request = _widened(request)
    mode = torch.inference_mode() if request.strengths is None else torch.enable_grad()
    with mode, running(request) as this_pass:
        device = next(model.parameters()).device
        output = model(input_ids=request.ids.to(device), use_cache=False)
    result = this_pass.result
    if not request.causal and result.family.makes_masks:
        raise PlanError("This family builds its own attention mask, which cannot be removed.")
    result.final, result.pre_norm = output.last_hidden_state[:, :width], result.pre_norm[:, :width]
    result.inputs = {layer: states[:, :width] for layer, states in result.inputs.items()}
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
