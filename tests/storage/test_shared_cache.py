"""One cache folder of several users: what may not be read or written is named for what it is."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from analysis import doctor
from analysis.backbones import gguf_conversion
from analysis.errors import BackboneError
from analysis.storage import result_store, vector_cache
from analysis.storage.vector_cache import Vector
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence, sentences

ANN, BEN, GROUP = 61_001, 61_002, 61_000
VECTORS = {f"text {number}": Vector(np.full(8, number, np.float32), 0) for number in range(300)}


@contextmanager
def user(number: int, umask: int = 0o022) -> Iterator[None]:
    """Act as a user of :data:`GROUP`; only root can."""
    before = os.umask(umask)
    os.setegid(GROUP)
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.umask(before)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder that the group may write to, and new files in it are the group's."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("acting as other users takes root")
    home = Path(tempfile.mkdtemp())
    os.chown(home, ANN, GROUP)
    home.chmod(0o2775)
    with tempfile.TemporaryDirectory() as other:  # so that all modules that it takes are loaded
        monkeypatch.setenv("KVE_CACHE", other)
        store(1)
        assert result_store.get("one-1")
    monkeypatch.setenv("KVE_CACHE", str(home))
    yield home
    shutil.rmtree(home)


def store(number: int) -> None:
    result_store.put(f"one-{number}", {"number": number}, {"cosines": np.ones(9)})
    vector_cache.store("recipe", dict(list(VECTORS.items())[:number]))


def test_users_of_a_group_share_results_and_vectors(shared: Path) -> None:
    with sentences() as said:
        for number, name in enumerate((ANN, BEN, ANN, BEN), 1):
            with user(name, 0o002):
                store(50 * number)
                assert all(result_store.get(f"one-{50 * n}") for n in range(1, number + 1))
                assert len(vector_cache.load("recipe", list(VECTORS))) == 50 * number
        with user(BEN, 0o002):
            store(50)  # over a file of the other's
    assert said == []
    assert all(path.stat().st_mode & 0o060 == 0o060 for path in shared.rglob("*"))


@pytest.mark.usefixtures("shared")
def test_a_stranger_reads_and_is_told_that_nothing_is_stored() -> None:
    with user(ANN):
        store(50)
    with user(BEN), sentences() as said:
        assert result_store.get("one-50")
        assert len(vector_cache.load("recipe", list(VECTORS))) == 50
        store(100)
        store(100)
    assert len(said) == 2
    assert all("not stored, because" in sentence for sentence in said)
    assert all("permission denied" in sentence for sentence in said)
    assert all(f"belongs to user {ANN}" in sentence for sentence in said)
    assert all("let its owner give your group access" in sentence for sentence in said)


CLOSED: dict[str, Callable[[Path], Path]] = {
    "cache": lambda home: home,
    "results": lambda home: home / "results",
    "shelf": lambda home: next((home / "results").iterdir()),
    "result": lambda home: next(home.rglob("*.npz")),
    "vectors": lambda home: home / "vectors",
    "database": lambda home: next(home.rglob("*.db")),
}


@pytest.mark.parametrize("closed", CLOSED.values(), ids=list(CLOSED))
@pytest.mark.parametrize("mode", [0, 0o744])
def test_what_may_not_be_read_is_neither_damaged_nor_full(
    shared: Path, closed: Callable[[Path], Path], mode: int
) -> None:
    with user(ANN):
        store(50)
    place = closed(shared)
    if mode and place.is_file():
        pytest.skip("a file needs no permission to be entered")
    place.chmod(mode)
    with user(BEN), sentences() as said:
        result, vectors = result_store.get("one-50"), vector_cache.load("recipe", list(VECTORS))
    assert result is None or not vectors
    assert said
    assert all("cannot be read: permission denied" in sentence for sentence in said)
    with user(ANN):
        place.chmod(0o775)
        assert result_store.get("one-50")
        assert len(vector_cache.load("recipe", list(VECTORS))) == 50
    assert len(list(shared.rglob("*.db"))) == 1


# Conversions


@pytest.fixture
def gguf(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A GGUF file that was converted elsewhere before, so that all code it takes is loaded."""
    path = shared / "tiny.gguf"
    tiny_models.write_gguf(path)
    monkeypatch.setenv("KVE_CACHE", str(shared / "elsewhere"))
    gguf_conversion.converted(path)
    monkeypatch.setenv("KVE_CACHE", str(shared))
    return path


@pytest.mark.parametrize("umask", [0o002, 0o022])
def test_a_conversion_is_read_by_all_whom_the_umask_lets(gguf: Path, umask: int) -> None:
    with user(ANN, umask):
        folder = gguf_conversion.converted(gguf)
    with user(BEN):
        assert gguf_conversion.converted(gguf) == folder
        assert all(path.read_bytes() for path in folder.iterdir())
    assert {path.stat().st_uid for path in folder.iterdir()} == {ANN}


@pytest.mark.parametrize("closed", ["folder", "file", "all"])
def test_a_conversion_that_may_not_be_read_is_not_called_damaged(gguf: Path, closed: str) -> None:
    with user(ANN):
        folder = gguf_conversion.converted(gguf)
    place = {"folder": folder, "file": folder / "model.safetensors", "all": folder.parent}[closed]
    place.chmod(0o700 if place.is_dir() else 0o600)
    steps: list[str] = []
    with user(BEN), pytest.raises(BackboneError, match="cannot be read: permission") as caught:
        gguf_conversion.converted(gguf, steps.append)
    assert f"belongs to user {ANN}" in str(caught.value)
    assert_one_sentence(caught.value)
    assert steps == []
    with user(ANN):
        assert gguf_conversion.intact(folder)


def test_another_users_damaged_conversion_is_replaced(gguf: Path) -> None:
    with user(ANN):
        folder = gguf_conversion.converted(gguf)
        with (folder / "model.safetensors").open("r+b") as file:
            file.truncate(1000)
    folder.parent.chmod(0o2775)
    Path(f"{folder}.lock").chmod(0o664)
    with user(BEN):
        assert gguf_conversion.converted(gguf) == folder
        assert gguf_conversion.intact(folder)


def test_where_nothing_may_be_converted_the_permission_is_named(gguf: Path, shared: Path) -> None:
    shared.chmod(0o755)
    with user(BEN), pytest.raises(BackboneError, match="permission denied") as caught:
        gguf_conversion.converted(gguf)
    assert "cannot be written" in str(caught.value)
    assert "disk" not in str(caught.value)
    assert_one_sentence(caught.value)


def test_doctor_names_the_folder_that_may_not_be_used(shared: Path) -> None:
    with user(ANN):
        store(50)
    with user(BEN):
        (check,) = doctor._cache()
    assert check.state == "error"
    assert "cannot be written: permission denied" in check.result
    (shared / "results").chmod(0o700)
    with user(BEN):
        (check,) = doctor._cache()
        assert doctor.cache_sizes()
    assert f"{shared / 'results'} cannot be read: permission denied" in check.result
