"""Loading a backbone: facts before weights, device and dtype with reasons, the probe, refusals."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from analysis.backbones import download, gguf_conversion
from analysis.backbones.backbone import Backbone, load
from analysis.backbones.decoder import decoder_layers
from analysis.backbones.devices import Choice
from analysis.backbones.facts import Facts, describe
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT
from analysis.errors import BackboneError
from analysis.rerouting import attention, attention_functions, forward_pass
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.patches import SDPA
from analysis.rerouting.plan import Plan
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import (
    BENT,
    CONFIGS,
    CONTEXT,
    FAMILIES,
    HEADS,
    HIDDEN,
    IGNORING,
    LAYERS,
    VOCABULARY,
    backbone_of,
    byte_tokenizer,
    plain,
    save_folder,
    write_gguf,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny Llama in Hugging Face format."""
    return save_folder(tmp_path / "a-llama")


def change(path: Path, **settings: Any) -> None:
    """Change settings in a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


# Facts


@pytest.mark.slow
@pytest.mark.parametrize("family", [*FAMILIES, *IGNORING])
def test_facts_are_exact_before_any_weight_loads(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = CONFIGS[family]()
    config.save_pretrained(tmp_path / family)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", refuse)
    facts = describe(str(tmp_path / family))
    assert facts.parameters == sum(p.numel() for p in plain(family).parameters())
    assert (facts.layers, facts.hidden, facts.heads) == (LAYERS, HIDDEN, HEADS)
    assert (facts.vocabulary, facts.family) == (VOCABULARY, config.model_type)
    assert facts.context == getattr(config, "max_position_embeddings", 0)
    grouped = family in (*FAMILIES, "doge") and family != "gpt2"
    assert facts.kv_heads == (2 if grouped else HEADS)
    sized = grouped and family not in ("qwen2", "phi3", "doge")
    assert facts.head_size == (16 if sized else HIDDEN // HEADS)
    assert (facts.name, facts.kind, facts.licence) == (family, "folder", None)


def test_facts_tell_the_memory_of_each_dtype(folder: Path) -> None:
    facts = describe(str(folder))
    assert facts.memory("float32") == 4 * facts.parameters
    assert facts.as_dict()["memory"] == {
        "float32": 4 * facts.parameters,
        "bfloat16": 2 * facts.parameters,
        "float16": 2 * facts.parameters,
    }
    assert json.loads(json.dumps(facts.as_dict()))["layers"] == LAYERS


def test_facts_of_a_gguf_file_are_the_same_before_and_after_conversion(
    tmp_path: Path, empty_cache: Path
) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    before = describe(str(path))
    assert not (empty_cache / "backbones").exists()
    loaded = load(str(path), dtype="float32", device="cpu")
    assert loaded.facts == before == describe(str(path))
    assert (before.name, before.kind, before.layers, before.kv_heads) == ("tiny.gguf", "gguf", 2, 2)
    assert before.parameters == sum(p.numel() for p in loaded.model.parameters())
    assert loaded.fingerprint == gguf_conversion.sha256(path)[:16]
    assert loaded.reroutable == (0, 1)


@pytest.mark.weights
def test_facts_of_the_packaged_backbone(smollm2: Backbone) -> None:
    expected = Facts(
        name="smollm2",
        kind="packaged",
        family="llama",
        parameters=134_515_008,
        layers=30,
        hidden=576,
        heads=9,
        kv_heads=3,
        head_size=64,
        context=8192,
        vocabulary=49152,
        licence="Apache-2.0",
    )
    assert describe("smollm2") == smollm2.facts == expected
    assert sum(p.numel() for p in smollm2.model.parameters()) == expected.parameters
    assert (smollm2.form, smollm2.refusal) == ("closed", None)
    assert smollm2.reroutable == tuple(range(30))


# Dtype and memory


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_weights_are_loaded_in_the_dtype_asked_for(folder: Path, dtype: str) -> None:
    loaded = load(str(folder), dtype=dtype, device="cpu")
    assert {str(p.dtype) for p in loaded.model.parameters()} == {f"torch.{dtype}"}
    assert loaded.dtype == Choice(dtype, "as requested")
    assert loaded.reroutable == tuple(range(LAYERS))
    result = encode(loaded, ["a narrow text", "b"], DEFAULT.under(Plan((2, 3)))).embeddings
    wide = encode(
        load(str(folder), dtype="float32"), ["a narrow text", "b"], DEFAULT.under(Plan((2, 3)))
    )
    assert (result * wide.embeddings).sum(1).min() > 0.99


def test_a_backbone_that_does_not_fit_is_refused_before_it_is_fetched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=300_000))
    monkeypatch.setattr(download, "folder_of", lambda *_: pytest.fail("it was fetched"))
    with pytest.raises(BackboneError, match=r"needs 0\.0 GB for its weights in float32"):
        load(str(folder), dtype="float32", device="cpu")
    with pytest.raises(pytest.fail.Exception, match="it was fetched"):
        load(str(folder), dtype="bfloat16", device="cpu")


# Loading


@pytest.mark.slow
def test_a_folder_is_loaded_frozen_and_fingerprinted(folder: Path, tmp_path: Path) -> None:
    messages: list[str] = []
    loaded = load(str(folder), dtype="float32", device="cpu", progress=messages.append)
    assert messages == ["Loading a-llama in float32 on cpu"]
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert loaded.layers == LAYERS == len(decoder_layers(loaded.model))
    copy = save_folder(tmp_path / "copy")
    other = save_folder(tmp_path / "other", seed=1)
    assert load(str(copy)).fingerprint == loaded.fingerprint
    assert load(str(other)).fingerprint != loaded.fingerprint


def test_loading_does_not_change_the_weights(folder: Path) -> None:
    expected = plain("llama").state_dict()
    result = load(str(folder), dtype="float32").model.state_dict()
    assert all(torch.equal(result[name], tensor) for name, tensor in expected.items())


Breaker = Callable[[Path], Any]


def drop_a_layer(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    kept = {name: t.clone() for name, t in tensors.items() if not name.startswith("layers.3.")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def only_pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(plain("llama").state_dict(), folder / "pytorch_model.bin")


def python_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    transformers.ByT5Tokenizer().save_pretrained(folder)
    (folder / "vocab.json").write_text("{}")  # it has none


def own_code(folder: Path) -> None:
    config = {"model_type": "nonesuch", "auto_map": {"AutoConfig": "c.C", "AutoModel": "m.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "c.py").write_text("raise SystemExit('code of the model ran')")


@pytest.mark.parametrize(
    ("breaker", "advice"),
    [
        (lambda f: (f / "model.safetensors").unlink(), "has no complete safetensors weights"),
        (only_pickled, r"pickled weights, which can run code .* \(pytorch_model.bin\)"),
        (lambda f: (f / "model.safetensors").write_bytes(b"x" * 99), "damaged or cut short"),
        (drop_a_layer, r"lacks 9 of its weights \(layers.3"),
        (lambda f: change(f / "config.json", hidden_size=40), "do not fit its config.json"),
        (lambda f: change(f / "config.json", num_attention_heads="x"), "num_attention_heads"),
        (lambda f: (f / "config.json").write_text('{"a'), "is not valid JSON"),
        (lambda f: (f / "config.json").write_text("{}"), "model_type"),
        (lambda f: (f / "config.json").write_text("[]"), "is not valid JSON"),
        (lambda f: (f / "config.json").write_text('{"model_type": "nonesuch"}'), "nonesuch"),
        (own_code, "asks to run code of its own, which is never allowed"),
        (lambda f: [p.unlink() for p in f.glob("tokenizer*")], "tokenizer"),
        (lambda f: (f / "tokenizer.json").write_text("{"), "The tokenizer of .* cannot be"),
        (python_tokenizer, "no character offsets, which prompts need"),
    ],
)
def test_a_folder_that_cannot_be_loaded_is_refused_in_one_sentence(
    folder: Path, breaker: Breaker, advice: str
) -> None:
    breaker(folder)
    with pytest.raises(BackboneError, match=advice) as caught:
        load(str(folder), dtype="float32", device="cpu")
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "name", ["nonesuch", "/none/there", "none.gguf", "nobody/nothing", "nobody/nothing@main"]
)
def test_a_backbone_that_does_not_exist_is_refused_in_one_sentence(name: str) -> None:
    for call in (describe, load):
        with pytest.raises(BackboneError) as caught:
            call(name)
        assert_one_sentence(caught.value)


# What is no causal decoder


def test_encoders_are_refused_by_name(tmp_path: Path) -> None:
    """Without a mask their texts would see their padding, and nothing would say so."""
    for family in ("bert", "embeddinggemma"):
        save_folder(tmp_path / family, family)
        with pytest.raises(BackboneError, match="is not a causal decoder") as caught:
            load(str(tmp_path / family), dtype="float32", device="cpu")
        assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "config",
    [
        transformers.T5Config(
            vocab_size=99, d_model=32, num_layers=2, num_heads=2, d_kv=16, d_ff=32
        ),
        transformers.MambaConfig(vocab_size=99, hidden_size=32, num_hidden_layers=2),
        transformers.ViTConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
        ),
    ],
    ids=lambda config: config.model_type,
)
def test_other_models_are_refused_by_their_configuration(config: Any, tmp_path: Path) -> None:
    config.save_pretrained(tmp_path)
    with pytest.raises(
        BackboneError, match="is not a decoder that transformers can build"
    ) as caught:
        describe(str(tmp_path))
    assert_one_sentence(caught.value)


def test_a_model_without_a_list_of_layers_is_refused() -> None:
    model: Any = torch.nn.Sequential(torch.nn.Linear(2, 2))
    model.config = transformers.LlamaConfig(num_hidden_layers=3)
    with pytest.raises(BackboneError, match="layers of this Sequential cannot be found"):
        decoder_layers(model)


# The probe


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_families_of_the_attention_interface_are_rerouted_at_every_layer(
    family: str, tiny: Callable[[str], Backbone]
) -> None:
    result = tiny(family)
    assert result.reroutable == tuple(range(LAYERS))
    assert result.refusal is None
    assert result.form == ("concatenated" if family in BENT else "closed")


@pytest.mark.slow
def test_of_a_model_that_also_sees_the_text_decoder_is_used(tmp_path: Path) -> None:
    folder = save_folder(tmp_path / "seeing", "gemma3_seeing")
    loaded = load(str(folder), dtype="float32", device="cpu")
    full = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32)
    decoder = full.language_model.eval()
    assert loaded.reroutable == tuple(range(LAYERS))
    assert loaded.facts == describe(str(folder))
    assert loaded.facts.parameters == sum(p.numel() for p in decoder.parameters())
    ids, lengths = torch.arange(3, 14)[None], torch.tensor([11])
    with torch.inference_mode():
        expected = decoder(input_ids=ids, use_cache=False).last_hidden_state
    assert torch.equal(forward_pass.run(loaded.model, PassRequest(ids, lengths)).final, expected)


@pytest.mark.slow
@pytest.mark.parametrize("family", IGNORING)
def test_families_that_ignore_the_interface_are_loaded_and_say_so(
    family: str, tmp_path: Path
) -> None:
    folder = save_folder(tmp_path / family, family)
    loaded = load(str(folder), dtype="float32", device="cpu")
    assert loaded.reroutable == ()
    assert loaded.refusal == (
        f"{family} cannot be re-routed: "
        + (
            "it builds an attention mask of its own."
            if family == "doge"
            else "it does not use transformers' attention interface."
        )
    )
    with pytest.raises(BackboneError) as caught:
        encode(loaded, ["a text"], DEFAULT.under(Plan((1,))))
    assert str(caught.value) == loaded.refusal
    assert encode(loaded, ["a text"], DEFAULT).embeddings.shape == (1, HIDDEN)
    assert loaded.facts.context in (0, CONTEXT)


RIGHT: Callable[..., Any] = attention.closed_form


def with_bias(change: Callable[[float], float]) -> Callable[..., Any]:
    """The closed form under another bias than the one that it is asked for."""

    def closed_form(*args: Any) -> Any:
        *given, bias, kernel = args
        return RIGHT(*given, change(bias), kernel)

    return closed_form


def sees_the_future(*args: Any) -> tuple[torch.Tensor, torch.Tensor]:
    query = args[0]
    everything = torch.ones(1, 1, query.shape[2], query.shape[2], dtype=torch.bool)
    query, key, value, pair = args[:4]
    return attention.closed_form(query, key, value, pair, everything, *args[5:])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (with_bias(lambda bias: -bias), "with the prefix hidden its output would"),
        (sees_the_future, "with the prefix hidden its output would differ"),
        (with_bias(lambda _: -math.inf), "a plan has no effect on its output"),
        (with_bias(lambda bias: bias - 1), "its closed and concatenated forms"),
    ],
    ids=["sign", "future", "nothing", "bias"],
)
def test_the_probe_refuses_an_attention_that_goes_wrong(
    fault: Callable[..., Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention_functions, "closed_form", fault)
    result = backbone_of(plain("llama"), byte_tokenizer())
    assert result.reroutable == ()
    assert result.refusal is not None
    assert result.refusal.startswith(f"llama cannot be re-routed: {reason}")
    expected = plain("llama")(input_ids=torch.tensor([[5, 6, 7]])).last_hidden_state
    assert torch.equal(
        result.model(input_ids=torch.tensor([[5, 6, 7]])).last_hidden_state, expected
    )


def test_the_probe_refuses_an_attention_without_its_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name without a mask function silently loses the sliding window."""
    masks = transformers.AttentionMaskInterface._global_mapping
    monkeypatch.setitem(masks, SDPA, lambda *_args, **_kwargs: None)
    result = backbone_of(plain("mistral"), byte_tokenizer())
    assert result.refusal == (
        "mistral cannot be re-routed: with no layer selected its output would differ from the "
        "plain model's."
    )


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_real_weights_are_rerouted_in_half_precision_too(dtype: str) -> None:
    """Rounding grows on the way through thirty layers, which is no fault of the family."""
    loaded = load("smollm2", dtype=dtype, device="cpu")
    assert (loaded.form, loaded.reroutable, loaded.refusal) == ("closed", tuple(range(30)), None)
    assert loaded.key_positions == ("own", "first")
