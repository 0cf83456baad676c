"""Copies and pickles of an embedder, and of the adapters that hold one."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding.methods import METHODS
from analysis.errors import BackboneError, PlanError
from analysis.integrations.sentence_transformers import Embedder
from analysis.rerouting.plan import Plan
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence

TEXTS = ["The boat is by the bank.", "A loan from the bank."]
METHOD = METHODS["kv-embedding"].under(Plan((2, 3)))


def langchain(embedder: Embedder) -> tuple[Any, Callable[[Any], Any]]:
    pytest.importorskip("langchain_core")
    from analysis.integrations.langchain import LangChainEmbeddings

    return LangChainEmbeddings(embedder), lambda model: model.embed_documents(TEXTS)


def llamaindex(embedder: Embedder) -> tuple[Any, Callable[[Any], Any]]:
    pytest.importorskip("llama_index.core")
    from analysis.integrations.llamaindex import LlamaIndexEmbedding

    model = LlamaIndexEmbedding(embedder, embed_batch_size=7)
    return model, lambda each: [each.embed_batch_size, *each.get_text_embedding_batch(TEXTS)][1:]


def mteb(embedder: Embedder) -> tuple[Any, Callable[[Any], Any]]:
    pytest.importorskip("mteb")
    from analysis.integrations.mteb import MtebEncoder

    def encode(model: Any) -> Any:
        task = {"task_metadata": None, "hf_split": "test", "hf_subset": "default"}
        return model.encode([{"text": TEXTS}], **task)

    return MtebEncoder(embedder), encode


def bertopic(embedder: Embedder) -> tuple[Any, Callable[[Any], Any]]:
    pytest.importorskip("bertopic")
    from analysis.integrations.bertopic import BERTopicBackend

    return BERTopicBackend(embedder), lambda model: model.embed(TEXTS)


def bare(embedder: Embedder) -> tuple[Any, Callable[[Any], Any]]:
    return embedder, lambda model: model.encode_document(TEXTS)


ADAPTERS = (
    *(bare, langchain, llamaindex),
    pytest.param(mteb, marks=pytest.mark.slow),
    pytest.param(bertopic, marks=pytest.mark.slow),
)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_copies_share_the_backbone(
    adapter: Callable[[Embedder], tuple[Any, Callable[[Any], Any]]], llama: Backbone
) -> None:
    model, encode = adapter(Embedder(llama, METHOD, cached=False))
    for twin in (copy.copy(model), copy.deepcopy(model)):
        assert twin is not model
        np.testing.assert_array_equal(encode(twin), encode(model))
    assert copy.deepcopy(llama) is llama


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_pickle_holds_no_weights_and_loads_them_again(
    adapter: Callable[[Embedder], tuple[Any, Callable[[Any], Any]]],
    folder_of: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    folder = Path(folder_of("llama"))
    monkeypatch.chdir(folder.parent)
    embedder = Embedder(f"./{folder.name}", METHOD, dtype="float32", device="cpu", cached=False)
    model, encode = adapter(embedder)
    data = pickle.dumps(model)
    assert len(data) < 10_000
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(encode(pickle.loads(data)), encode(model))


@pytest.mark.parametrize("adapter", ADAPTERS[1:])
@pytest.mark.parametrize("given", ["smollm2", None, METHOD])
def test_adapters_take_an_embedder_and_nothing_else(
    adapter: Callable[[Any], tuple[Any, Callable[[Any], Any]]], given: Any
) -> None:
    with pytest.raises(PlanError, match="takes an Embedder") as caught:
        adapter(given)
    assert_one_sentence(caught.value)


def unpickled_of_memory(_: Path) -> Embedder:
    twin: Embedder = pickle.loads(pickle.dumps(Embedder(tiny_models.tiny("llama"), METHOD)))
    return twin


def with_other_weights(folder: Path) -> Embedder:
    tiny_models.save_folder(folder)
    data = pickle.dumps(Embedder(str(folder), METHOD, dtype="float32", device="cpu"))
    tiny_models.save_folder(folder, seed=1)
    twin: Embedder = pickle.loads(data)
    return twin


def with_nothing_left(folder: Path) -> Embedder:
    tiny_models.save_folder(folder)
    data = pickle.dumps(Embedder(str(folder), METHOD, dtype="float32", device="cpu"))
    folder.rename(folder.parent / "elsewhere")
    twin: Embedder = pickle.loads(data)
    return twin


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (unpickled_of_memory, "has no weights"),
        (with_other_weights, "has other weights"),
        (with_nothing_left, "There is no backbone called"),
    ],
)
@pytest.mark.usefixtures("empty_cache")
def test_a_pickle_that_cannot_encode_says_so(
    make: Callable[[Path], Embedder], message: str, tmp_path: Path
) -> None:
    embedder = make(tmp_path / "model")
    assert embedder.method == METHOD
    with pytest.raises(BackboneError, match=message) as caught:
        embedder.encode(["A new text."])
    assert_one_sentence(caught.value)


def test_datasets_own_cache_tells_plans_apart(llama: Backbone) -> None:
    hasher = pytest.importorskip("datasets.fingerprint").Hasher

    def digest(plan: Plan) -> str:
        return str(hasher.hash(Embedder(llama, METHOD.under(plan)).encode))

    assert digest(Plan((2, 3))) == digest(Plan((2, 3)))
    assert len({digest(Plan((2, 3))), digest(Plan((2,))), digest(Plan((2, 3), 2.0))}) == 3
