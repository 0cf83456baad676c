"""The similarity functions that sentence-transformers offers, by their names there."""

from collections.abc import Callable
from typing import Any

import torch

from ..errors import PlanError


def cosine(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Cosines (..., N, M) of rows (..., N, D) and (..., M, D)."""
    normalize = torch.nn.functional.normalize
    return normalize(first, dim=-1) @ normalize(second, dim=-1).mT


SIMILARITIES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cosine": cosine,
    "dot": lambda first, second: first @ second.mT,
    "euclidean": lambda first, second: -torch.cdist(first, second),
    "manhattan": lambda first, second: -torch.cdist(first, second, p=1),
}
"""Similarities of rows as :func:`cosine` takes them; a distance counts with a minus."""


def similarities(name: str, first: Any, second: Any) -> torch.Tensor:
    """Similarities float32 (N, M) of embeddings (N, D) and (M, D).

    Args:
        name: a key of :data:`SIMILARITIES`.
        first: an array, a tensor, or a list of either; (D,) counts as one row.
        second: the same.

    Raises:
        PlanError: they are no rows of numbers, or of different lengths D.
    """
    return SIMILARITIES[name](*_rows(first, second)).float()


def pairwise(name: str, first: Any, second: Any) -> torch.Tensor:
    """Similarities float32 (N,) of the rows of two (N, D), first with first and so on.

    Args:
        name: a key of :data:`SIMILARITIES`.
        first: as :func:`similarities` takes them.
        second: the same.

    Raises:
        PlanError: as :func:`similarities`, or there are not as many of both.
    """
    one, other = _rows(first, second)
    if len(one) != len(other):
        raise PlanError(
            f"{len(one):,} embeddings and {len(other):,} cannot be compared pair by pair; give as "
            "many of both."
        )
    return SIMILARITIES[name](one[:, None], other[:, None])[:, 0, 0].float()


def _rows(*given: Any) -> list[torch.Tensor]:
    """Embeddings as rows float64 of the same length."""
    tensors = []
    for vectors in given:
        try:
            if isinstance(vectors, list) and vectors:
                vectors = torch.stack([torch.as_tensor(row) for row in vectors])
            tensor = torch.as_tensor(vectors).detach().cpu().double()
            tensor = tensor if tensor.ndim else tensor[None]
        except (TypeError, ValueError, RuntimeError):
            raise PlanError(
                "Embeddings to compare are arrays or tensors of numbers, as encode gives them."
            ) from None
        tensors.append(tensor.reshape(-1, tensor.shape[-1]) if tensor.numel() else tensor)
    widths = {tensor.shape[-1] for tensor in tensors if tensor.numel()}
    if len(widths) > 1:
        raise PlanError(
            f"Embeddings of {' and of '.join(map(str, sorted(widths)))} numbers cannot be "
            "compared; encode both by the same method and backbone."
        )
    width = max(widths, default=0)
    return [tensor if tensor.numel() else tensor.new_empty(0, width) for tensor in tensors]
