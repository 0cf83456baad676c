"""Folders and files that people have: loaded right, or refused in one sentence that names why."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from analysis.backbones import gguf_conversion, quantisation
from analysis.backbones.backbone import Backbone, load
from analysis.backbones.facts import describe
from analysis.corpora.registry import load_pairs
from analysis.corpora.streams import Lines
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT
from analysis.errors import BackboneError, CorpusError, ExplorerError
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import (
    CONFIGS,
    VOCABULARY,
    byte_tokenizer,
    save_folder,
    write_gguf,
)

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 538090408\n"
)
CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
Breaker = Callable[[Path], Any]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama in Hugging Face format; tests take copies."""
    return save_folder(tmp_path_factory.mktemp("saved") / "a-llama")


@pytest.fixture(scope="module")
def original(saved: Path) -> tuple[Backbone, Any]:
    """It loaded, and its embeddings of two texts."""
    return vectors(saved)


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may break."""
    return Path(shutil.copytree(saved, tmp_path / "a-llama"))


def refusal_of(path: Path | str) -> str:
    """The sentence that loading ends in."""
    with pytest.raises(BackboneError) as caught:
        load(str(path), dtype="float32", device="cpu")
    assert_one_sentence(str(caught.value).replace(str(path), "the model"))
    return str(caught.value)


def vectors(path: Path | str) -> tuple[Backbone, Any]:
    """A loaded backbone, and its embeddings of two texts."""
    backbone = load(str(path), dtype="float32", device="cpu")
    return backbone, encode(backbone, ["a narrow text", "b"], DEFAULT).embeddings


def change(path: Path, **settings: Any) -> None:
    """Change settings in a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def drop(path: Path, *names: str) -> None:
    """Leave settings out of a JSON file."""
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({name: v for name, v in settings.items() if name not in names}))


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}


def put(folder: Path, state: dict[str, torch.Tensor], name: str = WEIGHTS) -> None:
    save_file(state, folder / name, metadata={"format": "pt"})


def with_tensor(name: str, changed: Callable[[torch.Tensor], torch.Tensor]) -> Breaker:
    """Change one tensor of the weights."""

    def breaker(folder: Path) -> None:
        state = tensors(folder)
        put(folder, state | {name: changed(state[name])})

    return breaker


def with_number(name: str, value: float) -> Breaker:
    """Put one number in place of another."""

    def changed(tensor: torch.Tensor) -> torch.Tensor:
        tensor[-1, -1] = value
        return tensor

    return with_tensor(name, changed)


def renamed(prefix: str) -> Breaker:
    """What wrappers of a model put before the names of its weights."""
    return lambda folder: put(folder, {prefix + n: t for n, t in tensors(folder).items()})


