"""Every function that takes texts reads the same collections and refuses the same values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import analysis
from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder
from analysis.embedding.cached_encoder import CachedEncoder
from analysis.embedding.encoder import MethodEncoder
from analysis.embedding.methods import METHODS
from analysis.embedding.trace import Trace
from analysis.errors import CorpusError, PlanError
from analysis.experiments import gates
from analysis.integrations.sentence_transformers import Embedder
from analysis.rerouting.plan import Plan
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence

WORDS = ["boat", "bank", "loan"]
METHOD = METHODS["kv-embedding"].under(Plan((2, 3)))


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_models.tiny("llama")


def _mteb(backbone: Backbone, texts: Any) -> Any:
    encoder_of = pytest.importorskip("analysis.integrations.mteb").MtebEncoder
    options = {"task_metadata": None, "hf_split": "test", "hf_subset": "default"}
    return encoder_of(Embedder(backbone, METHOD)).encode([{"text": texts}], **options)


def _langchain(backbone: Backbone, texts: Any) -> Any:
    adapter = pytest.importorskip("analysis.integrations.langchain").LangChainEmbeddings
    return adapter(Embedder(backbone, METHOD)).embed_documents(texts)


def _llamaindex(backbone: Backbone, texts: Any) -> Any:
    adapter = pytest.importorskip("analysis.integrations.llamaindex").LlamaIndexEmbedding
    return adapter(Embedder(backbone, METHOD)).get_text_embedding_batch(texts)


DOORS: dict[str, Callable[[Backbone, Any], Any]] = {
    "encode": lambda backbone, texts: analysis.encode(backbone, texts, METHOD),
    "Embedder.encode": lambda backbone, texts: Embedder(backbone, METHOD).encode(texts),
    "without cache": lambda b, texts: Embedder(b, METHOD, cached=False).encode_document(texts),
    "encoder.encode": lambda backbone, texts: encoder.encode(backbone, texts, METHOD).embeddings,
    "CachedEncoder": lambda backbone, texts: (
        CachedEncoder(MethodEncoder(backbone, METHOD), traced=True).encode(texts).embeddings
    ),
    "Trace": lambda backbone, texts: Trace(backbone, texts, METHOD).embeddings,
    "mteb": _mteb,
    "LangChain": _langchain,
    "LlamaIndex": _llamaindex,
}

COLUMNS: dict[str, Callable[[], Any]] = {
    "a generator": lambda: (word for word in WORDS),
    "numpy": lambda: np.array(WORDS),
    "Series": lambda: pd.Series(WORDS, index=[7, 7, 7]),
    "Arrow": lambda: pa.chunked_array([WORDS[:1], WORDS[1:]]),
}

REFUSED: dict[str, tuple[Any, str]] = {
    "a string": ("boat", "single string"),
    "bytes": (b"boat", "Bytes"),
    "a frame": (pd.DataFrame({"text": WORDS}), "table"),
    "a dictionary": ({"text": WORDS}, "dictionary"),
    "a set": (set(WORDS), "no order"),
    "None": (None, "NoneType"),
    "a missing value": (["boat", None], "Text 2 is missing"),
    "NaN": (pd.Series(["boat", np.nan]), "Text 2 is missing"),
    "a number": (["boat", 3], "Text 2 is not a string"),
    "bytes inside": (["boat", b"bank"], "Text 2 is bytes"),
    "two columns": (np.array([WORDS]), "2 dimensions"),
    "a blank text": (["boat", " "], "Text 2 is empty"),
}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_reads_every_collection(backbone: Backbone, door: str) -> None:
    expected = encoder.encode(backbone, WORDS, METHOD).embeddings
    for name, make in COLUMNS.items():
        np.testing.assert_allclose(DOORS[door](backbone, make()), expected, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_what_is_no_list_of_texts(backbone: Backbone, door: str) -> None:
    for name, (given, message) in REFUSED.items():
        if (name, door) in SINGLE_TEXTS:
            continue
        with pytest.raises(CorpusError, match=message) as caught:
            DOORS[door](backbone, given)
        assert_one_sentence(caught.value)


SINGLE_TEXTS = {
    ("a string", "Embedder.encode"),  # one vector, as sentence-transformers gives
    ("a string", "without cache"),
    ("a blank text", "mteb"),  # encoded as a full stop, and counted
}


def test_a_single_text_is_a_string(backbone: Backbone) -> None:
    embedder = Embedder(backbone, METHOD)
    vector: Any = embedder.encode("boat")
    assert vector.shape == (tiny_models.HIDDEN,)
    one_text: tuple[Callable[[Any], Any], ...] = (
        pytest.importorskip("analysis.integrations.langchain")
        .LangChainEmbeddings(embedder)
        .embed_query,
        pytest.importorskip("analysis.integrations.llamaindex")
        .LlamaIndexEmbedding(embedder)
        .get_query_embedding,
    )
    for embed in one_text:
        np.testing.assert_allclose(embed("boat"), embedder.encode_query("boat"), atol=1e-6)
        for wrong in (WORDS, None, b"boat", 3):
            with pytest.raises(CorpusError, match="Text 1") as caught:
                embed(wrong)
            assert_one_sentence(caught.value)


def test_several_queries_are_no_string(backbone: Backbone) -> None:
    adapter = pytest.importorskip("analysis.integrations.llamaindex").LlamaIndexEmbedding
    model = adapter(Embedder(backbone, METHOD))
    expected = np.mean([model.get_query_embedding(word) for word in WORDS], axis=0)
    for given in (WORDS, iter(WORDS), pd.Series(WORDS)):
        np.testing.assert_allclose(model.get_agg_embedding_from_queries(given), expected, atol=1e-6)
    with pytest.raises(CorpusError, match="single string"):
        model.get_agg_embedding_from_queries("boat")


def test_texts_may_be_given_in_place_of_a_corpus(llama: Backbone) -> None:
    texts = [f"The boat {number} is by the bank." for number in range(24)]
    named = analysis.Texts("own", tuple(texts), "")
    curve = analysis.dimensions(llama, named, samples=24).curve.dims
    given: Any
    for given in (texts, iter(texts), pd.Series(texts)):
        np.testing.assert_array_equal(
            analysis.dimensions(llama, given, samples=24).curve.dims, curve
        )
    np.testing.assert_array_equal(
        gates.mean_gates(llama, iter(texts), METHOD).by_head,
        gates.mean_gates(llama, texts, METHOD).by_head,
    )
    given = pd.DataFrame({"text": texts})
    with pytest.raises(CorpusError, match="table"):
        analysis.dimensions(llama, given)
    np.testing.assert_array_equal(
        analysis.encode(llama, named, METHOD), analysis.encode(llama, texts, METHOD)
    )


@pytest.mark.parametrize("given", [WORDS, pd.DataFrame({"text": WORDS}), None, 3, b"boat"])
def test_only_corpora_are_scored_and_only_scores_compared(llama: Backbone, given: Any) -> None:
    with pytest.raises(CorpusError, match="cannot be scored") as caught:
        analysis.score(llama, given, METHOD)
    assert_one_sentence(caught.value)
    with pytest.raises(PlanError, match="list of scores") as refused:
        analysis.compare(given)
    assert_one_sentence(refused.value)
