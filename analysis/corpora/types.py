"""What a corpus is: texts, rated pairs, or queries with documents.

All three are frozen and say where they are from. Texts may be given in any collection that
:func:`~.text_lists.as_texts` reads; attributes are then of the types below. A part of a corpus is
marked: ``total`` holds how many texts, pairs or queries the full corpus has, so that a score on a
part cannot be mistaken for one on everything.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CorpusError
from .text_lists import as_labels, as_texts

Kind = Literal["texts", "pairs", "labelled", "retrieval"]
"""What a corpus can be read as; labelled texts are :class:`Texts` with labels."""
LARGEST_GRADE = 2**53
"""The largest grade of a relevant document: above it float64 has not every whole number."""


@final
@dataclass(frozen=True)
class Texts:
    """Texts, with or without labels.

    Attributes:
        name: Name of the corpus.
        texts: The texts, repeated ones included.
        source: One sentence: where the texts are from, and their licence if known.
        labels: One label a text, or None if there are none.
        total: How many texts the full corpus has, if this is a part of it.

    Raises:
        CorpusError: What is given is no list of texts, or labels are not as many.
    """

    name: str
    texts: tuple[str, ...]
    source: str
    labels: tuple[str, ...] | None = None
    total: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", as_texts(self.texts))
        if self.labels is None:
            return
        object.__setattr__(self, "labels", as_labels(self.labels))
        if len(self.labels) != len(self.texts):
            raise CorpusError(
                f"{self.name} has {len(self.texts):,} texts and {len(self.labels):,} labels; give "
                "one label for each text."
            )

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)


@final
@dataclass(frozen=True, eq=False)
class Pairs:
    """Rated pairs: ``texts[left[i]]`` and ``texts[right[i]]`` have the rating ``scores[i]``.

    Attributes:
        name: Name of the set.
        texts: The distinct texts, each used in a pair, so that each is embedded once.
        left: Shape (P,), int64, indices into ``texts``.
        right: Shape (P,), int64, indices into ``texts``.
        scores: Shape (P,), float64, finite; higher is more similar, on the raters' own scale.
        source: One sentence: where the pairs are from, and their licence if known.
        note: What a reader should know about how they were read, such as guessed columns.
        total: How many pairs the full set has, if this is a part of it.

    Raises:
        CorpusError: What is given is no list of texts, an index or score cannot be used, or there
            are not as many of each.
    """

    name: str
    texts: tuple[str, ...]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    scores: NDArray[np.float64]
    source: str
    note: str = ""
    total: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", as_texts(self.texts))
        for side in ("left", "right"):
            indices = _indices(getattr(self, side), len(self.texts), f"{self.name}: {side}", "text")
            object.__setattr__(self, side, indices)
        try:
            scores = np.asarray(self.scores, np.float64)
        except (TypeError, ValueError):
            scores = np.array(np.nan)
        if not (scores.ndim == 1 and np.isfinite(scores).all()):
            raise CorpusError(f"{self.name}: scores are not a list of finite numbers.")
        object.__setattr__(self, "scores", scores)
        counts = [len(self.left), len(self.right), len(self.scores)]
        if len(set(counts)) > 1:
            raise CorpusError(
                "{}: left, right and scores have {:,}, {:,} and {:,} values; give one of each for "
                "every pair.".format(self.name, *counts)
            )


@final
@dataclass(frozen=True, eq=False)
class Retrieval:
    """Queries, documents to search, and which documents are relevant to which query.

    Attributes:
        name: Name of the set.
        queries: The queries, each with at least one relevant document.
        documents: Title, where there is one, a space, and text of each document.
        relevance: For each query the grade (1 or more) of each relevant document, by the
            document's index; documents that are not named are not relevant.
        source: One sentence: where the texts are from, and their licence if known.
        note: What a reader should know about how they were read, such as queries left out.
        total: How many queries the full set has, if this is a part of it, queries or documents.
        own_documents: The index of the document that is the query itself, by the query's index;
            it is left out of the query's ranking.

    Raises:
        CorpusError: What is given is no list of texts, there is not one entry of relevance for
            each query, or it names a document that does not exist.
    """

    name: str
    queries: tuple[str, ...]
    documents: tuple[str, ...]
    relevance: tuple[Mapping[int, int], ...]
    source: str
    note: str = ""
    total: int | None = None
    own_documents: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "queries", as_texts(self.queries, "query"))
        object.__setattr__(self, "documents", as_texts(self.documents, "document"))
        entries = tuple(self.relevance) if isinstance(self.relevance, Iterable) else ()
        object.__setattr__(self, "relevance", entries)
        if len(self.relevance) != len(self.queries):
            raise CorpusError(
                f"{self.name} has {len(self.queries):,} queries and relevance for "
                f"{len(self.relevance):,}; give one entry for each query."
            )
        for number, grades in enumerate(self.relevance, 1):
            if not (isinstance(grades, Mapping) and all(map(_is_grade, grades.values()))):
                raise CorpusError(
                    f"{self.name}: the relevance of query {number} is not a dictionary of "
                    f"documents with grades, whole numbers from 1 to {LARGEST_GRADE:,}."
                )
        relevant = [document for grades in self.relevance for document in grades]
        _indices(relevant, len(self.documents), f"{self.name}: relevance", "document")
        if not isinstance(own := self.own_documents, Mapping):
            raise CorpusError(
                f"{self.name}: own_documents is not a dictionary of queries with documents."
            )
        _indices([*own], len(self.queries), f"{self.name}: own_documents", "query")
        _indices([*own.values()], len(self.documents), f"{self.name}: own_documents", "document")


def _is_grade(value: object) -> bool:
    return isinstance(value, int | np.integer) and bool(1 <= value <= LARGEST_GRADE)


def _indices(values: ArrayLike, size: int, what: str, unit: str) -> NDArray[np.int64]:
    """Indices of texts as an array; CorpusError for others than whole numbers from 0."""
    units = "queries" if unit == "query" else f"{unit}s"
    try:
        indices = np.asarray(values)
    except ValueError:  # lists of different lengths
        indices = np.array(np.nan)
    if indices.ndim != 1 or (indices.size and indices.dtype.kind not in "iu"):
        raise CorpusError(f"{what} is not a list of whole numbers, the indices of {units}.")
    if (outside := indices[(indices < 0) | (indices >= size)]).size:
        raise CorpusError(
            f"{what} names the {unit} {outside[0]}, which does not exist; indices go from 0 to "
            f"{size - 1}."
        )
    return indices.astype(np.int64)
