"""Embeddings stored text by text, so that a text is encoded only once for a recipe.

A recipe is a digest of all that decides an embedding besides the text. Vectors lie in one database
in the cache folder (:mod:`.vector_database`), those of other versions of the packages too; beyond a
size the oldest are deleted. Each is checked when read; a damaged one counts as missing. Nothing is
pickled.
"""

import hashlib
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..runtime import request_log
from ..runtime.paths import cache_home
from . import result_store, vector_database

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


def load(recipe: str, texts: Sequence[str]) -> dict[str, Vector]:
    """The stored vectors of ``texts``, by text; those without one are left out.

    Args:
        recipe: digest of all that decides an embedding besides the text.
        texts: the texts to look up.
    """
    keys, vectors = _keys(recipe, texts), {}
    for key, value in vector_database.get_many(_folder(), list(keys)).items():
        if (vector := _unpacked(key, value)) is not None:
            vectors[keys[key]] = vector
    request_log.count(known=len(vectors))
    return vectors


def store(recipe: str, vectors: Mapping[str, Vector]) -> None:
    """Store the vectors of some texts; a full or locked disk is said and is not an error.

    Args:
        recipe: digest of all that decides an embedding besides the text.
        vectors: vectors by text.
    """
    keys = _keys(recipe, vectors)
    items = [(key, _packed(key, vectors[text])) for key, text in keys.items()]
    vector_database.put_many(_folder(), items)


def chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Distinct texts in chunks of :data:`CHUNK`, from the shortest to the longest."""
    ordered = sorted(dict.fromkeys(texts), key=len)
    for begin in range(0, len(ordered), CHUNK):
        yield ordered[begin : begin + CHUNK]


def _folder() -> Path:
    return cache_home() / "vectors"


def _keys(recipe: str, texts: Iterable[str]) -> dict[bytes, str]:
    """Each text by its key, which versions, recipe and text decide.

    Empty for a recipe that cannot be stored, and inside ``result_store.only``.
    """
    shelf = result_store.users_shelf()
    if shelf is None or not result_store.storable(recipe):
        return {}
    begin = f"{shelf.name}\0{recipe}\0".encode()
    return {
        hashlib.sha256(begin + text.encode(errors="surrogatepass")).digest(): text for text in texts
    }


def _packed(key: bytes, vector: Vector) -> bytes:
    """A vector as bytes, with a checksum that covers its key: none is read as another's."""
    head = int(vector.cut).to_bytes(4, "little") + np.array(vector.norm, "<f4").tobytes()
    data = head + vector.embedding.astype("<f4").tobytes()
    return _checksum(key, data) + data


def _unpacked(key: bytes, stored: object) -> Vector | None:
    if not isinstance(stored, bytes) or len(stored) < 16 or len(stored) % 4:
        return None
    data = stored[4:]
    embedding = np.frombuffer(data[8:], "<f4")
    if _checksum(key, data) != stored[:4] or not math.isfinite(embedding.sum()):
        return None
    norm = float(np.frombuffer(data[4:8], "<f4")[0])
    return Vector(embedding, int.from_bytes(data[:4], "little"), norm)


def _checksum(key: bytes, data: bytes) -> bytes:
    return zlib.crc32(data, zlib.crc32(key)).to_bytes(4, "little")
