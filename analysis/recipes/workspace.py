"""What a spec names, loaded: its backbone, plan, methods and corpus."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..backbones import backbone as backbones
from ..backbones.backbone import Backbone
from ..corpora import registry, sampling
from ..embedding.methods import METHODS, Method, variant
from ..experiments import dimension
from ..experiments.score import Corpus
from ..experiments.shared_options import OnBackbone, OnCorpus, Planned, Rerouting
from ..rerouting.plan import Plan
from ..runtime import events
from ..runtime.events import Progress, quiet

_Key = tuple[str, str, str]


@dataclass
class Workspace:
    """What answers share.

    The last backbone stays loaded.

    Attributes:
        progress: takes a word for the work, and gives what counts its steps.
    """

    progress: Callable[[str], Progress] = field(default=lambda _label: quiet)
    _loaded: dict[_Key, Backbone] = field(default_factory=dict, repr=False)

    def load(self, spec: OnBackbone, name: str | None = None) -> Backbone:
        """The backbone of a spec, or the one called ``name`` in its dtype and on its device.

        Raises:
            BackboneError: it cannot be loaded.
        """
        key = (name or spec.backbone, spec.dtype, spec.device)
        if key not in self._loaded:
            backbone = backbones.load(key[0], dtype=key[1], device=key[2], progress=events.say)
            if name is None:
                self._loaded.clear()
                self._loaded[key] = backbone
            return backbone
        return self._loaded[key]

    def plan(self, spec: Planned, backbone: Backbone, layers: str | None = None) -> Plan:
        """The plan of a spec, or its like with other ``layers``.

        ``auto`` reads the curve of the calibration corpus; none can be re-routed, none is chosen.

        Raises:
            PlanError: the layers are no list of layers of the backbone.
        """
        chosen = dimension.select_layers(
            backbone,
            layers or spec.layers,
            rule=spec.rule,
            progress=self.progress("calibrating"),
        )
        return Plan(chosen, spec.bias, spec.key_position)

    def planned(
        self, spec: Planned, chosen: Method, backbone: Backbone, layers: str | None = None
    ) -> Method:
        """The method with the plan of a spec, if it re-routes; ``layers`` as of ``plan``."""
        return chosen.under(self.plan(spec, backbone, layers)) if chosen.reroutes else chosen

    def methods(self, spec: Planned, names: tuple[str, ...]) -> tuple[Backbone, list[Method]]:
        """The backbone, and each method called so with its plan; plain where none re-routes."""
        chosen = [method(spec, name) for name in names]
        backbone = self.load(spec)
        if any(each.reroutes for each in chosen):
            plan = self.plan(spec, backbone)
            chosen = [each.under(plan) for each in chosen]
        return backbone, chosen


def method(spec: Rerouting, name: str) -> Method:
    """The method called ``name``, done as the spec says."""
    return variant(METHODS[name], separator=spec.prompt, pooling=spec.pooling, norm=spec.norm)


def corpus(spec: OnCorpus) -> Corpus:
    """The corpus that a spec is scored on, or the part of it that it asks for."""
    loaded: Any = registry.load(spec.on, spec.corpus_name)
    if note := getattr(loaded, "note", ""):
        events.say(note)
    part: Corpus = sampling.part(loaded, spec.part)
    return part
