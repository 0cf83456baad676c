"""Methods as values, and the choices that the paper's method leaves open."""

from collections.abc import Callable

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder
from analysis.embedding.methods import DEFAULT, METHODS, NORMS, Method, method, variant
from analysis.embedding.pooling import POOLINGS
from analysis.embedding.prompts import COMPRESSION, render
from analysis.errors import PlanError
from analysis.rerouting.plan import Plan

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
        variant(DEFAULT, **{asked: "other"})


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
    assert len(result) == 3 + 4 + 2 - 2, "each kind of choice holds the default once"
    values = list(result.values())
    for i, one in enumerate(values):
        assert np.allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
        assert not any(np.allclose(one, other, atol=1e-3) for other in values[:i])
