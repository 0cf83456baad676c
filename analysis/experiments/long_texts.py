"""Retrieval sets by the position of the answer in a document; defaults of the page."""

from ..corpora import passages, sampling
from ..corpora.passages import Place
from ..corpora.types import Retrieval

LONG_METHODS = ("kv-embedding", "prompt-only", "mean")
"""Methods that the page on long texts opens with."""
LONG_QUERIES, OTHERS, AROUND, LENGTHS = 40, 60, 4, (32, 64, 128)
"""Queries that are scored by default, documents that answer none of them, passages around each
document, and the lengths that the page opens with."""


def places(retrieval: Retrieval, queries: int = LONG_QUERIES) -> dict[Place, Retrieval]:
    """A part of a retrieval set with each answer at the start, in the middle and at the end.

    Args:
        retrieval: the full set.
        queries: how many are drawn, with seed 0; all if there are no more. Kept are the documents
            that are relevant to them, and ``OTHERS`` others.

    Raises:
        CorpusError: ``queries`` is less than 1, or there are too few documents.
    """
    answers = sampling.relevant(sampling.draw(retrieval, queries, 0))
    part = sampling.draw(retrieval, queries, 0, documents=len(answers) + OTHERS)
    return passages.position_variants(part, around=AROUND)
