"""Texts of a file or of standard input, one a line, read as a stream."""

import contextlib
import hashlib
import io
import shutil
import sys
import tempfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO

from ..corpora.tables import decode
from ..errors import CorpusError


class Lines:
    """The texts of a file or of standard input, one a line, read as a stream each time.

    All are checked first, so that nothing is computed from a file that ends badly. Standard input
    is kept in a temporary file. ``count`` is how many there are, ``digest`` identifies them.

    Raises:
        CorpusError: it cannot be read, is not UTF-8 or UTF-16, holds nothing, or a line is blank.
    """

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        digest = hashlib.sha256()
        try:
            self._file = _seekable(name)
            try:
                for line in self:
                    self.count += 1
                    if not line.strip():
                        raise CorpusError(
                            f"{name}, line {self.count}: no text; remove it or write some."
                        )
                    digest.update(line.encode() + b"\n")
                if not self.count:
                    raise CorpusError(f"{name} holds no text; write one text a line.")
            except BaseException:
                self.close()
                raise
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no path"
            raise CorpusError(f"{name!r} cannot be read: {reason}; check the path.") from None
        self.digest = digest.hexdigest()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        self._file.seek(0)
        encoding = "utf-16" if self._file.read(2) in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig"
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding)
        try:
            for number, line in enumerate(text, 1):
                if "\0" in line:
                    raise CorpusError(
                        f"{self.name}, line {number}: holds a NUL character; save it as UTF-8."
                    )
                yield line.removesuffix("\n")
        except UnicodeDecodeError:
            self._file.seek(0)
            decode(self.name, self._file.read())  # says where
            raise
        finally:
            with contextlib.suppress(ValueError):  # closed meanwhile
                text.detach()

    def shards(self, size: int, first: int = 0) -> Iterator[list[str]]:
        """The texts, ``size`` at a time, without the first so many shards."""
        texts = islice(self, first * size, None)
        while shard := list(islice(texts, size)):
            yield shard


def _seekable(name: str) -> IO[bytes]:
    """A file that can be read again; what cannot, as standard input, is copied to the disk."""
    file = sys.stdin.buffer if name == "-" else Path(name).open("rb")  # noqa: SIM115
    if name != "-" and file.seekable():
        return file
    copy = tempfile.TemporaryFile()  # noqa: SIM115
    shutil.copyfileobj(file, copy)
    return copy
