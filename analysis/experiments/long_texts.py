"""Retrieval sets by the position of the answer in a document; defaults of the page."""

from ..corpora import passages, sampling
from ..corpora.passages import Place
from ..corpora.types import Retrieval

LONG_METHODS = ("kv-embedding", "prompt-only", "mean")
LONG_QUERIES, LONG_DOCUMENTS, AROUND, LENGTHS = 40, 100, 4, (32, 64, 128)
"""Settings that the page on long texts opens with."""


def places(retrieval: Retrieval) -> dict[Place, Retrieval]:
    """A part of a retrieval set with each answer at the start, in the middle and at the end."""
    drawn = sampling.scored_part(retrieval, LONG_QUERIES, LONG_DOCUMENTS)
    return passages.position_variants(drawn, around=AROUND)
