"""LlamaIndex's index, its ingestion pipeline with a cache, and copies of the embedding."""

import asyncio
from typing import Any

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding.methods import METHODS, Method, variant
from analysis.embedding.named_prompts import PROMPTS
from analysis.errors import PlanError
from analysis.integrations.sentence_transformers import Embedder
from analysis.rerouting.plan import Plan
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence

core = pytest.importorskip("llama_index.core")

from llama_index.core.ingestion import IngestionCache, IngestionPipeline  # noqa: E402
from llama_index.core.storage.kvstore import SimpleKVStore  # noqa: E402

from analysis.integrations.llamaindex import LlamaIndexEmbedding  # noqa: E402

TEXTS = [f"The boat {number} is by the bank." for number in range(24)]
METHOD = METHODS["kv-embedding"].under(Plan((2, 3)))
OTHERS = {
    "layers": METHOD.under(Plan((2,))),
    "bias": METHOD.under(Plan((2, 3), 2.0)),
    "key position": METHOD.under(Plan((2, 3), key_position="first")),
    "nothing re-routed": METHOD.under(Plan()),
    "pooling": variant(METHOD, pooling="mean"),
    "norm": variant(METHOD, norm="pre"),
    "prompt": variant(METHOD, separator="quoted"),
    "method": METHODS["mean"],
}


@pytest.fixture
def model(llama: Backbone) -> LlamaIndexEmbedding:
    return LlamaIndexEmbedding(Embedder(llama, METHOD))


def test_an_index_stores_and_finds(llama: Backbone, model: LlamaIndexEmbedding) -> None:
    embedder = Embedder(llama, METHOD)
    rows = model.get_text_embedding_batch(TEXTS)
    np.testing.assert_allclose(rows, embedder.encode_document(TEXTS), atol=1e-6)
    query = model.get_query_embedding(TEXTS[3])
    np.testing.assert_allclose(query, embedder.encode_query(TEXTS[3]), atol=1e-6)
    assert asyncio.run(model.aget_query_embedding(TEXTS[3])) == query
    assert asyncio.run(model.aget_text_embedding_batch(TEXTS)) == rows
    index = core.VectorStoreIndex.from_documents(
        [core.Document(text=text) for text in TEXTS], embed_model=model
    )
    (result,) = index.as_retriever(similarity_top_k=1).retrieve(TEXTS[3])
    assert result.node.get_content() == TEXTS[int((np.array(rows) @ query).argmax())]


def ingested(model: Any, cache: IngestionCache) -> np.ndarray:
    nodes = [core.schema.TextNode(text=text, id_=text) for text in TEXTS[:3]]
    pipeline = IngestionPipeline(transformations=[model], cache=cache, disable_cache=False)
    return np.array([node.embedding for node in pipeline.run(nodes=nodes)])


@pytest.mark.parametrize("changed", OTHERS)
def test_the_ingestion_cache_keeps_settings_apart(
    llama: Backbone, model: LlamaIndexEmbedding, changed: str
) -> None:
    cache = IngestionCache()
    first = ingested(model, cache)
    embedder = Embedder(llama, OTHERS[changed])
    other = ingested(LlamaIndexEmbedding(embedder), cache)
    np.testing.assert_array_equal(other, embedder.encode_document(TEXTS[:3]))
    assert np.abs(other - first).max() > 1e-4
    np.testing.assert_array_equal(ingested(model, cache), first)


def test_the_name_is_readable_and_covers_backbone_and_limit(
    llama: Backbone, model: LlamaIndexEmbedding
) -> None:
    assert model.model_name.startswith("tiny-llama--kv-embedding--layers-2-3--bias-1--")
    assert model.model_name == LlamaIndexEmbedding(Embedder(llama, METHOD)).model_name
    names = {
        LlamaIndexEmbedding(embedder).model_name
        for embedder in (
            *(Embedder(llama, method) for method in (METHOD, *OTHERS.values())),
            Embedder(llama, METHOD, max_tokens=50),
            Embedder(tiny_models.tiny("qwen2"), METHOD),
        )
    }
    assert len(names) == len(OTHERS) + 3


def test_llamaindexs_cache_of_bare_texts_is_refused(llama: Backbone) -> None:
    model = LlamaIndexEmbedding(Embedder(llama, METHOD), embed_batch_size=3)
    assert model.embed_batch_size == 3

    def set_it() -> None:
        model.embeddings_cache = SimpleKVStore()

    for attempt in (
        set_it,
        lambda: LlamaIndexEmbedding(Embedder(llama, METHOD), embeddings_cache=SimpleKVStore()),
    ):
        with pytest.raises(PlanError, match="text alone") as caught:
            attempt()
        assert_one_sentence(caught.value)


def test_a_method_of_ones_own_names_itself(llama: Backbone) -> None:
    for given, shown in (
        ("Älter / neu?", "lter-neu"),
        ("ÄÖ", "unnamed"),
        ("../../etc", "etc"),
        ("long " * 99, "long-" * 11 + "long"),
    ):
        odd = Method(given, "", PROMPTS["bare"], "last")
        name = LlamaIndexEmbedding(Embedder(llama, odd)).model_name
        assert name.startswith(f"tiny-llama--{shown}--")
        assert len(name) < 150