def in_place_of(name: str, make: Callable[[Path], Any]) -> Breaker:
    """Put something else in place of a file."""

    def breaker(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return breaker


def nothing_there(path: Path) -> None:
    path.symlink_to("../blobs/0123456789")


def shards(folder: Path) -> list[Path]:
    """The weights in three files with their index."""
    state, files = tensors(folder), [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    (folder / WEIGHTS).unlink()
    names = sorted(state)
    where = {name: files[i * 3 // len(names)] for i, name in enumerate(names)}
    for file in files:
        put(folder, {name: state[name] for name in names if where[name] == file}, file)
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return [folder / file for file in files]


def a_tensor_twice(folder: Path) -> None:
    first, second, _ = shards(folder)
    double = next(iter(load_file(first).items()))
    put(folder, {name: t.clone() for name, t in (*load_file(second).items(), double)}, second.name)


def listed_and_not_there(folder: Path) -> None:
    shards(folder)
    index = json.loads((folder / INDEX).read_text())
    index["weight_map"]["layers.9.mlp.up_proj.weight"] = "model-00002-of-00003.safetensors"
    (folder / INDEX).write_text(json.dumps(index))


def no_parts(folder: Path) -> None:
    """An index, and none of the files that it names."""
    for path in shards(folder):
        path.unlink()


def another_name(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "other.safetensors")
    change(folder / CONFIG, transformers_weights="other.safetensors")


def rewritten(name: str, old: str, new: str) -> Breaker:
    return lambda folder: (folder / name).write_text(
        (folder / name).read_text().replace(old, new, 1)
    )


def in_two_files(folder: Path) -> None:
    """The tokenizer as GPT-2 was published: a vocabulary, and the merges in a file of their own."""
    model = json.loads((folder / "tokenizer.json").read_text())["model"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    change(folder / "tokenizer_config.json", tokenizer_class="GPT2Tokenizer")


def emptied_merges(folder: Path) -> None:
    """Without a word, every text was read letter by letter."""
    in_two_files(folder)
    (folder / "merges.txt").write_text("")


def without_merges(folder: Path) -> None:
    in_two_files(folder)
    (folder / "merges.txt").unlink()


def larger_embedding(folder: Path) -> None:
    """An embedding of many more rows than the tokenizer has tokens."""
    change(folder / CONFIG, vocab_size=4000)
    state = tensors(folder)
    rows = state["embed_tokens.weight"]
    put(folder, state | {"embed_tokens.weight": rows.repeat(15, 1)[:4000].contiguous()})


def more_tokens(folder: Path) -> None:
    """A tokenizer with more tokens than the embedding has rows."""
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([f"word{i}" for i in range(VOCABULARY)])
    tokenizer.save_pretrained(folder)


DISTRIBUTED = "shard-00001-model-00001-of-00001.safetensors"
NEWER = "tokenizer.json of .* is damaged or newer than the installed tokenizers .* update"
UP = "layers.2.mlp.up_proj.weight"

AT_ODDS: dict[str, tuple[Breaker, str]] = {
    # the configuration
    "no JSON": (lambda f: (f / CONFIG).write_text("{"), "config.json of .* is not valid JSON"),
    "a list": (lambda f: (f / CONFIG).write_text("[]"), "config.json of .* is not valid JSON"),
    "nested": (lambda f: (f / CONFIG).write_text("[" * 99_999), "is not valid JSON"),
    "empty": (lambda f: (f / CONFIG).write_text(""), "config.json of .* is empty; fetch it"),
    "binary": (lambda f: (f / CONFIG).write_bytes(b"\xff\xfe\0"), "is not valid JSON"),
    "a folder": (in_place_of(CONFIG, Path.mkdir), "config.json of .* cannot be read .Is a dir"),
    "dangling": (in_place_of(CONFIG, nothing_there), "config.json of .* links to a file that is"),
    "fewer layers": (
        lambda f: change(f / CONFIG, num_hidden_layers=4),
        "do not fit its config.json, which has no place for 18 of them .layers.4",
    ),
    "more layers": (lambda f: change(f / CONFIG, num_hidden_layers=8), "lacks 18 of its weights"),
    "no layers": (lambda f: change(f / CONFIG, num_hidden_layers=0), "it has no layers"),
    "more heads": (
        lambda f: change(f / CONFIG, num_key_value_heads=4),
        r"k_proj.weight has the shape \(32, 48\) and should have \(64, 48\)",
    ),
    "wider": (lambda f: change(f / CONFIG, hidden_size=64), "has the shape .* should have"),
    "vocabulary": (
        lambda f: change(f / CONFIG, vocab_size=300),
        r"embed_tokens.weight has the shape \(272, 48\) and should have \(300, 48\)",
    ),
    "negative": (lambda f: change(f / CONFIG, vocab_size=-5), "is not a decoder that transform"),
    "activation": (lambda f: change(f / CONFIG, hidden_act="novel"), "'novel' in its config.json"),
    "not a number in it": (
        lambda f: change(f / CONFIG, rms_norm_eps=float("nan")),
        "states that are not finite numbers",
    ),
    "mistral": (
        lambda f: change(f / CONFIG, model_type="mistral"),
        "at odds with itself: its model_type is mistral and its architecture LlamaModel",
    ),
    "gpt2": (
        lambda f: change(f / CONFIG, model_type="gpt2", architectures=None),
        "lacks 76 of its weights",
    ),
    "qwen2": (
        lambda f: change(f / CONFIG, model_type="qwen2", architectures=None),
        "lacks 18 of its weights .layers.0.self_attn.k_proj.bias",
    ),
    # the weights
    "no bytes": (lambda f: (f / WEIGHTS).write_bytes(b""), f"{WEIGHTS} of .* is empty"),
    "cut short": (
        lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-9]),
        f"{WEIGHTS} of .* is damaged or cut short",
    ),
    "too long": (
        lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes() + b"x"),
        f"{WEIGHTS} of .* is damaged or cut short",
    ),
    "zipped": (lambda f: (f / WEIGHTS).write_bytes(b"PK\x03\x04" * 9), "is damaged or cut short"),
    "weights a folder": (in_place_of(WEIGHTS, Path.mkdir), "cannot be read .Is a directory"),
    "weights dangling": (in_place_of(WEIGHTS, nothing_there), f"{WEIGHTS} of .* links to a file"),
    "no tensors": (lambda f: put(f, {}), "lacks 56 of its weights"),
    "not a number": (with_number(UP, float("nan")), f"{UP} of .* not finite .* in float32"),
    "infinite": (with_number("embed_tokens.weight", -float("inf")), "embed_tokens.* not finite"),
    "float32's limit": (with_tensor(UP, lambda t: t.double() * 1e300), "not finite .* in float32"),
    "zeros": (with_tensor("embed_tokens.weight", torch.zeros_like), "nothing but zeros"),
    "integers": (with_tensor(UP, lambda t: t.to(torch.int8)), r"weights in I8 \(layers.2.mlp.up"),
    "8 bits": (with_tensor(UP, lambda t: t.to(torch.float8_e4m3fn)), r"in F8_E4M3 \(layers.2"),
    "a bias": (
        lambda f: put(f, tensors(f) | {"layers.0.self_attn.q_proj.bias": torch.ones(64)}),
        "no place for 1 of them .layers.0.self_attn.q_proj.bias",
    ),
    "a norm": (
        lambda f: put(f, tensors(f) | {"model.layers.1.self_attn.q_norm.weight": torch.ones(16)}),
        "no place for 1 of them .model.layers.1.self_attn.q_norm",
    ),
    "an adapter inside": (
        lambda f: put(f, tensors(f) | {"layers.0.mlp.up_proj.lora_A.weight": torch.ones(2, 48)}),
        "no place for 1 of them .layers.0.mlp.up_proj.lora_A",
    ),
    "module": (renamed("module."), "module.embed_tokens.weight that should be called embed_tok"),
    "compiled": (renamed("_orig_mod."), "_orig_mod.embed_tokens.weight that should be called"),
    "peft's names": (renamed("base_model.model."), "base_model.model.embed_tokens.* should be"),
    "distributed": (lambda f: put(f, tensors(f), DISTRIBUTED), "holds a distributed checkpoint"),
    "named and not there": (
        lambda f: change(f / CONFIG, transformers_weights="other.safetensors"),
        "lacks 1 of its 1 weight files .other.safetensors",
    ),
    # weights in several files
    "a file too few": (lambda f: shards(f)[1].unlink(), "lacks 1 of its 3 weight files .model-00"),
    "a tensor twice": (a_tensor_twice, "holds .* twice, in model-00001.* and in model-00002"),
    "a tensor too few": (
        listed_and_not_there,
        "lacks 1 of its weights .layers.9.mlp.up_proj.* its index lists and no file holds",
    ),
    "an empty index": (lambda f: (shards(f), (f / INDEX).write_text("")), f"{INDEX} of .* empty"),
    "an index cut short": (lambda f: (shards(f), (f / INDEX).write_text("{")), "is damaged; fetch"),
    "only an index": (no_parts, "lacks 3 of its 3 weight files"),
    # the tokenizer
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "holds no tokenizer; add its tok"),
    "tokenizer empty": (
        lambda f: (f / "tokenizer.json").write_text(""),
        "tokenizer.json of .* emp",
    ),
    "tokenizer cut": (
        lambda f: (f / "tokenizer.json").write_bytes((f / "tokenizer.json").read_bytes()[:3000]),
        "The tokenizer of .* cannot be read .* fetch its files again",
    ),
    "tokenizer bare": (
        lambda f: (f / "tokenizer.json").write_text("{}"),
        "The tokenizer of .* can",
    ),
    "tokenizer dangling": (in_place_of("tokenizer.json", nothing_there), "links to a file that is"),
    "tokenizer a folder": (
        in_place_of("tokenizer.json", Path.mkdir),
        "cannot be read .Is a direct",
    ),
    "newer model": (rewritten("tokenizer.json", '"type": "BPE"', '"type": "Novel"'), NEWER),
    "newer step": (rewritten("tokenizer.json", '"type": "ByteLevel"', '"type": "Novel"'), NEWER),
    "settings empty": (
        lambda f: (f / "tokenizer_config.json").write_text(""),
        "tokenizer_config.json of .* is empty",
    ),
    "settings no JSON": (
        lambda f: (f / "tokenizer_config.json").write_text("{"),
        "tokenizer_config.json of .* is not valid JSON",
    ),
    "settings of another kind": (
        lambda f: change(f / "tokenizer_config.json", model_max_length="x"),
        "The tokenizer of .* cannot be read",
    ),
    "a tokenizer's own code": (
        lambda f: change(
            f / "tokenizer_config.json",
            auto_map={"AutoTokenizer": ["tok.Tok", None]},
            tokenizer_class="Tok",
        ),
        "asks to run code of its own",
    ),
    "merges empty": (emptied_merges, "merges.txt of .* is empty; fetch it again"),
    "merges missing": (without_merges, "The tokenizer of .* cannot be read"),
    "more tokens": (more_tokens, "has 537 tokens and its embedding 272 rows, so it is another"),
    "few tokens": (larger_embedding, "has 26. tokens and its embedding 4,000 rows"),
}


@pytest.mark.parametrize("case", AT_ODDS)
def test_a_folder_at_odds_with_itself_is_refused_in_one_sentence(case: str, folder: Path) -> None:
    breaker, message = AT_ODDS[case]
    breaker(folder)
    result = refusal_of(folder)
    assert re.search(message, result), result


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, "tokenizer.json", "."])
def test_files_that_may_not_be_read_are_named(name: str, folder: Path) -> None:
    (folder / name).chmod(0)
    assert "cannot be read" in refusal_of(folder)
    (folder / name).chmod(0o700)


