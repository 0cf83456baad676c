"""A ``.npy`` file that grows by shards, and a journal from which a stopped run resumes.

The journal has a line for each finished shard: how many texts and tokens were cut, a checksum of
its texts, and one of these three and its embeddings together. From the first shard on that is
damaged, or whose texts are others, all are computed again.
"""

import json
import os
import re
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from itertools import takewhile
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ..errors import CorpusError
from ..runtime import events
from ..runtime.outputs import JOURNAL, LOCK, PART, writing

_ENTRY = re.compile(r"(\d{1,18}) (\d{1,18}) ([0-9a-f]{8}) ([0-9a-f]{8})")


class Shard(NamedTuple):
    """Embeddings of n texts that follow one another.

    Attributes:
        checksum: of the texts, see :func:`checksum_of`.
        embeddings: float32 (n, D).
        texts_cut: how many texts were cut.
        tokens_cut: how many of their tokens were cut off.
    """

    checksum: int
    embeddings: NDArray[np.float32]
    texts_cut: int
    tokens_cut: int


def checksum_of(texts: Sequence[str]) -> int:
    """The CRC-32 of a list of texts."""
    return zlib.crc32(json.dumps(list(texts)).encode())


class _Entry(NamedTuple):
    """A line of the journal: what is known of a finished shard, and the checksum of it all."""

    texts_cut: int
    tokens_cut: int
    texts: int
    all: int

    @classmethod
    def of(cls, texts_cut: int, tokens_cut: int, texts: int, data: bytes) -> "_Entry":
        facts = f"{texts_cut} {tokens_cut} {texts:08x}"
        return cls(texts_cut, tokens_cut, texts, zlib.crc32(data, zlib.crc32(facts.encode())))

    def __str__(self) -> str:
        return f"{self.texts_cut} {self.tokens_cut} {self.texts:08x} {self.all:08x}"


