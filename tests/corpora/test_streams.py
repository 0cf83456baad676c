"""Texts that are read twice: a file that changes in between is refused."""

import gzip
import io
import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from analysis.corpora import streams
from analysis.corpora.streams import Lines
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence

TEXTS = [f"text number {number}" for number in range(1000)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS))
    return path


def append(path: Path, text: str = "\none more") -> None:
    with path.open("a") as file:
        file.write(text)


def edit(path: Path, old: bytes = b"number 900", new: bytes = b"numeral 90") -> None:
    place = path.read_bytes().index(old)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(new)


def edit_unseen(path: Path) -> None:
    """Edit and set back the time, as some editors and tools do."""
    before = path.stat()
    edit(path, b"number 10\n", b"number ten"[:10])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path, texts: list[str] = TEXTS[::-1]) -> None:
    path.with_suffix(".new").write_text("\n".join(texts))
    path.with_suffix(".new").replace(path)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "cut in a line": lambda path: os.truncate(path, 5000),
    "cut between lines": lambda path: path.write_text("\n".join(TEXTS[:500])),
    "emptied": lambda path: os.truncate(path, 0),
    "one line more": append,
    "the last line longer": lambda path: append(path, " and more"),
    "a line edited": edit,
    "a line edited that was read": lambda path: edit(path, b"number 1\n", b"number X\n"),
    "edited, its time set back": edit_unseen,
    "no text": lambda path: edit(path, b"number 900", b"\xff" * 10),
    "a blank line": lambda path: edit(path, b"text number 900", b" " * 15),
    "replaced": replace,
    "replaced by a folder": become_folder,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("after", [0, 3, 8])
def test_a_file_that_changes_is_refused(
    source: Path, change: Callable[[Path], object], after: int
) -> None:
    texts: list[str] = []

    def read(lines: Lines) -> None:
        for number, shard in enumerate(lines.shards(125), 1):
            texts.extend(shard)
            if number == after:
                change(source)
        lines.check_unchanged()

    with closing(Lines(str(source))) as lines:
        if after == 0:
            change(source)
        with pytest.raises(CorpusError, match="changed while it was read, so no array") as caught:
            read(lines)
    assert_one_sentence(caught.value)
    assert len(texts) <= 125 * max(after, 1)


@pytest.mark.parametrize(
    "touch",
    [
        lambda path: os.utime(path, (1, 1)),
        lambda path: path.chmod(0o600),
        lambda path: append(path, "\n"),
        lambda path: replace(path, TEXTS),
        lambda path: path.rename(path.with_name("moved.txt")),
        lambda path: path.unlink(),
    ],
    ids=["its time", "its mode", "a last line end", "replaced by the same", "moved", "deleted"],
)
def test_the_same_texts_are_no_change(source: Path, touch: Callable[[Path], object]) -> None:
    with closing(Lines(str(source))) as lines:
        texts = []
        for shard in lines.shards(300):
            texts += shard
            if len(texts) == 600:
                touch(source)
        lines.check_unchanged()
    assert texts == TEXTS


def test_shards_that_are_skipped_are_compared_too(source: Path) -> None:
    with closing(Lines(str(source))) as lines:
        assert next(iter(lines.shards(300, 2))) == TEXTS[600:900]
        edit_unseen(source)
        with pytest.raises(CorpusError, match="changed while it was read"):
            list(lines.shards(300, 2))


def test_a_table_is_compared_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt.gz"
    path.write_bytes(gzip.compress("\n".join(TEXTS).encode()))
    with closing(Lines(str(path))) as lines:
        assert [text for shard in lines.shards(300) for text in shard] == TEXTS
        path.write_bytes(gzip.compress("\n".join(TEXTS[::-1]).encode()))
        with pytest.raises(CorpusError, match="changed while it was read"):
            lines.check_unchanged()


def test_standard_input_is_read_once_and_its_copy_twice(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with source.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        with closing(Lines("-")) as lines:
            replace(source)
            edit(source)
            assert [text for shard in lines.shards(300) for text in shard] == TEXTS
            lines.check_unchanged()


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "texts.txt"
    monkeypatch.setattr(streams, "_LONGEST", 100)
    for longest in ("a" * 100, "a" * 100 + "\n", "one\n" + "ü" * 100 + "\ntwo\n"):
        path.write_text(longest, "utf-8")
        with closing(Lines(str(path))) as lines:
            assert list(lines) == longest.splitlines()
    path.write_text("one\n" + "a" * 101 + "\n", "utf-8")
    with pytest.raises(CorpusError, match="line 2: has more than 100 characters"):
        Lines(str(path))


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_a_device_without_an_end_is_refused(device: str) -> None:
    with pytest.raises(CorpusError) as refused:
        Lines(device)
    assert_one_sentence(str(refused.value))
