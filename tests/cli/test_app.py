"""The command ``app``: how the app is started, and the second name of an installed package."""

import importlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from weakref import WeakValueDictionary

import pytest

from analysis.backbones import backbone as backbones
from analysis.backbones import catalog, leases
from analysis.backbones.backbone import Backbone
from analysis.cli import app
from analysis.cli.main import main
from analysis.errors import BackboneError
from analysis.runtime import paths
from tests.support import serving


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of two modules, one of which imports the other by a relative name."""
    folder = tmp_path / "installed_name" / "part"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("", encoding="utf-8")
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "first.py").write_text("class Thing: ...\n", encoding="utf-8")
    (folder / "second.py").write_text("from .first import Thing\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield "installed_name"
    for name in [name for name in sys.modules if name.startswith(("installed_name", "other_name"))]:
        del sys.modules[name]


@pytest.mark.parametrize("first", ["installed_name", "other_name"])
def test_a_module_by_its_other_name_is_the_same_module(package: str, first: str) -> None:
    app.install_alias("other_name", package)
    importlib.import_module(f"{first}.part.second")
    own = importlib.import_module("installed_name.part.second")
    other = importlib.import_module("other_name.part.second")
    assert other is own
    assert own.__name__ == "installed_name.part.second"
    assert own.__spec__ is not None
    assert own.__spec__.name == "installed_name.part.second"
    thing = importlib.import_module("other_name.part.first").Thing
    assert own.Thing is thing
    assert thing.__module__ == "installed_name.part.first"


def test_a_module_that_is_not_there_is_not_there_by_another_name(package: str) -> None:
    app.install_alias("other_name", package)
    with pytest.raises(ModuleNotFoundError, match=r"part\.third"):
        importlib.import_module("other_name.part.third")


def test_an_alias_is_installed_once(package: str) -> None:
    before = len(sys.meta_path)
    app.install_alias("other_name", package)
    app.install_alias("other_name", package)
    assert len(sys.meta_path) == before + 1


def test_in_a_checkout_the_app_and_the_assets_lie_beside_the_package() -> None:
    root = Path(__file__).parents[2]
    assert root / "app.py" == paths.APP
    assert root / "assets" == paths.ASSETS


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_port_that_is_none_is_refused_in_one_sentence(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["app", "--port", port]) == 2
    assert "a port must be a number from 1 to 65535" in capsys.readouterr().err


def test_without_a_port_the_next_free_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit looks for a free port only where none is named."""
    told: list[list[str]] = []
    monkeypatch.setattr(app, "get_ready", lambda: None)
    monkeypatch.setattr("streamlit.web.cli.main", lambda words, **_names: told.append(words))
    assert main(["app"]) == 0
    assert main(["app", "--port", "8600"]) == 0
    assert [words[2:] for words in told] == [[], ["--server.port", "8600"]]


def test_the_backbone_is_loaded_before_the_address_is_said(
    tiny: Callable[[str], Backbone],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the first visit leases is there already; one that cannot be loaded stops nothing."""

    def load(name: str, *, dtype: str, progress: Callable[[str], object]) -> Backbone:
        assert (name, dtype) == (catalog.DEFAULT, "auto")
        progress("Loading a tiny one")
        return tiny("llama")

    monkeypatch.setattr(backbones, "load", load)
    monkeypatch.setattr(leases, "_LEASES", WeakValueDictionary())
    monkeypatch.setattr(leases, "_LATEST", [])
    order: list[str] = []
    monkeypatch.setattr(
        "streamlit.web.cli.main",
        lambda *_words, **_names: order.extend(each.name for each in leases.active()),
    )
    assert main(["app"]) == 0
    assert order == [catalog.DEFAULT]
    assert "Getting ready: Loading a tiny one" in capsys.readouterr().err

    def refuse(*_: object, **__: object) -> Backbone:
        raise BackboneError("It is damaged.")

    monkeypatch.setattr(backbones, "load", refuse)
    monkeypatch.setattr(leases, "_LEASES", WeakValueDictionary())
    order.append("served")
    assert main(["app"]) == 0
    assert order == [catalog.DEFAULT, "served"]


@pytest.mark.slow
@pytest.mark.parametrize("again", [None, 0.01, 0.05])
def test_an_interrupt_stops_the_app_as_it_should(tmp_path: Path, again: float | None) -> None:
    """Ctrl-C is the way to stop it: code 0, and neither a traceback nor "Aborted!"."""
    port = serving.free_port()
    command = [sys.executable, "-m", "analysis", "app", "--port", str(port)]
    root = Path(__file__).parents[2]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=root, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        end = time.monotonic() + 120
        while "URL" not in (tmp_path / "log").read_text() and time.monotonic() < end:
            time.sleep(0.2)
        time.sleep(1)
        server.send_signal(signal.SIGINT)
        if again:
            time.sleep(again)
            server.send_signal(signal.SIGINT)
        assert server.wait(30) in ((0, -signal.SIGINT) if again else (0,))
    said = (tmp_path / "log").read_text()
    assert "Aborted" not in said
    assert "Traceback" not in said
