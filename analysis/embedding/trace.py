"""A stored pass over some texts: another plan costs only the layers from where both differ."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..rerouting.pass_request import PassResult
from ..rerouting.plan import Plan
from ..runtime.events import Progress, quiet
from .batching import Batch, prepare
from .checks import check_method
from .encoder import Encoding
from .methods import Method
from .prompts import Role
from .read_out import latest_start, pooled_rows
from .shared_passes import first_difference, pool_batches, run_batches


class Trace:
    """A stored pass over some texts: a plan costs only the layers from where it differs.

    The pass is under the method's own plan, or ``under`` another. The states entering layers are
    kept in the model's dtype: at every layer if they fit into ``budget`` bytes, else at every
    second, third ... one, and a plan then starts at the nearest kept layer below. ``embed`` gives
    what ``encode`` gives, up to float32 rounding.

    Raises:
        OutOfMemory: the states do not fit into memory.
    """

    def __init__(
        self,
        backbone: Backbone,
        texts: Sequence[str],
        method: Method,
        *,
        role: Role = "Context",
        budget: int = 2 * 1024**3,
        progress: Progress = quiet,
    ) -> None:
        check_method(backbone, method)
        self.backbone, self.method = backbone, method
        self._ready = prepare(backbone, texts, method, role=role)
        cells = sum(batch.ids.numel() for batch in self._ready.batches)
        one_layer = cells * backbone.facts.hidden * backbone.model.dtype.itemsize  # type: ignore[operator]
        step = max(1, -(-one_layer * backbone.layers // max(budget, 1)))
        self._kept = tuple(range(0, backbone.layers, step))
        self._inputs: dict[tuple[int, ...], dict[int, torch.Tensor]] = {}  # by a batch's rows

        def run(batches: Sequence[Batch]) -> list[list[torch.Tensor]]:
            results = run_batches(backbone, batches, method, method.plan, keep_inputs=self._kept)
            for batch, result in zip(batches, results, strict=True):
                self._inputs[batch.rows] = result.inputs
            return _pooled(backbone, batches, method, results)

        (self._pooled,) = pool_batches(backbone, self._ready, [method], run, progress)

    @property
    def plan(self) -> Plan:
        """The plan of the stored pass."""
        return self.method.plan

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Embeddings float32 (N, D) under the plan, of unit length."""
        return self._pooled.embeddings

    @property
    def encoding(self) -> Encoding:
        """The encoding of the texts under the plan."""
        return Encoding(*(*self._pooled, self.cut, self.backbone.provenance(), self._ready.tokens))

    @property
    def cut(self) -> tuple[int, ...]:
        """Tokens cut off each text because it was too long."""
        return self._ready.cut

    def embed(self, plan: Plan, progress: Progress = quiet) -> NDArray[np.float32]:
        """Embeddings float32 (N, D) under ``plan``, running only the layers that can differ.

        Args:
            plan: which layers re-route, and how.
            progress: counts distinct prompts.
        """
        return self._resumed(plan, (), progress).embeddings

    def under(self, plan: Plan, progress: Progress = quiet) -> "Trace":
        """The same texts traced under ``plan``, at the cost of embedding them; shares equal states.

        Use it where the next plans have more in common with ``plan`` than with this trace's.

        Args:
            plan: the plan of the new trace.
            progress: counts distinct prompts.
        """
        return self._resumed(plan, self._kept, progress)

    def _resumed(self, plan: Plan, kept: Sequence[int], progress: Progress) -> "Trace":
        """This trace under ``plan``, with the inputs of the ``kept`` layers that it changes."""
        method = self.method.under(plan)
        check_method(self.backbone, method)
        first = first_difference(method.plan, self.plan, self.backbone.layers)
        if first == self.backbone.layers:
            return self
        first = min(first, latest_start(self.backbone, method))
        start = max(layer for layer in self._kept if layer <= first)
        resumed = copy.copy(self)
        resumed.method, resumed._inputs = method, {}

        def run(batches: Sequence[Batch]) -> list[list[torch.Tensor]]:
            stored = [self._inputs[batch.rows] for batch in batches]
            results = run_batches(
                *(self.backbone, batches, method, method.plan),
                keep_inputs=[layer for layer in kept if layer > start],
                start=start,
                start_states=[inputs[start] for inputs in stored],
            )
            for batch, inputs, result in zip(batches, stored, results, strict=True):
                if kept:
                    unchanged = {layer: inputs[layer] for layer in kept if layer <= start}
                    resumed._inputs[batch.rows] = unchanged | result.inputs
            return _pooled(self.backbone, batches, method, results)

        (resumed._pooled,) = pool_batches(self.backbone, self._ready, [method], run, progress)
        return resumed


def _pooled(
    backbone: Backbone, batches: Sequence[Batch], method: Method, results: Sequence[PassResult]
) -> list[list[torch.Tensor]]:
    """The pooled vectors of each batch, as ``pool_batches`` takes them."""
    return [
        [pooled_rows(backbone, batch, method, result)]
        for batch, result in zip(batches, results, strict=True)
    ]
