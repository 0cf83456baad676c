"""What a corpus is: texts, rated pairs, or queries with documents.

All three are frozen and say where they are from. A part of a corpus is marked: ``total`` holds how
many texts, pairs or queries the full corpus has, so that a score on a part cannot be mistaken for
one on everything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

Kind = Literal["texts", "pairs", "labelled", "retrieval"]
"""What a corpus can be read as; labelled texts are :class:`Texts` with labels."""


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
    """

    name: str
    texts: tuple[str, ...]
    source: str
    labels: tuple[str, ...] | None = None
    total: int | None = None


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
    """

    name: str
    texts: tuple[str, ...]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    scores: NDArray[np.float64]
    source: str
    note: str = ""
    total: int | None = None


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
    """

    name: str
    queries: tuple[str, ...]
    documents: tuple[str, ...]
    relevance: tuple[Mapping[int, int], ...]
    source: str
    note: str = ""
    total: int | None = None
