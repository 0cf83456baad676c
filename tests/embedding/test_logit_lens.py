"""The words of prompts: probabilities of transformers' own model, and what cannot be read."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from analysis.backbones.backbone import Backbone, load
from analysis.backbones.unembedding import Unembedding
from analysis.embedding import logit_lens
from analysis.embedding.batching import prepare
from analysis.embedding.logit_lens import Lens, distributions
from analysis.embedding.methods import METHODS, VARIANTS, Method
from analysis.embedding.named_methods import method
from analysis.embedding.token_words import MOST
from analysis.errors import PlanError
from analysis.rerouting.plan import OFF, Head, Plan
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import BENT, FAMILIES, LAYERS, MORE, VOCABULARY, save_headed

TEXTS = ["A boat by the bank.", "The song of the king", "Rain?", "A boat, a train and the river."]
RAISED = method("prompt-eol-rerouted")
QUICK = ("llama", "gemma2", "cohere2", "granite", "gpt2")
ALL = [
    pytest.param(family, marks=[] if family in QUICK else [pytest.mark.slow])
    for family in dict.fromkeys((*QUICK, *FAMILIES, *MORE))
]


@pytest.fixture(scope="module")
def headed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Backbone, Any]]:
    """``headed(family)``: a tiny backbone with an unembedding, and transformers' own model."""
    made: dict[str, tuple[Backbone, Any]] = {}

    def get(family: str) -> tuple[Backbone, Any]:
        if family not in made:
            folder = save_headed(tmp_path_factory.mktemp("headed") / family, family)
            model: Any = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
            made[family] = load(folder, dtype="float32"), model.eval()
        return made[family]

    return get


def lens_of(backbone: Backbone, chosen: Method, texts: list[str] = TEXTS) -> Lens:
    return logit_lens.logit_lens(backbone, texts, chosen)


def assert_equal(one: Lens, other: Lens) -> None:
    """To the bit."""
    for name in ("ids", "probabilities", "entropies", "mean_entropies"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


# Known answers


@pytest.mark.parametrize("family", ALL)
def test_the_last_layer_is_what_transformers_would_go_on_with(
    family: str, headed: Callable[[str], tuple[Backbone, Any]]
) -> None:
    backbone, model = headed(family)
    for name in ("prompt-eol", "kv-embedding", "meta-eol-short"):
        chosen = method(name)
        found = lens_of(backbone, chosen)
        prompts = prepare(backbone, TEXTS, chosen).prompts
        assert found.ids.shape == (len(chosen.templates), len(TEXTS), LAYERS, MOST)
        for number, row in enumerate(prompts):
            for text, prompt in enumerate(row):
                ids = torch.tensor([prompt.ids])
                with torch.inference_mode():
                    logits = model(input_ids=ids, use_cache=False).logits[0, -1]
                    emitted = model.generate(
                        ids,
                        attention_mask=torch.ones_like(ids),
                        max_new_tokens=1,
                        do_sample=False,
                        pad_token_id=0,
                    )
                expected = torch.softmax(logits.double(), -1)
                tokens = found.ids[number, text, -1]
                np.testing.assert_allclose(
                    found.probabilities[number, text, -1], expected[tokens], atol=1e-5
                )
                assert tokens[0] == int(emitted[0, -1]) == int(logits.argmax())
                bits = -(expected * expected.log2()).nansum()
                assert found.entropies[number, text, -1] == pytest.approx(float(bits), abs=1e-4)


def test_a_lower_layer_goes_through_the_final_norm(
    headed: Callable[[str], tuple[Backbone, Any]],
) -> None:
    backbone, model = headed("llama")
    found = lens_of(backbone, method("prompt-eol"), TEXTS[:1])
    (prompt,) = prepare(backbone, TEXTS[:1], method("prompt-eol")).prompts[0]
    with torch.inference_mode():
        states = model(
            input_ids=torch.tensor([prompt.ids]), output_hidden_states=True
        ).hidden_states
        for layer in range(LAYERS - 1):
            logits = model.lm_head(model.model.norm(states[layer + 1][0, -1]))
            best = torch.softmax(logits, -1).topk(MOST)
            np.testing.assert_allclose(found.probabilities[0, 0, layer], best.values, atol=1e-5)
            assert found.ids[0, 0, layer, 0] == best.indices[0]


def test_the_entropy_of_even_and_of_certain_distributions_is_known() -> None:
    head = Unembedding(torch.eye(4), tied=False, model=_identity())
    shares, bits = distributions(head, torch.tensor([[0.0] * 4, [1e4, 0.0, 0.0, 0.0]]))
    torch.testing.assert_close(shares, torch.tensor([[0.25] * 4, [1.0, 0.0, 0.0, 0.0]]))
    torch.testing.assert_close(bits, torch.tensor([2.0, 0.0]))


def test_the_entropy_of_the_mean_counts_every_text(
    headed: Callable[[str], tuple[Backbone, Any]],
) -> None:
    """Two texts whose distributions are known whole, one of them given twice."""
    backbone, model = headed("llama")
    texts = [TEXTS[0], TEXTS[1], TEXTS[0]]
    found = lens_of(backbone, method("prompt-eol"), texts)
    shares = []
    for prompt in prepare(backbone, texts, method("prompt-eol")).prompts[0]:
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([prompt.ids])).logits[0, -1]
        shares.append(torch.softmax(logits.double(), -1))
    mean = torch.stack(shares).mean(0)
    assert found.mean_entropies[0, -1] == pytest.approx(
        float(-(mean * mean.log2()).sum()), abs=1e-4
    )


