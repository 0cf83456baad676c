"""Methods as values, and the choices that the paper's method leaves open."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder
from analysis.embedding.batching import prepare
from analysis.embedding.method_parts import NORMS
from analysis.embedding.methods import DEFAULT, METHODS, VARIANTS, Method, variant
from analysis.embedding.named_methods import method
from analysis.embedding.pooling import POOLINGS
from analysis.embedding.prompted import render
from analysis.embedding.prompts import COMPRESSION
from analysis.errors import PlanError
from analysis.rerouting.plan import Plan
from tests.support import properties
from tests.support.tiny_models import LAYERS, tiny

TEXTS = ("The old bridge was closed.", "rain")


def test_a_method_is_found_by_its_name_or_refused() -> None:
    assert method("echo") is METHODS["echo"]
    with pytest.raises(PlanError, match=r"no method 'ech'.*kv-embedding"):
        method("ech")


def test_variants_that_ask_for_nothing_are_the_method() -> None:
    for base in METHODS.values():
        assert variant(base) == base
    assert variant(DEFAULT, separator="newline", pooling="hybrid", norm="post") == DEFAULT


def test_variants_leave_methods_with_no_such_choice_alone() -> None:
    for name in ("mean", "last-token", "prompt-eol", "echo"):
        base = METHODS[name]
        assert variant(base, separator="quoted", pooling="last", norm="pre") is base


@pytest.mark.parametrize("layer", [*range(LAYERS), *range(-LAYERS, 0)])
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_the_output_layer_is_what_transformers_gives_there(family: str, layer: int) -> None:
    case = properties.case(family)
    base = variant(method("prompt-eol"), output_layer=layer)
    (alone,), (shared, _) = (
        encoder.encode_methods(case.backbone, TEXTS, methods)
        for methods in ([base], [base, METHODS["prompt-eol"]])
    )
    np.testing.assert_array_equal(alone.embeddings, shared.embeddings)
    ready = prepare(case.backbone, TEXTS, base)
    for row, prompt in zip(alone.embeddings, ready.prompts[0], strict=True):
        with torch.inference_mode():
            states = case.plain(
                input_ids=torch.tensor([prompt.ids]), use_cache=False, output_hidden_states=True
            ).hidden_states[1:]
        expected = states[layer][0, -1]
        np.testing.assert_allclose(row, (expected / expected.norm()).numpy(), atol=2e-5)


@pytest.mark.slow
def test_every_method_that_reads_states_takes_an_output_layer() -> None:
    backbone = tiny("llama")
    for name, each in (METHODS | VARIANTS).items():
        if each.reading.routers:  # for families that tests/embedding/test_router_weights.py has
            continue
        if each.reading.summed:
            with pytest.raises(PlanError, match="has no output layer"):
                variant(each, output_layer=2)
            continue
        one, same, other = (
            variant(method(name), output_layer=layer) for layer in (2, 2 - LAYERS, 3)
        )
        rows = [encoder.encode(backbone, TEXTS, each).embeddings for each in (one, same, other)]
        np.testing.assert_array_equal(rows[0], rows[1])
        assert not np.allclose(rows[0], rows[2], atol=1e-3)
        for layer in (LAYERS, -LAYERS - 1):
            with pytest.raises(PlanError, match=f"Output layer {layer} does not exist: .* 0 to 5"):
                encoder.encode(backbone, TEXTS, variant(method(name), output_layer=layer))
    with pytest.raises(PlanError, match=r"An output layer is a whole number.*not 1\.5"):
        variant(DEFAULT, output_layer=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("separator", "prompt"),
    [
        ("newline", "Query: a b\nCompress the Query in one word:"),
        ("space", "Query: a b Compress the Query in one word:"),
        ("quoted", 'Query: "a b"\nCompress the Query in one word:'),
    ],
)
def test_separators_as_they_are_reported(separator: str, prompt: str) -> None:
    result = variant(DEFAULT, separator=separator)
    assert render(result.template, "a b", "Query")[0] == prompt
    assert result.reroutes


@pytest.mark.parametrize("asked", ["separator", "pooling", "norm"])
def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(asked: str) -> None:
    what = "prompt separator" if asked == "separator" else asked
    with pytest.raises(PlanError, match=f"no {what} 'other'; choose one of "):
        variant(DEFAULT, **{asked: "other"})  # type: ignore[arg-type]


def vectors(backbone: Backbone, of: Method) -> np.ndarray:
    return encoder.encode(backbone, TEXTS, of.under(Plan((2, 3)))).embeddings


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt_oss"])
def test_every_choice_gives_other_embeddings(family: str, tiny: Callable[[str], Backbone]) -> None:
    choices = [
        *(variant(DEFAULT, separator=name) for name in COMPRESSION),
        *(variant(DEFAULT, pooling=name) for name in POOLINGS if name != "last-copy-mean"),
        *(variant(DEFAULT, norm=name) for name in NORMS),
    ]
    result = {choice: vectors(tiny(family), choice) for choice in choices}
    assert len(result) == 3 + 5 + 2 - 2, "each kind of choice holds the default once"
    values = list(result.values())
    for i, one in enumerate(values):
        assert np.allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
        assert not any(np.allclose(one, other, atol=1e-3) for other in values[:i])
