"""The contribution of each part of KV-Embedding: prompt, pooling, re-routing and bias.

A part is added to the bare text's mean, and removed from the full method; all together are compared
with none. A bias needs re-routing, so alone it is compared, on the bare text, with re-routing
without a bias.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ..backbones.backbone import Backbone
from ..embedding.method_parts import CHANGES
from ..embedding.methods import DEFAULT, Method
from ..embedding.named_prompts import PROMPTS
from ..errors import BackboneError
from ..evaluation import comparison
from ..evaluation.comparison import Difference
from ..rerouting.plan import PLAIN
from ..runtime.events import Progress, quiet
from . import score as scores
from .score_result import Corpus, Score

Part = Literal["prompt", "pooling", "re-routing", "bias", "all parts"]
Setting = Literal["alone", "with the rest", "together"]
PARTS: tuple[Part, ...] = ("prompt", "pooling", "re-routing", "bias")
SETTINGS: tuple[Setting, ...] = ("alone", "with the rest", "together")
_PARTS_OF: dict[Part, frozenset[Part]] = {
    **{part: frozenset[Part]({part}) for part in PARTS},
    "bias": frozenset[Part]({"re-routing", "bias"}),
    "all parts": frozenset(PARTS),
}


@dataclass(frozen=True, eq=False)
class Contribution:
    """What a part contributes: the scores without it and with it, and their paired difference.

    ``method`` is the method with the part. Differences are corrected for all comparisons on one
    corpus.
    """

    part: Part
    setting: Setting
    method: Method
    without: Score
    with_part: Score
    change: Difference


def assembled(parts: frozenset[Part], full: Method) -> Method:
    """``full`` with only these of its parts; the bare text's mean has none."""
    plan = PLAIN if "re-routing" not in parts else full.plan
    return replace(
        full,
        name=" + ".join(part for part in PARTS if part in parts) or "mean",
        prompt=full.prompt if "prompt" in parts else PROMPTS["bare"],
        pooling=full.pooling if "pooling" in parts else "mean",
        change=CHANGES["re-routing" if "re-routing" in parts else "nothing"],
        plan=plan if "bias" in parts else replace(plan, bias=0.0),
    )


def questions() -> Iterator[tuple[Part, Setting, frozenset[Part], frozenset[Part]]]:
    """Each part and setting, with the parts of the method without it and with it."""
    everything = frozenset(PARTS)
    for part in PARTS:
        yield part, "alone", _PARTS_OF[part] - {part}, _PARTS_OF[part]
    for part in PARTS:
        dropped = {part, "bias"} if part == "re-routing" else {part}
        yield part, "with the rest", everything - dropped, everything
    yield "all parts", "together", frozenset(), everything


def contributions(
    backbone: Backbone,
    corpus: Corpus,
    full: Method = DEFAULT,
    *,
    progress: Progress = quiet,
) -> list[Contribution]:
    """What every part contributes on ``corpus`` by its first measure, corrected by Holm's method.

    Args:
        backbone: one that can be re-routed.
        corpus: what is scored.
        full: the method with all its parts, its plan included.
        progress: counts texts.

    Raises:
        BackboneError: the backbone cannot be re-routed, or what encoding raises.
        CorpusError, PlanError: what encoding and measuring raise.
    """
    if backbone.refusal:
        raise BackboneError(backbone.refusal)
    comparisons = list(questions())
    sets = list(
        dict.fromkeys(parts for *_, before, after in comparisons for parts in (before, after))
    )
    methods = {parts: assembled(parts, full) for parts in sets}
    scored = scores.score(backbone, corpus, list(methods.values()), progress=progress)
    score_of = dict(zip(sets, scored, strict=True))
    changes = [
        comparison.difference(
            *(score_of[after].first, score_of[before].first),
            *((score_of[after].name, score_of[before].name), corpus.total),
        )
        for *_, before, after in comparisons
    ]
    return [
        Contribution(part, setting, methods[after], score_of[before], score_of[after], change)
        for (part, setting, before, after), change in zip(
            comparisons, comparison.corrected(changes), strict=True
        )
    ]
