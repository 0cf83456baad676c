"""The directions of a backbone's unembedding, from the most to the least used by the vocabulary."""

from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..backbones.unembedding import unembedding
from ..errors import BackboneError, OutOfMemory
from ..runtime.fair_lock import lock_for
from ..storage import result_store

_ROWS = 4096
"""Rows of the unembedding that are multiplied at a time in float64."""
_MATRICES = 5
"""Matrices of D x D float64 that finding the directions holds at a time."""


def directions(backbone: Backbone) -> NDArray[np.float32]:
    """The right singular vectors of the unembedding, from the store or computed and stored.

    With W = U S Vh the unembedding, W^T W = V S^2 Vh, so that they are the eigenvectors of a matrix
    of D x D, in float64: V x D numbers need not be decomposed. Signs are free, and so is a rotation
    among equal singular values. Scaling and soft caps of logits do not matter, nor does a bias.

    Args:
        backbone: the decoder.

    Returns:
        float32 (D, D), rows of unit length, by falling singular value.

    Raises:
        BackboneError: the backbone has no unembedding that can be reached, or it is not finite.
        OutOfMemory: the matrices do not fit into memory.
    """
    key = result_store.key("unembedding-directions", **backbone.identity)
    with lock_for(key):
        if (stored := result_store.get(key)) is None:
            stored = backbone.provenance().facts, {"directions": _computed(backbone)}
            result_store.put(key, *stored)
    return np.asarray(stored[1]["directions"], np.float32)


def _computed(backbone: Backbone) -> NDArray[Any]:
    hidden = backbone.facts.hidden
    needed, room = 8 * _MATRICES * hidden**2, psutil.virtual_memory().available
    if needed > room:
        raise OutOfMemory(
            f"The directions of {backbone.facts.name}'s unembedding take {needed / 1e9:.1f} GB "
            f"while they are found, and {room / 1e9:.1f} GB are free; free some memory, or choose "
            "another post-processing."
        )
    weight = unembedding(backbone).weight
    gram = np.zeros((hidden, hidden))
    for block in torch.split(weight, _ROWS):
        rows = block.detach().to("cpu", torch.float64).numpy()
        gram += rows.T @ rows
    if not np.isfinite(gram).all():
        raise BackboneError(
            f"The unembedding of {backbone.facts.name} has values that are not finite; choose "
            "another post-processing or backbone."
        )
    _, vectors = np.linalg.eigh(gram)  # by rising eigenvalue
    return vectors.T[::-1].astype(np.float32)
