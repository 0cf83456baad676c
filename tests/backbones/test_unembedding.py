"""The unembedding: transformers' own logits for every family, and what is refused."""

import copy
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import psutil
import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM

from analysis.backbones import passes
from analysis.backbones.backbone import Backbone, load
from analysis.backbones.unembedding import final_states, unembedding
from analysis.errors import BackboneError, OutOfMemory
from analysis.rerouting.pass_request import PassRequest
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import (
    CONFIGS,
    FAMILIES,
    HIDDEN,
    IGNORING,
    LAYERS,
    MORE,
    OTHERS,
    PARTLY,
    VOCABULARY,
    model_of_gguf,
    save_folder,
    save_headed,
    write_gguf,
)

QUICK = ("llama", "gemma2", "cohere2", "granite", "gpt2", "gpt_neox", "opt")
"""Tied and not, scaled, capped, with other names in the file, with a decoder inside the decoder."""
ALL = dict.fromkeys((*QUICK, *FAMILIES, *MORE, *PARTLY, *OTHERS, *IGNORING))
IDS = torch.randint(3, 250, (2, 9), generator=torch.Generator().manual_seed(0))
LAST = (torch.arange(2), torch.tensor([8, 8]))


def outputs_of(backbone: Backbone) -> torch.Tensor:
    """What each layer gives at the last token of both rows, float32 (L, 2, D)."""
    request = PassRequest(IDS, torch.tensor([9, 9]), keep_at=LAST)
    with backbone.lock:
        result = passes.run(backbone, request)
    return torch.stack([result.outputs[layer] for layer in range(backbone.layers)])


@pytest.mark.parametrize(
    "family",
    [pytest.param(family, marks=[] if family in QUICK else [pytest.mark.slow]) for family in ALL],
)
def test_the_logits_are_those_of_transformers_to_the_last_layer(
    family: str, tmp_path: Path
) -> None:
    folder = save_headed(tmp_path / family, family)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    with torch.inference_mode():
        expected = model.eval()(input_ids=IDS, use_cache=False, output_hidden_states=True)
    backbone = load(folder, dtype="float32")
    outputs = outputs_of(backbone)
    final = final_states(backbone, outputs.flatten(0, 1))
    logits = unembedding(backbone).logits(final).reshape(LAYERS, 2, -1)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits[-1], expected.logits[:, -1], atol=2e-5, rtol=1e-5)
    assert torch.equal(logits[-1].argmax(-1), expected.logits[:, -1].argmax(-1))
    if (norm := getattr(getattr(model, "model", None), "norm", None)) is not None:
        with torch.inference_mode():
            lens = norm(expected.hidden_states[2][:, -1])
        torch.testing.assert_close(final.reshape(LAYERS, 2, -1)[1], lens, atol=1e-4, rtol=1e-5)


def test_it_is_the_embeddings_where_the_configuration_ties_them(tmp_path: Path) -> None:
    tied = load(save_headed(tmp_path / "gemma3", "gemma3"), dtype="float32")
    assert unembedding(tied).tied
    assert unembedding(tied).weight is tied.model.get_input_embeddings().weight  # type: ignore[operator]
    untied = load(save_headed(tmp_path / "llama", "llama"), dtype="float32")
    assert not unembedding(untied).tied
    assert unembedding(untied).weight.shape == (VOCABULARY, HIDDEN)
    assert unembedding(untied) is unembedding(untied), "it is loaded once"


def test_a_file_that_holds_another_one_than_the_tied_is_believed(tmp_path: Path) -> None:
    """As transformers does, which then takes the configuration for wrong."""
    config = copy.deepcopy(CONFIGS["llama"]())
    config.tie_word_embeddings = False
    model: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    model.config.tie_word_embeddings = True
    folder = save_folder(tmp_path / "llama")
    model.save_pretrained(folder)
    backbone = load(folder, dtype="float32")
    assert torch.equal(unembedding(backbone).weight, model.lm_head.weight)


def test_half_precision_is_computed_in_float32(tmp_path: Path) -> None:
    folder = save_headed(tmp_path / "llama", "llama")
    half, full = load(folder, dtype="bfloat16"), load(folder, dtype="float32")
    states = torch.randn(3, HIDDEN, generator=torch.Generator().manual_seed(0))
    expected = states @ unembedding(full).weight.bfloat16().float().T
    torch.testing.assert_close(unembedding(half).logits(states), expected)
    assert unembedding(half).weight.dtype == torch.bfloat16