def adding(name: str, tensor: torch.Tensor) -> Breaker:
    return lambda folder: put(folder, tensors(folder) | {name: tensor})


UNUSUAL: dict[str, Breaker] = {
    "several files": shards,
    "double precision": lambda f: put(f, {n: t.double() for n, t in tensors(f).items()}),
    "a prefix": renamed("model."),
    "a head": adding("lm_head.weight", torch.ones(VOCABULARY, 48)),
    "frequencies": adding("layers.0.self_attn.rotary_emb.inv_freq", torch.ones(8)),
    "no metadata": lambda f: save_file(tensors(f), f / WEIGHTS),
    "another name": another_name,
    "a tokenizer in two files": in_two_files,
}


@pytest.mark.parametrize("case", UNUSUAL)
def test_unusual_folders_are_loaded(
    case: str, folder: Path, original: tuple[Backbone, Any]
) -> None:
    UNUSUAL[case](folder)
    assert (vectors(folder)[1] == original[1]).all()


@pytest.mark.skipif("internlm3" not in CONFIGS, reason="this transformers lacks it")
def test_a_family_with_the_model_of_another_is_loaded(tmp_path: Path) -> None:
    save_folder(tmp_path, "internlm3")
    assert json.loads((tmp_path / CONFIG).read_text())["architectures"] == ["LlamaModel"]
    assert load(str(tmp_path), dtype="float32", device="cpu").facts.family == "internlm3"


