"""Methods on two backbones: the second's scores beside the first's, and what changes with it.

Rows of two backbones can be ranked together, since all are scored on the same items and bootstrap
draws. What only the model changes is read from one method on both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from ..backbones.backbone import Backbone
from ..embedding.external import External
from ..evaluation import comparison
from ..evaluation.comparison import Difference
from .score_result import BESIDE, Score


class Subject(NamedTuple):
    """What is scored in one row: its name, and the method and the backbone behind it."""

    name: str
    method: str
    backbone: str


def beside(score: Score, backbone: Backbone) -> Score:
    """A score on the second backbone, named ``method · backbone``."""
    return replace(score, beside=backbone.facts.name)


def changes(scores: Sequence[Score], measure: str, of: int | None = None) -> list[Difference]:
    """The score of each method on the second backbone minus that on the first, paired.

    They are corrected by Holm's method among each other.

    Args:
        scores: on both backbones; methods that only one has are left out.
        measure: name of the measure.
        of: size of the full corpus, if a part of it was scored.
    """
    first = {score.method.name: score for score in scores if not score.beside}
    both = [(score, first[score.method.name]) for score in scores if _has_pair(score, first)]
    return comparison.corrected(
        [
            comparison.difference(
                after.measure(measure), before.measure(measure), (after.name, before.name), of
            )
            for after, before in both
        ]
    )


def _has_pair(score: Score, first: Iterable[str]) -> bool:
    return bool(score.beside) and score.method.name in first


def subjects(scores: Sequence[Score]) -> list[Subject]:
    """What is scored in each score; vectors made elsewhere are left out."""
    return [
        Subject(score.name, score.method.name, score.beside)
        for score in scores
        if not isinstance(score.method, External)
    ]


def subject(name: str, backbone: str) -> Subject:
    """The subject of a row that is called ``name`` and was scored on ``backbone``."""
    ending = f"{BESIDE}{backbone}"
    second = name.endswith(ending)
    return Subject(name, name.removesuffix(ending), backbone if second else "")


def mixing(rows: Sequence[Subject], against: Sequence[Subject] = ()) -> str:
    """A warning where two rows differ in both the method and the model; "" where none do.

    Args:
        rows: what is compared.
        against: what it is compared with; all with each other where nothing is named.
    """
    for one in against or rows:
        for other in rows:
            if one.method != other.method and one.backbone != other.backbone:
                return (
                    f"Some rows differ in both method and backbone, such as {one.name} and "
                    f"{other.name}: a difference between them cannot be put down to either."
                )
    return ""
