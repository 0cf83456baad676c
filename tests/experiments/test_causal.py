"""What an early token can know: nothing of the ending under causal attention, to the last bit."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AttentionInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from analysis.backbones.backbone import Backbone
from analysis.embedding.methods import DEFAULT
from analysis.embedding.prompts import BARE
from analysis.errors import BackboneError, CorpusError, PlanError
from analysis.experiments import causal
from analysis.rerouting.patches import EAGER, SDPA
from analysis.rerouting.plan import PLAIN, Plan
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence

FIRST = "She walked along the bank and watched the boats."
SECOND = "She walked along the bank and asked for a loan."
PLAN = Plan((2, 3))
SLIDING = ("mistral", "phi3", "gemma3", "gemma2", "gpt_oss")
"""Behind the prompt's end their short windows hide the ending from the final token itself."""


@pytest.mark.slow
@pytest.mark.parametrize("prompted", [True, False])
@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_plain_tokens_stay_to_the_last_bit_and_rerouted_ones_move(
    tiny: Callable[[str], Backbone], family: str, prompted: bool
) -> None:
    template = DEFAULT.template if prompted else BARE
    result = causal.movement(tiny(family), FIRST, SECOND, PLAN, template=template)
    shared = len(result.tokens)
    assert result.plain.shape == result.rerouted.shape == (tiny_models.LAYERS + 1, shared)
    assert (result.plain == 0).all()
    assert (result.rerouted[: PLAN.layers[0] + 1] == 0).all()  # states entering layers 0 to 2
    if not prompted or family not in SLIDING:
        assert (result.rerouted[PLAN.layers[0] + 1 :] > 0).all()
    assert np.isfinite(result.rerouted).all()


@pytest.mark.weights
def test_smollm2_knows_nothing_of_the_ending(smollm2: Backbone) -> None:
    result = causal.movement(smollm2, FIRST, SECOND, Plan((10, 11, 12, 13)))
    assert (result.plain == 0).all()
    assert (result.rerouted[:11] == 0).all()
    assert (result.rerouted[-1] > 0).all()
    words = "".join(result.tokens)
    assert words.endswith("She walked along the bank and")
    assert result.endings[0].startswith(" watched")
    assert result.endings[1].startswith(" asked")


def test_tokens_are_the_texts_own(tiny: Callable[[str], Backbone]) -> None:
    result = causal.movement(tiny("llama"), FIRST, SECOND, PLAN, template=BARE)
    assert "".join(result.tokens) + result.endings[0] == FIRST
    assert "".join(result.tokens) + result.endings[1] == SECOND
    assert result.plan == PLAN


def test_one_text_may_be_the_beginning_of_the_other(tiny: Callable[[str], Backbone]) -> None:
    result = causal.movement(tiny("llama"), "The old", "The old bridge", PLAN, template=BARE)
    assert "".join(result.tokens) == "The old"
    assert result.endings == ("", " bridge")
    assert (result.plain == 0).all()


@pytest.mark.parametrize("plan", [PLAIN, Plan((2, 3), -np.inf)])
def test_a_plan_that_does_nothing_moves_nothing(
    tiny: Callable[[str], Backbone], plan: Plan
) -> None:
    result = causal.movement(tiny("llama"), FIRST, SECOND, plan)
    assert (result.rerouted == 0).all()
    gates = causal.gates(tiny("llama"), FIRST, plan)
    assert gates.values.shape == (0, tiny_models.HEADS, len(gates.tokens))


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_gates_are_shares_that_grow_with_the_bias(
    tiny: Callable[[str], Backbone], family: str
) -> None:
    low, high = (causal.gates(tiny(family), FIRST, Plan((1, 4), b)) for b in (-1.0, 3.0))
    for result in (low, high):
        assert result.layers == (1, 4)
        assert result.values.shape == (2, tiny_models.HEADS, len(result.tokens))
        assert result.values.dtype == np.float32
        assert ((result.values > 0) & (result.values < 1)).all()
    assert (high.values[0] > low.values[0]).all()  # the first layer's queries are the same


# Whom a token listens to


@contextmanager
def seen_at(layer: int) -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    """The values (B, KV, T, d) and the output (B, T, H, d) of a layer's attention, as they pass."""
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []

    def noted(inner: Callable[..., Any]) -> Callable[..., Any]:
        def attend(
            module: Any, query: Any, key: Any, value: Any, *rest: Any, **options: Any
        ) -> Any:
            result = inner(module, query, key, value, *rest, **options)
            if module.layer_idx == layer:
                kept.append((value, result[0]))
            return result

        return attend

    usual = {name: ALL_ATTENTION_FUNCTIONS[name] for name in (SDPA, EAGER)}
    for name, inner in usual.items():
        AttentionInterface.register(name, noted(inner))
    try:
        yield kept
    finally:
        for name, inner in usual.items():
            AttentionInterface.register(name, inner)


