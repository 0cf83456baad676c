"""The plan that a user asks for: layers or heads, as text or as numbers."""

from collections.abc import Iterable, Sequence
from functools import partial

from ..backbones.backbone import Backbone
from ..corpora import registry
from ..corpora.packaged import CALIBRATION
from ..corpora.types import Texts
from ..dimension import selection
from ..dimension.selection import RuleName
from ..embedding.checks import check_plan
from ..errors import PlanError
from ..rerouting import layer_lists
from ..rerouting.head_lists import check_one_choice, collected, parse_heads
from ..rerouting.plan import KeyPosition, Plan
from ..runtime.events import Progress, quiet
from ..runtime.lookup import by_name
from . import dimension
from .shared_options import PlannedVariant

Layers = str | Sequence[int]
"""``"auto"``, ``"none"``, ``"all"``, a list such as ``"26-29"`` or ``"3,5,9"``, or numbers."""
Heads = str | Sequence[tuple[int, int] | tuple[int, int, float | None]]
"""A list such as ``"12.0,12.3,15"`` (a bare number is a whole layer), or pairs of a layer and a
head, perhaps with the head's own bias."""


def select_layers(
    backbone: Backbone,
    layers: str | Sequence[int] = "auto",
    *,
    rule: RuleName = "paper",
    calibration: str | Texts = CALIBRATION,
    progress: Progress = quiet,
) -> tuple[int, ...]:
    """The layers to re-route, 0-based and ascending.

    Args:
        backbone: the decoder.
        layers: ``"auto"``, ``"none"``, ``"all"``, a list such as ``"26-29"`` or ``"3,5,9"``, or
            numbers. ``"auto"`` reads the curve of the calibration texts, and selects none where
            the backbone cannot be re-routed.
        rule: how ``"auto"`` selects, see :data:`analysis.dimension.selection.RULES`.
        calibration: those texts, or the name or path that they are read by.
        progress: counts the texts and layers of the curve, if it is not stored.

    Raises:
        PlanError: there is no such layer or rule, or the numbers are not a list of layers.
        BackboneError: a layer cannot be re-routed.
        CorpusError: the calibration texts cannot be read, or are too few.
    """
    by_name(selection.RULES, rule, "selection rule")
    if not isinstance(layers, str):
        chosen = Plan(tuple(layers) if isinstance(layers, Iterable) else layers)
        check_plan(backbone, chosen)
        return chosen.layers

    def auto() -> tuple[int, ...]:
        if backbone.refusal:
            return ()
        texts = calibration
        if isinstance(texts, str):
            texts = registry.load_texts(texts)
        return dimension.dimensions(backbone, texts, progress=progress).selected(rule)

    return layer_lists.parse_layers(layers, backbone.layers, auto)


def plan_of(
    backbone: Backbone,
    layers: Layers = "auto",
    heads: Heads | None = None,
    *,
    rule: RuleName = "paper",
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    calibration: str | Texts = CALIBRATION,
    progress: Progress = quiet,
) -> Plan:
    """The plan of some layers, or of some heads.

    Args:
        backbone: the decoder.
        layers: the layers to re-route, with all their heads.
        heads: the heads to re-route, in place of ``layers``.
        rule: how ``"auto"`` selects layers.
        bias: added to the re-routed pair's attention logit.
        key_position: position of the re-routed key.
        calibration: the texts whose curve ``"auto"`` reads, or their name or path.
        progress: counts the texts and layers of the curve that ``"auto"`` reads.

    Raises:
        PlanError: there is no such layer, head or rule, or both layers and heads are given.
        CorpusError: the calibration texts cannot be read, or are too few.
    """
    if heads is None:
        selected = select_layers(
            backbone, layers, rule=rule, calibration=calibration, progress=progress
        )
        return Plan(selected, bias, key_position)
    check_one_choice(layers, heads)
    count = backbone.facts.heads
    if isinstance(heads, str):
        whole, single = parse_heads(heads, backbone.layers, count)
    else:
        listed = Plan(heads=tuple(sorted(heads))).heads  # type: ignore[arg-type]
        whole, single = collected(listed, count)
    return Plan(whole, bias, key_position, single)


def planned(
    spec: PlannedVariant,
    backbone: Backbone,
    layers: str | None = None,
    *,
    calibration: Texts | None = None,
    progress: Progress = quiet,
) -> Plan:
    """The plan of a question, or the same with other ``layers``.

    Args:
        spec: the question.
        backbone: the loaded backbone.
        layers: a layer list in place of the question's layers or heads.
        calibration: the calibration texts in place of those that the question names.
        progress: counts the texts and layers of the curve that ``"auto"`` reads.

    Raises:
        PlanError: the backbone has no such layers or heads.
        CorpusError: the calibration texts cannot be read, or are too few.
    """
    return plan_of(
        backbone,
        layers or spec.layers,
        None if layers else spec.heads,
        rule=spec.rule,
        bias=spec.bias,
        key_position=spec.key_position,
        calibration=calibration or spec.calibration,
        progress=progress,
    )


def planned_beside(
    spec: PlannedVariant,
    backbone: Backbone,
    *,
    calibration: Texts | None = None,
    progress: Progress = quiet,
) -> tuple[Plan, str]:
    """The plan of a question on a second backbone: the automatic choice where it lacks the plan.

    Args:
        spec: the question, whose layers or heads are those of its own backbone.
        backbone: the second backbone, loaded.
        calibration: as in :func:`planned`.
        progress: counts the texts and layers of the curve that ``"auto"`` reads.

    Returns:
        The plan, and a sentence if it is another one than the question's.
    """
    select = partial(planned, spec, backbone, calibration=calibration, progress=progress)
    try:
        plan = select()
        if not backbone.refusal:
            check_plan(backbone, plan)
        return plan, ""
    except PlanError as error:
        sentence = f"On {backbone.facts.name}: {error} Now: the automatic choice."
        return select("auto"), sentence
