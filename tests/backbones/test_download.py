"""Fetching a backbone, and folders and hub ids that cannot be: each ends in one sentence."""

import ast
import errno
import json
import re
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import _tree_cache
from safetensors.torch import load_file, save_file

from analysis.backbones import download
from analysis.backbones.backbone import load
from analysis.backbones.catalog import PUBLISHED
from analysis.backbones.download import config_of
from analysis.backbones.facts import describe
from analysis.backbones.sources import offered, resolve
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT
from analysis.errors import BackboneError
from analysis.rerouting.plan import Plan
from tests.support.checks import assert_one_sentence
from tests.support.fake_hub import COMMIT, FakeHub, hub, no_network, refused
from tests.support.tiny_models import byte_tokenizer, plain, save_folder

__all__ = ["hub"]  # a fixture

INDEX = "model.safetensors.index.json"


def sharded(folder: Path, family: str = "llama") -> Path:
    """A tiny backbone whose weights lie in several files."""
    plain(family).save_pretrained(folder, max_shard_size="60KB")
    byte_tokenizer().save_pretrained(folder)
    assert len(shards(folder)) > 4
    return folder


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("model-*.safetensors"))


def refusal_of(name: str, **settings: Any) -> str:
    """The sentence that loading ends in."""
    with pytest.raises(BackboneError) as caught:
        load(name, **{"dtype": "float32", "device": "cpu"} | settings)
    assert_one_sentence(caught.value)
    return str(caught.value)


# The paper's backbones


@pytest.mark.parametrize(
    ("hub_id", "parameters", "layers", "kv_heads", "context", "vocabulary"),
    [
        ("Qwen/Qwen3-4B", 4_022_468_096, 36, 8, 40_960, 151_936),
        ("mistralai/Mistral-7B-v0.1", 7_110_660_096, 32, 8, 32_768, 32_000),
        ("meta-llama/Llama-3.1-8B", 7_504_924_672, 32, 8, 131_072, 128_256),
    ],
)
def test_the_papers_backbones_are_known_without_a_network(
    hub_id: str, parameters: int, layers: int, kv_heads: int, context: int, vocabulary: int
) -> None:
    facts = describe(hub_id)
    assert facts.parameters == parameters
    assert (facts.layers, facts.heads, facts.kv_heads) == (layers, 32, kv_heads)
    assert (facts.head_size, facts.context, facts.vocabulary) == (128, context, vocabulary)
    assert facts.memory("bfloat16") == 2 * parameters
    assert (facts.name, facts.kind) == (hub_id, "hub")
    assert (facts.licence, facts.needs) == (PUBLISHED[hub_id].licence, PUBLISHED[hub_id].needs)
    assert hub_id in offered()


def test_what_is_gated_says_what_it_needs() -> None:
    assert "gated" in str(describe("meta-llama/Llama-3.1-8B").needs)
    assert "HF_TOKEN" in str(describe("meta-llama/Llama-3.1-8B").needs)
    assert "not known" in str(describe("mistralai/Mistral-7B-v0.1").needs)


def test_the_hubs_own_configuration_wins(hub: FakeHub, tmp_path: Path) -> None:
    hub.hub_id, hub.folder = "Qwen/Qwen3-4B", save_folder(tmp_path / "tiny", "qwen3")
    assert describe("Qwen/Qwen3-4B").layers == 6
    hub.refusal = no_network
    assert describe("Qwen/Qwen3-4B").layers == 6  # from the local cache


def test_a_revision_is_not_described_from_memory() -> None:
    assert "not in the local hub cache" in refusal_of("Qwen/Qwen3-4B@v2")


@pytest.mark.parametrize("hub_id", PUBLISHED)
def test_what_does_not_fit_is_refused_before_anything_is_fetched(
    hub_id: str, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=6 * 10**9))
    hub.refusal = no_network
    need = describe(hub_id).memory("bfloat16") / 1e9
    message = refusal_of(hub_id, dtype="bfloat16")
    assert f"needs {need:.1f} GB for its weights in bfloat16 and cpu has 6.0 GB free" in message
    assert hub.requests == [("GET", f"/api/models/{hub_id}/revision/main")] * 2


def test_a_gated_one_says_so_after_its_facts(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=10**12))
    hub.hub_id, hub.folder, hub.gated = "meta-llama/Llama-3.1-8B", save_folder(tmp_path / "x"), True
    assert describe(hub.hub_id).layers == 32
    assert "is gated: accept its licence on the hub and set HF_TOKEN" in refusal_of(hub.hub_id)


