"""Which heads should listen? How an objective changes as each head begins to re-route.

The derivative of every head comes out of one backward pass
(:mod:`analysis.embedding.head_derivatives`); weights stay frozen. An objective of human judgements
chooses heads by labels; the others need none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs, Retrieval, Texts
from ..embedding import cached_encoder
from ..embedding.methods import DEFAULT, Method
from ..embedding.prompts import Role
from ..errors import CorpusError, PlanError
from ..rerouting.plan import PLAIN, Head, Plan
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import result_store
from . import head_choices
from .head_choices import ObjectiveName
from .score_result import Corpus
from .score_store import digest_of

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from ..embedding.head_derivatives import Objective

LEAST_ITEMS = 20
"""Pairs, texts or queries that an objective needs at least."""


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
    """The sensitivity of an objective to each head, from the store or about four passes.

    Args:
        backbone: the decoder.
        corpus: rated pairs, labelled texts, or queries with documents.
        method: a method that re-routes; its plan says the bias and the key position.
        objective: a name of :data:`.head_choices.OBJECTIVES`.
        teacher: the method to agree with.
        base: heads that re-route already.
        progress: counts distinct prompts.

    Raises:
        CorpusError: there are fewer than :data:`LEAST_ITEMS` items, no labels, or all are alike.
        PlanError: agreement without a teacher, or a method that does not re-route.
        BackboneError: the backbone cannot be re-routed, or its states overflowed.
    """
    if (objective == "agreement") != (teacher is not None):
        raise PlanError("A teacher is what agreement is with: give both or neither.")
    items = checked_items(corpus, method, objective)
    plain, bases = method.under(PLAIN), method.under(base)
    key = result_store.key(
        "head derivatives",
        **backbone.identity,
        **plain.identity,
        rerouted={"bias": method.plan.bias, "key": method.plan.key_position},
        base=bases.identity,
        objective=objective,
        teacher=teacher and teacher.identity,
        data=digest_of(corpus),
    )
    with lock_for(key):
        if (found := result_store.get(key)) is None:
            from ..embedding.head_derivatives import head_derivatives

            parts, function = _objective(backbone, corpus, objective, teacher, progress)
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


def checked_items(corpus: Corpus, method: Method, objective: ObjectiveName) -> int:
    """How many items an objective has to go by; refuses what needs no backbone to be refused.

    Args:
        corpus: the corpus to choose heads on.
        method: the method whose heads they are.
        objective: a name of :data:`.head_choices.OBJECTIVES`.

    Raises:
        CorpusError: the items are too few, or cannot be told apart.
        PlanError: the method does not re-route.
    """
    if not method.reroutes:
        raise PlanError(
            f"{method.name} re-routes no heads; choose a method that does, such as kv-embedding."
        )
    number, noun = len(corpus.texts) if isinstance(corpus, Texts) else 0, "texts"
    if isinstance(corpus, Pairs):
        number, noun = len(corpus.scores), "rated pairs"
        if objective == "judgements" and np.ptp(corpus.scores) == 0:
            raise CorpusError(f"All ratings of {corpus.name} are the same; choose another corpus.")
    elif isinstance(corpus, Retrieval):
        number, noun = len(corpus.queries), "queries"
    elif objective == "judgements":
        labels = corpus.labels or ()
        if len(set(labels)) < 2 or len(set(labels)) == len(labels):
            raise CorpusError(
                f"{corpus.name} needs at least two labels, and texts that share one; choose "
                "another corpus, or an objective that needs no labels."
            )
    if number < LEAST_ITEMS:
        raise CorpusError(
            f"{corpus.name} has {number} {noun}, too few to choose heads by; at least "
            f"{LEAST_ITEMS} are needed."
        )
    return number


Parts = list[tuple[Sequence[str], Role]]


def _objective(
    backbone: Backbone,
    corpus: Corpus,
    name: ObjectiveName,
    teacher: Method | None,
    progress: Progress,
) -> "tuple[Parts, Objective]":
    """The texts to embed, with their roles, and the function of their embeddings."""
    import torch

    from . import objectives

    if isinstance(corpus, Retrieval):
        parts: Parts = [(corpus.documents, "Context"), (corpus.queries, "Query")]
    else:
        parts = [(corpus.texts, "Context")]
    if name == "halves":
        return _halves(corpus), objectives.halves_match
    if name == "uniformity":
        return parts[:1], objectives.uniformity
    if teacher is not None:
        taught = [
            torch.from_numpy(
                cached_encoder.encode_methods(
                    backbone, texts, [teacher], role=role, progress=progress
                )[0].embeddings
            ).double()
            for texts, role in parts
        ]
        return parts, partial(_agreement, corpus, taught)
    match corpus:
        case Pairs():
            ratings = torch.from_numpy(corpus.scores)
            return parts, lambda rows: objectives.pearson(_cosines(corpus, [rows]), ratings)
        case Retrieval():
            relevance, own = corpus.relevance, corpus.own_documents
            return parts, lambda documents, queries: objectives.retrieval_margin(
                documents, queries, relevance, own
            )
    labels = corpus.labels or ()
    return parts, lambda rows: objectives.nearest_margin(rows, labels)


def _cosines(corpus: Corpus, rows: "Sequence[torch.Tensor]") -> "torch.Tensor":
    """The cosines that a corpus asks for: of its pairs, of any two texts, of queries and documents.

    Args:
        corpus: the corpus.
        rows: embeddings of its parts, (N, D) of unit length.
    """
    import torch

    if isinstance(corpus, Pairs):
        left, right = (torch.from_numpy(side) for side in (corpus.left, corpus.right))
        return (rows[0][left] * rows[0][right]).sum(-1)
    if isinstance(corpus, Retrieval):
        return (rows[1] @ rows[0].T).flatten()
    cosines = rows[0] @ rows[0].T
    return cosines[torch.ones_like(cosines, dtype=torch.bool).triu(1)]


def _agreement(
    corpus: Corpus, taught: "Sequence[torch.Tensor]", *rows: "torch.Tensor"
) -> "torch.Tensor":
    from . import objectives

    return objectives.pearson(_cosines(corpus, rows), _cosines(corpus, taught))


def _halves(corpus: Corpus) -> Parts:
    """The first and the second halves of the texts that have at least four words.

    Raises:
        CorpusError: those are too few.
    """
    texts = corpus.documents if isinstance(corpus, Retrieval) else corpus.texts
    words = [text.split() for text in dict.fromkeys(texts)]
    cut = [(each[: len(each) // 2], each[len(each) // 2 :]) for each in words if len(each) >= 4]
    if len(cut) < LEAST_ITEMS:
        raise CorpusError(
            f"{corpus.name} has {len(cut)} texts of at least four words, too few to choose heads "
            f"by their halves; at least {LEAST_ITEMS} are needed."
        )
    return [([" ".join(each[half]) for each in cut], "Context") for half in (0, 1)]
