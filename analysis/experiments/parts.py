"""What each part of KV-Embedding brings: its prompt, its pooling, re-routing, and the bias.

A part is put to the bare text's mean alone, and taken out of the whole; all together are held
against none. A bias needs re-routing, so what it brings alone is on the bare text too, against
re-routing with none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from ..backbones.backbone import Backbone
from ..embedding.methods import DEFAULT, METHODS, Method
from ..errors import BackboneError
from ..evaluation import comparison
from ..evaluation.comparison import Difference
from ..rerouting.plan import PLAIN
from ..runtime.events import Progress, quiet
from . import score as scores
from .score import Corpus, Score

Part = Literal["prompt", "pooling", "re-routing", "bias", "all parts"]
How = Literal["alone", "with the rest", "together"]
PARTS: tuple[Part, ...] = ("prompt", "pooling", "re-routing", "bias")
HOW: tuple[How, ...] = ("alone", "with the rest", "together")
_PARTS_OF: dict[Part, frozenset[Part]] = {
    **{part: frozenset[Part]({part}) for part in PARTS},
    "bias": frozenset[Part]({"re-routing", "bias"}),
    "all parts": frozenset(PARTS),
}


@dataclass(frozen=True, eq=False)
class Brought:
    """What a part brings: the scores without it and with it, and their difference, paired.

    ``method`` is the one with it. Differences are corrected for all that are asked on one corpus.
    """

    part: Part
    how: How
    method: Method
    without: Score
    together: Score
    change: Difference


def assembled(parts: frozenset[Part], whole: Method) -> Method:
    """``whole`` with only these of its parts; the bare text's mean has none."""
    method = whole if "prompt" in parts else replace(whole, template=METHODS["mean"].template)
    plan = PLAIN if "re-routing" not in parts else whole.plan
    return replace(
        method,
        name=" + ".join(part for part in PARTS if part in parts) or "mean",
        pooling=whole.pooling if "pooling" in parts else "mean",
        reroutes="re-routing" in parts,
        plan=plan if "bias" in parts else replace(plan, bias=0.0),
    )


def questions() -> Iterator[tuple[Part, How, frozenset[Part], frozenset[Part]]]:
    """Each part and how it is asked for, with the parts there are without it and with it."""
    everything = frozenset(PARTS)
    for part in PARTS:
        yield part, "alone", _PARTS_OF[part] - {part}, _PARTS_OF[part]
    for part in PARTS:
        dropped = {part, "bias"} if part == "re-routing" else {part}
        yield part, "with the rest", everything - dropped, everything
    yield "all parts", "together", frozenset(), everything


def brought(
    backbone: Backbone,
    corpus: Corpus,
    whole: Method = DEFAULT,
    *,
    progress: Progress = quiet,
) -> list[Brought]:
    """What every part brings on ``corpus`` by its first measure, corrected by Holm's method.

    Args:
        backbone: one that can be re-routed.
        corpus: what is scored.
        whole: the method with all its parts, its plan among them.
        progress: counts texts.

    Raises:
        BackboneError: the backbone cannot be re-routed, or what encoding raises.
        CorpusError, PlanError: what encoding and measuring raise.
    """
    if backbone.refusal:
        raise BackboneError(backbone.refusal)
    asked = list(questions())
    sets = list(dict.fromkeys(parts for *_, before, after in asked for parts in (before, after)))
    methods = {parts: assembled(parts, whole) for parts in sets}
    scored = scores.score(backbone, corpus, list(methods.values()), progress=progress)
    found = dict(zip(sets, scored, strict=True))
    changes = [
        comparison.difference(
            *(found[after].first, found[before].first),
            *((found[after].name, found[before].name), corpus.total),
        )
        for *_, before, after in asked
    ]
    return [
        Brought(part, how, methods[after], found[before], found[after], change)
        for (part, how, before, after), change in zip(
            asked, comparison.corrected(changes), strict=True
        )
    ]
