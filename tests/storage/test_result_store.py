"""The store: what is put in comes out, whole or not at all, and a bad disk is no disaster."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from analysis.storage import result_store

FACTS = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
ARRAYS = st.dictionaries(
    st.sampled_from(["dims", "cosines", "points", "left"]),
    arrays_of.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.bool_]),
        arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    max_size=3,
)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


def put_one(folder: Path, value: float = 1.0) -> Path:
    """Store one small result and return its file."""
    with result_store.only(folder):
        result_store.put("score-1", {"pairs": 3}, {"cosines": np.full(50, value)})
    return folder / "score-1.npz"


def got(folder: Path, name: str = "score-1") -> result_store.Stored | None:
    with result_store.only(folder):
        return result_store.get(name)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=FACTS, arrays=ARRAYS)
def test_what_is_put_in_comes_out(
    tmp_path: Path, facts: dict[str, Any], arrays: dict[str, Any]
) -> None:
    with result_store.only(tmp_path):
        result_store.put("any", facts, arrays)
        result = result_store.get("any")
    assert result is not None
    added = {"versions": result_store.versions(), "shipped": False}
    assert result[0] == facts | added
    assert set(result[1]) == set(arrays)
    for name, array in arrays.items():
        assert result[1][name].dtype == array.dtype
        np.testing.assert_array_equal(result[1][name], array)


def test_what_was_never_put_in_is_missing(shelf: Path) -> None:
    assert got(shelf) is None
    put_one(shelf)
    assert got(shelf, "score-2") is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_counts_as_missing_and_is_mended(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = put_one(tmp_path)
    full = bytearray(path.read_bytes())
    if data.draw(st.booleans(), "cut"):
        path.write_bytes(full[: data.draw(st.integers(0, len(full) - 1))])
    else:
        for place in data.draw(st.lists(st.integers(0, len(full) - 1), min_size=1, max_size=4)):
            full[place] ^= data.draw(st.integers(1, 255))
        path.write_bytes(full)
    result = got(tmp_path)
    if result is not None:  # harmless: in a date, say
        np.testing.assert_array_equal(result[1].get("cosines", np.ones(50)), np.ones(50))
    put_one(tmp_path)
    assert got(tmp_path) is not None


def _lone_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.ones(3))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("no archive"),
        lambda path: path.mkdir(),
        _lone_array,
        lambda path: np.savez(path, cosines=np.ones(3)),
        lambda path: np.savez(path, facts=np.array("{not json")),
        lambda path: np.savez(path, facts=np.array("[1, 2]")),
        lambda path: np.savez(path, facts=np.array(3)),
    ],
    ids=["empty", "text", "folder", "array", "no facts", "bad JSON", "a list", "a number"],
)
def test_other_files_count_as_missing(shelf: Path, write: Callable[[Path], Any]) -> None:
    shelf.mkdir()
    write(shelf / "score-1.npz")
    assert got(shelf) is None


class _Trap:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_is_ever_unpickled(shelf: Path, tmp_path: Path) -> None:
    shelf.mkdir()
    sprung = tmp_path / "sprung"
    facts, trap = np.array(json.dumps({})), np.array([_Trap(sprung)], dtype=object)
    np.savez(shelf / "score-1.npz", facts=facts, trap=trap)
    assert got(shelf) is None
    assert not sprung.exists()
    with np.load(shelf / "score-1.npz", allow_pickle=True) as file:
        assert file["trap"] is not None
    assert sprung.exists()  # so the trap would have sprung


def test_a_write_that_fails_leaves_nothing_half_done(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_one(shelf, 1.0)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    put_one(shelf, 2.0)
    monkeypatch.undo()
    assert [path.name for path in shelf.iterdir()] == ["score-1.npz"]
    result = got(shelf)
    assert result is not None
    assert (result[1]["cosines"] == 1).all()


def test_readers_never_see_half_a_file(shelf: Path) -> None:
    put_one(shelf, 0.0)
    done = threading.Event()

    def write() -> None:
        for value in range(60):
            put_one(shelf, float(value))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        result = got(shelf)
        assert result is not None
        assert len(set(result[1]["cosines"])) == 1
    writer.join()


def test_a_disk_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder can be made below this")
    put_one(tmp_path / "file" / "shelf")
    assert got(tmp_path / "file" / "shelf") is None


def test_other_versions_have_a_shelf_of_their_own(
    empty_cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result_store.put("score-1", {}, {})
    assert result_store.get("score-1") is not None
    newer = result_store.versions() | {"torch": "99.0"}
    monkeypatch.setattr(result_store, "versions", lambda: newer)
    assert result_store.get("score-1") is None


def test_ones_own_results_come_before_shipped_ones(
    empty_cache: Path,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(result_store, "SHIPPED", tmp_path / "shipped")
    with result_store.only(result_store.SHIPPED):
        result_store.put("score-1", {"from": "shipped"}, {})
    result = result_store.get("score-1")
    assert result is not None
    assert (result[0]["from"], result[0]["shipped"]) == ("shipped", True)
    result_store.put("score-1", {"from": "here"}, {})
    result = result_store.get("score-1")
    assert result is not None
    assert (result[0]["from"], result[0]["shipped"]) == ("here", False)


@given(FACTS, FACTS)
def test_a_key_is_its_parts(first: dict[str, Any], second: dict[str, Any]) -> None:
    def same(a: Any, b: Any) -> bool:
        return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)

    one, other = result_store.key("score", parts=first), result_store.key("score", parts=second)
    assert (one == other) == same(first, second)
    assert one == result_store.key("score", parts=dict(reversed(first.items())))
    assert one != result_store.key("dimensions", parts=first)
