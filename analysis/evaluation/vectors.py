"""Checks of embeddings before they are measured, and their unit vectors."""

from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError

Real = TypeVar("Real", bound=np.floating)


def check(embeddings: NDArray[np.floating]) -> None:
    """Refuse an array that is not a set of embeddings (N, D).

    Raises:
        CorpusError: another shape, or a row that is all zero or not finite.
    """
    if embeddings.ndim != 2:
        raise CorpusError(f"Embeddings need two axes, texts and width, not {embeddings.ndim}.")
    if not np.isfinite(embeddings).all():
        row = int(np.argmin(np.isfinite(embeddings).all(axis=1)))
        raise CorpusError(f"The embedding of text {row + 1:,} is not finite.")
    if not embeddings.any(axis=1).all():
        row = int(np.argmin(embeddings.any(axis=1)))
        raise CorpusError(f"The embedding of text {row + 1:,} is all zero and has no direction.")


@overload
def unit(embeddings: NDArray[np.floating]) -> NDArray[np.float64]: ...
@overload
def unit(embeddings: NDArray[np.floating], precision: type[Real]) -> NDArray[Real]: ...
def unit(
    embeddings: NDArray[np.floating], precision: type[np.floating] = np.float64
) -> NDArray[Any]:
    """The embeddings (N, D) scaled to unit length.

    Args:
        embeddings: shape (N, D), any real dtype.
        precision: dtype of the computation and the result.

    Raises:
        CorpusError: another shape, or a row that is all zero or not finite.
    """
    check(embeddings)
    rows = embeddings.astype(precision)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
