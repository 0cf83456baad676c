"""Embeddings stored text by text, so that a text is encoded only once for a recipe.

A recipe is a digest of all that decides an embedding besides the text. Vectors lie in a diskcache
(SQLite) inside the folder of the user's results, safe with several processes; beyond a size the
oldest are deleted. Each is checked when read; a damaged one counts as missing. Nothing is pickled.
"""

import hashlib
import math
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import diskcache
import numpy as np
from numpy.typing import NDArray

from ..runtime import request_log
from . import result_store

MAX_BYTES = 2 * 1024**3
"""Bytes on disk beyond which the oldest vectors are deleted."""
CHUNK = 256
"""Texts encoded before their vectors are stored, so that interrupted work resumes there."""


class Vector(NamedTuple):
    """One text's vector.

    Attributes:
        embedding: float32 (D,), unit length.
        cut: number of the text's tokens that were cut off.
        norm: the vector's length before it was normalised; 0 where that was not stored.
    """

    embedding: NDArray[np.float32]
    cut: int
    norm: float = 0.0

    @property
    def has_norm(self) -> bool:
        """Whether the norm is known; a vector of zeros has the norm 0."""
        return self.norm > 0 or not self.embedding.any()


class _Plain(diskcache.Disk):  # type: ignore[misc]
    """Bytes under names; refuses what diskcache would unpickle."""

    def fetch(self, mode: int, filename: Any, value: Any, read: bool) -> Any:
        if mode == diskcache.core.MODE_PICKLE:
            return None
        return super().fetch(mode, filename, value, read)


def load(recipe: str, texts: Sequence[str]) -> dict[str, Vector]:
    """The stored vectors of ``texts``, by text; those without one are left out.

    Args:
        recipe: digest of all that decides an embedding besides the text.
        texts: the texts to look up.
    """
    vectors: dict[str, Vector] = {}
    if not result_store.storable(recipe):
        return vectors
    try:
        if (cache := _cache()) is not None:
            for text in texts:
                vector = _unpacked(cache.get(_key(recipe, text)))
                if vector is not None:
                    vectors[text] = vector
    except (OSError, sqlite3.Error, diskcache.Timeout):
        pass  # a broken cache is an empty one
    request_log.count(known=len(vectors))
    return vectors


def store(recipe: str, vectors: dict[str, Vector]) -> None:
    """Store the vectors of some texts; a full or broken disk is not an error.

    Args:
        recipe: digest of all that decides an embedding besides the text.
        vectors: vectors by text.
    """
    if not result_store.storable(recipe):
        return
    try:
        if (cache := _cache()) is not None:
            with cache.transact():
                for text, vector in vectors.items():
                    cache.set(_key(recipe, text), _packed(vector))
    except (OSError, sqlite3.Error, diskcache.Timeout):
        return


def chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Distinct texts in chunks of :data:`CHUNK`, from the shortest to the longest."""
    ordered = sorted(dict.fromkeys(texts), key=len)
    for begin in range(0, len(ordered), CHUNK):
        yield ordered[begin : begin + CHUNK]


def _key(recipe: str, text: str) -> str:
    return hashlib.sha256(f"{recipe}\0{text}".encode(errors="surrogatepass")).hexdigest()


def _packed(vector: Vector) -> bytes:
    head = int(vector.cut).to_bytes(4, "little") + np.array(vector.norm, "<f4").tobytes()
    data = head + vector.embedding.astype("<f4").tobytes()
    return zlib.crc32(data).to_bytes(4, "little") + data


def _unpacked(stored: object) -> Vector | None:
    if not isinstance(stored, bytes) or len(stored) < 16 or len(stored) % 4:
        return None
    check, data = stored[:4], stored[4:]
    embedding = np.frombuffer(data[8:], "<f4")
    if zlib.crc32(data).to_bytes(4, "little") != check or not math.isfinite(embedding.sum()):
        return None
    norm = float(np.frombuffer(data[4:8], "<f4")[0])
    return Vector(embedding, int.from_bytes(data[:4], "little"), norm)


def _cache() -> Any:
    """The open cache of the user's results, None inside ``result_store.only``."""
    shelf = result_store.users_shelf()
    return None if shelf is None else _opened(shelf / "vectors")


@lru_cache(maxsize=4)
def _opened(folder: Path) -> Any:
    """The open cache of a folder; one that cannot be opened is created again."""
    for _ in range(2):
        try:
            cache = diskcache.Cache(str(folder), disk=_Plain, size_limit=MAX_BYTES, timeout=10)
            cache.check()
            return cache
        except sqlite3.DatabaseError:
            for path in folder.glob("cache.db*"):
                path.unlink(missing_ok=True)
    return None
