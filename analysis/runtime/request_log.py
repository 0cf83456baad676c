"""One line of JSON for every request: what was asked, what it took, how it ended; never a text.

Off unless ``KVE_LOG`` says where to write (``stderr``, or a file to append to) or the caller does:
the app writes to standard error unless ``KVE_LOG`` is ``off``.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import psutil

from ..errors import ExplorerError

_LOGGER = logging.getLogger("kve")
_ENTRY: ContextVar[dict[str, Any] | None] = ContextVar("entry", default=None)


def start(default: str = "off") -> None:
    """Write where ``KVE_LOG`` says, else to ``default``: ``off``, ``stderr`` or a file.

    A file that cannot be opened is said on standard error, and the lines go there.
    """
    where = os.environ.get("KVE_LOG") or default
    for handler in _LOGGER.handlers[:]:
        _LOGGER.removeHandler(handler)
        handler.close()
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.INFO)
    if where == "off":
        _LOGGER.addHandler(logging.NullHandler())
        return
    found: logging.Handler = logging.StreamHandler(sys.stderr)
    if where != "stderr":
        try:
            found = logging.FileHandler(Path(where), encoding="utf-8")
        except OSError as error:
            print(f"KVE_LOG={where} cannot be written: {error.strerror}.", file=sys.stderr)
    found.setFormatter(logging.Formatter("%(message)s"))
    _LOGGER.addHandler(found)


@contextmanager
def request(kind: str, **facts: Any) -> Iterator[None]:
    """Note what happens inside the block, and write it as one line at its end.

    ``outcome`` is ``done``; ``refused`` for what a person can solve, with its kind; ``stopped``
    where the visit ended or went on; ``failed`` for a defect, with its kind.
    """
    entry: dict[str, Any] = {"request": kind, **facts}
    token, began = _ENTRY.set(entry), time.perf_counter()
    outcome = "done"
    try:
        yield
    except ExplorerError as error:
        outcome, entry["error"] = "refused", type(error).__name__
        raise
    except Exception as error:
        outcome, entry["error"] = "failed", type(error).__name__
        raise
    except BaseException:  # how Streamlit, and Ctrl-C, stop what runs
        outcome = "stopped"
        raise
    finally:
        _ENTRY.reset(token)
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **entry,
            "outcome": entry.get("outcome", outcome),
            "seconds": time.perf_counter() - began,
            "memory_mb": psutil.Process().memory_info().rss / 1e6,
        }
        _LOGGER.info(json.dumps({name: _short(value) for name, value in line.items()}))


def note(**facts: Any) -> None:
    """Add facts to the line of the request that runs."""
    if (entry := _ENTRY.get()) is not None:
        entry |= facts


def count(**amounts: float) -> None:
    """Add to the numbers of the request that runs."""
    if (entry := _ENTRY.get()) is not None:
        for name, amount in amounts.items():
            entry[name] = entry.get(name, 0) + amount


def _short(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value