def test_a_control_token_beyond_the_embedding_is_refused_in_a_text(folder: Path) -> None:
    """Gemma's text models have one, for pictures."""
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<t{i}>" for i in range(20)]})
    tokenizer.save_pretrained(folder)
    backbone = load(str(folder), dtype="float32", device="cpu", special_tokens="parse")
    assert max(backbone.tokenizer.get_vocab().values()) >= VOCABULARY
    assert encode(backbone, ["a <t0> text"], DEFAULT).embeddings.shape == (1, 48)
    with pytest.raises(CorpusError, match="Text 2 holds '<t19>', a token that a-llama") as caught:
        encode(backbone, ["a text", "a <t19> text"], DEFAULT)
    assert_one_sentence(caught.value)


# Code


@pytest.mark.parametrize(
    "settings",
    [
        {"attn_implementation": "someone/kernel"},
        {"attn_implementation": "flash_attention_2"},
        {"_attn_implementation": "someone/kernel"},
        {"experts_implementation": "someone/kernel"},
        {"fusion_config": {"attention": "someone/kernel"}},
        {"auto_map": {"AutoModel": "code.Model"}},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_what_a_configuration_says_of_code_is_passed_over(
    settings: dict[str, Any], folder: Path, original: tuple[Backbone, Any]
) -> None:
    """A kernel of the hub is code; attention is this project's own anyway."""
    change(folder / CONFIG, **settings)
    (folder / "code.py").write_text("raise SystemExit('code of the model ran')")
    assert (vectors(folder)[1] == original[1]).all()


# Git LFS


@pytest.mark.parametrize(
    "name",
    [
        *(CONFIG, WEIGHTS, "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
        *("merges.txt", "added_tokens.json", "vocab.json", "tokenizer.model"),
    ],
)
def test_a_pointer_in_place_of_a_file_is_named(name: str, folder: Path) -> None:
    if name in ("merges.txt", "vocab.json"):
        in_two_files(folder)
    (folder / name).write_text(POINTER)
    assert refusal_of(folder) == (
        f"{name} of {folder} is a Git LFS pointer, which stands for a file that was not fetched; "
        "fetch it with git lfs pull."
    )


def test_a_pointer_in_place_of_a_part_of_the_weights_is_named(folder: Path) -> None:
    shards(folder)[2].write_text(POINTER)
    assert "model-00003-of-00003.safetensors of " in refusal_of(folder)
    assert "git lfs pull" in refusal_of(folder)


def test_a_pointer_in_place_of_a_gguf_file_is_named(tmp_path: Path) -> None:
    for name in ("a.gguf", "model.safetensors", "pytorch_model.bin"):
        (tmp_path / name).write_text(POINTER)
        assert "is a Git LFS pointer" in refusal_of(tmp_path / name)


@pytest.mark.parametrize("suffix", ["tsv", "csv", "txt", "jsonl"])
def test_a_pointer_in_place_of_texts_is_named(suffix: str, tmp_path: Path) -> None:
    """It is three lines of text, which would be embedded."""
    path = tmp_path / f"texts.{suffix}"
    path.write_text(POINTER)
    for read in (load_pairs, Lines):
        with pytest.raises(CorpusError, match="is a Git LFS pointer") as caught:
            read(str(path))
        assert_one_sentence(caught.value)


# Quantised weights


@pytest.mark.parametrize("scheme", [*quantisation.TITLES, "nonesuch", "MLX", "4bit", "8bit", ""])
def test_a_scheme_that_is_not_loaded_is_named(scheme: str, folder: Path) -> None:
    key = "quantization" if scheme == "MLX" else "quantization_config"
    setting: dict[str, Any] = {"load_in_4bit": True} if scheme == "4bit" else {"bits": 4}
    setting |= {"load_in_8bit": True} if scheme == "8bit" else {}
    setting |= {} if scheme in ("4bit", "8bit", "MLX", "") else {"quant_method": scheme}
    change(folder / CONFIG, **{key: setting})
    title = {"4bit": "bitsandbytes", "8bit": "bitsandbytes", "": "a scheme that its config"}
    name = quantisation.TITLES.get(scheme, title.get(scheme, scheme))
    for call in (describe, load):
        with pytest.raises(BackboneError, match=f"is quantised with {name}") as caught:
            call(str(folder))
        assert "choose the model that it was made from" in str(caught.value)


@pytest.mark.parametrize("setting", [{}, {"bits": 4}, {"quant_method": None}])
def test_a_scheme_without_a_name_is_refused_as_one(setting: Any, folder: Path) -> None:
    change(folder / CONFIG, quantization_config=setting)
    assert "quantised with a scheme that its config.json does not name" in refusal_of(folder)


@pytest.mark.parametrize(
    ("file", "scheme"),
    [("quantize_config.json", "GPTQ"), ("quant_config.json", "AWQ"), ("qmodel.pt", "HQQ")],
)
def test_a_scheme_named_in_a_file_of_its_own_is_named(file: str, scheme: str, folder: Path) -> None:
    (folder / file).write_text("{}")
    assert f"is quantised with {scheme}" in refusal_of(folder)


def test_eight_bits_in_blocks_come_back_as_numbers(folder: Path) -> None:
    """FP8 as DeepSeek and Qwen publish it: numbers of 8 bits, and a scale for each block."""
    state, expected = tensors(folder), {}
    for name, weight in list(state.items()):
        if not name.endswith("proj.weight"):
            continue
        blocks = weight.view(weight.shape[0] // 16, 16, weight.shape[1] // 16, 16)
        scale = blocks.abs().amax((1, 3)) / 448
        small = (blocks / scale[:, None, :, None]).to(torch.float8_e4m3fn)
        expected[name] = (small.float() * scale[:, None, :, None]).view(weight.shape)
        state |= {name: small.view(weight.shape), f"{name}_scale_inv": scale}
    put(folder, state)
    settings = {
        "quant_method": "fp8",
        "weight_block_size": [16, 16],
        "activation_scheme": "dynamic",
    }
    change(folder / CONFIG, quantization_config=settings)
    loaded, embeddings = vectors(folder)
    result = loaded.model.state_dict()
    assert len(expected) == 42
    assert all(torch.equal(result[name], weight) for name, weight in expected.items())
    put(folder, {n: t for n, t in state.items() if not n.endswith("_inv")} | expected)
    drop(folder / CONFIG, "quantization_config")
    assert (vectors(folder)[1] == embeddings).all()


FP4 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def test_four_bits_in_blocks_come_back_as_numbers(tmp_path: Path) -> None:
    """MXFP4 as gpt-oss is published: two numbers a byte, and a power of two for each 32."""
    config = transformers.GptOssConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        num_local_experts=2,
        num_experts_per_tok=2,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
    )
    torch.manual_seed(0)
    model: Any = transformers.AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    model.save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    state, expected = tensors(tmp_path), {}
    for name in [name for name in state if name.endswith(("gate_up_proj", "down_proj"))]:
        experts, inputs, outputs = state.pop(name).shape
        packed = torch.randint(0, 256, (experts, outputs, inputs // 32, 16), dtype=torch.uint8)
        powers = torch.randint(119, 125, (experts, outputs, inputs // 32), dtype=torch.uint8)
        halves = torch.stack([FP4[(packed % 16).long()], FP4[(packed // 16).long()]], -1)
        numbers = halves.flatten(-2) * 2.0 ** (powers[..., None].float() - 127)
        expected[name] = numbers.view(experts, outputs, inputs).transpose(1, 2)
        state |= {f"{name}_blocks": packed, f"{name}_scales": powers}
    put(tmp_path, state)
    change(tmp_path / CONFIG, quantization_config={"quant_method": "mxfp4"})
    result = load(str(tmp_path), dtype="float32", device="cpu").model.state_dict()
    assert len(expected) == 4
    assert all(torch.equal(result[name], weight) for name, weight in expected.items())


# Adapters


def an_adapter(folder: Path) -> None:
    """A LoRA adapter as peft saves it."""
    settings = {"peft_type": "LORA", "base_model_name_or_path": "someone/base", "r": 2}
    settings |= {"lora_alpha": 64, "target_modules": ["q_proj"], "task_type": "FEATURE_EXTRACTION"}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    name = "base_model.model.layers.0.self_attn.q_proj"
    state = {f"{name}.lora_A.weight": torch.ones(2, 48), f"{name}.lora_B.weight": torch.ones(64, 2)}
    save_file(state, folder / "adapter_model.safetensors", metadata={"format": "pt"})


@pytest.fixture(params=[False, True], ids=["without peft", "with peft"])
def peft(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether transformers finds peft installed, and would look for adapters."""
    for module in ("models.auto.auto_factory", "integrations.peft"):
        monkeypatch.setattr(f"transformers.{module}.is_peft_available", lambda: request.param)


NOTE = (
    "Beside a-llama lies a LoRA adapter of someone/base, which is not put on: numbers are those of "
    "the model alone. For the adapted model, merge them with peft (merge_and_unload) and give the "
    "folder of the result."
)


@pytest.mark.usefixtures("peft")
def test_an_adapter_beside_a_model_is_not_put_on_and_that_is_said(
    folder: Path, original: tuple[Backbone, Any]
) -> None:
    expected, numbers = original
    an_adapter(folder)
    said: list[str] = []
    loaded = load(str(folder), dtype="float32", device="cpu", progress=said.append)
    assert (encode(loaded, ["a narrow text", "b"], DEFAULT).embeddings == numbers).all()
    assert loaded.fingerprint == expected.fingerprint
    assert loaded.note == NOTE
    assert NOTE in said
    assert expected.note is None


@pytest.mark.usefixtures("peft")
def test_an_adapter_beside_a_gguf_file_is_not_put_on(tmp_path: Path, empty_cache: Path) -> None:
    for name in ("alone", "beside"):
        (tmp_path / name).mkdir()
        write_gguf(tmp_path / name / "tiny.gguf")
    (beside := tmp_path / "beside" / "tokenizer_config.json").write_text('{"bos_token": "the"}')
    an_adapter(beside.parent)
    (beside.parent / CONFIG).write_text("{}")
    loaded, numbers = vectors(beside.with_name("tiny.gguf"))
    shutil.rmtree(empty_cache)
    alone, expected = vectors(tmp_path / "alone" / "tiny.gguf")
    assert (numbers == expected).all()
    assert loaded.fingerprint == alone.fingerprint
    assert loaded.tokenizer.bos_token == alone.tokenizer.bos_token


def test_an_adapter_alone_names_its_base(tmp_path: Path) -> None:
    an_adapter(tmp_path)
    for call in (describe, load):
        with pytest.raises(BackboneError) as caught:
            call(str(tmp_path))
        assert str(caught.value) == (
            f"{tmp_path} is a LoRA adapter of someone/base, and no model; merge them with peft "
            "(merge_and_unload, then save_pretrained) and give the folder of the result."
        )
    for content in ("", "[]", "{}", POINTER):
        (tmp_path / "adapter_config.json").write_text(content)
        assert "is an adapter, and no model; merge them with peft" in refusal_of(tmp_path)


# Fingerprints


def one_byte(path: Path) -> None:
    """Change a file by one byte, and keep it readable."""
    data = bytearray(path.read_bytes())
    if path.suffix == ".safetensors":
        data[-1] ^= 1
    else:
        data += b" "
    path.write_bytes(data)


def one_letter(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["merges"] = tokenizer["model"]["merges"][:-1]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


DECIDES: dict[str, Breaker] = {
    "weights": lambda f: one_byte(f / WEIGHTS),
    "configuration": lambda f: change(f / CONFIG, rms_norm_eps=1e-5),
    "a byte of it": lambda f: one_byte(f / CONFIG),
    "a merge": one_letter,
    "a special token": lambda f: (f / "special_tokens_map.json").write_text("{}"),
    "its settings": lambda f: change(f / "tokenizer_config.json", bos_token="</s>"),
}
CANNOT_MATTER: dict[str, Breaker] = {
    "generation": lambda f: (f / "generation_config.json").write_text('{"top_p": 0.3}'),
    "chat": lambda f: (f / "chat_template.jinja").write_text("{{ messages }}"),
    "card": lambda f: (f / "README.md").write_text("A model."),
    "white space": lambda f: one_byte(f / "tokenizer.json"),
    "code": lambda f: (f / "modeling_own.py").write_text("raise SystemExit"),
    "adapter": an_adapter,
    "pickled": lambda f: torch.save({"a": torch.ones(2)}, f / "pytorch_model.bin"),
    "other weights": lambda f: put(f, {"a": torch.ones(2)}, "consolidated.safetensors"),
    "pooling": lambda f: (f / "modules.json").write_text("[]"),
    "provenance": lambda f: (f / "provenance.json").write_text('{"sha256": "0"}'),
}


@pytest.mark.parametrize("case", [*DECIDES, *CANNOT_MATTER])
def test_the_fingerprint_covers_what_decides_a_number(
    case: str, folder: Path, original: tuple[Backbone, Any]
) -> None:
    expected, numbers = original
    (DECIDES | CANNOT_MATTER)[case](folder)
    changed, result = vectors(folder)
    if case in DECIDES:
        assert changed.fingerprint != expected.fingerprint
    else:
        assert changed.fingerprint == expected.fingerprint
        assert (result == numbers).all()


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.sampled_from([10**12, -1.5, 1e308, "x", [], {}, ["x"], {"x": 1}]),
)


@pytest.fixture(scope="module")
def parts(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Backbone, Any]:
    """The same Llama with its weights in several files, loaded, and its embeddings."""
    folder = Path(shutil.copytree(saved, tmp_path_factory.mktemp("parts") / "a-llama"))
    shards(folder)
    return folder, *vectors(folder)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a JSON document has a value; of a list its first few."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:4])
    for key, below in inner:
        yield (*path, key)
        if isinstance(below, dict | list):
            yield from places(below, (*path, key))


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from([CONFIG, INDEX, "tokenizer.json", "tokenizer_config.json"]),
    value=JUNK,
    data=st.data(),
)
def test_any_other_value_is_refused_or_another_fingerprint(
    file: str,
    value: Any,
    data: st.DataObject,
    parts: tuple[Path, Backbone, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Another number under the same fingerprint would be handed to everyone from the cache."""
    whole, expected, numbers = parts
    folder = Path(shutil.copytree(whole, tmp_path_factory.mktemp("any") / "a-llama"))
    document = json.loads((folder / file).read_text())
    *path, key = data.draw(st.sampled_from(list(places(document))))
    inside = document
    for step in path:
        inside = inside[step]
    inside[key] = value
    (folder / file).write_text(json.dumps(document))
    try:
        changed, result = vectors(folder)
    except ExplorerError as error:
        assert_one_sentence(str(error).replace(str(folder), "the model"))
        return
    assert np.isfinite(result).all()
    if changed.fingerprint == expected.fingerprint:
        assert (result == numbers).all()


def test_a_folder_called_snapshots_is_no_cache_of_the_hub(saved: Path, tmp_path: Path) -> None:
    """Two runs of a training that saves to the same place give two fingerprints."""
    folder = tmp_path / "snapshots" / "step-1000"
    shutil.copytree(saved, folder)
    first = load(str(folder), dtype="float32", device="cpu").fingerprint
    one_byte(folder / WEIGHTS)
    assert load(str(folder), dtype="float32", device="cpu").fingerprint != first


def test_a_conversion_of_other_versions_is_converted_again(
    tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    folder = gguf_conversion.converted(tmp_path / "tiny.gguf")
    assert folder.is_relative_to(empty_cache)
    newer = {"transformers": "99", "gguf": "99"}
    monkeypatch.setattr(gguf_conversion, "_versions", lambda: newer)
    said: list[str] = []
    assert gguf_conversion.converted(tmp_path / "tiny.gguf", said.append) == folder
    assert said[0].startswith("Converting tiny.gguf")
    assert json.loads((folder / gguf_conversion.PROVENANCE).read_text())["versions"] == newer


def test_a_conversion_prints_nothing_of_its_own(
    tmp_path: Path, empty_cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_gguf(tmp_path / "tiny.gguf")
    gguf_conversion.converted(tmp_path / "tiny.gguf")
    assert empty_cache.exists()
    assert "onverting" not in "".join(capfd.readouterr())


# What is not a folder of a model


@pytest.mark.parametrize("kind", ["adapter", "mmproj", "imatrix"])
def test_a_gguf_file_of_a_part_says_so(kind: str, tmp_path: Path) -> None:
    """llama.cpp writes adapters and the towers of pictures as GGUF files, too."""
    writer = gguf.GGUFWriter(tmp_path / "part.gguf", "llama")
    writer.add_type(kind)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", np.ones((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert f"it holds no model but the part that it calls '{kind}'" in refusal_of(
        tmp_path / "part.gguf"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", b"x", "is weights; put the config.json and the tokenizer of their"),
        (
            "pytorch_model.bin",
            b"PK\x03\x04",
            "is pickled weights, which can run code and are never",
        ),
        ("model.pt", b"x", "is pickled weights"),
        ("model.pth", b"x", "is pickled weights"),
        ("last.ckpt", b"x", "is pickled weights"),
        ("model.zip", b"PK\x03\x04", "is an archive; unpack it first"),
        ("model.tar.gz", b"\x1f\x8b", "is an archive; unpack it first"),
        ("model.onnx", b"x", "is an ONNX model; take the model's version in Hugging Face format"),
        ("tf_model.h5", b"x", "is a TensorFlow or Keras model"),
        ("model.tflite", b"x", "is a TensorFlow Lite model"),
        ("flax_model.msgpack", b"x", "is weights of Flax"),
        ("weights.npz", b"x", "is weights of NumPy or MLX"),
        ("model.nemo", b"x", "is a NeMo model"),
        ("config.json", b"{}", "is a part of a model; give the folder that holds all of it"),
        ("sha256-0123", b"GGUF\x03", "is a GGUF file; give it a name that ends in .gguf"),
        ("notes", b"x", "is a file and no model; give the folder of a model"),
        ("empty.gguf", b"", "it is empty"),
        ("text.gguf", b"hello", "does not begin as one"),
        ("a-00002-of-00003.gguf", b"GGUF", "is part 2 of 3 of a GGUF file; join them with llama"),
    ],
)
def test_a_file_says_what_it_is(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in refusal_of(tmp_path / name)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no config.json; give a model in Hugging Face format"),
        (["README.md"], "holds no config.json; give a model in Hugging Face format"),
        (
            ["b.gguf", "a.gguf"],
            "but a GGUF file (a.gguf); give the path of the .gguf file on your disk",
        ),
        (["model.safetensors"], "but weights (model.safetensors); put the config.json"),
        (["pytorch_model.bin"], "but pickled weights, which can run code and are never loaded"),
        (["params.json", "consolidated.00.pth"], "but weights in their makers' own format"),
        (
            ["model_index.json", "unet/config.json"],
            "but a pipeline of diffusers (model_index.json)",
        ),
        (["model.onnx", "model.onnx_data"], "but an ONNX model (model.onnx)"),
        (["openvino_model.xml", "openvino_model.bin"], "but an OpenVINO model"),
        (["saved_model.pb", "variables/a"], "but a TensorFlow or Keras model (saved_model.pb)"),
        (["weights.npz"], "but weights of NumPy or MLX"),
        (["model.mlpackage/a"], "but a Core ML model"),
        (["model.tar.gz"], "but an archive (model.tar.gz); unpack it first"),
        (["tokenizer.json"], "but a part of a model (tokenizer.json); give the folder that holds"),
        (["modules.json", "0_Transformer/config.json"], "0_Transformer does; give the folder of a"),
        (["checkpoint-9/config.json"], "checkpoint-9 does; give the folder of a model itself"),
        (["refs/main", "snapshots/0123/config.json"], "snapshots/0123 does; give the folder of a"),
    ],
)
def test_a_folder_without_a_configuration_says_what_it_holds(
    names: list[str], message: str, tmp_path: Path
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    for call in (describe, load):
        with pytest.raises(BackboneError) as caught:
            call(str(tmp_path))
        assert message in str(caught.value)
        assert_one_sentence(str(caught.value).replace(str(tmp_path), "the folder"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pytorch_model.bin", "but pickled weights, which can run code and are never loaded (pyt"),
        ("pytorch_model.bin.index.json", "has no complete safetensors weights; fetch it again"),
        ("model.onnx", "but an ONNX model (model.onnx)"),
        ("tf_model.h5", "but a TensorFlow or Keras model (tf_model.h5)"),
        ("flax_model.msgpack", "but weights of Flax"),
        (
            "model.gguf",
            "but a GGUF file (model.gguf); give the path of the .gguf file on your disk",
        ),
    ],
)
def test_a_folder_without_safetensors_says_what_it_holds(
    name: str, message: str, folder: Path
) -> None:
    (folder / WEIGHTS).rename(folder / name)
    assert message in refusal_of(folder)


def test_pickled_weights_are_never_read(folder: Path) -> None:
    """A pickle may run code when it is read; nothing reads it, alone or beside others."""

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(folder / "ran"),)

    torch.save(Trap(), folder / "pytorch_model.bin")
    torch.save(Trap(), folder / "adapter_model.bin")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    load(str(folder), dtype="float32", device="cpu")
    (folder / WEIGHTS).unlink()
    assert "never loaded" in refusal_of(folder)
    assert not (folder / "ran").exists()


def test_a_model_of_sentence_transformers_is_loaded_as_its_decoder(
    folder: Path, original: tuple[Backbone, Any]
) -> None:
    (folder / "modules.json").write_text("[]")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / CONFIG).write_text("{}")
    assert (vectors(folder)[1] == original[1]).all()
