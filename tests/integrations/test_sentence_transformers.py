"""The embedder: what sentence-transformers' callers hand in and get back."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder
from analysis.embedding.methods import METHODS, Method
from analysis.embedding.pooling import POOLINGS
from analysis.embedding.prompts import tokenize
from analysis.errors import CorpusError, ExplorerError, PlanError
from analysis.experiments import dimension, plans
from analysis.integrations.sentence_transformers import Embedder, Vectors
from analysis.rerouting import forward_pass
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import Plan
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence

WORDS = ("boat", "bank", "loan", "river", "house", "rain", "train")
TEXTS = [f"The {a} is by the {b}." for a in WORDS for b in WORDS if a < b]
PLAN = Plan((2, 3), 2.0)
METHOD = METHODS["kv-embedding"]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return tiny_models.tiny("llama")


@pytest.fixture
def embedder(backbone: Backbone) -> Embedder:
    return Embedder(backbone, METHOD.under(PLAN))


def array(vectors: Vectors) -> NDArray[np.floating]:
    assert isinstance(vectors, np.ndarray)
    return vectors


def test_it_gives_what_the_encoder_gives(backbone: Backbone, embedder: Embedder) -> None:
    expected = encoder.encode(backbone, TEXTS, METHOD.under(PLAN)).embeddings
    result = embedder.encode(TEXTS)
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.float32
    assert result.shape == (len(TEXTS), tiny_models.HIDDEN)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, atol=1e-6)
    plain = Embedder(backbone, METHOD).encode(TEXTS)
    assert np.abs(plain - result).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("name", ["kv-embedding", "meta-eol"])
def test_embeddings_are_not_normalised_where_that_is_asked(
    backbone: Backbone, name: str, cached: bool
) -> None:
    method = METHODS[name].under(PLAN)
    parts = [
        replace(method, prompt=replace(method.prompt, templates=(template,)))
        for template in method.templates
    ]
    pooled = np.mean([_pooled_by_hand(backbone, part) for part in parts], axis=0)
    embedder = Embedder(backbone, method, cached=cached)
    unit = embedder.encode(TEXTS[:5])
    assert np.abs(np.linalg.norm(pooled, axis=1) - 1).min() > 0.01
    for _ in range(2):  # the second time from the disk
        result = embedder.encode(TEXTS[:5], normalize_embeddings=False)
        np.testing.assert_allclose(result, pooled, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(embedder.encode(TEXTS[:5]), unit)
    norms = np.linalg.norm(pooled, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, pooled / norms, atol=1e-5)


def _pooled_by_hand(backbone: Backbone, method: Method) -> np.ndarray:
    """Token states of each text alone, weighed by the pooling's row."""
    rows = []
    for text in TEXTS[:5]:
        (prompt,) = tokenize(backbone.tokenizer, [text], method.template, tidy=method.tidy)
        request = PassRequest(
            torch.tensor([prompt.ids]), torch.tensor([len(prompt.ids)]), method.plan, backbone.form
        )
        states = forward_pass.run(backbone.model, request).final[0].float().numpy()
        rows.append(POOLINGS[method.pooling](prompt) @ states)
    return np.stack(rows)


@pytest.mark.slow
def test_backbone_and_method_may_be_names(
    folder_of: Callable[[str], str], llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dimension, "dimensions", partial(dimension.dimensions, samples=60))
    folder = folder_of("llama")
    named = Embedder(folder, "kv-embedding", layers="2-3", bias=2.0, dtype="float32")
    assert named.method == METHOD.under(PLAN)
    np.testing.assert_allclose(
        named.encode(TEXTS), Embedder(llama, METHOD.under(PLAN)).encode(TEXTS), atol=1e-5
    )
    automatic = Embedder(llama, "kv-embedding", layers="auto", rule="lowest")
    assert automatic.method.plan.layers == plans.select_layers(llama, "auto", rule="lowest")
    assert automatic.method.plan.layers
    assert Embedder(llama).method.plan.layers == plans.select_layers(llama)
    assert Embedder(llama, layers=(1, 4)).method.plan == Plan((1, 4))
    assert Embedder(llama, layers="none").method.plan.active == ()
    assert Embedder(llama, METHOD.under(PLAN)).method.plan == PLAN
    assert Embedder(llama, METHOD.under(PLAN), layers=(1,)).method.plan == Plan((1,))
    assert Embedder(llama, "mean").method == METHODS["mean"]
    refused: tuple[tuple[Callable[[], Embedder], str], ...] = (
        (lambda: Embedder(llama, "magic"), "no method 'magic'"),
        (lambda: Embedder(llama, "mean", layers=(1,)), "mean re-routes no layers"),
        (lambda: Embedder(llama, layers=(99,)), "99"),
    )
    for make, message in refused:
        with pytest.raises(PlanError, match=message) as caught:
            make()
        assert_one_sentence(caught.value)


