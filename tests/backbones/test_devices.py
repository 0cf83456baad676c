"""Device and dtype with reasons; models spread over memory and disk are the same to the bit."""

import gc
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from analysis.backbones import devices, download
from analysis.backbones.backbone import Backbone, load
from analysis.backbones.devices import Choice, Memory, choose_device, choose_dtype
from analysis.backbones.facts import describe
from analysis.dimension.states import last_token_states
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.embedding.trace import Trace
from analysis.errors import BackboneError
from analysis.rerouting.plan import PLAIN, Plan
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import CONFIGS, plain, save_folder, tiny

MEAN = METHODS["mean"]


def test_without_a_gpu_the_cpu_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device() == Choice("cpu", "no GPU is present")


def test_a_gpu_is_chosen_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device() == Choice("mps", "Apple's GPU is present")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    assert choose_device() == Choice("cuda", "a CUDA device is present (Some GPU)")


def test_a_requested_device_is_used_or_refused() -> None:
    assert choose_device("cpu") == Choice("cpu", "as requested")
    for name in ("tpu", "cuda:99", ""):
        with pytest.raises(BackboneError, match=f"device '{name}' cannot be used") as caught:
            choose_device(name)
        assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    ("device", "bfloat16", "expected", "reason"),
    [
        ("cuda", True, "bfloat16", "this GPU has bfloat16 units"),
        ("cuda:1", False, "float16", "this GPU has no bfloat16 units"),
        ("mps", False, "float16", "Apple's GPU computes float16 natively"),
        ("cpu", False, "float32", "this CPU multiplies bfloat16 no faster"),
        (
            *("cpu", True, "bfloat16"),
            "this CPU multiplies bfloat16 faster; scores stay within noise of float32",
        ),
    ],
)
def test_dtypes_are_chosen_with_a_reason(
    device: str, bfloat16: bool, expected: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
    monkeypatch.setattr(devices, "_cpu_gains_by_bfloat16", lambda: bfloat16)
    assert choose_dtype("auto", device) == Choice(expected, reason)


def test_a_requested_dtype_is_used_or_refused() -> None:
    assert choose_dtype("float16", "cpu") == Choice("float16", "as requested")
    with pytest.raises(
        BackboneError, match="no dtype 'int8'; use auto, float32, bfloat16, float16"
    ):
        choose_dtype("int8")


# Models spread over memory and disk

TEXTS = ["the other day", "a long walk over the hills, and on", "b"]


def cut(folder: Path, share: float) -> dict[int | str, int]:
    """A limit of memory that holds ``share`` of the weights."""
    return {"cpu": int(describe(str(folder)).memory("float32") * share)}


def spread_of(folder: Path, share: float = 0.7) -> Backbone:
    return load(str(folder), dtype="float32", device="spread", max_memory=cut(folder, share))


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "mixtral"])
def test_a_model_spread_over_memory_and_disk_is_the_same_to_rounding(
    family: str,
    tmp_path: Path,
    empty_cache: Path,
) -> None:
    folder = save_folder(tmp_path / family, family)
    full, parts = load(str(folder), dtype="float32", device="cpu"), spread_of(folder)
    on_disk = [p for p in parts.model.parameters() if p.device.type == "meta"]
    assert on_disk
    assert parts.device.value == "spread"
    assert re.fullmatch(
        r"as requested: [23] layers in memory, [34] layers on disk", parts.device.reason
    )
    assert (parts.fingerprint, parts.facts, parts.form) == (
        full.fingerprint,
        full.facts,
        full.form,
    )
    assert (parts.reroutable, parts.refusal) == (full.reroutable, None)
    for method in (
        MEAN,
        DEFAULT,
        DEFAULT.under(Plan((1, 4))),
        DEFAULT.under(Plan((5,), 3.0)),
    ):
        expected = encode(full, TEXTS, method).embeddings
        result = encode(parts, TEXTS, method).embeddings
        np.testing.assert_allclose(result, expected, atol=1e-6)
    states = last_token_states(full, TEXTS)
    np.testing.assert_allclose(last_token_states(parts, TEXTS), states, atol=5e-5)
    ours, theirs = (Trace(backbone, TEXTS, DEFAULT) for backbone in (parts, full))
    for layers in ((), (0,), (3, 4), (5,)):
        result, expected = (trace.embed(Plan(layers)) for trace in (ours, theirs))
        np.testing.assert_allclose(result, expected, atol=1e-6)
    assert all(p.device.type == "meta" for p in on_disk)
    assert len(list((empty_cache / "offload").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("able", "gains"),
    [
        ({"amx_bf16": True, "avx512_bf16": True, "cpu_name": "Intel Xeon"}, True),
        ({"amx_bf16": False, "avx512_bf16": True, "cpu_name": "Intel Xeon"}, False),
        ({"amx_bf16": False, "avx512_bf16": True, "cpu_name": "AMD EPYC"}, True),
        ({"avx512_bf16": False, "cpu_name": "AMD EPYC"}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_bfloat16_is_for_cpus_that_multiply_it_faster(able: dict[str, object], gains: bool) -> None:
    assert devices.gains_by_bfloat16(able) == gains


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_on_disk_are_read_in_the_dtype_asked_for(
    dtype: str,
    stored: torch.dtype,
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
) -> None:
    folder = save_folder(tmp_path / "llama")
    plain("llama").to(stored).save_pretrained(folder)
    limit: Memory = {"cpu": int(describe(str(folder)).memory(dtype) * 0.7)}
    full = load(str(folder), dtype=dtype, device="cpu")
    parts = load(str(folder), dtype=dtype, device="spread", max_memory=limit)
    assert "on disk" in parts.device.reason
    for plan in (PLAIN, Plan((4,))):
        result, expected = (encode(b, TEXTS, DEFAULT.under(plan)).embeddings for b in (parts, full))
        # layers on disk are not packed: equal to rounding, in the dtype asked for
        np.testing.assert_allclose(result, expected, atol=1e-6 if dtype == "float32" else 2e-2)


def test_a_resumed_pass_reads_only_the_layers_it_runs(
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from accelerate.utils import OffloadedWeightsLoader

    parts = spread_of(save_folder(tmp_path / "llama"), 0.5)
    trace = Trace(parts, TEXTS, DEFAULT)
    read: set[str] = set()
    get = OffloadedWeightsLoader.__getitem__

    def noted(self: OffloadedWeightsLoader, key: str) -> torch.Tensor:
        read.add(key.split(".self_attn")[0].split(".mlp")[0])
        weight: torch.Tensor = get(self, key)
        return weight

    monkeypatch.setattr(OffloadedWeightsLoader, "__getitem__", noted)
    trace.embed(Plan((4,)))
    layers = {name for name in read if re.fullmatch(r"layers\.\d", name)}
    assert layers == {"layers.4", "layers.5"}


def test_weights_of_a_model_with_a_head_are_found_on_disk(
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
) -> None:
    """Such a checkpoint, in shards, has another prefix; it is not rewritten."""
    torch.manual_seed(0)
    folder = save_folder(tmp_path / "headed")
    model = transformers.LlamaForCausalLM(CONFIGS["llama"]())
    model.model.load_state_dict(plain("llama").state_dict())
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="60KB")
    assert not (folder / "model.safetensors").exists()
    expected = encode(tiny("llama"), TEXTS, DEFAULT.under(Plan((2,)))).embeddings
    result = encode(spread_of(folder), TEXTS, DEFAULT.under(Plan((2,)))).embeddings
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_a_spread_that_fits_into_memory_uses_no_disk(
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
) -> None:
    loaded = load(str(save_folder(tmp_path / "llama")), dtype="float32", device="spread")
    assert loaded.device == Choice("spread", "as requested: 6 layers in memory")
    assert not any(p.device.type == "meta" for p in loaded.model.parameters())


def test_a_spread_without_a_folder_to_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KVE_CACHE", str(tmp_path / "file"))
    with pytest.raises(BackboneError, match=r"needs a folder .* set KVE_CACHE") as caught:
        load(str(save_folder(tmp_path / "llama")), dtype="float32", device="spread")
    assert_one_sentence(caught.value)


@pytest.mark.slow
def test_what_was_offloaded_goes_with_the_model(tmp_path: Path, empty_cache: Path) -> None:
    parts = spread_of(save_folder(tmp_path / "mixtral", "mixtral"))
    (folder,) = (empty_cache / "offload").iterdir()
    assert list(folder.iterdir())  # experts are rearranged, so that they cannot be read in place
    del parts
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("limits", "numbers"),
    [
        ({"cpu": 100_000}, r"\(cpu 0\.0001 GB\)"),
        ({"cpu": 350_000, "disk": 100_000}, r"\(cpu 0\.0003 GB, disk 0\.0001 GB\)"),
    ],
)
def test_what_cannot_even_be_spread_is_refused_with_the_numbers(
    limits: dict[int | str, int], numbers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_folder(tmp_path / "llama")
    monkeypatch.setattr(download, "folder_of", lambda *_: pytest.fail("it was fetched"))
    with pytest.raises(BackboneError, match=f"needs 0.0005 GB .* spread .*{numbers}") as caught:
        load(str(folder), dtype="float32", device="spread", max_memory=limits)
    assert_one_sentence(caught.value)


GPU = Choice("cuda", "a CUDA device is present (Some GPU)")


def test_a_gpu_that_is_too_small_becomes_a_spread_where_all_together_suffice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (8 * 10**9, 8 * 10**9))
    monkeypatch.setattr(
        "accelerate.utils.get_max_memory", lambda: {0: 8 * 10**9, 1: 8 * 10**9, "cpu": 10**10}
    )
    room = partial(devices.with_room, GPU, "a model", dtype="bfloat16")
    assert room(size=7 * 10**9, automatic=True) == GPU
    assert room(size=16 * 10**9, automatic=True) == Choice(
        "spread", "one GPU does not hold the weights"
    )
    for need, automatic in ((16 * 10**9, False), (27 * 10**9, True)):
        with pytest.raises(BackboneError, match=r"GB .* and cuda has 8\.0 GB free") as caught:
            room(size=need, automatic=automatic)
        assert_one_sentence(caught.value)


def test_loading_spreads_by_itself_where_the_gpu_is_too_small(
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = save_folder(tmp_path / "llama")
    need = describe(str(folder)).memory("float32")
    monkeypatch.setattr(devices, "choose_device", lambda _: GPU)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (need // 2, need))
    monkeypatch.setattr("accelerate.utils.get_max_memory", lambda: {"cpu": need})
    loaded = load(str(folder), dtype="float32")
    assert loaded.device.value == "spread"
    assert loaded.device.reason.startswith("one GPU does not hold the weights: 4 layers in memory")
    np.testing.assert_allclose(
        encode(loaded, TEXTS, DEFAULT.under(Plan((2,)))).embeddings,
        encode(tiny("llama"), TEXTS, DEFAULT.under(Plan((2,)))).embeddings,
        atol=1e-6,
    )


def test_layers_are_told_by_device() -> None:
    """GPUs first, then memory, then the disk: the order in which accelerate fills them."""
    with torch.device("meta"):
        skeleton = plain("llama")
    layers = list(skeleton.layers)
    size = sum(p.numel() for p in layers[0].parameters()) * 4
    room: Memory = {0: 5 * size, 1: 2 * size, "cpu": 3 * size}
    result = devices.lay_out(skeleton, layers, "a model", "float32", room)
    assert result.modules["embed_tokens"] == 0
    assert re.fullmatch(
        r"\d layers? on cuda:0, \d layers? on cuda:1, \d layers? in memory(, \d layers? on disk)?",
        result.summary,
    )
    assert sum(int(word) for word in result.summary.split() if word.isdigit()) == 6