def test_of_a_model_that_also_sees_the_text_part_is_used(tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "seeing", "gemma3_seeing")
    backbone = load(folder, dtype="float32")
    assert unembedding(backbone).tied
    assert unembedding(backbone).logits(torch.zeros(1, HIDDEN)).shape == (1, VOCABULARY)


@pytest.mark.parametrize("tied", [False, True])
def test_a_model_that_also_sees_says_itself_whether_it_is_tied(tied: bool, tmp_path: Path) -> None:
    """What its decoder's configuration says of it is not asked by transformers either."""
    seeing = CONFIGS["gemma3_seeing"]().vision_config
    config = transformers.LlavaConfig(
        text_config=CONFIGS["llama"](), vision_config=seeing, tie_word_embeddings=tied
    )
    model: Any = transformers.LlavaForConditionalGeneration(config)
    folder = save_folder(tmp_path / "seeing")
    model.save_pretrained(folder)
    found = unembedding(load(folder, dtype="float32"))
    assert found.tied == tied
    assert torch.equal(found.weight, model.lm_head.weight)


@pytest.mark.parametrize("limits", [{"cpu": 10**9}, {"cpu": 350_000, "disk": 10**9}])
def test_one_that_is_spread_has_the_same_words(
    limits: dict[int | str, int],
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
) -> None:
    folder = save_headed(tmp_path / "llama", "llama")
    spread = load(folder, dtype="float32", device="spread", max_memory=limits)
    full = load(folder, dtype="float32")
    logits = [
        unembedding(each).logits(final_states(each, outputs_of(each).flatten(0, 1)))
        for each in (spread, full)
    ]
    torch.testing.assert_close(*logits)


def test_a_decoder_alone_is_refused_by_name(
    tmp_path: Path, tiny: Callable[[str], Backbone]
) -> None:
    for backbone in (load(save_folder(tmp_path / "bare"), dtype="float32"), tiny("llama")):
        with pytest.raises(BackboneError, match=r"^(bare|tiny llama) has no unembedding") as caught:
            unembedding(backbone)
        assert_one_sentence(caught.value)


def test_one_that_does_not_fit_is_refused_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = load(save_headed(tmp_path / "llama", "llama"), dtype="float32")
    free = psutil.virtual_memory()._replace(available=10_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(OutOfMemory, match=r"unembedding of llama needs 0\.0001 GB .* 0\.0000 GB"):
        unembedding(backbone)


def test_files_that_changed_since_are_refused(tmp_path: Path) -> None:
    folder = save_headed(tmp_path / "llama", "llama")
    backbone = load(folder, dtype="float32")
    save_headed(folder, "llama", seed=1)
    with pytest.raises(BackboneError, match="have changed since it was loaded") as caught:
        unembedding(backbone)
    assert_one_sentence(caught.value)


def test_it_is_freed_with_the_backbone(tmp_path: Path) -> None:
    backbone = load(save_headed(tmp_path / "llama", "llama"), dtype="float32")
    gone = weakref.ref(unembedding(backbone))
    del backbone
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("tied", [False, True])
def test_that_of_a_gguf_file_is_read_from_it(
    tied: bool,
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
) -> None:
    path = tmp_path / "tiny.gguf"
    tensors = write_gguf(path, head=not tied)
    backbone = load(path, dtype="float32")
    expected = tensors["token_embd.weight" if tied else "output.weight"]
    assert unembedding(backbone).tied == tied
    np.testing.assert_array_equal(unembedding(backbone).weight, expected)
    model = model_of_gguf(tensors, "llama")
    with torch.inference_mode():
        states = model(input_ids=IDS).last_hidden_state[:, -1]
    torch.testing.assert_close(
        unembedding(backbone).logits(states), states @ torch.from_numpy(expected).T
    )


def test_a_quantised_gguf_tensor_is_converted(
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
) -> None:
    path = tmp_path / "tiny.gguf"
    tensors = write_gguf(path, head=gguf.GGMLQuantizationType.Q8_0)
    weight = unembedding(load(path, dtype="float32")).weight.numpy()
    np.testing.assert_allclose(weight, tensors["output.weight"], atol=0.01)
    assert not np.array_equal(weight, tensors["output.weight"])


@pytest.mark.weights
def test_real_weights_decode_to_what_follows(smollm2: Backbone) -> None:
    ids = smollm2.tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    length = torch.tensor([ids.shape[1]])
    with smollm2.lock:
        final = passes.run(smollm2, PassRequest(ids, length)).final[0, -1:]
    found = unembedding(smollm2)
    assert found.tied
    (best,) = found.logits(final).argmax(-1).tolist()
    assert smollm2.tokenizer.decode([best]) == " Paris"
