"""Loads what a spec names: its backbone, plan, methods, corpus and engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from ..backbones import backbone as backbones
from ..backbones.backbone import Backbone
from ..backbones.catalog import SpecialTokens
from ..backbones.facts import Facts
from ..corpora import packaged, registry, sampling
from ..corpora.types import Kind
from ..embedding import external_files, external_names, methods, named_methods
from ..embedding.checks import check_output_layer
from ..embedding.external import External
from ..embedding.methods import Method
from ..embedding.postprocessing import PostprocessingName
from ..experiments import score
from ..experiments.plans import planned, planned_beside
from ..experiments.score_result import Corpus
from ..experiments.shared_options import (
    OnBackbone,
    OnCorpus,
    OnEngine,
    Planned,
    PlannedVariant,
    Rerouting,
    Variant,
    WithLayers,
    WithVectors,
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

    def plan(self, spec: PlannedVariant, backbone: Backbone, layers: str | None = None) -> Plan:
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
        self, spec: PlannedVariant, chosen: Method, backbone: Backbone, layers: str | None = None
    ) -> Method:
        """The method with the plan of a spec, if it re-routes and has none of its own.

        ``layers``, see :meth:`plan`, take the place of its own too.
        """
        if not chosen.reroutes or (chosen.has_plan and layers is None):
            return chosen
        return chosen.under(self.plan(spec, backbone, layers))

    def methods(
        self, spec: PlannedVariant, names: tuple[str, ...]
    ) -> tuple[Backbone, list[Method]]:
        """The backbone of a spec, and the named methods with its plan where they re-route."""
        chosen = [method(spec, name) for name in names]
        backbone = self.load(spec)
        if any(each.reroutes and not each.has_plan for each in chosen):
            plan = self.plan(spec, backbone)
            chosen = [each.planned(plan) for each in chosen]
        return backbone, chosen

    def methods_beside(
        self, spec: PlannedVariant, names: tuple[str, ...], name: str
    ) -> tuple[Backbone, list[Method]]:
        """A second backbone, and the named methods with their plan on it where they re-route.

        Where it lacks the layers or heads of the spec, the automatic choice takes their place,
        which is said.
        """
        chosen = [method(spec, each) for each in names]
        backbone = self.load(spec, name, ("auto",))
        if any(each.reroutes and not each.has_plan for each in chosen):
            plan, sentence = planned_beside(spec, backbone, progress=self.progress("calibrating"))
            if sentence:
                events.say(sentence)
            chosen = [each.planned(plan) for each in chosen]
        return backbone, chosen


def check_layers(spec: OnBackbone, facts: Facts, layers: Sequence[str | None] = (None,)) -> None:
    """Refuse layers that a backbone does not have: the output layer, or lists of layers.

    Of the lists, None is the spec's or its heads.

    Raises:
        PlanError: it does not have a layer or head, or a list is none.
    """
    if isinstance(spec, Rerouting) and spec.output_layer is not None:
        check_output_layer(spec.output_layer, facts)
    if isinstance(spec, WithLayers):
        for each in layers:
            if each or spec.heads is None:
                layer_lists.parse_layers(each or spec.layers, facts.layers, ())
            else:
                head_lists.parse_heads(spec.heads, facts.layers, facts.heads)


def method(spec: Variant, name: str) -> Method:
    """The method of this name or spelling, with the parts that a spec says of it."""
    return methods.variant(
        named_methods.method(name),
        separator=spec.prompt,
        pooling=spec.pooling,
        norm=spec.norm,
        output_layer=spec.output_layer if isinstance(spec, Rerouting) else None,
        processing=getattr(spec, "post_processing", "none"),
    )


def vectors(spec: WithVectors, corpus: Corpus) -> list[External]:
    """The vectors made elsewhere that a spec names.

    Args:
        spec: the question.
        corpus: the full corpus, whose order those without texts have.

    Raises:
        CorpusError: a file cannot be read, or what it holds are no vectors of texts.
    """
    loaded = [
        external_files.load_vectors(
            *external_names.parted(item),
            texts=spec.vectors_texts,
            text_column=spec.text_column,
            vector_column=spec.vector_column,
        )
        for item in spec.vectors
    ]
    step: PostprocessingName = getattr(spec, "post_processing", "none")
    return [score.bound(each, corpus).processed(step) for each in loaded]


def corpus(spec: OnCorpus) -> Corpus:
    """The corpus of a spec, or the part of it that the spec asks for."""
    return corpus_and_part(spec)[1]


def corpus_and_part(spec: OnCorpus) -> tuple[Corpus, Corpus]:
    """The corpus of a spec, and the part of it that the spec asks for."""
    loaded: Any = registry.load(spec.on, spec.corpus_name)
    if note := getattr(loaded, "note", ""):
        events.say(note)
    part: Corpus = sampling.scored_part(loaded, spec.part)
    score.check_corpus(part)
    return loaded, part


def corpus_to_choose_on(kind: Kind, name: str | None, part: int | None) -> Corpus:
    """The corpus that heads are chosen on, or a part of it; of texts, distinct ones.

    Args:
        kind: its kind.
        name: its name; None for the default of its kind.
        part: how many texts, pairs or queries are drawn; None for all.
    """
    loaded: Any = registry.load(
        kind, name or {"texts": packaged.CALIBRATION, **registry.DEFAULTS}[kind]
    )
    if note := getattr(loaded, "note", ""):
        events.say(note)
    if kind == "texts":
        return sampling.sample(loaded, part or len(loaded.texts), 0)
    return cast(Corpus, sampling.scored_part(loaded, part))


def engine(spec: OnEngine) -> Engine:
    """The engine of a spec: this process or Ray's workers."""
    return Engine(spec.engine, spec.address, spec.workers)


def planned_on_worker(
    spec: Planned, chosen: Method, backbone: Backbone, _: None
) -> tuple[Backbone, Method]:
    """A worker's backbone (sent back without its weights) and the method with a spec's plan."""
    return backbone, Workspace().planned(spec, chosen, backbone)
