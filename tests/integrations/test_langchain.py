"""LangChain's standard suite for embeddings, and its vector store."""

from typing import Any

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding.methods import METHODS
from analysis.integrations.sentence_transformers import Embedder
from analysis.rerouting.plan import Plan

pytest.importorskip("langchain_tests")

from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from analysis.integrations.langchain import LangChainEmbeddings

TEXTS = [f"The boat {number} is by the bank." for number in range(24)]


@pytest.fixture
def embedder(llama: Backbone) -> Embedder:
    return Embedder(llama, METHODS["kv-embedding"].under(Plan((2, 3))))


class OnTinyBackbone:
    """What LangChain's suites are told: the class, and the arguments that make one."""

    @pytest.fixture(autouse=True)
    def keep_embedder(self, embedder: Embedder) -> None:
        self.embedder = embedder

    @property
    def embeddings_class(self) -> type[LangChainEmbeddings]:
        return LangChainEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"embedder": self.embedder}


class TestUnit(OnTinyBackbone, EmbeddingsUnitTests):
    """LangChain's unit tests. Nothing is set by the environment, so that test has no case."""


class TestIntegration(OnTinyBackbone, EmbeddingsIntegrationTests):
    """LangChain's integration tests, asynchronous calls included."""


def test_a_vector_store_stores_and_finds(embedder: Embedder) -> None:
    model = LangChainEmbeddings(embedder)
    documents = np.array(model.embed_documents(TEXTS))
    np.testing.assert_allclose(documents, embedder.encode_document(TEXTS), atol=1e-6)
    query = model.embed_query(TEXTS[3])
    np.testing.assert_allclose(query, embedder.encode_query(TEXTS[3]), atol=1e-6)
    store = InMemoryVectorStore(model)
    store.add_texts(TEXTS)
    (result,) = store.similarity_search(TEXTS[3], k=1)
    assert result.page_content == TEXTS[int((documents @ query).argmax())]
