"""What one pass is asked for and what it gives, see ``forward_pass``."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import torch

from ..errors import PlanError
from .family_traits import FamilyTraits
from .interventions import Overwriting, Steering
from .kernels import Form
from .plan import PLAIN, Plan, Summed


def _go_on() -> None:
    """Do nothing before a layer."""


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
            the total pass as long as the plan holds none of them. After the last layer, none runs.
        start_states: the states entering layer ``start``, (B, T, D) in the model's dtype; those
            that leave the last layer where none runs.
        stop: the first layer that is not run any more, if any; what later ones give is no result.
        overwriting: which states are overwritten on the way, if any.
        steering: what the last token attended to at one layer is changed by, if anything.
        keep_attended_at: the layer at which what the last token attended to is kept.
        keep_inputs: layers whose entering states are kept.
        sum_up: what of attention is summed over ``sum_layers``, if anything.
        sum_layers: the layers that are summed.
        keep_at: rows (K,) and columns (K,) of tokens whose state after every layer is kept.
        keep_attention: whether it is kept how much the last token attends to each token.
        keep_routers: whether the weights of all routers of experts are kept.
        keep_gates: whether the gates of re-routed layers are kept.
        strengths: by re-routed layer, how far each head follows the plan, float32 (H,): from 0, the
            plain output, to 1, the re-routed one. Given, the pass is computed in the concatenated
            form and keeps what a derivative with respect to them needs.
        keep_weights_of: a layer whose attention weights are kept, as they are before re-routing.
        compare_forms: whether layers in the closed form are computed in the concatenated one too.
        before_layer: called before each layer that is run; may wait, or raise to stop the pass.
        each_output: takes each layer that is run and its output, (B, T or more, D) in the model's
            dtype.

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
    stop: int | None = None
    overwriting: Overwriting | None = None
    steering: Steering | None = None
    keep_attended_at: int | None = None
    keep_inputs: Collection[int] = ()
    sum_up: Summed | None = None
    sum_layers: Collection[int] = ()
    keep_at: tuple[torch.Tensor, torch.Tensor] | None = None
    keep_attention: bool = False
    keep_routers: bool = False
    keep_gates: bool = False
    strengths: Mapping[int, torch.Tensor] | None = None
    keep_weights_of: int | None = None
    compare_forms: bool = False
    before_layer: Callable[[], object] = _go_on
    each_output: Callable[[int, torch.Tensor], object] | None = None

    def __post_init__(self) -> None:
        if self.plan.active and not self.causal:
            raise PlanError(
                "Re-routing works under the causal mask: remove the mask or re-route, not both."
            )

    @property
    def last(self) -> torch.Tensor:
        """(B,) int64, the column of each row's final real token."""
        return self.lengths - 1

    def runs(self, layer: int) -> bool:
        """Whether a layer is run and not skipped."""
        return self.start <= layer and (self.stop is None or layer < self.stop)


@dataclass(eq=False)
class PassResult:
    """The result of one pass; what was not requested is empty.

    Attributes:
        final: the states after the final norm, (B, T, D) in the model's dtype.
        pre_norm: the last layer's output before it, (B, T, D) in the model's dtype.
        inputs: by layer, the states entering it, (B, T, D) in the model's dtype.
        summed: what of attention was summed over layers, float32 (B, T, D), or (B, T, KV d) for
            values.
        attended: what each row's last token attended to at the layer of ``keep_attended_at``, the
            heads' outputs before the output projection, (B, H, d) in the model's dtype.
        outputs: by layer, its output at the K tokens of ``keep_at``, float32 (K, D) on the CPU.
        attention: how much each row's last token attends to each token, before any re-routing: the
            largest over layers and heads, float32 (B, T).
        routers: of each router in the layers' order, the softmax of its logits, float32 (B, T, E).
        gates: by re-routed layer, how much each token attends to the prefix, float32 (B, H, T).
        weights: attention weights of the layer of ``keep_weights_of``, before any re-routing there,
            float32 (B, H, T, T).
        visible: of the same layer, which tokens each token may attend to, bool (B, H, T, T).
        family: what the pass revealed about the model's family.
    """

    final: torch.Tensor = field(default_factory=torch.Tensor)
    pre_norm: torch.Tensor = field(default_factory=torch.Tensor)
    inputs: dict[int, torch.Tensor] = field(default_factory=dict)
    summed: torch.Tensor | None = None
    attended: torch.Tensor = field(default_factory=torch.Tensor)
    outputs: dict[int, torch.Tensor] = field(default_factory=dict)
    attention: torch.Tensor | None = None
    routers: list[torch.Tensor] = field(default_factory=list)
    gates: dict[int, torch.Tensor] = field(default_factory=dict)
    weights: torch.Tensor = field(default_factory=torch.Tensor)
    visible: torch.Tensor = field(default_factory=torch.Tensor)
    family: FamilyTraits = field(default_factory=FamilyTraits)
