"""Scores by where a document's answer stands and by how many tokens are read."""

from ..corpora import passages, sampling
from ..corpora.passages import Place
from ..corpora.types import Retrieval

LONG_METHODS = ("kv-embedding", "prompt-only", "mean")
LONG_QUERIES, LONG_DOCUMENTS, AROUND, LENGTHS = 40, 100, 4, (32, 64, 128)
"""What the page on long texts opens with."""


def places(whole: Retrieval) -> dict[Place, Retrieval]:
    """A part of ``whole`` with each answer at the start, in the middle and at the end."""
    drawn = sampling.part(whole, LONG_QUERIES, LONG_DOCUMENTS)
    return passages.position_variants(drawn, around=AROUND)
