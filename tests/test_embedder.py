"""The object with sentence-transformers' encode: in its place, and refusing what makes no sense."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from conftest import assert_one_sentence
from sentence_transformers import util

from analysis import encoder
from analysis.backbone import Backbone
from analysis.embedder import Embedder
from analysis.errors import BackboneError, PlanError
from analysis.methods import DEFAULT, METHODS
from analysis.rerouting import Plan

TEXTS = ["the rain", "a river in the rain", "bread", "the rain"]
PLAN = Plan((2, 3))


@pytest.fixture
def model(tiny: Callable[[str], Backbone]) -> Embedder:
    return Embedder(tiny("llama"), DEFAULT, PLAN)


def test_it_gives_what_the_encoder_gives(model: Embedder) -> None:
    for role, asked in (
        ("Context", model.encode(TEXTS)),
        ("Context", model.encode_document(TEXTS)),
        ("Context", model.encode(TEXTS, prompt_name="passage")),
        ("Query", model.encode_query(TEXTS)),
        ("Query", model.encode(TEXTS, "query", batch_size=1, device="cpu")),
    ):
        expected = encoder.encode(model.backbone, TEXTS, DEFAULT, PLAN, role=role).embeddings  # type: ignore[arg-type]
        assert isinstance(asked, np.ndarray)
        np.testing.assert_allclose(asked, expected, atol=1e-5)


def test_shapes_and_kinds(model: Embedder) -> None:
    width = model.get_sentence_embedding_dimension()
    one = model.encode("the rain")
    assert one.shape == (width,)
    np.testing.assert_allclose(one, model.encode(["the rain"])[0], atol=1e-6)
    assert model.encode([]).shape == (0, width)
    for how in ({"convert_to_tensor": True}, {"convert_to_numpy": False}):
        tensor = model.encode(TEXTS, **how)
        assert isinstance(tensor, torch.Tensor)
        assert tensor.shape == (4, width)
    assert model.max_seq_length == model.backbone.facts.context


def test_similarity_is_the_cosine(model: Embedder) -> None:
    found = model.encode(TEXTS)
    table = model.similarity(found, 3 * found)
    np.testing.assert_allclose(table.diagonal(), 1, atol=1e-5)
    np.testing.assert_allclose(table, util.cos_sim(found, found), atol=1e-5)
    np.testing.assert_allclose(
        model.similarity_pairwise(found, found[::-1].copy()),
        util.pairwise_cos_sim(found, found[::-1].copy()),
        atol=1e-5,
    )


def test_it_searches_in_sentence_transformers_own_tools(model: Embedder) -> None:
    hits = util.semantic_search(
        model.encode_document(TEXTS[:3], convert_to_tensor=True),
        model.encode_document(TEXTS, convert_to_tensor=True),
        top_k=2,
    )
    assert {hit["corpus_id"] for hit in hits[0]} == {0, 3}
    assert hits[1][0]["corpus_id"] == 1
    pairs = util.paraphrase_mining_embeddings(model.encode(TEXTS, convert_to_tensor=True))
    assert pairs[0][1:] == [0, 3]


def test_texts_are_cut_where_it_says(tiny: Callable[[str], Backbone]) -> None:
    short = Embedder(tiny("llama"), METHODS["mean"], max_tokens=4)
    assert short.max_seq_length == 4
    np.testing.assert_array_equal(short.encode("abcdefgh"), short.encode("abcdxxxx"))


def test_progress_goes_to_standard_error(
    model: Embedder, capsys: pytest.CaptureFixture[str]
) -> None:
    model.encode(TEXTS)
    assert capsys.readouterr() == ("", "")
    model.encode(TEXTS, show_progress_bar=True)
    said = capsys.readouterr()
    assert said.out == ""
    assert "3/3" in said.err


@pytest.mark.parametrize(
    "how",
    [{"prompt": "query: "}, {"prompt_name": "summary"}, {"normalize_embeddings": False}],
)
def test_what_makes_no_sense_is_refused(model: Embedder, how: dict[str, Any]) -> None:
    with pytest.raises(PlanError) as raised:
        model.encode(TEXTS, **how)
    assert_one_sentence(raised.value)


def test_what_the_backbone_cannot_do_is_refused_at_once(tiny: Callable[[str], Backbone]) -> None:
    with pytest.raises(PlanError, match="does not exist"):
        Embedder(tiny("llama"), DEFAULT, Plan((99,)))
    with pytest.raises(BackboneError, match="falcon"):
        Embedder(tiny("falcon"), DEFAULT, Plan((1,)))
