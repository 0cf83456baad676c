"""Which heads should listen? How an objective changes as each head begins to re-route.

The derivative of every head comes out of one backward pass
(:mod:`analysis.embedding.head_derivatives`); weights stay frozen. An objective of human judgements
chooses heads by labels; the others need none.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..embedding.methods import DEFAULT, Method
from ..rerouting.plan import PLAIN, Head, Plan
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import result_store
from . import head_choices
from .corpus_objective import check_teacher, checked_items, parts_and_objective
from .head_choices import ObjectiveName
from .score_result import Corpus
from .score_store import digest_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """The derivative of an objective with respect to each head's strength of re-routing.

    Attributes:
        values: float64 (L, H), at strength 0 of all heads or at those of ``base``; NaN for layers
            that cannot be re-routed.
        value: the objective there.
        objective: a name of :data:`.head_choices.OBJECTIVES`.
        teacher: name of the method whose cosines are agreed with, "" for none.
        method: the method whose heads they are, with its bias and key position.
        base: heads that re-route already.
        corpus: name of the corpus.
        items: pairs, texts or queries used, and ``total`` of the full corpus if they are a part.
        backbone: name of the backbone, and ``dtype`` of its weights.
    """

    values: NDArray[np.float64]
    value: float
    objective: ObjectiveName
    teacher: str
    method: Method
    base: Plan
    corpus: str
    items: int
    total: int | None
    backbone: str
    dtype: str

    def top(self, count: int) -> tuple[Head, ...]:
        """The heads of largest derivative, see :func:`.head_choices.top`."""
        return head_choices.top(self.values, count)

    def to_rows(self) -> list[dict[str, Any]]:
        """One row for each head that can re-route, the largest derivative first."""
        settings = {
            "objective": self.objective,
            **({"teacher": self.teacher} if self.teacher else {}),
            "corpus": self.corpus,
            "items": self.items,
            "of": self.total or self.items,
            "method": self.method.name,
            "bias": self.method.plan.bias,
            "backbone": self.backbone,
            "dtype": self.dtype,
        }
        order = np.argsort(-self.values, axis=None, kind="stable")
        return [
            {
                "layer": int(layer),
                "head": int(head),
                "derivative": float(self.values[layer, head]),
                **settings,
            }
            for layer, head in zip(*np.unravel_index(order, self.values.shape), strict=True)
            if np.isfinite(self.values[layer, head])
        ]

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows of :meth:`to_rows` as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.to_rows())


def sensitivity(
    backbone: Backbone,
    corpus: Corpus,
    method: Method = DEFAULT,
    *,
    objective: ObjectiveName = "judgements",
    teacher: Method | None = None,
    base: Plan = PLAIN,
    progress: Progress = quiet,
) -> Sensitivity:
    """The sensitivity of an objective to each head, from the store or about three passes.

    Args:
        backbone: the decoder.
        corpus: rated pairs, labelled texts, or queries with documents.
        method: a method that re-routes; its plan says the bias and the key position.
        objective: a name of :data:`.head_choices.OBJECTIVES`.
        teacher: the method to agree with.
        base: heads that re-route already.
        progress: counts distinct prompts.

    Raises:
        CorpusError: there are fewer than :data:`.corpus_objective.LEAST_ITEMS` items, no labels, or
            all are alike.
        PlanError: agreement without a teacher, or a method that does not re-route.
        BackboneError: the backbone cannot be re-routed, or its states overflowed.
    """
    check_teacher(objective, teacher)
    items = checked_items(corpus, method, objective)
    key = _key_of(backbone, corpus, method, objective, teacher, base)
    with lock_for(key):
        if (found := result_store.get(key)) is None:
            from ..embedding.head_derivatives import head_derivatives

            parts, function = parts_and_objective(backbone, corpus, objective, teacher, progress)
            result = head_derivatives(
                backbone, parts, method, function, base=base, progress=progress
            )
            found = {"objective": result.objective}, {"values": result.values}
            result_store.put(key, *found)
    return Sensitivity(
        values=found[1]["values"],
        value=found[0]["objective"],
        objective=objective,
        teacher=teacher.name if teacher else "",
        method=method,
        base=base,
        corpus=corpus.name,
        items=items,
        total=corpus.total,
        backbone=backbone.facts.name,
        dtype=backbone.dtype.value,
    )


def known_sensitivity(
    backbone: Backbone,
    corpus: Corpus,
    method: Method = DEFAULT,
    *,
    objective: ObjectiveName = "judgements",
    teacher: Method | None = None,
) -> Sensitivity | None:
    """The stored sensitivity with nothing re-routed, or None; computes nothing.

    Args:
        backbone: the decoder.
        corpus: rated pairs, labelled texts, or queries with documents.
        method: a method that re-routes.
        objective: a name of :data:`.head_choices.OBJECTIVES`.
        teacher: the method to agree with.
    """
    if result_store.get(_key_of(backbone, corpus, method, objective, teacher, PLAIN)) is None:
        return None
    return sensitivity(backbone, corpus, method, objective=objective, teacher=teacher)


def _key_of(
    backbone: Backbone,
    corpus: Corpus,
    method: Method,
    objective: ObjectiveName,
    teacher: Method | None,
    base: Plan,
) -> str:
    return result_store.key(
        "head derivatives",
        **identity(backbone, corpus, method, objective, teacher),
        base=method.under(base).identity,
    )


def identity(
    backbone: Backbone,
    corpus: Corpus,
    method: Method,
    objective: ObjectiveName,
    teacher: Method | None,
) -> dict[str, Any]:
    """All that decides an objective and its derivatives but the heads, as parts of a key."""
    return {
        **backbone.identity,
        **method.under(PLAIN).identity,
        "rerouted": {"bias": method.plan.bias, "key": method.plan.key_position},
        "objective": objective,
        "teacher": teacher and teacher.identity,
        "data": digest_of(corpus),
    }
