"""What heads are to raise: an objective's texts, and the function of their embeddings."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs, Retrieval, Texts
from ..embedding import cached_encoder
from ..embedding.methods import Method
from ..embedding.prompts import Role
from ..errors import CorpusError, PlanError
from ..runtime.events import Progress
from ..runtime.lookup import by_name
from .head_choices import OBJECTIVES, ObjectiveName
from .score_result import Corpus

if TYPE_CHECKING:
    import torch

    from ..embedding.head_derivatives import Objective

LEAST_ITEMS = 20
"""Pairs, texts or queries that an objective needs at least."""


def checked_items(corpus: Corpus, method: Method, objective: ObjectiveName) -> int:
    """How many items an objective has to go by; refuses what needs no backbone to be refused.

    Args:
        corpus: the corpus to choose heads on.
        method: the method whose heads they are.
        objective: a name of :data:`.head_choices.OBJECTIVES`.

    Raises:
        CorpusError: the items are too few, or cannot be told apart.
        PlanError: no such objective, or the method does not re-route or has a post-processing.
    """
    by_name(OBJECTIVES, objective, "objective")
    if not method.reroutes:
        raise PlanError(
            f"{method.name} re-routes no heads; choose a method that does, such as kv-embedding."
        )
    if method.processing != "none":
        raise PlanError(
            f"{method.name} has a post-processing of its own; heads are chosen by embeddings "
            "without one, so leave it out."
        )
    number, noun = items_of(corpus)
    if isinstance(corpus, Pairs):
        if objective == "judgements" and np.ptp(corpus.scores) == 0:
            raise CorpusError(f"All ratings of {corpus.name} are the same; choose another corpus.")
    elif isinstance(corpus, Texts) and objective == "judgements":
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


def check_teacher(objective: ObjectiveName, teacher: Method | None) -> None:
    """Refuse agreement without a teacher, and a teacher without agreement.

    Raises:
        PlanError: one comes without the other, or there is no such objective.
    """
    by_name(OBJECTIVES, objective, "objective")
    if (objective == "agreement") != (teacher is not None):
        raise PlanError("A teacher is what agreement is with: give both or neither.")


def items_of(corpus: Corpus) -> tuple[int, str]:
    """How many items a corpus has to choose heads by, and what they are."""
    match corpus:
        case Pairs():
            return len(corpus.scores), "rated pairs"
        case Retrieval():
            return len(corpus.queries), "queries"
    return len(corpus.texts), "texts"


Parts = list[tuple[Sequence[str], Role]]


def parts_and_objective(
    backbone: Backbone,
    corpus: Corpus,
    name: ObjectiveName,
    teacher: Method | None,
    progress: Progress,
) -> "tuple[Parts, Objective]":
    """The texts to embed, with their roles, and the function of their embeddings.

    Args:
        backbone: the decoder, for the teacher's cosines.
        corpus: the corpus to choose heads on.
        name: a name of :data:`.head_choices.OBJECTIVES`.
        teacher: the method to agree with.
        progress: counts the teacher's texts.

    Raises:
        CorpusError: the texts are too short to be halved.
    """
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