class GrowingArray:
    """A float32 array (N, D) that is written shard by shard beside its final place.

    Args:
        output: the final place.
        recipe: digest of all that decides the array; what was written for another is not used.
        shape: N and D.
    """

    def __init__(self, output: Path, recipe: str, shape: tuple[int, int]) -> None:
        self._output, self._recipe, self._row = output, recipe, 4 * shape[1]
        self._part = output.with_name(f"{output.name}{PART}")
        self._journal = output.with_name(f"{output.name}{JOURNAL}")
        self._entries = _entries_of(self._journal, recipe)
        self._array = self._part.open("r+b" if self._entries and self._part.exists() else "w+b")
        np.lib.format.write_array_header_1_0(
            self._array, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        self._notes: IO[str] | None = None

    @property
    def cut(self) -> list[tuple[int, int]]:
        """For each finished shard how many texts and tokens were cut."""
        return [(entry.texts_cut, entry.tokens_cut) for entry in self._entries]

    def resume(self, shards: Generator[list[str]]) -> None:
        """Keep the shards of an earlier run up to the first that is damaged or of other texts.

        Args:
            shards: the texts of all shards, from the first one.
        """
        sound, end = [], self._array.tell()
        with closing(shards):
            for entry, texts in zip(self._entries, shards, strict=False):
                data = self._array.read(self._row * len(texts))
                facts = (entry.texts_cut, entry.tokens_cut, checksum_of(texts))
                if len(data) < self._row * len(texts) or entry != _Entry.of(*facts, data):
                    break
                sound.append(entry)
                end += len(data)
        with writing(self._output):
            self._entries = sound
            self._array.seek(end)
            self._array.truncate()
            self._notes = self._journal.open("w", encoding="utf-8")
            self._notes.writelines(f"{line}\n" for line in (json.dumps(self._recipe), *sound))
            _settle(self._notes)

    def add(self, shard: Shard) -> None:
        """Write a shard to disk, then note it in the journal."""
        assert self._notes is not None
        data = np.ascontiguousarray(shard.embeddings, "<f4").tobytes()
        entry = _Entry.of(shard.texts_cut, shard.tokens_cut, shard.checksum, data)
        with writing(self._output):
            self._array.write(data)
            _settle(self._array)
            self._entries.append(entry)
            self._notes.write(f"{entry}\n")
            _settle(self._notes)

    def close(self, *, complete: bool) -> None:
        """Move the array into place if it is ``complete``; else keep it for the next run."""
        for file in (self._array, self._notes):
            with nullcontext() if complete else suppress(OSError):  # as where a disk was full
                if file is not None:
                    file.close()
        if complete:
            self._part.replace(self._output)
        elif not self._entries:
            self._part.unlink()
        if complete or not self._entries:
            self._journal.unlink(missing_ok=True)


@contextmanager
def growing(output: Path, recipe: str, shape: tuple[int, int]) -> Iterator[GrowingArray]:
    """The array of ``recipe`` as far as it is written; at the end of the block it is ``output``.

    Args:
        output: the ``.npy`` file; until then ``output.part`` and a journal lie beside it.
        recipe: digest of all that decides the array.
        shape: its rows and columns.

    Raises:
        CorpusError: the output cannot be written, or another process writes it.
    """
    output = output.resolve()
    if output.exists() and not output.is_file():
        raise CorpusError(f"{output} cannot be written: it is not a file; name another.")
    _check_ours(output)
    lock = FileLock(output.with_name(f"{output.name}{LOCK}"), timeout=0)
    with writing(output):
        try:
            lock.acquire()
        except Timeout:
            raise CorpusError(
                f"{output} is being written by another process; wait for it, or name another file."
            ) from None
    try:
        with writing(output):
            array = GrowingArray(output, recipe, shape)
        try:
            yield array
        except BaseException:
            array.close(complete=False)
            raise
        with writing(output):
            array.close(complete=True)
    finally:
        with suppress(OSError):  # Windows deletes it as it is released
            Path(lock.lock_file).unlink()  # before: another process may hold it at once
        lock.release()


def _entries_of(journal: Path, recipe: str) -> list[_Entry]:
    """The finished shards of ``recipe`` in a journal, up to the first line that is damaged."""
    if not journal.exists():
        return []
    header, *lines = journal.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] or [""]
    if header != json.dumps(recipe):
        if header:
            events.say(
                f"{journal.with_suffix(PART)} was begun from other texts, by another method or by "
                "another version, and is begun anew."
            )
        return []
    matches = takewhile(bool, map(_ENTRY.fullmatch, lines))
    return [_Entry(int(m[1]), int(m[2]), int(m[3], 16), int(m[4], 16)) for m in matches if m]


_BESIDE = {LOCK: rb"\Z", PART: rb"\x93NUMPY|\Z", JOURNAL: rb'"[\w-]+"\n|\Z'}
"""How each file beside an output begins, by its ending; all may be empty after a stop."""


def _check_ours(output: Path) -> None:
    """Refuse files of someone else's beside an output, which would be replaced and deleted.

    An array and its journal lie together, so one that is ours shows that the other one is too,
    even if its beginning is damaged.
    """
    beginnings: dict[str, bytes] = {}
    for ending in _BESIDE:
        path = output.with_name(f"{output.name}{ending}")
        if path.exists():
            with writing(path), path.open("rb") as file:
                beginnings[ending] = file.read(100)
    ours = {end: bool(re.match(_BESIDE[end], start)) for end, start in beginnings.items()}
    if any(beginnings.get(ending) and ours[ending] for ending in (PART, JOURNAL)):
        ours |= {PART: True, JOURNAL: True}
    for ending, is_ours in ours.items():
        if not is_ours:
            raise CorpusError(
                f"{output}{ending} was not written by an encoding and would be replaced; move it, "
                "or name another output."
            )


def _settle(file: IO[bytes] | IO[str]) -> None:
    """Flush a file to disk."""
    file.flush()
    os.fsync(file.fileno())
