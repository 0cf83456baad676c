"""An embedder as an embedding of LlamaIndex (``pip install llama-index-core``)."""

from typing import Any

import numpy as np
from llama_index.core.embeddings import BaseEmbedding
from pydantic import PrivateAttr

from ..corpora.text_lists import as_texts
from .sentence_transformers import Embedder


class LlamaIndexEmbedding(BaseEmbedding):
    """``embedder`` for LlamaIndex's stores: documents as Context, questions as Query."""

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(model_name=f"{embedder.method.name} on {embedder.backbone.facts.name}")
        self._embedder = embedder

    def get_text_embedding_batch(self, texts: Any, *further: Any, **options: Any) -> Any:
        """N lists of D numbers, of unit length."""
        return super().get_text_embedding_batch(list(as_texts(texts)), *further, **options)

    async def aget_text_embedding_batch(self, texts: Any, *further: Any, **options: Any) -> Any:
        """The same, for asynchronous callers."""
        return await super().aget_text_embedding_batch(list(as_texts(texts)), *further, **options)

    def get_agg_embedding_from_queries(self, queries: Any, *further: Any, **options: Any) -> Any:
        """D numbers: the mean of the queries' embeddings, or what is given to combine them."""
        return super().get_agg_embedding_from_queries(list(as_texts(queries)), *further, **options)

    async def aget_agg_embedding_from_queries(
        self, queries: Any, *further: Any, **options: Any
    ) -> Any:
        """The same, for asynchronous callers."""
        return await super().aget_agg_embedding_from_queries(
            list(as_texts(queries)), *further, **options
        )

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = np.asarray(self._embedder.encode_document(texts)).tolist()
        return vectors

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = np.asarray(self._embedder.encode_query(*as_texts([query]))).tolist()
        return vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)