@pytest.mark.parametrize("plan", [PLAIN, Plan((2, 3)), Plan((1, 3), 3.0)])
@pytest.mark.parametrize("family", [*tiny_models.FAMILIES, *tiny_models.MORE])
def test_weights_times_values_are_what_the_layer_puts_out(
    tiny: Callable[[str], Backbone], family: str, plan: Plan
) -> None:
    backbone = tiny(family)
    for layer in (0, 2, 3):
        with seen_at(layer) as kept:
            result = causal.attention(backbone, FIRST, layer, plan)
        (value, out), heads = kept[-1], backbone.facts.heads
        values = value[0].repeat_interleave(heads // value.shape[1], 0)
        listened = torch.from_numpy(result.weights) @ values
        assert (result.prefix is not None) == (layer in plan.layers)
        if result.prefix is not None:
            assert ((result.prefix >= 0) & (result.prefix <= 1)).all()
            assert (result.prefix > 0).any()
            listened += torch.from_numpy(result.prefix)[..., None] * values[:, -1:]
        expected = out[0].transpose(0, 1)
        assert float((listened - expected).abs().max()) < 2e-6 * float(expected.abs().max() + 1)


@pytest.mark.slow
@pytest.mark.parametrize("plan", [PLAIN, Plan((2, 3)), Plan((0, 1, 2, 3, 4, 5), -2.0)])
@pytest.mark.parametrize("family", [*tiny_models.FAMILIES, *tiny_models.MORE])
def test_rows_are_shares_of_what_may_be_seen(
    tiny: Callable[[str], Backbone], family: str, plan: Plan
) -> None:
    for layer in (0, 2):
        result = causal.attention(tiny(family), FIRST, layer, plan)
        tokens = len(result.tokens)
        assert result.weights.shape == (tiny_models.HEADS, tokens, tokens)
        assert result.weights.dtype == np.float32
        i, j = np.arange(tokens)[:, None], np.arange(tokens)
        window = tiny_models.window_of(family, layer) or tokens
        np.testing.assert_array_equal(result.visible, (j <= i) & (i - j < window))
        assert (result.weights[:, ~result.visible] == 0).all()
        assert (result.weights[:, result.visible] >= 0).all()
        rows = result.weights.sum(2, dtype=np.float64)
        if result.prefix is not None:
            rows += result.prefix
        if family == "gpt_oss":  # its sink takes the rest
            assert ((rows > 0) & (rows < 1)).all()
        else:
            np.testing.assert_allclose(rows, 1, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("family", [*tiny_models.FAMILIES, *tiny_models.MORE])
def test_plain_weights_are_those_that_transformers_reports(
    tiny: Callable[[str], Backbone], family: str
) -> None:
    model = tiny_models.plain(family)
    model.set_attn_implementation("eager")
    ids = tiny_models.byte_tokenizer()(FIRST, return_tensors="pt").input_ids
    with torch.inference_mode():
        reported = model(input_ids=ids, output_attentions=True, use_cache=False).attentions
    for layer in range(tiny_models.LAYERS):
        result = causal.attention(tiny(family), FIRST, layer, template=BARE)
        np.testing.assert_allclose(result.weights, reported[layer][0].numpy(), atol=2e-5)


def test_gates_are_the_prefixes_share(tiny: Callable[[str], Backbone]) -> None:
    gates = causal.gates(tiny("gemma2"), FIRST, PLAN)
    for number, layer in enumerate(PLAN.layers):
        result = causal.attention(tiny("gemma2"), FIRST, layer, PLAN)
        np.testing.assert_array_equal(result.prefix, gates.values[number])
        assert result.tokens == gates.tokens


@pytest.mark.parametrize("text", ["a", FIRST])
def test_attention_with_the_prefix_before_the_first_token(
    tiny: Callable[[str], Backbone], text: str
) -> None:
    plan = Plan((2,), 1.0, "first")
    result = causal.attention(tiny("llama"), text, 2, plan, template=BARE)
    assert result.prefix is not None
    assert result.weights.shape == (tiny_models.HEADS, len(result.tokens), len(result.tokens))
    np.testing.assert_allclose(result.weights.sum(2) + result.prefix, 1, atol=2e-6)


def test_rows_add_up_in_half_precision() -> None:
    model = tiny_models.plain("mistral").to(torch.bfloat16)
    backbone = tiny_models.backbone_of(model, tiny_models.byte_tokenizer())
    result = causal.attention(backbone, FIRST, 2, PLAN)
    assert result.prefix is not None
    np.testing.assert_allclose(result.weights.sum(2) + result.prefix, 1, atol=1e-5)


@pytest.mark.parametrize(
    ("family", "layer", "text", "error", "message"),
    [
        ("llama", 6, FIRST, PlanError, "There is no layer 6: tiny llama has layers 0 to 5"),
        ("llama", -1, FIRST, PlanError, "There is no layer -1"),
        ("falcon", 0, FIRST, BackboneError, "cannot be looked at: falcon cannot be re-routed"),
        ("qwen3_next", 0, FIRST, BackboneError, r"no attention weights; these have: \[2, 5\]"),
        ("llama", 0, " ", CorpusError, "empty"),
        ("mixtral", 0, "word " * 150, CorpusError, "shown for 120 at most; shorten it"),
    ],
)
def test_attention_that_cannot_be_shown(
    tiny: Callable[[str], Backbone],
    monkeypatch: pytest.MonkeyPatch,
    family: str,
    layer: int,
    text: str,
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.setattr(causal, "WATCHED", 120)
    with pytest.raises(error, match=message) as caught:
        causal.attention(tiny(family), text, layer)
    assert_one_sentence(caught.value)


# Tokens as text


@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd\n")))
def test_characters_of_several_tokens_are_named_with_their_parts(text: str) -> None:
    backbone = tiny_models.tiny("llama")
    ids = tuple(backbone.tokenizer(text).input_ids)
    result = causal.pieces(backbone, ids)
    assert len(result) == len(ids)
    full = [re.sub(r" 1/[2-8]$", "", piece, flags=re.S) for piece in result]
    kept = [piece for piece in full if not re.search(r" [2-8]/[2-8]$", piece)]
    assert "".join(kept).replace("\u00b7", "") == text.replace("\u00b7", "")


@pytest.mark.parametrize(
    "tokenizer", [tiny_models.byte_tokenizer(), tiny_models.sentencepiece_tokenizer(bos=False)]
)
def test_bytes_say_which_character_they_belong_to(tokenizer: Any) -> None:
    backbone = tiny_models.backbone_of(tiny_models.plain("llama"), tokenizer)
    ids = tuple(tokenizer.encode("\u6c34", add_special_tokens=False))
    assert causal.pieces(backbone, ids)[-3:] == ("\u6c34 1/3", "\u6c34 2/3", "\u6c34 3/3")
    assert causal.pieces(backbone, ids[:-1])[-2:] == ("(part)", "(part)")


def test_endings_begin_with_a_whole_character(tiny: Callable[[str], Backbone]) -> None:
    """The two characters share their first byte."""
    result = causal.movement(tiny("llama"), "a\u00e4b", "a\u00f6b", PLAN, template=BARE)
    assert result.tokens == ("a", "(part)")
    assert result.endings == ("\u00e4b", "\u00f6b")


def test_line_breaks_are_made_visible(tiny: Callable[[str], Backbone]) -> None:
    tokens = causal.gates(tiny("llama"), "one\ntwo", PLAN, template=BARE).tokens
    assert "\u21b5" in "".join(tokens)
    assert "\n" not in "".join(tokens)


@pytest.mark.parametrize(
    ("first", "second", "plan", "error", "message"),
    [
        ("", SECOND, PLAN, CorpusError, "empty"),
        (FIRST, " \n", PLAN, CorpusError, "empty"),
        (FIRST, FIRST, PLAN, CorpusError, "the same"),
        ("one", "9 others", PLAN, CorpusError, "share no beginning"),
        (FIRST, SECOND, Plan((99,)), PlanError, "99"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    tiny: Callable[[str], Backbone],
    first: str,
    second: str,
    plan: Plan,
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        causal.movement(tiny("llama"), first, second, plan, template=BARE)


def test_a_family_that_cannot_be_rerouted_still_shows_its_plain_side(
    tiny: Callable[[str], Backbone],
) -> None:
    result = causal.movement(tiny("falcon"), FIRST, SECOND, PLAIN)
    assert (result.plain == 0).all()
    with pytest.raises(BackboneError, match="cannot be re-routed"):
        causal.movement(tiny("falcon"), FIRST, SECOND, PLAN)
