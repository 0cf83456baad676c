"""The header of a GGUF file, checked against the file's size before anything is allocated.

Later readers trust a header's counts and lengths: an array announced with 2**60 numbers fills the
memory before its end is found missing. Here each count is compared with the bytes left in the file,
and nothing is stored.
"""

import math
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path

from ..errors import BackboneError, quoted
from ..runtime import git_lfs

MAGIC = b"GGUF"
_PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$", re.IGNORECASE)
"""The end of the name of one of several files that hold one model."""
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of each kind of number that a header holds; 8 is a string and 9 an array."""
_STRING, _ARRAY = 8, 9
_BEGINNING = 64
"""Bytes of a string that are looked at."""
_MOST_AXES = 4
_DEEPEST = 1
"""Levels of arrays inside arrays; no reader of this format uses any."""


class _AbsurdError(ValueError):
    """The header announces more than the file holds."""


class _Walk:
    """A position in the file, which moves only within it."""

    def __init__(self, data: mmap) -> None:
        self.data, self.at = data, 0

    def skip(self, size: int) -> None:
        if size > len(self.data) - self.at:
            raise _AbsurdError("it says more follows than the file holds")
        self.at += size

    def number(self, form: str) -> int:
        start = self.at
        self.skip(struct.calcsize(form))
        (value,) = struct.unpack_from(form, self.data, start)
        return int(value)

    def count(self, least: int) -> int:
        """The number of entries that follow, of at least ``least`` bytes each."""
        value = self.number("<Q")
        if value * least > len(self.data) - self.at:
            raise _AbsurdError(f"it says {value:,} entries follow, more than the file holds")
        return value

    def string(self) -> bytes:
        """Skip a string; return its beginning."""
        length = self.number("<Q")
        start = self.at
        self.skip(length)
        return self.data[start : start + min(length, _BEGINNING)]

    def value(self, kind: int, depth: int = 0) -> bytes | None:
        """Skip a value; return its beginning if it is a string."""
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY and depth < _DEEPEST:
            inner = self.number("<I")
            if inner in _SIZES:
                self.skip(self.count(_SIZES[inner]) * _SIZES[inner])
            elif inner == _STRING:
                self.at = after_strings(self.data, self.at + 8, self.count(8))
            else:
                for _ in range(self.count(8)):
                    self.value(inner, depth + 1)
        elif kind in _SIZES:
            self.skip(_SIZES[kind])
        else:
            raise _AbsurdError(f"it holds a value of unknown kind {kind}")
        return None


def after_strings(data: mmap | memoryview, at: int, count: int) -> int:
    """Where ``count`` strings end that begin at ``at``, each with its length before it.

    A vocabulary has a million of them, so this loop is plain.

    Raises:
        ValueError: they reach beyond the data.
    """
    length_at, end = struct.Struct("<Q").unpack_from, len(data)
    for _ in range(count):
        if at > end - 8:
            raise _AbsurdError("it says more follows than the file holds")
        at += 8 + length_at(data, at)[0]
    if at > end:
        raise _AbsurdError("it says more follows than the file holds")
    return at


def check_header(path: Path) -> None:
    """Refuse a GGUF file whose header announces more than the file holds.

    Raises:
        BackboneError: it is not a GGUF file of version 2 or 3, is cut short, or a count, a length
            or a tensor's size in its header exceeds the file.
    """
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    if (part := _PART.search(path.name)) and int(part[2]) > 1:
        raise BackboneError(
            f"{path.name} is part {int(part[1])} of {int(part[2])} of a GGUF file; join them with "
            "llama-gguf-split --merge of llama.cpp and give the result."
        )
    with _refused(path), path.open("rb") as file:
        if not path.stat().st_size:
            raise _AbsurdError("it is empty")
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            walk = _Walk(data)
            if git_lfs.is_pointer(data[: len(git_lfs.BEGINNING)]):
                raise BackboneError(git_lfs.refusal(path.name))
            if data[:4] != MAGIC:
                raise _AbsurdError("it does not begin as one")
            walk.skip(4)
            if (version := walk.number("<I")) not in (2, 3):
                raise _AbsurdError(f"it is of version {version}")
            tensors, keys = walk.count(24), walk.count(12)
            for _ in range(keys):
                key, value = walk.string(), walk.value(walk.number("<I"))
                if key == b"general.type" and value is not None and value != b"model":
                    words = value.decode("ascii", "replace")
                    raise _AbsurdError(
                        f"it holds no model but the part that it calls {quoted(words)}"
                    )
            for _ in range(tensors):
                walk.string()
                axes = walk.number("<I")
                if not 1 <= axes <= _MOST_AXES:
                    raise _AbsurdError(f"a tensor has {axes} axes")
                elements = math.prod(walk.number("<Q") for _ in range(axes))
                kind, offset = walk.number("<I"), walk.number("<Q")
                block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
                if offset + elements // block * size > len(data):
                    raise _AbsurdError("a tensor reaches beyond the file")


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except (_AbsurdError, ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BackboneError(
            f"{path.name} cannot be read as a gguf backbone ({reason}); fetch it again or choose "
            f"another."
        ) from None