# Properties


@pytest.mark.parametrize("family", ["llama", "gpt2", *BENT])
def test_plain_is_rerouted_with_no_layers_to_the_bit(
    family: str, headed: Callable[[str], tuple[Backbone, Any]]
) -> None:
    backbone, _ = headed(family)
    plain = lens_of(backbone, method("prompt-eol"))
    assert_equal(lens_of(backbone, RAISED.under(Plan())), plain)
    assert_equal(lens_of(backbone, RAISED.under(Plan((2, 3), OFF))), plain)
    rerouted = lens_of(backbone, RAISED.under(Plan((2, 3))))
    np.testing.assert_array_equal(rerouted.ids[:, :, :2], plain.ids[:, :, :2])
    np.testing.assert_array_equal(rerouted.entropies[..., :2], plain.entropies[..., :2])
    assert not np.array_equal(rerouted.entropies[..., 2:], plain.entropies[..., 2:])


@pytest.mark.parametrize("plan", [Plan((2, 3)), Plan((5,)), Plan(heads=(Head(4, 1),)), Plan()])
def test_layers_below_the_first_rerouted_one_are_taken_from_the_plain_pass(
    plan: Plan, headed: Callable[[str], tuple[Backbone, Any]]
) -> None:
    backbone, _ = headed("llama")
    plain = lens_of(backbone, method("prompt-eol"))
    chosen = RAISED.under(plan)
    saved = logit_lens.logit_lens(backbone, TEXTS, chosen, plain=plain)
    computed = lens_of(backbone, chosen)
    for name in ("probabilities", "entropies", "mean_entropies"):
        np.testing.assert_allclose(getattr(saved, name), getattr(computed, name), atol=2e-6)


def test_a_text_does_not_depend_on_the_others(
    headed: Callable[[str], tuple[Backbone, Any]],
) -> None:
    backbone, _ = headed("llama")
    together = lens_of(backbone, method("kv-embedding").under(Plan((2,))))
    for number, text in enumerate(TEXTS):
        alone = lens_of(backbone, method("kv-embedding").under(Plan((2,))), [text])
        np.testing.assert_array_equal(alone.probabilities[:, 0], together.probabilities[:, number])
        np.testing.assert_array_equal(alone.entropies[:, 0], together.entropies[:, number])
        np.testing.assert_allclose(alone.mean_entropies, alone.entropies[:, 0], atol=1e-5)


