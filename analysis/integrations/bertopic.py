"""An embedder as a backend of BERTopic (``pip install bertopic``).

BERTopic knows its backends by their class. Any other object it refuses, or passes over for a model
of its own.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from bertopic.backend import BaseEmbedder

from ..corpora.text_lists import as_texts
from .embedders import checked
from .sentence_transformers import Embedder


class BERTopicBackend(BaseEmbedder):  # type: ignore[misc]
    """``embedder`` for ``BERTopic(embedding_model=...)``: documents and words as Context."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedding_model=checked(embedder))

    def embed(self, documents: Iterable[str], verbose: bool = False) -> Any:
        """Embeddings float32 (N, D) of unit length, of N documents or words."""
        texts = as_texts(documents)
        rows = self.embedding_model.encode_document(texts, show_progress_bar=verbose)
        return np.asarray(rows)
