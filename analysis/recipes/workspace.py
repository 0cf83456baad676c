"""Loads what a spec names: its backbone, plan, methods, corpus and engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..backbones import backbone as backbones
from ..backbones.backbone import Backbone
from ..backbones.catalog import SpecialTokens
from ..backbones.facts import Facts
from ..corpora import registry, sampling
from ..embedding import methods
from ..embedding.methods import Method
from ..experiments import score
from ..experiments.plans import planned
from ..experiments.score_result import Corpus
from ..experiments.shared_options import (
    OnBackbone,
    OnCorpus,
    OnEngine,
    Planned,
    Rerouting,
    WithLayers,
)
from ..parallel.engines import Engine
from ..rerouting import head_lists, layer_lists
from ..rerouting.plan import Plan
from ..runtime import events
from ..runtime.events import Progress, quiet

_Key = tuple[str, str, str, SpecialTokens]


@dataclass
class Workspace:
    """State shared by answers: the last backbone stays loaded.

    Attributes:
        progress: a function from a label of the work to its progress callback.
    """

    progress: Callable[[str], Progress] = field(default=lambda _label: quiet)
    _loaded: dict[_Key, Backbone] = field(default_factory=dict, repr=False)

    def load(
        self, spec: OnBackbone, name: str | None = None, layers: Sequence[str | None] = (None,)
    ) -> Backbone:
        """The backbone of a spec, or the one called ``name`` in its dtype and on its device.

        Args:
            spec: the question.
            name: another backbone to load in its place; it is not kept.
            layers: the lists of its layers that are needed, None for the spec's. What it has no
                layers for is refused before its weights are loaded.

        Raises:
            BackboneError: it cannot be loaded.
            PlanError: a list names layers that it does not have, or is none.
        """
        key = (name or spec.backbone, spec.dtype, spec.device, spec.special_tokens)
        if key not in self._loaded:
            backbone = backbones.load(
                key[0],
                dtype=key[1],
                device=key[2],
                special_tokens=key[3],
                progress=events.say,
                check=partial(check_layers, spec, layers=layers),
            )
            if name is None:
                self._loaded.clear()
                self._loaded[key] = backbone
            return backbone
        return self._loaded[key]

    def plan(self, spec: Planned, backbone: Backbone, layers: str | None = None) -> Plan:
        """The plan of a spec, or the same with other ``layers``.

        ``auto`` reads the curve of the calibration corpus, and is empty if no layer can re-route.

        Args:
            spec: the question.
            backbone: the loaded backbone.
            layers: a layer list in place of the spec's.

        Raises:
            PlanError: the layers are not a list of layers of the backbone.
        """
        return planned(spec, backbone, layers, progress=self.progress("calibrating"))

    def planned(
        self, spec: Planned, chosen: Method, backbone: Backbone, layers: str | None = None
    ) -> Method:
        """The method with the plan of a spec, if it re-routes; ``layers`` as in :meth:`plan`."""
        return chosen.under(self.plan(spec, backbone, layers)) if chosen.reroutes else chosen

    def methods(self, spec: Planned, names: tuple[str, ...]) -> tuple[Backbone, list[Method]]:
        """The backbone of a spec, and the named methods with its plan where they re-route."""
        chosen = [method(spec, name) for name in names]
        backbone = self.load(spec)
        if any(each.reroutes for each in chosen):
            plan = self.plan(spec, backbone)
            chosen = [each.under(plan) for each in chosen]
        return backbone, chosen


def check_layers(spec: OnBackbone, facts: Facts, layers: Sequence[str | None] = (None,)) -> None:
    """Refuse lists of layers, None for the spec's or its heads, that a backbone does not have.

    Raises:
        PlanError: a list names layers or heads that it does not have, or is none.
    """
    if isinstance(spec, WithLayers):
        for each in layers:
            if each or spec.heads is None:
                layer_lists.parse_layers(each or spec.layers, facts.layers, ())
            else:
                head_lists.parse_heads(spec.heads, facts.layers, facts.heads)


def method(spec: Rerouting, name: str) -> Method:
    """The method called ``name``, with the prompt, pooling and norm of a spec."""
    return methods.variant(
        methods.method(name), separator=spec.prompt, pooling=spec.pooling, norm=spec.norm
    )


def corpus(spec: OnCorpus) -> Corpus:
    """The corpus of a spec, or the part of it that the spec asks for."""
    loaded: Any = registry.load(spec.on, spec.corpus_name)
    if note := getattr(loaded, "note", ""):
        events.say(note)
    part: Corpus = sampling.scored_part(loaded, spec.part)
    score.check_corpus(part)
    return part


def engine(spec: OnEngine) -> Engine:
    """The engine of a spec: this process or Ray's workers."""
    return Engine(spec.engine, spec.address, spec.workers)


def planned_on_worker(
    spec: Planned, chosen: Method, backbone: Backbone, _: None
) -> tuple[Backbone, Method]:
    """A worker's backbone (sent back without its weights) and the method with a spec's plan."""
    return backbone, Workspace().planned(spec, chosen, backbone)
