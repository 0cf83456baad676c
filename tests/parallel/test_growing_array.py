"""The array that grows beside its final place: what is damaged in it is never published."""

import os
from collections.abc import Callable, Generator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from analysis.errors import CorpusError
from analysis.parallel import growing_array
from analysis.parallel.growing_array import Shard, checksum_of, growing
from analysis.runtime import events

ROWS = np.random.default_rng(0).standard_normal((700, 24)).astype("<f4")
TEXTS = [f"text {number}" for number in range(700)]
SIZE = 128


def shards(texts: list[str] = TEXTS) -> Generator[list[str]]:
    for begin in range(0, len(texts), SIZE):
        yield texts[begin : begin + SIZE]


def write(output: Path, texts: list[str] = TEXTS, stop_after: int = 99) -> int:
    """Write what is missing, up to some shards; return how many were kept."""
    with growing(output, "recipe", ROWS.shape) as array:
        array.resume(shards(texts))
        kept = len(array.cut)
        for number, some in enumerate(shards(texts)):
            if number == stop_after:
                raise KeyboardInterrupt
            if number >= kept:
                rows = ROWS[number * SIZE : number * SIZE + len(some)]
                array.add(Shard(checksum_of(some), rows, number, 10 * number))
        assert array.cut == [(number, 10 * number) for number in range(6)]
    return kept


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """An array of which five of six shards are finished."""
    output = tmp_path / "out.npy"
    with pytest.raises(KeyboardInterrupt):
        write(output, stop_after=5)
    return output


def with_line(line: str) -> Callable[[Path, Path], object]:
    """Another line in place of the second shard's."""

    def harm(_: Path, journal: Path) -> None:
        lines = journal.read_text().split("\n")
        lines[2] = line
        journal.write_text("\n".join(lines))

    return harm


def overwritten(place: int, data: bytes) -> Callable[[Path, Path], object]:
    def harm(part: Path, _: Path) -> None:
        with part.open("r+b") as file:
            file.seek(place)
            file.write(data)

    return harm


JUNK = ["{", '"abc"', "null", "[[1], 2]", "[1]", "[NaN, 1]", "[0, 0]", "[" * 3000, "", "0 0 0 0"]
JUNK += [f"{'9' * 5000} 0 00000000 00000000", "-5 -7 00000000 00000000"]
DAMAGE: dict[str, tuple[Callable[[Path, Path], object], int]] = {
    "NaN": (overwritten(128 + 96 * SIZE * 2 + 40, b"\xff" * 400), 2),
    "one bit": (overwritten(128 + 96 * SIZE * 3, b"\x01"), 3),
    "zeros at the end": (lambda part, _: os.truncate(part, 128 + 96 * SIZE * 5 - 1), 4),
    "zeros at the beginning": (overwritten(0, bytes(64)), 5),
    "a beginning of junk": (overwritten(0, b"PK\x03\x04junk" * 16), 5),
    "zeros in the first shard too": (overwritten(0, bytes(4096)), 0),
    "the beginning cut off": (lambda part, _: part.write_bytes(part.read_bytes()[7:]), 0),
    "texts cut": (with_line("7 10 00000000 00000000"), 1),
    **{f"line {line[:9]}": (with_line(line), 1) for line in JUNK},
    "lines swapped": (
        lambda _, j: j.write_text("\n".join([(n := j.read_text().split("\n"))[0], *n[:0:-1]])),
        0,
    ),
    "lines doubled": (
        lambda _, j: j.write_text(j.read_text() + j.read_text().partition("\n")[2]),
        5,
    ),
}


@pytest.mark.parametrize(("harm", "kept"), DAMAGE.values(), ids=list(DAMAGE))
def test_damage_is_computed_again(
    stopped: Path, harm: Callable[[Path, Path], object], kept: int
) -> None:
    harm(Path(f"{stopped}.part"), Path(f"{stopped}.journal"))
    assert write(stopped) == kept
    np.testing.assert_array_equal(np.load(stopped), ROWS)


@pytest.mark.slow
def test_no_flipped_bit_is_published(stopped: Path) -> None:
    part, journal = Path(f"{stopped}.part"), Path(f"{stopped}.journal")
    sound = {part: part.read_bytes(), journal: journal.read_bytes()}
    rng, kept = np.random.default_rng(0), []
    for turn in range(100):
        for path, data in sound.items():
            path.write_bytes(data)
        harmed = (part, journal)[turn % 2]
        flipped = bytearray(sound[harmed])
        flipped[rng.integers(len(flipped))] ^= 1 << int(rng.integers(8))
        harmed.write_bytes(flipped)
        kept.append(write(stopped))
        np.testing.assert_array_equal(np.load(stopped), ROWS)
    assert set(kept) >= {0, 1, 2, 3, 4}


def test_a_shard_of_other_texts_is_computed_again(tmp_path: Path) -> None:
    """Its texts were edited while it was encoded, and are restored now."""
    output = tmp_path / "out.npy"
    with pytest.raises(KeyboardInterrupt):
        write(output, [*TEXTS[:300], "edited", *TEXTS[301:]], stop_after=5)
    assert write(output) == 2


def test_an_interrupt_while_resuming_loses_nothing(stopped: Path) -> None:
    def interrupted() -> Generator[list[str]]:
        yield TEXTS[:SIZE]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), growing(stopped, "recipe", ROWS.shape) as array:
        array.resume(interrupted())
    assert write(stopped) == 5


def test_what_was_begun_for_something_else_is_named(stopped: Path) -> None:
    said: list[str] = []
    with events.listening(said.append), growing(stopped, "another", ROWS.shape) as array:
        assert array.cut == []
    assert said == [
        f"{stopped}.part was begun from other texts, by another method or by another version, "
        "and is begun anew."
    ]


def test_two_that_wait_for_the_end_of_a_third_do_not_write_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One takes the lock as it is released, and its file may not be deleted then."""
    output = tmp_path / "out.npy"
    second = FileLock(f"{output}.lock", timeout=0)
    taken: list[object] = []

    class Watched(FileLock):
        def release(self, force: bool = False) -> None:
            super().release(force)
            if not taken:  # a lock is also released as it is deleted
                taken.append(second.acquire())

    with monkeypatch.context() as patch:
        patch.setattr(growing_array, "FileLock", Watched)
        write(output)
    with pytest.raises(CorpusError, match="being written by another process"):
        write(output)
    second.release()
    assert write(output) == 0
    assert list(tmp_path.iterdir()) == [output]
