"""The package as people install it: built, put into an environment of its own, used from anywhere.

The environment holds the wheel and what its metadata names, no more: links to the packages that
these tests run with, or, with ``KVE_EMPTY_ENVIRONMENT=1``, all of it installed by pip.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support import serving, streamlit_client
from tests.support.requirement_files import requirements

ROOT = Path(__file__).resolve().parents[2]


def borrow(names: list[str], folder: Path) -> None:
    """Link the installed packages that ``names`` require into a folder, and no others."""
    folder.mkdir(parents=True)
    for distribution in requirements.installed(names).values():
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(distribution.locate_file(top))))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` folder of an environment with the wheel and what it needs."""
    home = tmp_path_factory.mktemp("environment")
    empty = os.environ.get("KVE_EMPTY_ENVIRONMENT") == "1"
    options = [] if empty else ["--without-pip"]
    subprocess.run([sys.executable, "-m", "venv", *options, str(home)], check=True)
    listed, files = requirements.listed(), requirements.listed("files")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(home / "bin" / "python"),
        "install",
        "--quiet",
        "--no-compile",
    ]
    if empty:
        subprocess.run([*pip, "-c", str(ROOT / "constraints.txt"), str(wheel)], check=True)
        subprocess.run([*pip, "--no-deps", *files], check=True)
    else:
        borrowed = home / "borrowed" / "site-packages"  # as Streamlit expects to lie
        borrow(listed, borrowed)
        names = [re.split("[=<>]", name)[0].replace("-", "_") for name in files]
        for name in names:
            for path in Path(np.__file__).parents[1].glob(f"{name}*"):
                (borrowed / path.name).symlink_to(path)
        (site,) = home.glob("lib/python*/site-packages")
        (site / "borrowed.pth").write_text(str(borrowed), encoding="utf-8")
        subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    return home / "bin"


def output(*command: object, cwd: Path) -> str:
    result = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_holds_the_library_the_app_and_what_it_opens_with(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules, pages = (
        {
            path.relative_to(base)
            for path in (ROOT / part).rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }
        for part, base in (("analysis", ROOT / "analysis"), ("pages", ROOT))
    )
    assets = {
        path.relative_to(ROOT)
        for part in ("results", "studies")
        for path in (ROOT / "assets" / part).iterdir()
    }
    documents = {path.relative_to(ROOT) for path in (ROOT / "docs").iterdir()}
    expected = {f"kv_embedding/{path}" for path in modules | assets | documents}
    expected |= {f"kv_embedding/_app/{path}" for path in pages}
    expected |= {
        "kv_embedding/_app/app.py",
        "kv_embedding/_app/.streamlit/config.toml",
    }
    assert {name for name in names if name.startswith("kv_embedding/")} == expected


@pytest.mark.slow
@pytest.mark.weights
def test_the_command_line_works_from_an_empty_folder(programs: Path, tmp_path: Path) -> None:
    program = programs / "kv-embedding"
    assert output(program, "--help", cwd=tmp_path).startswith("usage: kv-embedding ")
    offered = json.loads(output(program, "backbones", "--json", cwd=tmp_path))
    assert "smollm2" in {row["name"] for row in offered}
    (tmp_path / "texts.txt").write_text("A first text.\nA second one.\n", encoding="utf-8")
    files = ("--input", "texts.txt", "--output", "vectors.npy")
    output(program, "encode", "--layers", "26-29", *files, cwd=tmp_path)
    assert np.load(tmp_path / "vectors.npy").shape == (2, 576)


@pytest.mark.slow
@pytest.mark.weights
def test_what_an_extra_brings_is_asked_for_in_one_sentence(programs: Path, tmp_path: Path) -> None:
    if os.environ.get("KVE_EMPTY_ENVIRONMENT") != "1":
        assert not (programs.parent / "borrowed" / "site-packages" / "mteb").exists()
    result = subprocess.run(
        [programs / "kv-embedding", "mteb", "--tasks", "STSBenchmark", "--output", "results"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.strip().splitlines()[-1].startswith("mteb is not installed; ")


@pytest.mark.slow
@pytest.mark.weights
def test_the_library_is_imported_as_kv_embedding(programs: Path, tmp_path: Path) -> None:
    script = """
import kv_embedding

backbone = kv_embedding.load_backbone("smollm2")
print(kv_embedding.encode(backbone, ["One.", "Two."]).shape)
"""
    assert output(programs / "python", "-c", script, cwd=tmp_path).strip().endswith("(2, 576)")


@pytest.mark.slow
@pytest.mark.weights
def test_the_installation_is_healthy(programs: Path, tmp_path: Path) -> None:
    checks = json.loads(output(programs / "kv-embedding", "doctor", "--json", cwd=tmp_path))
    assert {check["check"] for check in checks} >= {"torch", "streamlit", "pydantic"}
    assert not {check["check"] for check in checks} & {"mteb", "pytest"}


@pytest.fixture
def installed_app(programs: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the app, served from a folder whose own settings are others."""
    (tmp_path / ".streamlit").mkdir()
    config = tmp_path / ".streamlit" / "config.toml"
    config.write_text('[client]\ntoolbarMode = "developer"\n', encoding="utf-8")
    shutil.copytree(ROOT / "analysis" / "runtime", tmp_path / "analysis")  # not what is meant
    port, log = serving.free_port(), tmp_path / "log.txt"
    command = [str(programs / "kv-embedding"), "app", "--port", str(port)]
    with serving.running(command, port, log, tmp_path) as address:
        yield address


@pytest.mark.slow
@pytest.mark.weights
def test_the_app_is_served_from_any_folder(installed_app: str) -> None:
    with streamlit_client.tab(installed_app) as tab:
        for page in ("", "rerouting", "studies", "diagnostics"):
            assert "error" not in tab.read(page, "layers=26-29")
        tab.ask("", "")
        while (message := tab.heard()).WhichOneof("type") != "new_session":
            pass
    assert message.new_session.config.toolbar_mode == 3  # MINIMAL, by the app's own settings
