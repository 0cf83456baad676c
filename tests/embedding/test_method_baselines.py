"""Every training-free baseline does what its name says, seen from outside its implementation."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.backbones.backbone import Backbone
from analysis.embedding.encoder import encode
from analysis.embedding.method_parts import CHANGES, READINGS, Prepending
from analysis.embedding.methods import METHODS, Method
from analysis.embedding.named_prompts import PROMPTS
from analysis.embedding.prompts import tokenize
from analysis.embedding.read_prompts import read_prompts
from analysis.errors import BackboneError, PlanError
from analysis.rerouting import forward_pass
from analysis.rerouting.interventions import Overwriting
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import Plan
from tests.support import properties
from tests.support.properties import Case
from tests.support.slow_attention import Slow, attending
from tests.support.tiny_models import LONG

ECHO, EOL, TOKEN, META, BOTH = (
    METHODS[name]
    for name in ("echo", "prompt-eol", "token-prepending", "meta-eol", "bidirectional")
)
TEXTS = ("The old bridge was closed after the storm.", "rain", 'She said "no" twice')
FAMILIES = ["llama", "gemma3", "gemma2", "gpt_oss"]
"""Full attention, sliding windows, soft caps, sinks."""
SUBJECTS = [*FAMILIES, pytest.param("smollm2", marks=pytest.mark.weights)]


@pytest.fixture(params=SUBJECTS)
def case(request: pytest.FixtureRequest) -> Case:
    return properties.case(request.param)


@pytest.fixture(params=FAMILIES)
def backbone(request: pytest.FixtureRequest, tiny: Callable[[str], Backbone]) -> Backbone:
    return tiny(request.param)


def vectors(backbone: Backbone, of: Method, texts: tuple[str, ...] = TEXTS) -> NDArray[Any]:
    return encode(backbone, texts, of).embeddings


def unit(states: torch.Tensor) -> NDArray[Any]:
    return np.asarray((states / states.norm(dim=-1, keepdim=True)).numpy())


def final(case: Case, ids: tuple[int, ...]) -> torch.Tensor:
    """Final states (T, D) of a model that this project never touched."""
    with torch.inference_mode():
        output = case.plain(input_ids=torch.tensor([ids]), use_cache=False)
    states: torch.Tensor = output.last_hidden_state
    return states[0]


# Echo


@pytest.mark.slow
def test_echo_averages_the_second_copy_only(case: Case) -> None:
    for text, result in zip(TEXTS, vectors(case.backbone, ECHO), strict=True):
        (prompt,) = tokenize(case.backbone.tokenizer, [text], ECHO.template)
        first, stop = prompt.spans[1]
        assert case.backbone.tokenizer.decode(prompt.ids[first:stop]).strip() == text
        expected = unit(final(case, prompt.ids)[first:stop].mean(0))
        np.testing.assert_allclose(result, expected, atol=2e-5)


# Token prepending


@pytest.mark.slow
def test_a_placeholder_that_is_never_overwritten_is_prompt_eol_with_it(case: Case) -> None:
    idle = replace(
        TOKEN,
        change=replace(TOKEN.change, prepending=Prepending(start=1, exit=1)),
        reading=READINGS["states"],
    )
    tokenizer = case.backbone.tokenizer
    for text, result in zip(TEXTS, vectors(case.backbone, idle), strict=True):
        parts = ("This sentence : ", "*", f' "{EOL.tidy(text)}" means in one word:"')
        pieces = [tokenizer.encode(part, add_special_tokens=False) for part in parts]
        begin = tokenizer("a")["input_ids"][: -len(tokenizer.encode("a", add_special_tokens=False))]
        ids = (*begin, *(token for piece in pieces for token in piece))
        np.testing.assert_allclose(result, unit(final(case, ids)[-1]), atol=2e-5)


def test_the_placeholder_holds_the_last_tokens_state_between_start_and_exit(
    backbone: Backbone,
) -> None:
    layers = backbone.layers
    ids = torch.tensor([[3, 4, 5, 6, 7, 8], [9, 8, 7, 0, 0, 0]])
    lengths, slots = torch.tensor([6, 3]), torch.tensor([2, 1])
    held = Overwriting(torch.arange(2), slots, lengths - 1, 1, 3)
    result = forward_pass.run(
        backbone.model, PassRequest(ids, lengths, keep_inputs=range(layers), overwriting=held)
    ).inputs
    state = result[0]
    for layer in range(layers):  # each layer again, by hand
        assert torch.equal(result[layer], state)
        if 1 <= layer < 3:
            state = state.clone()
            for row in range(2):
                state[row, slots[row]] = state[row, lengths[row] - 1]
        if layer + 1 < layers:
            state = forward_pass.run(
                backbone.model,
                PassRequest(
                    ids, lengths, start=layer, start_states=state, keep_inputs=(layer + 1,)
                ),
            ).inputs[layer + 1]
    plain = forward_pass.run(
        backbone.model, PassRequest(ids, lengths, keep_inputs=range(layers))
    ).inputs
    assert torch.equal(plain[1], result[1])
    assert not torch.allclose(plain[2], result[2])


@pytest.mark.slow
def test_token_prepending_reads_the_last_layer_but_one(case: Case) -> None:
    off = replace(EOL, reading=TOKEN.reading)
    for text, result in zip(TEXTS, vectors(case.backbone, off), strict=True):
        (prompt,) = tokenize(case.backbone.tokenizer, [text], EOL.template, tidy=EOL.tidy)
        with torch.inference_mode():
            states = case.plain(
                input_ids=torch.tensor([prompt.ids]), use_cache=False, output_hidden_states=True
            ).hidden_states
        np.testing.assert_allclose(result, unit(states[-2][0, -1]), atol=2e-5)


def test_the_exit_is_a_fifth_of_the_depth_unless_given() -> None:
    assert [Prepending().stop(layers) for layers in (3, 18, 30, 32)] == [2, 3, 6, 6]
    assert Prepending(exit=4).stop(30) == 4


# MetaEOL


@pytest.mark.slow
def test_meta_eol_is_the_mean_of_eight_last_tokens(case: Case) -> None:
    assert len(set(META.templates)) == 8
    for text, result in zip(TEXTS, vectors(case.backbone, META), strict=True):
        states = []
        for template in META.templates:
            (prompt,) = tokenize(case.backbone.tokenizer, [text], template, tidy=META.tidy)
            states.append(final(case, prompt.ids)[-1])
        np.testing.assert_allclose(result, unit(torch.stack(states).mean(0)), atol=2e-5)


# Bidirectional


def test_bidirectional_is_attention_without_the_mask(backbone: Backbone) -> None:
    """Against the formula, token by token and head by head, with padding and windows."""
    case = properties.case(backbone.facts.family.removesuffix("_text"))
    ids, lengths = case.tokens(LONG, 3)
    result = forward_pass.run(case.backbone.model, PassRequest(ids, lengths, causal=False)).final
    real = torch.arange(ids.shape[1]) < lengths[:, None]
    with attending(case.plain, Slow((), 0.0, real, case.window, causal=False)):
        expected = case.plain(input_ids=ids, use_cache=False).last_hidden_state
    for row, length in enumerate(lengths.tolist()):
        case.close(result[row, :length], expected[row, :length])


def test_bidirectional_sees_the_future(case: Case) -> None:
    ids, lengths = case.tokens(8)
    other = ids.clone()
    other[0, -1] = 3 if ids[0, -1] != 3 else 4
    for causal in (True, False):
        a, b = (
            forward_pass.run(case.backbone.model, PassRequest(x, lengths, causal=causal)).final
            for x in (ids, other)
        )
        moved = (a - b)[0, :-1].norm(dim=-1)
        assert bool((moved == 0).all()) == causal
        assert bool((moved > 0).all()) != causal


@pytest.mark.slow
def test_bidirectional_does_not_see_padding(case: Case) -> None:
    alone = np.concatenate([vectors(case.backbone, BOTH, (text,)) for text in TEXTS])
    np.testing.assert_allclose(vectors(case.backbone, BOTH), alone, atol=2e-5)


def test_the_mask_is_removed_in_blocks_too(tiny: Callable[[str], Backbone]) -> None:
    """Longer than one block of queries: the same as one block."""
    for family in ("llama", "gemma3"):
        result = tiny(family)
        case = properties.case(family)
        ids, lengths = case.tokens(300, 270)
        full = forward_pass.run(result.model, PassRequest(ids, lengths, causal=False)).final
        for row, length in enumerate(lengths.tolist()):
            alone = forward_pass.run(
                result.model,
                PassRequest(ids[row : row + 1, :length], lengths[row : row + 1], causal=False),
            ).final
            case.close(full[row, :length], alone[0])


def test_where_the_mask_cannot_be_removed_it_is_said(tiny: Callable[[str], Backbone]) -> None:
    for family in ("falcon", "qwen3_next"):
        with pytest.raises(BackboneError, match=r"causal mask of .* cannot be removed"):
            encode(tiny(family), TEXTS, BOTH)
    ids = torch.tensor([[3, 4]])
    with pytest.raises(PlanError, match="not both"):
        forward_pass.run(
            tiny("llama").model, PassRequest(ids, torch.tensor([2]), Plan((1,)), causal=False)
        )
    with pytest.raises(PlanError, match=r"Output layer -99 does not exist: .* 0 to 5, or -6 to -1"):
        encode(tiny("llama"), TEXTS, replace(TOKEN, reading=replace(TOKEN.reading, layer=-99)))


# The parts of KV-Embedding


def test_the_parts_differ_in_what_their_names_say() -> None:
    full, prompt, routing, pooling = (
        METHODS[name] for name in ("kv-embedding", "prompt-only", "re-routing-only", "pooling-only")
    )
    assert replace(full, name="", summary="", change=CHANGES["nothing"]) == replace(
        prompt, name="", summary=""
    )
    assert replace(routing, name="", summary="", change=CHANGES["nothing"]) == replace(
        pooling, name="", summary=""
    )
    assert replace(full, name="", summary="", prompt=PROMPTS["bare"]) == replace(
        routing, name="", summary=""
    )


# What is shown is what is run


@pytest.mark.parametrize("name", METHODS)
def test_what_is_shown_is_what_is_pooled(backbone: Backbone, name: str) -> None:
    method = METHODS[name]
    result = read_prompts(backbone, TEXTS[0], method)
    assert len(result) == len(method.templates)
    for one, template in zip(result, method.templates, strict=True):
        assert len(one.tokens) == len(one.weights) == len(one.text)
        assert one.weights.sum() == pytest.approx(1)
        inside = "".join(t for t, is_text in zip(one.tokens, one.text, strict=True) if is_text)
        assert method.tidy(TEXTS[0]) in inside.replace("*", "")
        assert bool(one.slots) == (method.change.prepending is not None)
        full = "".join(one.tokens)
        for part in template.replace("{role}", "Context").split("{text}"):
            assert part.replace("{placeholder}", "*") in full
        for slot in one.slots:
            assert one.tokens[slot] == "*"
            assert not one.text[slot]
