"""Files that commands read and write, refused in one sentence before any work is done."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import CorpusError


def writable(name: str) -> Path:
    """The path of an output file, refused before any work if nothing can be written there."""
    output = Path(name)
    if not output.parent.is_dir():
        raise CorpusError(f"There is no folder {output.parent} to write into; create it first.")
    if output.is_dir():
        raise CorpusError(f"{output} cannot be written: it is a folder; name a file in it.")
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
