"""An embedder as an embeddings object of LangChain (``pip install langchain-core``)."""

import numpy as np
from langchain_core.embeddings import Embeddings

from ..corpora.text_lists import as_texts
from .embedders import checked
from .sentence_transformers import Embedder


class LangChainEmbeddings(Embeddings):
    """``embedder`` for LangChain's vector stores: documents as Context, questions as Query."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = checked(embedder)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """N lists of D numbers, of unit length."""
        vectors: list[list[float]] = np.asarray(
            self.embedder.encode_document(as_texts(texts))
        ).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """D numbers, of unit length."""
        vector: list[float] = np.asarray(self.embedder.encode_query(*as_texts([text]))).tolist()
        return vector
