"""Texts to embed as values: a corpus, rated pairs, or queries with documents; and parts of them.

All three are frozen and know where they are from. A part is marked as one: ``of`` holds how many
texts, pairs or queries the whole has, so that a score on a part can never pass for one on all.
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
    """A corpus: ``labels``, where known, has one label for each text."""

    name: str
    texts: tuple[str, ...]
    source: str
    """One sentence: where the texts are from, and their licence if known."""
    labels: tuple[str, ...] | None = None
    of: int | None = None
    """How many texts the whole corpus has, if this is a part drawn by :func:`first`."""


@final
@dataclass(frozen=True, eq=False)
class Pairs:
    """Rated pairs: ``texts[left[i]]`` and ``texts[right[i]]`` were given ``scores[i]``.

    ``texts`` are distinct as strings and all used, so that each is embedded once.
    """

    name: str
    texts: tuple[str, ...]
    left: NDArray[np.int64]
    """Shape (P,), indices into ``texts``."""
    right: NDArray[np.int64]
    """Shape (P,), indices into ``texts``."""
    scores: NDArray[np.float64]
    """Shape (P,), finite, higher is more alike, on whatever scale the raters used."""
    source: str
    note: str = ""
    """What a reader should know of the reading, such as guessed columns; "" if nothing."""
    of: int | None = None
    """How many pairs the whole set has, if this is a part drawn by :func:`first`."""


@final
@dataclass(frozen=True, eq=False)
class Retrieval:
    """Queries, documents to search, and which documents answer which query.

    ``relevance[i]`` has, for ``queries[i]``, the index of each relevant document and its grade
    (1 or more). Every query has at least one; documents not named are not relevant.
    """

    name: str
    queries: tuple[str, ...]
    documents: tuple[str, ...]
    """Title, where there is one, a space, and text."""
    relevance: tuple[Mapping[int, int], ...]
    """As many as ``queries``."""
    source: str
    note: str = ""
    """What a reader should know of the reading, such as queries left out; "" if nothing."""
    of: int | None = None
    """How many queries the whole set has, if :func:`first` took queries or documents away."""