def test_the_shape_follows_what_is_asked(embedder: Embedder) -> None:
    rows, one = array(embedder.encode(TEXTS[:3])), array(embedder.encode(TEXTS[0]))
    assert one.shape == (tiny_models.HIDDEN,)
    np.testing.assert_allclose(one, rows[0], atol=1e-6)
    given: Any  # of any kind that is a sequence
    for given in (tuple(TEXTS[:3]), np.array(TEXTS[:3])):
        np.testing.assert_allclose(embedder.encode(given), rows, atol=1e-6)
    tensor = embedder.encode(TEXTS[:3], convert_to_tensor=True, convert_to_numpy=False)
    assert isinstance(tensor, torch.Tensor)
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor.numpy(), rows, atol=1e-6)
    several = embedder.encode(TEXTS[:3], convert_to_numpy=False)
    assert isinstance(several, list)
    np.testing.assert_allclose(torch.stack(several).numpy(), rows, atol=1e-6)
    assert array(embedder.encode([])).shape == (0, tiny_models.HIDDEN)
    empty = embedder.encode([], convert_to_tensor=True)
    assert isinstance(empty, torch.Tensor)
    assert empty.shape == (0, tiny_models.HIDDEN)


def test_roles_are_those_of_the_prompt(backbone: Backbone, embedder: Embedder) -> None:
    query = encoder.encode(backbone, TEXTS, METHOD.under(PLAN), role="Query").embeddings
    context = encoder.encode(backbone, TEXTS, METHOD.under(PLAN)).embeddings
    assert np.abs(query - context).max() > 1e-3
    for name in ("query", "Query"):
        np.testing.assert_allclose(embedder.encode(TEXTS, prompt_name=name), query, atol=1e-6)
    for other in ("document", "Context", None):
        np.testing.assert_allclose(embedder.encode(TEXTS, prompt_name=other), context, atol=1e-6)
    np.testing.assert_allclose(embedder.encode_query(TEXTS), query, atol=1e-6)
    np.testing.assert_allclose(embedder.encode_document(TEXTS), context, atol=1e-6)


def test_similarities_are_cosines(embedder: Embedder) -> None:
    a, b = array(embedder.encode(TEXTS[:4])), array(embedder.encode(TEXTS[4:7]))
    result = embedder.similarity(3 * a, torch.from_numpy(b))
    assert result.dtype == torch.float32
    np.testing.assert_allclose(result.numpy(), a @ b.T, atol=1e-6)
    np.testing.assert_allclose(embedder.similarity(a[0], list(b)).numpy(), a[:1] @ b.T, atol=1e-6)
    paired = embedder.similarity_pairwise(a[:3], b)
    np.testing.assert_allclose(paired.numpy(), (a[:3] * b).sum(axis=1), atol=1e-6)
    assert embedder.similarity(embedder.encode([]), b).shape == (0, 3)


