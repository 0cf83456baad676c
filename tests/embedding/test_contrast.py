"""A change away from another prompt: in every family, batched, resumed, re-routed, and refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from analysis.embedding.batching import prepare
from analysis.embedding.encoder import encode, encode_methods
from analysis.embedding.method_parts import CHANGES, Change, Contrast
from analysis.embedding.methods import METHODS, VARIANTS, Method
from analysis.embedding.named_prompts import PROMPTS
from analysis.embedding.one_word_prompts import IRRELEVANT, ONE_WORD
from analysis.embedding.read_prompts import read_prompts
from analysis.errors import BackboneError, PlanError
from analysis.rerouting.plan import PLAIN, Plan
from tests.support import properties
from tests.support.shared_plans import assert_plans_share
from tests.support.tiny_models import FAMILIES, LAYERS, MORE, OTHERS, PARTLY, tiny

CP = VARIANTS["contrastive-prompting"]
TEXTS = ("The old bridge was closed.", "rain", "a longer text of several words, which is padded")
PROJECTIONS = ("o_proj", "out_proj", "c_proj", "dense", "Wo")
"""What families call the output projection of attention."""
BETWEEN = ("bitnet", "diffllama", "jetmoe", "laguna")
"""Families with a norm, a difference, experts or a gate between the heads and that projection."""
EVERY = [
    pytest.param(name, marks=[pytest.mark.slow] * bool(at % 9))
    for at, name in enumerate((*FAMILIES, *MORE, *PARTLY, *OTHERS))
    if name not in BETWEEN
]


def at(layer: int, strength: float = 0.5, template: str = IRRELEVANT) -> Method:
    contrast = Contrast(template, layer, strength)
    return replace(CP, change=replace(CP.change, contrast=contrast))


def rerouted(method: Method) -> Method:
    return replace(method, change=replace(method.change, reroutes=True))


def by_hooks(case: properties.Case, layer: int, ids: tuple[int, ...], away: tuple[int, ...]) -> Any:
    """Two plain passes of transformers with a hook before the output projection of one layer."""
    (module,) = (
        child
        for attention in case.plain.modules()
        if getattr(attention, "layer_idx", None) == layer
        and {"scaling", "is_causal"} & vars(attention).keys()
        for name, child in attention.named_children()
        if name in PROJECTIONS
    )
    kept: list[torch.Tensor] = []

    def keep(_: Any, args: tuple[torch.Tensor, ...]) -> None:
        kept.append(args[0].flatten(2)[0, -1].clone())

    def steer(_: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        held = args[0].clone()
        held.flatten(2)[0, -1] = 0.5 * (held.flatten(2)[0, -1] - kept[0])
        return (held,)

    for prompt, hook in ((away, keep), (ids, steer)):
        handle = module.register_forward_pre_hook(hook)
        try:
            with torch.inference_mode():
                output = case.plain(
                    input_ids=torch.tensor([prompt]), use_cache=False, output_hidden_states=True
                )
        finally:
            handle.remove()
    return output.hidden_states[-2][0, -1]


@pytest.mark.parametrize("name", EVERY)
def test_in_every_family_it_is_what_hooks_on_the_plain_model_give(name: str) -> None:
    case = properties.case(name)
    layer = next((n for n in case.backbone.reroutable if n), None)
    assert layer is not None
    method = at(layer)
    (prompt,) = prepare(case.backbone, TEXTS[:1], method).prompts[0]
    expected = by_hooks(case, layer, prompt.ids, prompt.away_ids)
    result = encode(case.backbone, TEXTS[:1], method).embeddings[0]
    np.testing.assert_allclose(result, (expected / expected.norm()).float().numpy(), atol=5e-5)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gemma2", "gpt_oss"])
def test_neighbours_and_their_padding_change_nothing(family: str) -> None:
    backbone = tiny(family)
    together = encode(backbone, TEXTS, CP).embeddings
    alone = np.concatenate([encode(backbone, (text,), CP).embeddings for text in TEXTS])
    np.testing.assert_array_equal(together, alone)
    plain = replace(CP, change=CHANGES["nothing"])
    assert not np.allclose(together, encode(backbone, TEXTS, plain).embeddings, atol=1e-2)


@pytest.mark.parametrize("layer", [1, 4])
def test_plans_share_passes_and_traces(layer: int) -> None:
    backbone, base = tiny("llama"), rerouted(at(layer))
    plans = (PLAIN, Plan((1, 3)), Plan((5,)), Plan((0, 4)))
    assert_plans_share(backbone, base, plans, TEXTS)


def test_methods_with_another_contrast_share_no_pass() -> None:
    backbone = tiny("llama")
    methods = [at(1), at(2), at(1, 0.25), METHODS["prompt-eol"]]
    for encoding, method in zip(encode_methods(backbone, TEXTS, methods), methods, strict=True):
        expected = encode(backbone, TEXTS, method).embeddings
        np.testing.assert_array_equal(encoding.embeddings, expected)
    assert len({str(method.identity) for method in methods}) == len(methods)


def test_away_from_the_same_prompt_is_attending_to_nothing() -> None:
    """A - B is 0, whatever the strength, and what attention adds is 0 without biases."""
    backbone = tiny("llama")
    rows = [encode(backbone, TEXTS, at(2, c, ONE_WORD)).embeddings for c in (0.0, 0.5, -3.0)]
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])
    reading = replace(CP.reading, summed="outputs", layers=(2, 2))
    added = encode(backbone, TEXTS, replace(at(2, 0.5, ONE_WORD), reading=reading))
    assert added.norms is not None
    assert not added.norms.any()


def test_both_prompts_are_cut_and_shown() -> None:
    backbone = tiny("llama")
    text, method = "word " * 100, CP
    free = prepare(backbone, [text], method)
    bound = prepare(backbone, [text], method, max_tokens=len(free.prompts[0][0].away_ids) - 20)
    (prompt,) = bound.prompts[0]
    assert prompt.away is not None
    assert len(prompt.away_ids) <= len(free.prompts[0][0].away_ids) - 20
    assert bound.cut == (prompt.away.tokens_cut,)
    assert prompt.away.tokens_cut > 0
    asked, away = read_prompts(backbone, TEXTS[0], method)
    assert (asked.away, away.away) == (False, True)
    assert asked.weights[-1] == 1
    assert not away.weights.any()
    assert "".join(away.tokens).endswith(IRRELEVANT.split("{text}")[1])


def test_the_layer_is_an_eighth_of_the_depth_unless_given() -> None:
    assert [Contrast().at(layers) for layers in (6, 18, 30, 32)] == [1, 2, 4, 4]
    assert Contrast(layer=6).at(32) == 6


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(BackboneError, match="contrastive-prompting changes what attention gives"):
        encode(tiny("falcon"), TEXTS, CP)
    with pytest.raises(PlanError, match=f"changes layer {LAYERS}, which does not exist"):
        encode(tiny("llama"), TEXTS, at(LAYERS))
    with pytest.raises(PlanError, match=r"needs the field \{text\} and no placeholder"):
        Contrast("nothing")
    with pytest.raises(PlanError, match=r"needs the field \{text\} and no placeholder"):
        Contrast("{placeholder}{text}")
    with pytest.raises(PlanError, match="a number as its strength, not nan"):
        Contrast(strength=float("nan"))


@pytest.mark.slow
def test_it_goes_with_every_prompt_and_with_other_changes() -> None:
    backbone = tiny("gemma3")
    contrast = Contrast()
    for base, change in (
        (METHODS["meta-eol"], CP.change),
        (METHODS["bidirectional"], Change("own", "", causal=False, contrast=contrast)),
        (
            METHODS["token-prepending"],
            replace(METHODS["token-prepending"].change, contrast=contrast),
        ),
        (replace(METHODS["echo"], prompt=PROMPTS["echo-sentence"]), CP.change),
    ):
        method = replace(base, change=change)
        together = encode(backbone, TEXTS, method).embeddings
        alone = np.concatenate([encode(backbone, (text,), method).embeddings for text in TEXTS])
        np.testing.assert_allclose(together, alone, atol=2e-6)