# The hub


@pytest.mark.slow
def test_a_backbone_is_fetched_from_the_hub_and_then_needs_none(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.folder = sharded(tmp_path / "theirs")
    (hub.folder / "pytorch_model.bin").write_bytes(b"pickle")
    (hub.folder / "consolidated.safetensors").write_bytes(b"the same again")
    loaded = load("someone/model", dtype="float32", device="cpu")
    assert loaded.note is None
    assert not {"pytorch_model.bin", "consolidated.safetensors"} & set(hub.fetched())
    assert {path.name for path in shards(hub.folder)} <= set(hub.fetched())
    hub.refusal = no_network
    again = load("someone/model", dtype="float32", device="cpu")
    assert again.fingerprint == loaded.fingerprint
    full = load(str(save_folder(tmp_path / "whole")), dtype="float32", device="cpu")
    for backbone in (loaded, again):
        result = encode(backbone, ["a text"], DEFAULT.under(Plan((2,)))).embeddings
        np.testing.assert_array_equal(
            result, encode(full, ["a text"], DEFAULT.under(Plan((2,)))).embeddings
        )


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("someone/model", {"gated": True}, "someone/model is gated: accept its licence"),
        ("someone/model", {"refusal": lambda: refused(403, "GatedRepo")}, "is gated: accept"),
        ("someone/else", {}, "no model someone/else that you may read"),
        ("someone/else", {"refusal": lambda: refused(401, "RepoNotFound")}, "that you may read"),
        ("someone/model@v9", {}, "someone/model has no revision 'v9'"),
        ("someone/model", {"refusal": no_network}, "and the hub cannot be reached; connect once"),
    ],
)
def test_a_hub_id_that_cannot_be_had_says_why(
    name: str, settings: dict[str, Any], message: str, hub: FakeHub, tmp_path: Path
) -> None:
    hub.folder = save_folder(tmp_path / "theirs")
    for key, value in settings.items():
        setattr(hub, key, value)
    assert message in refusal_of(name)


@pytest.mark.parametrize("where", ["HF_TOKEN", "stored"])
@pytest.mark.parametrize(
    "answer", ["Invalid credentials in Authorization header", 'User Access Token "x" is expired']
)
def test_a_token_that_the_hub_refuses_is_said_to_be_and_never_shown(
    where: str, answer: str, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.folder, hub.token, hub.wrong_token = save_folder(tmp_path / "theirs"), "hf_right", answer
    stored = tmp_path / "token"
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(stored))

    def sign_in(token: str) -> None:
        monkeypatch.setenv("HF_TOKEN", token if where == "HF_TOKEN" else "")
        stored.write_text(token)

    sign_in("hf_expiredSecret")
    message = refusal_of("someone/model")
    place = "in HF_TOKEN" if where == "HF_TOKEN" else "that hf auth login stored"
    assert f"The hub refused the access token {place}, so someone/model was not fetched" in message
    assert "a public model needs none" in message
    with pytest.raises(BackboneError) as caught:
        describe("someone/model")
    assert "expiredSecret" not in message + "".join(traceback.format_exception(caught.value))
    sign_in("hf_right")
    assert describe("someone/model").layers == 6
    assert "no model someone/else that you may read" in refusal_of("someone/else")
    hub.gated = True
    assert "is gated: accept its licence" in refusal_of("someone/model")


def test_a_token_that_a_library_quotes_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ValueError("Illegal header value b'Bearer hf_secret'")

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    assert "hf_secret" not in refusal_of("someone/model")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["README.md"], "someone/model holds no config.json; give a model in Hugging Face format"),
        (["a.Q4.gguf", "b.Q8.gguf"], "someone/model holds no config.json but a GGUF file (a.Q4"),
        (["pytorch_model.bin"], "but pickled weights, which can run code and are never loaded"),
        (["model_index.json"], "but a pipeline of diffusers (model_index.json)"),
        (
            ["adapter_config.json", "adapter_model.safetensors"],
            "someone/model is a LoRA adapter of someone/base, and no model; merge them with peft",
        ),
    ],
)
def test_a_repository_that_holds_no_model_says_what_it_holds(
    files: list[str], message: str, hub: FakeHub, tmp_path: Path
) -> None:
    hub.folder = tmp_path / "theirs"
    hub.folder.mkdir()
    for name in files:
        (hub.folder / name).write_text(
            '{"peft_type": "LORA", "base_model_name_or_path": "someone/base"}'
        )
    assert message in refusal_of("someone/model")
    assert not {"pytorch_model.bin", "a.Q4.gguf", "adapter_model.safetensors"} & set(hub.fetched())


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("config.json", "but pickled weights, which can run code and are never loaded (pytorch"),
        ("model.safetensors", "no complete safetensors weights"),
        ("tokenizer.json", "someone/model holds no tokenizer"),
    ],
)
def test_a_repository_that_lacks_a_file_is_refused(
    missing: str, message: str, hub: FakeHub, tmp_path: Path
) -> None:
    hub.folder = save_folder(tmp_path / "theirs")
    (hub.folder / missing).rename(hub.folder / "pytorch_model.bin")
    assert message in refusal_of("someone/model")


