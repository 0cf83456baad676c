"""One line of JSON for every request: its kind, time, memory and outcome; never a text.

``KVE_LOG`` says where the lines go: ``off``, ``stderr``, or a file to append to, which must have a
folder or one of :data:`SUFFIXES` (``logs/requests.log``, ``./requests``, ``requests.jsonl``).
Unset, a command writes none and the app writes to standard error.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import psutil

from ..errors import ExplorerError, SettingsError, quoted

VARIABLE = "KVE_LOG"
OFF, STDERR = "off", "stderr"
SUFFIXES = (".log", ".jsonl", ".json")
"""Endings that mark a name without a folder as a file."""
Fact = str | float | None | Mapping[str, object]
"""What a line may hold."""

_START = b'{"time": "'
"""How each line begins."""
_LOGGER = logging.getLogger("kve")
_ENTRY: ContextVar[dict[str, Fact] | None] = ContextVar("entry", default=None)


def start(default: str = OFF) -> None:
    """Write request lines where ``KVE_LOG`` says.

    A file that cannot be opened is reported on standard error, and the lines go there.

    Args:
        default: where to write if it is not set: ``off``, ``stderr`` or a file.

    Raises:
        SettingsError: it is neither ``off`` nor ``stderr`` nor recognisable as a file, or the file
            holds something other than request lines.
    """
    target = os.environ.get(VARIABLE, "").strip() or default
    if target not in (OFF, STDERR) and not _names_a_file(target):
        raise SettingsError(
            f"{VARIABLE} is {quoted(target)}: write off, stderr, or a file with its folder or "
            f"one of the endings {', '.join(SUFFIXES)}, such as ./requests.log."
        )
    if target not in (OFF, STDERR) and _holds_something_else(Path(target)):
        raise SettingsError(
            f"{VARIABLE} is {quoted(target)}, which holds something other than request lines: name "
            "another file."
        )
    _write_to(target)


def start_anyway(default: str) -> None:
    """Like :func:`start`, but report an invalid setting and use ``default``."""
    try:
        start(default)
    except SettingsError as error:
        print(error, file=sys.stderr)
        _write_to(default)


def _holds_something_else(path: Path) -> bool:
    """Whether a file begins with anything but a request line, such as a corpus."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_START))
    except OSError:  # not there yet, or reported where it is opened
        return False
    return not _START.startswith(start)


def _names_a_file(target: str) -> bool:
    """Whether a setting has a folder or one of :data:`SUFFIXES`."""
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    return any(separator in target for separator in separators) or (
        Path(target).suffix.lower() in SUFFIXES
    )


def _write_to(target: str) -> None:
    for handler in _LOGGER.handlers[:]:
        _LOGGER.removeHandler(handler)
        handler.close()
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.INFO)
    if target == OFF:
        _LOGGER.addHandler(logging.NullHandler())
        return
    writer: logging.Handler = logging.StreamHandler(sys.stderr)
    if target != STDERR:
        try:
            writer = logging.FileHandler(Path(target), encoding="utf-8")
        except OSError as error:
            print(f"{VARIABLE}={target} cannot be written: {error.strerror}.", file=sys.stderr)
    writer.setFormatter(logging.Formatter("%(message)s"))
    _LOGGER.addHandler(writer)


@contextmanager
def request(kind: str, **facts: Fact) -> Iterator[None]:
    """Log what happens inside the block as one line, written at its end.

    The line's ``outcome`` is ``done``; ``refused`` for an error that the user can solve, with its
    class; ``stopped`` where the visit ended or moved on; ``failed`` for a defect, with its class.

    Args:
        kind: ``command`` or ``page``.
        **facts: what else the line holds; never a text, a path or a file's name.
    """
    entry: dict[str, Fact] = {"request": kind, **facts}
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
        _LOGGER.info(json.dumps({name: _rounded(value) for name, value in line.items()}))


def note(**facts: Fact) -> None:
    """Add facts to the line of the request that runs."""
    if (entry := _ENTRY.get()) is not None:
        entry |= facts


def count(**amounts: float) -> None:
    """Add to the numbers of the request that runs."""
    if (entry := _ENTRY.get()) is not None:
        for name, amount in amounts.items():
            before = entry.get(name, 0)
            assert isinstance(before, int | float), f"{name} is not a number"
            entry[name] = before + amount


def _rounded(value: Fact) -> Fact:
    return round(value, 3) if isinstance(value, float) else value
