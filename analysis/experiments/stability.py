"""Do choices of heads on other items of the same corpus agree?

Heads are chosen on parts of a corpus that share no item, and no text where possible. What two
choices share is held against what heads drawn at random would share.
"""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import hypergeom, spearmanr

from ..backbones.backbone import Backbone
from ..embedding.methods import DEFAULT, Method
from ..rerouting import head_lists
from ..rerouting.plan import Head
from ..runtime.events import Progress, quiet
from .chosen_heads import Chosen, choose
from .head_choices import PARTS, ChoiceName, ObjectiveName, outside_the_first
from .item_parts import parts_of
from .score_result import Corpus

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Agreement:
    """What two choices of heads have in common.

    Attributes:
        parts: numbers of the two parts that chose, from 0.
        shared: heads that both chose.
        overlap: their share of the heads that either chose (Jaccard's index, 0 to 1); NaN where
            neither chose any.
        chance: what is expected of it where as many heads are drawn at random from those that can
            be chosen.
        correlation: Spearman's correlation of the derivatives of those heads.
    """

    parts: tuple[int, int]
    shared: int
    overlap: float
    chance: float
    correlation: float


@dataclass(frozen=True, eq=False)
class Stability:
    """Heads chosen on parts of a corpus.

    Attributes:
        chosen: the choice of each part.
        corpus: name of the corpus.
        items: of all parts.
        of: items of the full corpus.
    """

    chosen: tuple[Chosen, ...]
    corpus: str
    items: int
    of: int

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """What each two of the choices have in common."""
        pairs = itertools.combinations(range(len(self.chosen)), 2)
        return tuple(_agreement(self.chosen, pair) for pair in pairs)

    @property
    def common(self) -> tuple[Head, ...]:
        """The heads that every part chose, without biases of their own."""
        every = set.intersection(*(_places(each) for each in self.chosen))
        return tuple(Head(*place) for place in sorted(every))

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows of :meth:`to_rows` as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.to_rows())

    def to_rows(self) -> list[dict[str, Any]]:
        """One row for each two parts, and in each what all have in common."""
        first = self.chosen[0]
        shared = {
            "backbone": first.backbone,
            "dtype": first.dtype,
            "method": first.method,
            "corpus": self.corpus,
            "items": self.items,
            "of": self.of,
            "objective": first.objective,
            "teacher": first.teacher,
            "choice": first.how,
            "parts": len(self.chosen),
            "common": head_lists.format_heads((), self.common) if self.common else "",
            "passes": sum(each.passes * each.items for each in self.chosen) / self.items,
        }
        return [
            {
                **shared,
                "first": agreement.parts[0] + 1,
                "second": agreement.parts[1] + 1,
                "counts": [len(self.chosen[part].plan.heads) for part in agreement.parts],
                "shared": agreement.shared,
                "overlap": _finite(agreement.overlap),
                "chance": _finite(agreement.chance),
                "correlation": _finite(agreement.correlation),
            }
            for agreement in self.agreements
        ]


def stability(
    backbone: Backbone,
    corpus: Corpus,
    method: Method = DEFAULT,
    *,
    parts: int = PARTS,
    how: ChoiceName = "top",
    count: int | None = 60,
    objective: ObjectiveName = "judgements",
    teacher: Method | None = None,
    progress: Progress = quiet,
) -> Stability:
    """Choose heads on each of several parts of a corpus; results are stored.

    Args:
        backbone: the decoder.
        corpus: rated pairs, labelled texts, or queries with documents.
        method: a method that re-routes; its plan says the bias and the key position.
        parts: how many parts to divide the items into, two at least.
        how: a name of :data:`.head_choices.CHOICES`.
        count: number of heads at most; None finds it inside the items of each part.
        objective: a name of :data:`.head_choices.OBJECTIVES`.
        teacher: the method to agree with.
        progress: counts what the choices go through: prompts, heads or steps.

    Raises:
        CorpusError: there are too few items for so many parts.
        PlanError, BackboneError: what choosing raises.
    """
    divided = parts_of(corpus, parts)
    chosen = tuple(
        choose(
            *(backbone, part, method),
            how=how,
            count=count,
            objective=objective,
            teacher=teacher,
            progress=progress,
        )
        for part in divided
    )
    items = sum(each.items for each in chosen)
    return Stability(chosen, corpus.name, items, chosen[0].of)


def _places(chosen: Chosen) -> set[tuple[int, int]]:
    return {head[:2] for head in chosen.plan.heads}


def _agreement(chosen: tuple[Chosen, ...], parts: tuple[int, int]) -> Agreement:
    one, other = (chosen[part] for part in parts)
    first, second = _places(one), _places(other)
    values = [each.sensitivity.values for each in (one, other)]
    if one.how != "single":  # the only choice that takes heads of the first layers, too
        values = [outside_the_first(each) for each in values]
    known = np.isfinite(values[0]) & np.isfinite(values[1])
    either = first | second
    derivatives = [each[known] for each in values]
    constant = any(len(each) < 2 or np.ptp(each) == 0 for each in derivatives)
    return Agreement(
        parts,
        len(first & second),
        len(first & second) / len(either) if either else float("nan"),
        expected_overlap(len(first), len(second), int(known.sum())),
        float("nan") if constant else float(spearmanr(*derivatives).statistic),
    )


def expected_overlap(one: int, other: int, of: int) -> float:
    """The mean of Jaccard's index of two sets of so many heads, each drawn at random from ``of``.

    The number of heads that both hold is hypergeometric. NaN where both sets are empty.
    """
    if not one + other:
        return float("nan")
    both = np.arange(min(one, other) + 1)
    return float((hypergeom(of, one, other).pmf(both) * both / (one + other - both)).sum())


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