def test_what_the_disk_cannot_hold_is_refused_before_it_is_fetched(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.folder = sharded(tmp_path / "theirs")
    first, *others = (path.name for path in shards(hub.folder))
    hub.sizes = dict.fromkeys(others, 2 * 10**9)
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5 * 10**9))
    message = refusal_of("someone/model")
    need = 2 * len(others)
    assert f"still has {need:.1f} GB to fetch and the disk of {tmp_path / 'hub'} has 5.0" in message
    assert not [name for name in hub.fetched() if name.endswith(".safetensors")]
    assert first


@pytest.mark.slow
def test_a_partly_downloaded_snapshot_is_said_to_be_one(hub: FakeHub, tmp_path: Path) -> None:
    """The client knows it by the listing it keeps, and otherwise the index tells."""
    hub.folder = sharded(tmp_path / "theirs")
    load("someone/model", dtype="float32", device="cpu")
    repository = tmp_path / "hub" / "models--someone--model"
    missing = shards(repository / "snapshots" / COMMIT)[1]
    missing.unlink()
    hub.refusal = no_network
    assert "only partly in the local hub cache" in refusal_of("someone/model")
    (repository / "trees" / f"{COMMIT}.json").unlink()
    _tree_cache._IN_MEMORY_TREE_CACHE.clear()
    message = refusal_of("someone/model")
    assert f"lacks 1 of its 10 weight files ({missing.name} among them)" in message
    assert message.endswith("connect to the hub and load it again.")
    hub.refusal = None
    assert load("someone/model", dtype="float32", device="cpu").layers == 6


def test_a_hub_id_that_is_not_here_needs_the_hub() -> None:
    for call in (config_of, download.folder_of):
        with pytest.raises(BackboneError, match="not in the local hub cache") as caught:
            call(resolve("nobody/nothing"))
        assert_one_sentence(caught.value)


