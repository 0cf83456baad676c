"""Large corpora: a file of texts encoded shard by shard into an array on disk.

Shards are read, encoded and written as a stream, so that memory does not grow with the number of
texts. A run that was stopped resumes after its last finished shard. The
array is an ordinary ``.npy`` file, which ``numpy.load(..., mmap_mode="r")`` opens without reading
it.
"""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora.streams import Lines
from ..embedding.encoder import MethodEncoder
from ..embedding.methods import Method
from ..embedding.prompts import Role
from ..errors import CorpusError
from ..runtime import outputs
from ..runtime.events import Progress, quiet
from ..runtime.outputs import JOURNAL, LOCK, PART, writing
from ..storage import result_store
from .engines import Workers
from .same_backbone import check_same

MIN_TEXTS, MAX_TEXTS = 128, 1024
"""Texts of a shard: enough to fill batches of similar length, few enough to compute again."""


class Shard(NamedTuple):
    """Embeddings float32 (n, D) of some texts, and how much was cut off long ones."""

    embeddings: NDArray[np.float32]
    texts_cut: int
    tokens_cut: int


@dataclass(frozen=True)
class Encoded:
    """The result of encoding a file; ``kept`` of its ``shards`` were finished by an earlier run."""

    texts_cut: int
    tokens_cut: int
    seconds: float
    shards: int
    kept: int


def encode(
    workers: Workers[Backbone],
    reference: Backbone,
    lines: Lines,
    output: Path,
    method: Method,
    *,
    role: Role = "Context",
    resumed: Progress = quiet,
    progress: Progress = quiet,
) -> Encoded:
    """Encode ``lines`` into ``output``, a float32 array (N, D) of rows of unit length.

    Args:
        workers: workers with the backbone, see :func:`analysis.parallel.engines.opened`.
        reference: the same backbone, with or without weights.
        lines: N texts.
        output: the ``.npy`` file; until it is complete, ``output.part`` and a journal lie beside
            it.
        method: how a text becomes a vector, as in :func:`analysis.embedding.encoder.encode`.
        role: what the prompt calls the texts.
        resumed: called with the number of shards that an earlier run finished and the total, if
            any.
        progress: counts texts, after each shard.

    Raises:
        CorpusError: a text cannot be encoded, or the output cannot be written.
        BackboneError, PlanError: what encoding raises.
        EngineError: workers gave up, or have other weights, another dtype or device.
    """
    outputs.check_apart([output], [Path(lines.name)])
    began = time.perf_counter()
    size = min(MAX_TEXTS, max(MIN_TEXTS, lines.count // 64))
    total = -(-lines.count // size)
    identity = MethodEncoder(reference, method).identity
    recipe = result_store.digest(identity, result_store.versions(), role, lines.digest, size)
    work = partial(_encoded, reference, method, role)
    with _growing(output, recipe, (lines.count, reference.facts.hidden), size) as growing:
        finished = len(growing.cut)
        if finished:
            resumed(finished, total)
        for number, shard in enumerate(
            workers.map(work, lines.shards(size, finished)), finished + 1
        ):
            growing.add(shard)
            progress(min(number * size, lines.count), lines.count)
    texts_cut, tokens_cut = np.sum(growing.cut, axis=0).tolist()
    return Encoded(texts_cut, tokens_cut, time.perf_counter() - began, total, finished)


def _encoded(
    reference: Backbone, method: Method, role: Role, backbone: Backbone, texts: list[str]
) -> Shard:
    check_same(backbone, reference)
    encoding = MethodEncoder(backbone, method).encode(texts, role=role)
    return Shard(encoding.embeddings, encoding.texts_cut, encoding.tokens_cut)


class _Growing:
    """A ``.npy`` file that grows by shards, and a journal of the finished ones.

    ``cut`` has for each shard how many texts and tokens were cut.
    """

    def __init__(self, output: Path, recipe: str, shape: tuple[int, int], size: int) -> None:
        self._output = output
        self._part = output.with_name(f"{output.name}{PART}")
        self._journal = output.with_name(f"{output.name}{JOURNAL}")
        self.cut = _journal_of(self._journal, recipe)
        self._array = self._part.open("r+b" if self.cut and self._part.exists() else "w+b")
        np.lib.format.write_array_header_1_0(
            self._array, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        begin, row = self._array.tell(), 4 * shape[1]
        rows_on_disk = (os.fstat(self._array.fileno()).st_size - begin) // row
        while self.cut and min(len(self.cut) * size, shape[0]) > rows_on_disk:
            self.cut.pop()
        self._array.truncate(begin + min(len(self.cut) * size, shape[0]) * row)
        self._array.seek(0, os.SEEK_END)
        self._notes = self._journal.open("w", encoding="utf-8")
        self._notes.writelines(f"{json.dumps(entry)}\n" for entry in (recipe, *self.cut))
        _settle(self._notes)

    def add(self, shard: Shard) -> None:
        """Write a shard to disk, then note it in the journal."""
        with writing(self._output):
            self._array.write(np.ascontiguousarray(shard.embeddings, "<f4").tobytes())
            _settle(self._array)
            self.cut.append((shard.texts_cut, shard.tokens_cut))
            self._notes.write(json.dumps(self.cut[-1]) + "\n")
            _settle(self._notes)

    def close(self, *, complete: bool) -> None:
        """Move the array into place if it is ``complete``; else keep it for the next run."""
        for file in (self._array, self._notes):
            with nullcontext() if complete else suppress(OSError):  # as where a disk was full
                file.close()
        if complete:
            self._part.replace(self._output)
        elif not self.cut:
            self._part.unlink()
        if complete or not self.cut:
            self._journal.unlink()


@contextmanager
def _growing(output: Path, recipe: str, shape: tuple[int, int], size: int) -> Iterator[_Growing]:
    """The array of ``recipe`` as far as it is written; at the end of the block it is ``output``."""
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
            growing = _Growing(output, recipe, shape, size)
        try:
            yield growing
        except BaseException:
            growing.close(complete=False)
            raise
        with writing(output):
            growing.close(complete=True)
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _journal_of(journal: Path, recipe: str) -> list[tuple[int, int]]:
    """The finished shards of ``recipe`` in a journal; an incomplete last line is ignored."""
    if not journal.exists():
        return []
    header, *lines = journal.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] or [""]
    if header != json.dumps(recipe):
        return []
    return [(int(texts), int(tokens)) for texts, tokens in map(json.loads, lines)]


_BESIDE = {LOCK: rb"\Z", PART: rb"\x93NUMPY|\Z", JOURNAL: rb'"[\w-]+"\n|\Z'}
"""How each file beside an output begins, by its ending; all may be empty after a stop."""


def _check_ours(output: Path) -> None:
    """Refuse files of someone else's beside an output, which would be replaced and deleted."""
    for ending, start in _BESIDE.items():
        path = output.with_name(f"{output.name}{ending}")
        if not path.exists():
            continue
        with writing(path), path.open("rb") as file:
            beginning = file.read(100)
        if not re.match(start, beginning):
            raise CorpusError(
                f"{path} was not written by an encoding and would be replaced; move it, or name "
                "another output."
            )
        if ending == PART and beginning:
            return  # the journal of an unfinished array is ours too, even if it is damaged


def _settle(file: IO[bytes] | IO[str]) -> None:
    """Flush a file to disk."""
    file.flush()
    os.fsync(file.fileno())
