"""Files that commands read and write, refused in one sentence before any work is done."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from analysis.errors import CorpusError
from analysis.tables import decode, split_lines


def writable(name: str) -> Path:
    """The path of an output file, refused before any work if nothing can be written there."""
    output = Path(name)
    if not output.parent.is_dir():
        raise CorpusError(f"There is no folder {output.parent} to write into; make it first.")
    if output.is_dir():
        raise CorpusError(f"{output} cannot be written: it is a folder; name a file in it.")
    return output


@contextlib.contextmanager
def writing(output: Path) -> Iterator[None]:
    """Say in one sentence why ``output`` cannot be written, inside the block."""
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"{output} cannot be written: {error.strerror or error}; choose another place."
        ) from None


def folder(name: str) -> Path:
    """An output folder, made if it is not there, refused before any work if it cannot be."""
    folder = Path(name)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return folder


def lines(name: str) -> list[str]:
    """The texts of a file or of standard input, one a line."""
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no path"
        raise CorpusError(f"{name!r} cannot be read: {reason}; check the path.") from None
    lines = split_lines(decode(name, data))
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise CorpusError(f"{name} holds no text; write one text a line.")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise CorpusError(f"{name}, line {number}: no text; remove it or write some.")
    return lines
