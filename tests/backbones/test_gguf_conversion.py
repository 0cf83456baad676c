"""GGUF files: their conversion, its cache, and what goes wrong."""

import contextlib
import errno
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModel, AutoTokenizer

from analysis.backbones import download, gguf_conversion, gguf_reading
from analysis.backbones.backbone import Backbone, load
from analysis.backbones.download import config_of
from analysis.backbones.gguf_conversion import PROVENANCE, config_of_gguf, converted
from analysis.backbones.sources import resolve
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT
from analysis.errors import BackboneError
from analysis.rerouting.plan import PLAIN, Plan
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import backbone_of, model_of_gguf, write_gguf


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """A GGUF file of a two-layer decoder."""
    path = tmp_path / "tiny model.gguf"
    write_gguf(path)
    return path


@pytest.fixture
def conversions(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The GGUF files converted so far, into a cache that starts empty."""
    done: list[Path] = []
    convert = gguf_conversion._convert
    assert not empty_cache.exists()

    def counted(gguf: Path, folder: Path) -> None:
        done.append(gguf)
        convert(gguf, folder)

    monkeypatch.setattr(gguf_conversion, "_convert", counted)
    return done


def failing(error: BaseException) -> Callable[[Path, Path], None]:
    """A conversion that is half done when it fails."""

    def convert(_gguf: Path, folder: Path) -> None:
        (folder / "config.json").write_text("{")
        (folder / "model.safetensors").write_bytes(b"half")
        raise error

    return convert


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    """The folder's weights, copied: loaded ones are mapped from the file that tests damage."""
    state = AutoModel.from_pretrained(folder).state_dict()
    return {name: tensor.clone() for name, tensor in state.items()}


# Conversion


def test_a_gguf_file_is_converted_exactly(gguf: Path, conversions: list[Path]) -> None:
    written = write_gguf(gguf)
    folder = converted(gguf)
    assert conversions == [gguf]
    state = weights_of(folder)
    np.testing.assert_array_equal(state["embed_tokens.weight"], written["token_embd.weight"])
    for layer in range(2):
        for theirs, ours in {
            "attn_norm": "input_layernorm",
            "ffn_norm": "post_attention_layernorm",
            "ffn_gate": "mlp.gate_proj",
            "ffn_down": "mlp.down_proj",
            "attn_v": "self_attn.v_proj",
            "attn_output": "self_attn.o_proj",
        }.items():
            np.testing.assert_array_equal(
                state[f"layers.{layer}.{ours}.weight"], written[f"blk.{layer}.{theirs}.weight"]
            )
    assert all(tensor.dtype == torch.float32 for tensor in state.values())
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.convert_ids_to_tokens(tokenizer("the th")["input_ids"]) == ["the", "Ġ", "th"]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_a_gguf_file_embeds_as_the_model_of_its_tensors(
    architecture: str,
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
) -> None:
    path = tmp_path / f"{architecture}.gguf"
    written = write_gguf(path, architecture=architecture)
    texts = ["the other day", "a thin, narrow path", "the"]
    first, again = (load(str(path), dtype="float32", device="cpu") for _ in range(2))
    direct = backbone_of(model_of_gguf(written, architecture), first.tokenizer)
    for plan in (PLAIN, Plan((1,)), Plan((0, 1), 2.0)):
        result = encode(first, texts, DEFAULT.under(plan)).embeddings
        np.testing.assert_array_equal(encode(again, texts, DEFAULT.under(plan)).embeddings, result)
        expected = encode(direct, texts, DEFAULT.under(plan)).embeddings
        np.testing.assert_allclose(result, expected, rtol=0, atol=2e-6)
    assert first.fingerprint == again.fingerprint


def test_a_conversion_says_where_it_came_from(gguf: Path, conversions: list[Path]) -> None:
    folder = converted(gguf)
    assert len(conversions) == 1
    provenance = json.loads((folder / PROVENANCE).read_text())
    assert provenance["source"] == gguf.name
    assert provenance["sha256"] == gguf_conversion.sha256(gguf)
    assert provenance["dtype"] == "float32"
    assert set(provenance["versions"]) == {"transformers", "gguf"}
    files = {path.name for path in folder.iterdir()} - {PROVENANCE}
    assert set(provenance["files"]) == files
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= files
    for name, facts in provenance["files"].items():
        assert facts["bytes"] == (folder / name).stat().st_size
        assert facts["sha256"] == gguf_conversion.sha256(folder / name)
    assert provenance["sha256"][:16] in folder.name


def test_the_configuration_of_a_header_is_read_once_and_anew_for_another_file(
    gguf: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    read = AutoConfig.from_pretrained

    def counted(*folder: Any, **told: Any) -> Any:
        asked.append(told["gguf_file"])
        return read(*folder, **told)

    monkeypatch.setattr(AutoConfig, "from_pretrained", counted)
    first = config_of(resolve(str(gguf)))
    first.hidden_size = -1  # what one reader does to it, another does not see
    assert config_of(resolve(str(gguf))).hidden_size > 0
    converted(gguf)
    assert (conversions, asked) == ([gguf], [gguf.name])
    write_gguf(gguf, seed=1)
    config_of(resolve(str(gguf)))
    assert asked == 2 * [gguf.name]


def test_a_conversion_is_done_once(gguf: Path, conversions: list[Path], tmp_path: Path) -> None:
    messages: list[str] = []
    folder = converted(gguf, messages.append)
    assert converted(gguf, messages.append) == folder
    moved = gguf.rename(tmp_path / "tiny_model.gguf")
    assert converted(moved, messages.append) == folder
    assert len(conversions) == 1
    assert len(messages) == 1
    assert messages[0].startswith("Converting tiny model.gguf")


def test_other_content_under_the_same_name_is_another_backbone(
    gguf: Path, conversions: list[Path]
) -> None:
    folder = converted(gguf)
    write_gguf(gguf, seed=1)
    assert converted(gguf) != folder
    assert len(conversions) == 2


def test_two_at_once_convert_once(gguf: Path, conversions: list[Path]) -> None:
    start = threading.Barrier(3)

    def run(_: int) -> Path:
        start.wait(30)
        return converted(gguf)

    with ThreadPoolExecutor(3) as threads:
        folders = set(threads.map(run, range(3)))
    assert len(folders) == 1
    assert len(conversions) == 1


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("model.safetensors", flip),
        ("model.safetensors", halve),
        ("model.safetensors", Path.unlink),
        ("config.json", flip),
        ("tokenizer.json", flip),
        (PROVENANCE, Path.unlink),
        (PROVENANCE, halve),
        (PROVENANCE, lambda path: path.write_text("[]")),
        (PROVENANCE, lambda path: path.write_text('{"files": []}')),
        (PROVENANCE, lambda path: path.write_bytes(b"\xff\xfe")),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_a_damaged_conversion_is_rebuilt(
    gguf: Path, conversions: list[Path], name: str, damage: Callable[[Path], Any]
) -> None:
    folder = converted(gguf)
    before = weights_of(folder)
    damage(folder / name)
    config_of(resolve(str(gguf)))  # reads the GGUF's own where the copy is not to be trusted
    messages: list[str] = []
    assert converted(gguf, messages.append) == folder
    assert len(conversions) == 2
    assert messages[0].startswith("Rebuilding the damaged copy of tiny model.gguf")
    after = weights_of(folder)
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert converted(gguf) == folder
    assert len(conversions) == 2


def test_facts_are_not_read_from_a_damaged_configuration(
    gguf: Path, conversions: list[Path]
) -> None:
    folder = converted(gguf)
    config = folder / "config.json"
    config.write_text(
        config.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3')
    )
    assert config_of(resolve(str(gguf))).num_hidden_layers == 2
    assert load(str(gguf)).layers == 2
    assert len(conversions) == 2


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), MemoryError(), RuntimeError("a defect")], ids=repr
)
def test_a_conversion_that_is_stopped_leaves_nothing(
    gguf: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(gguf_conversion, "_convert", failing(error))
        with pytest.raises(type(error)):
            converted(gguf)
    assert [p.name for p in (empty_cache / "backbones").iterdir() if p.is_dir()] == []
    assert len(weights_of(converted(gguf))) > 10


def test_a_file_that_changes_meanwhile_is_refused(
    gguf: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(*_: object) -> None:
        gguf.write_bytes(gguf.read_bytes() + bytes(32))

    with monkeypatch.context() as patch:
        patch.setattr("analysis.backbones.gguf_conversion.check_complete", changed)
        with pytest.raises(BackboneError, match="changed while it was converted") as caught:
            converted(gguf)
    assert_one_sentence(caught.value)
    assert [p.name for p in (empty_cache / "backbones").iterdir() if p.is_dir()] == []


def test_what_a_killed_process_left_is_swept_away(gguf: Path, conversions: list[Path]) -> None:
    folder = gguf_conversion.conversion_folder(gguf)
    left = folder.with_name(folder.name + ".part-killed")
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    assert converted(gguf) == folder
    assert len(conversions) == 1
    assert not left.exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("I/O error: No space left on device (os error 28)"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_full_disk_is_said_in_one_sentence(
    gguf: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(gguf_conversion, "_convert", failing(error))
    with pytest.raises(BackboneError, match=r"its disk is full; free .* KVE_CACHE") as caught:
        converted(gguf)
    assert_one_sentence(caught.value)
    assert [p.name for p in (empty_cache / "backbones").iterdir() if p.is_dir()] == []


def test_weights_that_really_cannot_be_written_are_said_in_one_sentence(
    gguf: Path, conversions: list[Path]
) -> None:
    """A limit on the size of files stands in for a full disk: the weights do not fit, once."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        with pytest.raises(BackboneError, match=r"its disk is full; free .* KVE_CACHE") as caught:
            converted(gguf)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_one_sentence(caught.value)
    assert len(weights_of(converted(gguf))) > 10
    assert len(conversions) == 2


def test_a_cache_that_cannot_be_a_folder_is_said_in_one_sentence(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KVE_CACHE", str(tmp_path / "file"))
    with pytest.raises(BackboneError, match=r"written: not a directory; .* KVE_CACHE") as caught:
        converted(gguf)
    assert_one_sentence(caught.value)


# GGUF files that cannot be loaded


@pytest.mark.parametrize("keep", [0, 3, 200, 9_000, 60_000])
def test_a_truncated_gguf_file_is_refused(gguf: Path, conversions: list[Path], keep: int) -> None:
    gguf.write_bytes(gguf.read_bytes()[:keep])
    with pytest.raises(BackboneError, match="cannot be read as a gguf backbone") as caught:
        load(str(gguf))
    assert_one_sentence(caught.value)
    assert len(conversions) <= 1
    assert not gguf_conversion.conversion_folder(gguf).exists()


def test_a_gguf_file_of_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    write_gguf(tmp_path / "odd.gguf", architecture="nonesuch")
    with pytest.raises(BackboneError, match="architecture nonesuch") as caught:
        load(str(tmp_path / "odd.gguf"))
    assert_one_sentence(caught.value)


def test_a_gguf_file_that_lacks_a_tensor_is_refused(
    tmp_path: Path, conversions: list[Path]
) -> None:
    write_gguf(tmp_path / "gap.gguf", without="blk.1.ffn_up.weight")
    with pytest.raises(BackboneError, match=r"lacks 1 of its weights \(layers.1.mlp.up_proj"):
        load(str(tmp_path / "gap.gguf"))
    assert len(conversions) == 1


# The packaged backbone


@pytest.mark.weights
def test_the_packaged_backbone_loads_from_its_conversion(
    smollm2: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_conversion, "_convert", failing(RuntimeError("converted again")))
    source = resolve("smollm2")
    folder = download.folder_of(source)
    assert json.loads((folder / PROVENANCE).read_text())["sha256"].startswith(smollm2.fingerprint)
    assert config_of(source).num_hidden_layers == 30


def as_the_libraries_read(**_options: bool) -> contextlib.AbstractContextManager[None]:
    """In place of ``fast_reading``: changes nothing."""
    return contextlib.nullcontext()


def test_fast_reading_changes_no_bit(
    gguf: Path, empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = {path.name: path.read_bytes() for path in converted(gguf).iterdir()}
    monkeypatch.setenv("KVE_CACHE", str(tmp_path / "slow"))
    monkeypatch.setattr(gguf_conversion, "fast_reading", as_the_libraries_read)
    slow_folder = converted(gguf)
    assert slow_folder.is_relative_to(tmp_path / "slow")
    assert not slow_folder.is_relative_to(empty_cache)
    assert {path.name: path.read_bytes() for path in slow_folder.iterdir()} == fast


@pytest.mark.parametrize("longest", [1, 100])
def test_a_configuration_is_the_same_without_the_vocabulary(
    longest: int, gguf: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_reading, "MOST_PARTS", longest)  # the vocabulary is a small one
    fast = config_of_gguf(gguf, empty_cache / f"not a conversion {longest}")
    monkeypatch.setattr(gguf_conversion, "fast_reading", as_the_libraries_read)
    slow = config_of_gguf(gguf, empty_cache / f"nor this one {longest}")
    assert fast.to_dict() == slow.to_dict()


@pytest.mark.slow
@pytest.mark.weights
def test_a_packaged_configuration_is_read_in_no_time(empty_cache: Path) -> None:
    gguf = download.gguf_file(resolve("smollm2"))
    gguf_conversion._config_of.cache_clear()
    config_of_gguf(gguf, empty_cache / "imports")
    seconds = []
    for number in range(3):
        start = time.process_time()
        config_of_gguf(gguf, empty_cache / str(number))
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.8  # 2.2 s with the vocabulary, 0.1 s without


def test_after_fast_reading_the_libraries_are_as_before() -> None:
    import gguf as library
    from transformers import modeling_gguf_pytorch_utils

    theirs: Any = modeling_gguf_pytorch_utils

    def replaced() -> tuple[object, ...]:
        return library.GGUFReader, library.get_tensor_name_map, theirs.tqdm

    def fail() -> None:
        assert all(new is not old for new, old in zip(replaced(), before, strict=True))
        raise ValueError("stop")

    before = replaced()
    with pytest.raises(ValueError, match="stop"), gguf_reading.fast_reading():
        fail()
    assert replaced() == before
