"""An embedder as an embedding of LlamaIndex (``pip install llama-index-core``)."""

import copy
from typing import Any

import numpy as np
from llama_index.core.embeddings import BaseEmbedding
from pydantic import PrivateAttr

from ..corpora.text_lists import as_texts
from ..errors import PlanError
from .embedders import checked
from .sentence_transformers import Embedder


class LlamaIndexEmbedding(BaseEmbedding):
    """``embedder`` for LlamaIndex's stores: documents as Context, questions as Query.

    ``model_name`` holds all that decides a vector, since LlamaIndex's ingestion cache goes by it.
    ``options`` are those of LlamaIndex's ``BaseEmbedding``, such as ``embed_batch_size``.
    """

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder, **options: Any) -> None:
        _refuse_cache(options)
        super().__init__(**{**options, "model_name": checked(embedder).encoder.name})
        self._embedder = copy.copy(embedder)  # whose limit may be set to another later

    def __reduce__(self) -> tuple[Any, ...]:
        options = {name: getattr(self, name) for name in ("embed_batch_size", "num_workers")}
        return _rebuilt, (self._embedder, options)

    def __setattr__(self, name: str, value: Any) -> None:
        _refuse_cache({name: value})
        super().__setattr__(name, value)

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


def _rebuilt(embedder: Embedder, options: dict[str, Any]) -> LlamaIndexEmbedding:
    return LlamaIndexEmbedding(embedder, **options)


def _refuse_cache(options: dict[str, Any]) -> None:
    if options.get("embeddings_cache") is not None:
        raise PlanError(
            "LlamaIndex's embeddings_cache finds vectors by their text alone and would mix methods "
            "and roles; leave it out, vectors are stored on disk anyway."
        )
