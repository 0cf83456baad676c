"""Embeddings through the door, as pages and experiments get them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.backbones.backbone import Backbone
from analysis.embedding.cached_encoder import CachedEncoder
from analysis.embedding.encoder import MethodEncoder
from analysis.embedding.methods import Method


def embeddings(
    backbone: Backbone, texts: Sequence[str], method: Method, *, traced: bool = False
) -> NDArray[np.float32]:
    """Embeddings of texts, known or stored as one result."""
    encoder = CachedEncoder(MethodEncoder(backbone, method), traced=traced, stored=True)
    return encoder.encode(texts).embeddings
