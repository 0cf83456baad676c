"""An embedder as an embedding of LlamaIndex (``pip install llama-index-core``)."""

import numpy as np
from llama_index.core.embeddings import BaseEmbedding
from pydantic import PrivateAttr

from .sentence_transformers import Embedder


class LlamaIndexEmbedding(BaseEmbedding):
    """``embedder`` for LlamaIndex's stores: documents as Context, questions as Query."""

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(model_name=f"{embedder.method.name} on {embedder.backbone.facts.name}")
        self._embedder = embedder

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = np.asarray(self._embedder.encode_document(texts)).tolist()
        return vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = np.asarray(self._embedder.encode_query(query)).tolist()
        return vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)
