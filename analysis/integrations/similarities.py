"""The similarity functions that sentence-transformers offers, by their names there."""

from collections.abc import Callable
from typing import Any

import torch


def rows(vectors: Any) -> torch.Tensor:
    """Rows float64 (N, D) of an array, a tensor, or a list of either; (D,) counts as one row."""
    if isinstance(vectors, list):
        vectors = torch.stack([torch.as_tensor(row) for row in vectors])
    tensor = torch.as_tensor(vectors).detach().cpu().double()
    return tensor.reshape(-1, tensor.shape[-1])


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