@settings(max_examples=40)
@given(
    st.lists(st.floats(-80, 80, width=32), min_size=2, max_size=40), st.floats(-1e4, 1e4, width=32)
)
def test_probabilities_sum_to_one_and_entropies_have_their_bounds(
    logits: list[float], shift: float
) -> None:
    head = Unembedding(torch.eye(len(logits)), tied=False, model=_identity())
    shares, bits = distributions(head, torch.tensor([logits]) + torch.tensor(shift))
    assert float(shares.sum()) == pytest.approx(1, abs=1e-5)
    assert float(shares.min()) >= 0
    assert -1e-5 <= float(bits) <= math.log2(len(logits)) + 1e-4


@pytest.mark.parametrize("family", QUICK)
def test_what_is_kept_is_in_order_and_never_more_than_all(
    family: str, headed: Callable[[str], tuple[Backbone, Any]]
) -> None:
    found = lens_of(headed(family)[0], method("kv-embedding").under(Plan()))
    assert (np.diff(found.probabilities, axis=-1) <= 0).all()
    assert (found.probabilities.sum(-1) <= 1 + 1e-5).all()
    assert (found.probabilities >= 0).all()
    assert ((found.entropies >= 0) & (found.entropies <= math.log2(VOCABULARY) + 1e-4)).all()
    # a mean of distributions is at least as even as they are on average
    assert (found.mean_entropies >= found.entropies.mean(1) - 1e-4).all()
    assert (found.ids < VOCABULARY).all()


# What can be read


def test_only_methods_that_read_the_last_token_have_words() -> None:
    names = logit_lens.readable()
    assert {"prompt-eol", "kv-embedding", "prompt-only", "meta-eol", "last-token"} <= set(names)
    for name in {*METHODS, *VARIANTS} - set(names):
        with pytest.raises(PlanError, match=f"^{name} reads .* such as prompt-eol") as caught:
            logit_lens.check_readable(method(name))
        assert_one_sentence(caught.value)
    assert not {"mean", "echo", "bidirectional", "va", "aligned-wva"} & set(names)


def test_what_a_method_reads_does_not_change_its_words() -> None:
    same = logit_lens.lens_method
    assert same(METHODS["kv-embedding"]).identity == same(METHODS["prompt-only"]).identity
    early = METHODS["prompt-eol"]
    assert same(replace(early, reading=early.reading.at(-3))).identity == same(early).identity


def _identity() -> Any:
    """A model whose logits are its input."""

    class Identity(torch.nn.Module):
        def forward(self, inputs_embeds: torch.Tensor, **_: Any) -> Any:
            return type("Output", (), {"logits": inputs_embeds})

    return Identity()


@pytest.mark.weights
def test_a_guitar_makes_real_weights_think_of_a_man_playing(smollm2: Backbone) -> None:
    found = lens_of(smollm2, method("prompt-eol"), ["A man is playing a guitar."])
    first = [smollm2.tokenizer.decode([token]) for token in found.ids[0, 0, -1, :5]]
    assert first == ["A", "man", "Man", "playing", "he"]


@pytest.mark.weights
@pytest.mark.slow
def test_that_is_what_they_would_write(smollm2: Backbone) -> None:
    """The unembedding of the packaged file is tied, so its folder is one of a language model."""
    from analysis.backbones import download, sources

    folder = download.folder_of(sources.resolve("smollm2"))
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.eval()
    for name in ("prompt-eol", "kv-embedding"):
        found = lens_of(smollm2, method(name), TEXTS)
        for text, prompt in enumerate(prepare(smollm2, TEXTS, method(name)).prompts[0]):
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([prompt.ids])).logits[0, -1].double()
            tokens = found.ids[0, text, -1]
            expected = torch.softmax(logits, -1)[tokens]
            np.testing.assert_allclose(found.probabilities[0, text, -1], expected, atol=1e-5)
            assert tokens[0] == int(logits.argmax())
