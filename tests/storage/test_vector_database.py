"""The database of vectors: a full disk, a lock, damage, other processes, and what is pushed out."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

from analysis.storage import vector_database
from analysis.storage.vector_database import get_many, put_many
from tests.support.checks import sentences

KEYS = [f"{number:032}".encode() for number in range(5000)]
VECTORS = np.random.default_rng(0).standard_normal((5000, 576)).astype("<f4")
ITEMS = [(key, row.tobytes()) for key, row in zip(KEYS, VECTORS, strict=True)]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_database, "_UNTIL", {})
    monkeypatch.setattr(vector_database, "PATIENCE", 0.2)


def file_of(folder: Path) -> Path:
    (file,) = folder.glob("*.db")
    return file


# Full


def fill(folder: Path) -> None:
    with (folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB in memory."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", tmp_path], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting a file system takes root")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_5000_vectors_survive_a_disk_that_fills(small_disk: Path) -> None:
    folder = small_disk / "vectors"
    put_many(folder, ITEMS)
    fill(small_disk)
    with sentences() as said:
        assert get_many(folder, KEYS) == dict(ITEMS)
        put_many(folder, [(b"new" + key, value) for key, value in ITEMS])
        put_many(folder, [(b"new" + key, value) for key, value in ITEMS])
    assert len(said) == 1
    assert "its disk is full; free some space there" in said[0]
    (small_disk / "filler").unlink()
    assert get_many(folder, KEYS) == dict(ITEMS)
    put_many(folder, [(b"new", b"value")])
    assert get_many(folder, [b"new"]) == {b"new": b"value"}
    assert [path.name for path in folder.iterdir()] == ["format2-1.db"]


def test_5000_vectors_survive_a_file_that_may_not_grow(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    put_many(tmp_path, ITEMS)
    size = file_of(tmp_path).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with sentences() as said:
            put_many(tmp_path, [(b"new" + key, value) for key, value in ITEMS])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert len(said) == 1
    assert get_many(tmp_path, KEYS) == dict(ITEMS)
    assert get_many(tmp_path, [b"new" + KEYS[0]]) == {}


# Locked


def test_a_locked_database_is_left_alone_and_waited_for_once(tmp_path: Path) -> None:
    put_many(tmp_path, ITEMS[:500])
    file = file_of(tmp_path)
    number = file.stat().st_ino
    with closing(sqlite3.connect(file, isolation_level=None)) as other, sentences() as said:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        for _ in range(20):
            assert get_many(tmp_path, KEYS[:500]) == {}
            put_many(tmp_path, ITEMS[500:600])
        assert time.monotonic() - began < 2
    assert len(said) == 2
    assert all("another program has locked it; end that program" in sentence for sentence in said)
    assert file.stat().st_ino == number
    assert get_many(tmp_path, KEYS[:600]) == dict(ITEMS[:500])


# Damaged


def overwritten(place: int, data: bytes) -> Callable[[Path], object]:
    def damage(file: Path) -> None:
        with file.open("r+b") as opened:
            opened.seek(place)
            opened.write(data)

    return damage


DAMAGE: dict[str, Callable[[Path], object]] = {
    "another file": lambda file: file.write_bytes(b"no database" * 1000),
    "its header": overwritten(0, b"X" * 16),
    "its middle": overwritten(8192 * 4, bytes(range(256)) * 96),
    "its end cut off": lambda file: os.truncate(file, 8192 * 5 + 100),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_proven_damage_is_left_where_it_is(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    put_many(tmp_path, ITEMS[:500])
    file = file_of(tmp_path)
    damage(file)
    bytes_ = file.read_bytes()
    with sentences() as said:
        values = get_many(tmp_path, KEYS[:500])
        put_many(tmp_path, ITEMS[500:600])
    assert values.items() <= dict(ITEMS).items()
    assert "is damaged; it is left there, and may be deleted" in said[0]
    assert get_many(tmp_path, KEYS[:600]) == dict(ITEMS[500:600])
    assert file.read_bytes() == bytes_
    assert sorted(path.name for path in tmp_path.iterdir()) == ["format2-1.db", "format2-2.db"]


def test_who_has_a_damaged_file_open_goes_on_with_it(tmp_path: Path) -> None:
    put_many(tmp_path, ITEMS[:500])
    file = file_of(tmp_path)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO vectors VALUES (?, ?)", (b"other", b"value"))
        DAMAGE["its middle"](file)
        get_many(tmp_path, KEYS[:500])
        assert (tmp_path / "format2-2.db").exists()
        other.execute("COMMIT")
        assert other.execute("SELECT value FROM vectors WHERE key = x'6f74686572'").fetchone()


def test_an_error_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that could not be read once, as on a failing network, is not proven damage."""
    put_many(tmp_path, ITEMS[:10])

    def fail(_: Path) -> None:
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    monkeypatch.setattr(Path, "exists", fail)
    with sentences() as said:
        assert get_many(tmp_path, KEYS[:10]) == {}
    monkeypatch.undo()
    assert len(said) == 1
    assert get_many(tmp_path, KEYS[:10]) == dict(ITEMS[:10])


# Others, and the limit


def test_threads_and_processes_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_database, "PATIENCE", 30)
    code = (
        "import sys\nfrom pathlib import Path\nfrom analysis.storage.vector_database import *\n"
        "for i in range(40):\n"
        "    put_many(Path(sys.argv[1]), [(f'{sys.argv[2]}-{i}-{j}'.encode(), b'x' * 2304)"
        " for j in range(20)])\n"
    )
    root = Path(__file__).resolve().parents[2]
    others = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path, name], cwd=root) for name in "ab"
    ]

    def work(name: str) -> None:
        for i in range(40):
            put_many(tmp_path, [(f"{name}-{i}-{j}".encode(), b"x" * 2304) for j in range(20)])
            get_many(tmp_path, [f"a-{i}-{j}".encode() for j in range(20)])

    threads = [threading.Thread(target=work, args=(name,)) for name in "cdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait(100) for other in others] == [0, 0]
    keys = [f"{name}-{i}-{j}".encode() for name in "abcdef" for i in range(40) for j in range(20)]
    assert len(get_many(tmp_path, keys)) == len(keys)


def test_beyond_the_limit_the_oldest_are_pushed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_database, "MAX_BYTES", 4_000_000)
    for begin in range(0, 5000, 250):
        put_many(tmp_path, ITEMS[begin : begin + 250])
    left = get_many(tmp_path, KEYS)
    assert list(left) == KEYS[-len(left) :]
    assert 250 <= len(left) <= 1500
    assert file_of(tmp_path).stat().st_size < 5_000_000