def hub_error(name: str) -> Exception:
    """One of the hub's errors, made without its response."""
    from huggingface_hub import errors

    kind: type[Exception] = getattr(errors, name)
    return kind.__new__(kind, "401")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (lambda: hub_error("GatedRepoError"), "is gated: accept its licence"),
        (lambda: hub_error("RevisionNotFoundError"), "has no revision 'v9'"),
        (lambda: hub_error("RepositoryNotFoundError"), "no model someone/model that you may read"),
        (lambda: ConnectionError("timed out"), "the hub cannot be reached"),
        (lambda: ValueError("set trust_remote_code=True"), "never allowed here"),
        (
            lambda: OSError(errno.ENOSPC, "No space left on device"),
            "could not be written to the hub's cache .* space left on device.* set HF_HOME",
        ),
        (
            lambda: PermissionError(errno.EACCES, "Permission denied"),
            "Permission denied.* set HF_H",
        ),
        (lambda: OSError(errno.EROFS, "Read-only file system"), "Read-only file.* set HF_HOME"),
        (lambda: RuntimeError(), "RuntimeError"),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_the_hub_says_becomes_one_sentence(
    error: Callable[[], Exception],
    advice: str,
    wrapped: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        if not wrapped:
            raise error()
        try:
            raise error()
        except Exception as cause:
            raise OSError(f"could not fetch\n  the files: {cause!r}") from cause

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    messages: list[str] = []
    with pytest.raises(BackboneError, match=advice) as caught:
        download.folder_of(resolve("someone/model@v9"), messages.append)
    assert_one_sentence(caught.value)
    assert "someone/model" in str(caught.value)
    assert messages == ["Fetching someone/model from the Hugging Face hub"]


# Folders


def test_a_sharded_folder_is_the_same_to_the_bit(tmp_path: Path) -> None:
    parts = load(str(sharded(tmp_path / "parts")), dtype="float32", device="cpu")
    full = load(str(save_folder(tmp_path / "whole")), dtype="float32", device="cpu")
    state = full.model.state_dict()
    for name, tensor in parts.model.state_dict().items():
        assert torch.equal(tensor, state[name])
    result, expected = (encode(b, ["a text"], DEFAULT.under(Plan((1, 3)))) for b in (parts, full))
    np.testing.assert_array_equal(result.embeddings, expected.embeddings)


def lack_a_tensor(folder: Path) -> None:
    path = shards(folder)[1]
    tensors = load_file(path)
    kept = {name: tensors[name].clone() for name in sorted(tensors)[1:]}
    save_file(kept, path, metadata={"format": "pt"})


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil_the_header(path: Path) -> None:
    path.write_bytes(b"\xff" + path.read_bytes()[1:])


def remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink()


def only_pickled(folder: Path) -> None:
    remove(folder.glob("model*"))
    torch.save(plain("llama").state_dict(), folder / "pytorch_model.bin")


def config(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


REMOTE = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda f: remove(f.glob("token*")),
            "holds no tokenizer; add its tokenizer.json",
        ),
        (lambda f: shards(f)[1].unlink(), r"lacks 1 of its 10 weight files \(model-00002-of-00010"),
        (lambda f: remove(shards(f)), "lacks 10 of its 10 weight files"),
        (lambda f: cut_short(shards(f)[1]), r"^model-00002-of-00010\.safetensors of .* cut short"),
        (lambda f: spoil_the_header(shards(f)[2]), r"^model-00003-of-00010\.safetensors of .* dam"),
        (lack_a_tensor, r"lacks 1 of its weights \(layers\.0\."),
        (lambda f: (f / INDEX).unlink(), "has no complete safetensors weights; fetch it again"),
        (lambda f: cut_short(f / INDEX), f"{INDEX} of .* is damaged; fetch it again"),
        (lambda f: (f / INDEX).write_text("[]"), "which lists its weights, is damaged"),
        (lambda f: (f / INDEX).write_text('{"weight_map": 3}'), "is damaged"),
        (lambda f: (f / INDEX).write_bytes(b"\xff\xfe"), "is damaged"),
        (only_pickled, r"pickled weights, which can run code .* \(pytorch_model\.bin\)"),
        (lambda f: cut_short(f / "config.json"), r"^The config\.json of .* is not valid JSON"),
        (lambda f: config(f, model_type="nonesuch"), "is of a family, 'nonesuch', that the inst"),
        (lambda f: config(f, model_type="nonesuch", auto_map=REMOTE), "run code of its own, which"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_sentence(
    damage: Callable[[Path], Any], message: str, tmp_path: Path
) -> None:
    folder = sharded(tmp_path / "a-model")
    damage(folder)
    result = refusal_of(str(folder))
    assert re.search(message, result), result
    assert str(folder) in result


@pytest.mark.parametrize("family", ["gpt2", "gemma3", "qwen2"])
def test_an_empty_tokenizer_is_not_made_up(family: str, tmp_path: Path) -> None:
    folder = save_folder(tmp_path / family, family)
    (folder / "tokenizer.json").unlink()
    assert "holds no tokenizer; add its tokenizer.json" in refusal_of(str(folder))


def test_code_beside_a_known_family_is_not_run(tmp_path: Path) -> None:
    """transformers has the family itself; what the folder brings stays unread."""
    folder = save_folder(tmp_path / "own")
    config(folder, auto_map={"AutoConfig": "code.Config", "AutoModel": "code.Model"})
    (folder / "code.py").write_text("raise SystemExit('code of the model ran')")
    assert load(str(folder), dtype="float32", device="cpu").facts.family == "llama"


LOADERS = {"from_pretrained", "from_config"}


def test_a_models_own_code_is_never_trusted() -> None:
    """Every call that loads says so: left out, transformers would ask on the terminal."""
    root, checked = Path(__file__).resolve().parents[2], 0
    for path in (*root.glob("analysis/**/*.py"), *root.glob("pages/**/*.py"), root / "app.py"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"trust_remote_code\W+True", source), path
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call):
                called = [node.func, *node.args]
                if any(isinstance(f, ast.Attribute) and f.attr in LOADERS for f in called):
                    value = {k.arg: k.value for k in node.keywords}.get("trust_remote_code")
                    assert isinstance(value, ast.Constant), f"{path}:{node.lineno}"
                    assert value.value is False
                    checked += 1
    assert checked >= 7
