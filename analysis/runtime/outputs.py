"""Files that commands read and write, refused in one sentence before any work is done."""

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from ..errors import CorpusError, quoted

PART, JOURNAL, LOCK = ".part", ".journal", ".lock"
"""Endings of the files beside an output until it is complete."""
_FORMATS = {
    *(".npy", ".npz", ".html", ".txt", ".tsv", ".csv", ".json", ".jsonl", ".parquet", ".feather"),
    *(".arrow", ".xlsx", ".yaml", ".md", ".pdf", ".png", ".svg", ".gguf", ".safetensors", ".pt"),
}
"""Endings of names that say what is in a file."""


def check_apart(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse an output, or a file beside it, that is an input or lies in an input folder.

    Links and other spellings of a path are the same file.

    Args:
        outputs: the files and folders to write.
        inputs: the files and folders to read; ``-`` is standard input.

    Raises:
        CorpusError: one sentence that names both.
    """
    read: dict[tuple[int, int] | None, Path] = {
        file: path for path in inputs if (file := _file(path)) is not None
    }
    for output in outputs:
        for written in (output, *(Path(f"{output}{end}") for end in (PART, JOURNAL, LOCK))):
            for path in (written, *resolved(written).parents):
                if (file := _file(path)) in read:
                    source = read[file]
                    name = "standard input" if source == Path("-") else str(source)
                    raise CorpusError(
                        f"{written} cannot be written: it {'is' if path is written else 'lies in'} "
                        f"{name}, which is read; name another output."
                    )


def _file(path: Path) -> tuple[int, int] | None:
    """What a path leads to, by device and number; None if there is nothing."""
    if path == Path("-") and sys.stdin is None:  # closed
        return None
    try:
        status = os.fstat(sys.stdin.fileno()) if path == Path("-") else path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def resolved(path: Path) -> Path:
    """A path without links and detours, so that one file has one."""
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path.absolute()


def check_standard_output(inputs: Iterable[Path]) -> None:
    """Refuse to answer into a file that is read, as ``>> texts.tsv`` of a shell would.

    Args:
        inputs: the files to read; ``-`` is standard input.

    Raises:
        CorpusError: one sentence that names the file.
    """
    try:
        status = os.fstat(1)
    except OSError:  # closed
        return
    for path in inputs:
        if stat.S_ISREG(status.st_mode) and _file(path) == (status.st_dev, status.st_ino):
            name = "standard input" if path == Path("-") else str(path)
            raise CorpusError(
                f"Standard output goes to {name}, which is read; let it go to another file."
            )


def writable(name: str, ending: Literal[".npy", ".html"]) -> Path:
    """The path of an output file, refused before any work if nothing can be written there.

    Args:
        name: the path as given.
        ending: what the name of such a file ends in; one of another format would mislead.

    Raises:
        CorpusError: one sentence that says why.
    """
    if name == "-":
        raise CorpusError(f"Standard output takes no such file; name one that ends in {ending}.")
    output = Path(name)
    if output.suffix.lower() in _FORMATS - {ending}:
        held = "a NumPy array" if ending == ".npy" else "a web page"
        raise CorpusError(
            f"{quoted(name)} would hold {held}, whatever its name says; let it end in {ending}."
        )
    try:
        is_folder, is_file = output.is_dir(), output.is_file()
        is_there, parent_is_there = output.resolve().exists(), output.parent.is_dir()
    except (OSError, ValueError, RuntimeError) as error:  # too long, or links that lead to itself
        reason = getattr(error, "strerror", None) or "it leads nowhere"
        raise CorpusError(
            f"{quoted(name)} cannot be written: {reason}; name another place."
        ) from None
    if not parent_is_there:
        raise CorpusError(f"There is no folder {output.parent} to write into; create it first.")
    if is_folder:
        raise CorpusError(f"{output} cannot be written: it is a folder; name a file in it.")
    if ending == ".npy" and is_there and not is_file:  # an array is written here and there
        raise CorpusError(f"{output} cannot be written: it is not a file; name another.")
    return output


@contextlib.contextmanager
def writing(output: Path) -> Iterator[None]:
    """Raise one sentence on why ``output`` cannot be written, if the block raises ``OSError``."""
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
