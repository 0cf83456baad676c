"""Trials of heads on some items: an objective under any heads, exactly, and its derivatives."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..embedding import cached_encoder
from ..embedding.head_derivatives import PASSES
from ..embedding.methods import Method
from ..embedding.shared_passes import first_difference
from ..embedding.trace import Trace
from ..rerouting.plan import PLAIN, Head, Plan
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import result_store
from .corpus_objective import parts_and_objective
from .head_choices import ObjectiveName
from .score_result import Corpus
from .sensitivity import Sensitivity, identity, sensitivity

Heads = tuple[Head, ...]


class Trials:
    """The objective of some items under any heads, and what asking for it costs.

    Attributes:
        passes: what was asked for, in forward passes over the items' texts, as if nothing had been
            stored before. A plan that resumes a kept pass counts the layers from where it differs;
            derivatives count :data:`.head_derivatives.PASSES`, or one less where the embeddings
            have just been stored. A teacher's passes are not counted.
    """

    def __init__(
        self,
        backbone: Backbone,
        corpus: Corpus,
        method: Method,
        *,
        objective: ObjectiveName = "judgements",
        teacher: Method | None = None,
        budget: int = 0,
        progress: Progress = quiet,
    ) -> None:
        """Encode nothing but the teacher's texts.

        Args:
            backbone: the decoder.
            corpus: the items.
            method: a method that re-routes; its plan says the bias and the key position.
            objective: a name of :data:`.head_choices.OBJECTIVES`.
            teacher: the method to agree with.
            budget: bytes of states that may be kept in memory.
            progress: counts what a search goes through: prompts, heads or steps.
        """
        self.backbone, self.corpus, self.method = backbone, corpus, method
        self.passes, self.progress = 0.0, progress
        self._objective, self._teacher, self._budget = objective, teacher, budget
        self._parts, self._function = parts_and_objective(
            backbone, corpus, objective, teacher, progress
        )
        self._values: dict[Heads, float] = {}
        self._stored: set[Heads] = set()  # heads whose embeddings were stored
        self._traces: list[tuple[Trace, ...]] = []  # plain, and that of kept heads; one a part

    def plan(self, heads: Heads) -> Plan:
        """The plan of some heads, with the bias and the key position of the method's."""
        return replace(self.method.plan, layers=(), heads=heads)

    def sensitivity(self, heads: Heads = ()) -> Sensitivity:
        """The derivatives where some heads re-route already, see :func:`.sensitivity`."""
        result = sensitivity(
            *(self.backbone, self.corpus, self.method),
            objective=self._objective,
            teacher=self._teacher,
            base=self.plan(heads),
            progress=self.progress,
        )
        self.passes += PASSES - (heads in self._stored)
        self._values.setdefault(heads, result.value)
        return result

    def value(self, heads: Heads = ()) -> float:
        """The objective under some heads, exactly."""
        if heads not in self._values:
            self._values[heads] = self._value(heads)
        return self._values[heads]

    def keep(self, heads: Heads = ()) -> None:
        """Keep the states under some heads, so that a plan with more costs its own layers only."""
        plan = self.plan(heads)
        if not self._traces:
            plain = self.method.under(PLAIN)
            budget = self._budget // len(self._parts)
            self._traces = [
                tuple(
                    Trace(self.backbone, texts, plain, role=role, budget=budget)
                    for texts, role in self._parts
                )
            ]
            self.passes += 1
        if plan.active:
            nearest = self._nearest(plan)
            self.passes += self._share(nearest, plan)
            self._traces[1:] = [tuple(trace.under(plan) for trace in nearest)]

    def effects(self) -> NDArray[np.float64]:
        """What each head alone changes, exactly, at full strength: (L, H), NaN where none can.

        The effects of a layer's heads are stored as soon as they are known, the last layer first.
        """
        layers, heads = self.backbone.layers, self.backbone.facts.heads
        effects = np.full((layers, heads), np.nan)
        everything = identity(
            self.backbone, self.corpus, self.method, self._objective, self._teacher
        )
        finished, cost = 0, self.passes + (not self._traces)
        for layer in reversed(self.backbone.reroutable):
            key = result_store.key("effects of heads", **everything, layer=layer)
            alone = [self.plan((Head(layer, head),)) for head in range(heads)]
            with lock_for(key):
                if (known := result_store.get(key)) is None:
                    self.keep()
                    self.value()
                    values = [self.value(plan.heads) - self.value() for plan in alone]
                    known = {}, {"effects": np.array(values)}
                    result_store.put(key, *known)
            effects[layer] = known[1]["effects"]
            cost += heads * (1 - layer / layers)
            finished += heads
            self.progress(finished, heads * len(self.backbone.reroutable))
        self.passes = cost
        return effects

    def _value(self, heads: Heads) -> float:
        plan = self.plan(heads)
        embeddings: Iterable[NDArray[np.float32]]
        if self._traces:
            nearest = self._nearest(plan)
            self.passes += self._share(nearest, plan)
            embeddings = [trace.embed(plan) for trace in nearest]
        else:
            self.passes += 1
            self._stored.add(heads)
            embeddings = [
                cached_encoder.encode_methods(
                    self.backbone, texts, [self.method.under(plan)], role=role
                )[0].embeddings
                for texts, role in self._parts
            ]
        with torch.no_grad():
            return float(self._function(*(torch.from_numpy(e).double() for e in embeddings)))

    def _nearest(self, plan: Plan) -> tuple[Trace, ...]:
        """The traces that agree with a plan on the most layers from the first on."""
        return max(
            self._traces,
            key=lambda traces: first_difference(traces[0].plan, plan, self.backbone.layers),
        )

    def _share(self, traces: Sequence[Trace], plan: Plan) -> float:
        """The layers that a plan runs, resumed from traces, as a share of a pass."""
        layers = self.backbone.layers
        return 1 - first_difference(traces[0].plan, plan, layers) / layers
