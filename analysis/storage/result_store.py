"""Results stored on disk, so that nothing is computed twice.

A result is a dictionary of plain facts and named arrays, stored as one ``.npz`` file without
pickle. Its key is a digest of everything that decides its numbers. There are two shelves: the
user's cache, which is bound to the versions of torch, transformers and the other packages that
compute, and ``assets/results``, which ships with the project and is read only. A damaged file
counts as missing. Beyond :data:`MAX_BYTES` the oldest of the user's results are deleted, those of
other versions among them.
"""

import hashlib
import importlib.metadata
import io
import json
import operator
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime import request_log
from ..runtime.paths import ASSETS, cache_home
from .cache_faults import say_unusable

MAX_BYTES = 1024**3
"""Bytes of the user's results beyond which the oldest are deleted."""
SHIPPED = ASSETS / "results"
_COMPUTING = ("torch", "transformers", "numpy", "scipy", "scikit-learn", "scikit-dimension")
_FORMAT = 1
_UNSTORABLE = f"unstorable-{uuid.uuid4().hex}"
"""Marks keys under which nothing is stored; not guessable, so that no text can hold it."""
_UNUSED = {"*/*.part": 3600, "*/vectors/cache.db*": 90 * 24 * 3600}
"""Seconds after their last change until files are deleted: those that a killed process left half
written, and the databases of vectors of earlier versions of this project."""

_ONLY: ContextVar[Path | None] = ContextVar("only", default=None)

Stored = tuple[dict[str, Any], dict[str, NDArray[Any]]]


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that compute."""
    return {name: importlib.metadata.version(name) for name in _COMPUTING}


def unstorable() -> str:
    """A part of a key for something that cannot be identified by its value; new at each call.

    A result with it in its key is never stored: ``get`` finds nothing under such a key and ``put``
    does nothing, so it is computed each time and never confused with another.
    """
    return f"{_UNSTORABLE}-{uuid.uuid4().hex}"


def storable(name: str) -> bool:
    """Whether results may be stored under a key or digest, which has no ``unstorable`` part."""
    return _UNSTORABLE not in name


def digest(*parts: Any) -> str:
    """A short identity of JSON-able ``parts``; any change in them changes it.

    Whole numbers of numpy count as plain ones.

    With an ``unstorable`` part the digest is not storable either.
    """
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=operator.index)
    short = hashlib.sha256(text.encode()).hexdigest()[:24]
    return short if storable(text) else f"{_UNSTORABLE}-{short}"


def key(kind: str, **parts: Any) -> str:
    """The key of a result: its kind, readable, and a digest of what decides its numbers."""
    return f"{kind}-{digest(_FORMAT, parts)}"


def get(name: str) -> Stored | None:
    """The facts and arrays stored under ``name``, the user's own before shipped ones, or None."""
    if not storable(name):
        return None
    for shelf in (_shelf(), SHIPPED) if _ONLY.get() is None else (_shelf(),):
        path = shelf / f"{name}.npz"
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {part: file[part] for part in file.files}
            facts = dict(json.loads(str(arrays.pop("facts"))))
        except FileNotFoundError:
            continue
        except Exception as error:  # damage shows as nearly any error of zip, zlib, NumPy or JSON
            if isinstance(error, OSError) and error.errno:
                say_unusable("Results", error, path, "read")
            continue
        request_log.count(stored=1)
        return facts | {"shipped": shelf == SHIPPED}, arrays
    return None


def put(name: str, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Store a result under ``name``, atomically; a full or read-only disk is said, and no error.

    Args:
        name: key of the result, see :func:`key`.
        facts: plain values that JSON can hold.
        arrays: arrays by name, of any shape and numeric dtype.
    """
    if not storable(name):
        return
    buffer = io.BytesIO()
    text = np.array(json.dumps(facts | {"versions": versions()}))
    np.savez_compressed(buffer, facts=text, **arrays)  # type: ignore[arg-type]
    shelf = _shelf()
    try:
        shelf.mkdir(parents=True, exist_ok=True)
        partial = shelf / f"{uuid.uuid4().hex}.part"  # by the umask, so that a group can share it
        try:
            partial.write_bytes(buffer.getbuffer())
            partial.replace(shelf / f"{name}.npz")
        finally:
            partial.unlink(missing_ok=True)
        if _ONLY.get() is None:
            _drop_oldest(shelf.parent)
    except OSError as error:
        say_unusable("Results", error, shelf, "written")


def _drop_oldest(shelves: Path) -> None:
    """Keep all shelves together below ``MAX_BYTES``; delete files that nobody uses any more."""
    for pattern, seconds in _UNUSED.items():
        for path in shelves.glob(pattern):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > seconds:
                    path.unlink()
    results = []
    for path in shelves.glob("*/*.npz"):
        with suppress(OSError):  # another process may have dropped it
            status = path.stat()
            results.append((status.st_mtime, status.st_size, path))
    size = sum(bytes_ for _, bytes_, _ in results)
    for _, bytes_, path in sorted(results):
        if size <= MAX_BYTES:
            return
        with suppress(OSError):
            path.unlink()
        size -= bytes_


@contextmanager
def only(shelf: Path) -> Iterator[None]:
    """Read and write this one folder instead of the two shelves, inside the block."""
    token = _ONLY.set(shelf)
    try:
        yield
    finally:
        _ONLY.reset(token)


def users_shelf() -> Path | None:
    """The folder of the user's results of the installed versions; None inside ``only``."""
    return None if _ONLY.get() is not None else cache_home() / "results" / digest(versions())


def _shelf() -> Path:
    """The user's results, or the one shelf of ``only``."""
    return users_shelf() or _ONLY.get()  # type: ignore[return-value]