def test_what_cannot_be_compared_is_refused(embedder: Embedder) -> None:
    one = np.ones((2, 3))
    assert embedder.similarity([], one).shape == (0, 2)
    assert embedder.similarity(one, []).shape == (2, 0)
    assert embedder.similarity_pairwise([], embedder.encode([])).shape == (0,)
    refused: tuple[tuple[Callable[[], object], str], ...] = (
        (lambda: embedder.similarity(one, np.ones((2, 4))), "of 3 and of 4 numbers"),
        (lambda: embedder.similarity(TEXTS, TEXTS), "arrays or tensors of numbers"),
        (lambda: embedder.similarity(None, one), "arrays or tensors of numbers"),
        (lambda: embedder.similarity([[1.0], [1.0, 2.0]], one), "arrays or tensors of numbers"),
        # one row was compared with each of the others
        (lambda: embedder.similarity_pairwise(one, one[:1]), "2 embeddings and 1 cannot"),
    )
    for compare, message in refused:
        with pytest.raises(PlanError, match=message) as caught:
            compare()
        assert_one_sentence(caught.value)


def test_sizes(backbone: Backbone, embedder: Embedder) -> None:
    assert embedder.get_sentence_embedding_dimension() == tiny_models.HIDDEN
    assert embedder.get_embedding_dimension() == tiny_models.HIDDEN
    assert embedder.max_seq_length == tiny_models.CONTEXT
    short = Embedder(backbone, METHOD.under(PLAN), max_tokens=80)
    assert short.max_seq_length == 80
    short.encode([TEXTS[0], "word " * 100])
    short.encode("word " * 100)
    assert short.texts_cut == 2


@pytest.mark.parametrize(
    ("given", "options", "kind", "message"),
    [
        (TEXTS[:2], {"prompt_name": "passage"}, PlanError, "query, document, Query, Context"),
        (TEXTS[:2], {"prompt": "query: "}, PlanError, "belong to the method"),
        (TEXTS[:2], {"truncate_dim": 8}, PlanError, "truncate_dim=8"),
        (TEXTS[:2], {"precision": "int8"}, PlanError, "precision='int8'"),
        (TEXTS[:2], {"output_value": "token_embeddings"}, PlanError, "output_value='token_emb"),
        (TEXTS[:2], {"output_value": None}, PlanError, "output_value=None"),
        (TEXTS[:2], {"device": "cuda"}, PlanError, "is on cpu"),
        (TEXTS[:2], {"device": ["cpu", "cpu"]}, PlanError, "is on cpu"),
        (TEXTS[:2], {"pool": {"input": None}}, PlanError, "pool="),
        (TEXTS[:2], {"processing_kwargs": {"text": {}}}, PlanError, "processing_kwargs="),
        (TEXTS[:2], {"weights": np.ones(2)}, PlanError, "weights="),
        (None, {}, CorpusError, "NoneType"),
        ([TEXTS[0], 3], {}, CorpusError, "Text 2 is not a string"),
        ([TEXTS[0], " "], {}, CorpusError, "Text 2 is empty"),
        (TEXTS[:2], {"sentences": TEXTS[2:]}, PlanError, "given twice"),
        (TEXTS[:2], {"prompt_name": np.array(["query", "document"])}, PlanError, "no prompt name"),
        (TEXTS[:2], {"device": "cpu:1"}, PlanError, "is on cpu"),
    ],
)
def test_what_cannot_be_met_is_refused(
    embedder: Embedder, given: Any, options: dict[str, Any], kind: type[ExplorerError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        embedder.encode(given, **options)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda backbone: Embedder(backbone, METHOD.under(Plan((99,)))),
        lambda backbone: Embedder(backbone, METHOD, max_tokens=0),
    ],
)
def test_what_the_backbone_cannot_do_is_refused_at_once(
    backbone: Backbone, make: Callable[[Backbone], Embedder]
) -> None:
    with pytest.raises(PlanError) as caught:
        make(backbone)
    assert_one_sentence(caught.value)


def test_the_bar_is_on_standard_error(
    embedder: Embedder, capsys: pytest.CaptureFixture[str]
) -> None:
    embedder.encode(TEXTS, batch_size=1)
    assert capsys.readouterr() == ("", "")
    embedder.encode([*TEXTS, *TEXTS], show_progress_bar=True)
    output = capsys.readouterr()
    assert output.out == ""
    assert f"{len(TEXTS)}/{len(TEXTS)}" in output.err


