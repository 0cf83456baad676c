"""What adapters of other libraries take: an embedder, and no name or model in its place."""

from typing import Any

from ..errors import PlanError
from .sentence_transformers import Embedder


def checked(embedder: Any) -> Embedder:
    """The embedder that an adapter is given.

    Raises:
        PlanError: it is none.
    """
    if not isinstance(embedder, Embedder):
        raise PlanError(
            f"An adapter takes an Embedder, not a value of the type {type(embedder).__name__}; "
            'make one with Embedder("smollm2").'
        )
    return embedder