# As sentence-transformers has it


def test_texts_go_by_both_names(embedder: Embedder) -> None:
    rows = embedder.encode(TEXTS[:3])
    for encode in (embedder.encode, embedder.encode_document):
        np.testing.assert_array_equal(encode(inputs=TEXTS[:3]), rows)
        np.testing.assert_array_equal(encode(sentences=TEXTS[:3]), rows)
    query = embedder.encode_query(TEXTS[0])
    np.testing.assert_array_equal(embedder.encode(TEXTS[0], "query"), query)
    np.testing.assert_array_equal(embedder.encode_query(inputs=TEXTS[0], prompt=""), query)


@pytest.mark.parametrize(
    "options",
    [
        {"prompt": ""},
        {"device": None},
        {"device": "cpu"},
        {"device": torch.device("cpu")},
        {"device": "cpu:0"},
        {"output_value": "sentence_embedding", "precision": "float32", "truncate_dim": None},
        {"pool": None, "chunk_size": 10, "batch_size": 1, "task": None},
    ],
)
def test_options_that_change_nothing_are_accepted(
    embedder: Embedder, options: dict[str, Any]
) -> None:
    np.testing.assert_array_equal(embedder.encode(TEXTS, **options), embedder.encode(TEXTS))


@pytest.mark.parametrize("texts", [[], (), np.array([], dtype=str), iter(())])
@pytest.mark.parametrize("normalize", [True, False])
def test_no_text_gives_no_vector(embedder: Embedder, texts: Any, normalize: bool) -> None:
    encode = partial(embedder.encode, texts, normalize_embeddings=normalize)
    assert array(encode()).shape == (0, tiny_models.HIDDEN)
    assert encode(convert_to_numpy=False) == []
    tensor = encode(convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor)
    assert tensor.shape == (0, tiny_models.HIDDEN)
    assert tensor.device == embedder.device


def test_it_says_where_it_is_and_how_it_compares(embedder: Embedder) -> None:
    assert embedder.device == torch.device("cpu")
    assert embedder.eval() is embedder.to("cpu") is embedder
    for refused in (lambda: embedder.to("cuda"), embedder.start_multi_process_pool):
        with pytest.raises(PlanError) as caught:
            refused()
        assert_one_sentence(caught.value)
    assert embedder.similarity_fn_name == "cosine"
    embedder.similarity_fn_name = None
    assert embedder.similarity_fn_name == "cosine"
    with pytest.raises(PlanError, match="choose one of cosine, dot") as caught:
        embedder.similarity_fn_name = "maxsim"
    assert_one_sentence(caught.value)
    assert embedder.similarity_fn_name == "cosine"
    embedder.similarity_fn_name = None
    assert embedder.similarity_fn_name == "cosine"


def test_a_limit_can_be_set(backbone: Backbone, embedder: Any) -> None:
    long = "word " * 30
    before = embedder.encode(long)
    embedder.max_seq_length = 60
    assert (embedder.max_seq_length, embedder.max_tokens) == (60, 60)
    after = array(embedder.encode(long))
    limited = Embedder(backbone, METHOD.under(PLAN), max_tokens=60)
    np.testing.assert_array_equal(after, limited.encode(long))
    assert np.abs(after - before).max() > 1e-4
    assert embedder.texts_cut == 1
    embedder.max_seq_length = None
    np.testing.assert_array_equal(embedder.encode(long), before)
    assert embedder.max_seq_length == tiny_models.CONTEXT
    for wrong in (0, -1, 60.0, "60", [60]):
        for limit in (
            lambda value: setattr(embedder, "max_seq_length", value),
            lambda value: encoder.encode(backbone, TEXTS, METHOD, max_tokens=value),
        ):
            with pytest.raises(PlanError, match="at least 1") as caught:
                limit(wrong)
            assert_one_sentence(caught.value)
    assert embedder.max_seq_length == tiny_models.CONTEXT
    embedder.max_seq_length = np.int64(60)
    np.testing.assert_array_equal(embedder.encode(long), after)
