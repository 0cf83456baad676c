"""Texts of a file or of standard input: one a line, read as a stream, or a column of a table."""

import contextlib
import hashlib
import io
import itertools
import os
import shutil
import sys
import tempfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Generator, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from ..errors import CorpusError, quoted
from .columns import read_texts
from .parsing import TABLES, check_kind, decode, suffix_of

_LONGEST = 10_000_000
"""Characters of the longest line that is read."""


class Lines:
    """The texts of a file or of standard input, one a line, read as a stream each time.

    All lines are checked first, so that nothing is computed from a file with a bad line. Shards are
    a second reading, which is compared with the first. Standard input and pipes are copied to a
    temporary file, and both readings are of the copy. A table (:data:`.parsing.TABLES`, or any text
    compressed by gzip) is read into memory, and its texts are those of :func:`.columns.read_texts`.

    Args:
        name: Path of the file, or "-" for standard input.

    Attributes:
        name: The path as given.
        count: How many texts there are.
        digest: SHA-256 of the texts, in hexadecimal.
        source: One sentence on which column of a table they are; "" for lines.

    Raises:
        CorpusError: The file cannot be read, is not UTF-8 or UTF-16, is empty, or has a blank line
            or one without an end.
    """

    source = ""
    _texts: tuple[str, ...] | None = None

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self._identity: tuple[int, ...] | None = None
        digest = hashlib.sha256()
        try:
            self._file, self._identity = _seekable(name)
            try:
                if suffix_of(name) in TABLES or name.lower().endswith(".gz"):
                    table = read_texts(name, self._file.read())
                    self._texts, self.source = table.texts, table.source
                else:
                    check_kind(name, self._file.read(64), ".txt")
                for line in self:
                    self.count += 1
                    if not line.strip():
                        raise CorpusError(
                            f"{name}, line {self.count}: no text; remove it or write some."
                        )
                    digest.update(_hashed(line))
                if not self.count:
                    raise CorpusError(f"{name} contains no text; write one text on each line.")
            except BaseException:
                self.close()
                raise
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not a path"
            raise CorpusError(f"{quoted(name)} cannot be read: {reason}; check the path.") from None
        self.digest = digest.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        if self._texts is not None:
            yield from self._texts
            return
        self._file.seek(0)
        encoding = "utf-16" if self._file.read(2) in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig"
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding)
        try:
            for number, line in enumerate(iter(partial(text.readline, _LONGEST + 1), ""), 1):
                if "\0" in line:
                    raise CorpusError(
                        f"{self.name}, line {number}: contains a NUL character; save it as UTF-8."
                    )
                if len(line) > _LONGEST and not line.endswith("\n"):
                    raise CorpusError(
                        f"{self.name}, line {number}: has more than {_LONGEST:,} characters; write "
                        "one text on each line."
                    )
                yield line.removesuffix("\n")
        except UnicodeDecodeError:
            self._file.seek(0)
            size = os.fstat(self._file.fileno()).st_size or _LONGEST  # a device has no end
            decode(self.name, self._file.read(size))  # names the line
            raise
        finally:
            with contextlib.suppress(ValueError):  # closed meanwhile
                text.detach()

    def shards(self, size: int, first: int = 0) -> Generator[list[str]]:
        """Iterate over the texts in shards, and compare them with the first reading.

        Args:
            size: Texts of a shard; the last may have fewer.
            first: How many shards to skip.

        Raises:
            CorpusError: The file has changed since it was first read.
        """
        texts, count, digest = iter(self), 0, hashlib.sha256()
        for number in itertools.count():
            self.check_unchanged()
            try:
                shard = list(islice(texts, size))
            except (CorpusError, OSError, ValueError):  # the first reading met none of them
                raise self._changed() from None
            count += len(shard)
            for text in shard:
                digest.update(_hashed(text))
            at_end = len(shard) < size or count >= self.count
            if at_end and (count, digest.hexdigest()) != (self.count, self.digest):
                raise self._changed()
            if not shard:
                return
            if number >= first:
                yield shard

    def check_unchanged(self) -> None:
        """Refuse a file that is not as it was opened, unless it still holds the same texts.

        Raises:
            CorpusError: The file has changed since it was first read.
        """
        identity = self._identity and _identity_of(self.name)
        if identity in (None, self._identity):
            return
        try:
            with contextlib.closing(Lines(self.name)) as again:
                if again.digest != self.digest:
                    raise self._changed()
                self._identity = again._identity
        except CorpusError:
            raise self._changed() from None

    def _changed(self) -> CorpusError:
        return CorpusError(
            f"{self.name} changed while it was read, so no array was written; run the command "
            "again when nothing writes to the file any more."
        )


def _hashed(text: str) -> bytes:
    """A text as it enters the digest."""
    return text.encode() + b"\n"


def _identity_of(path: str | int) -> tuple[int, ...] | None:
    """Which file a path or an open file is, its size and its times; None if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116  # of an open file too
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _seekable(name: str) -> tuple[IO[bytes], tuple[int, ...] | None]:
    """Open a file that can be read again; standard input and pipes are copied to the disk.

    Returns:
        The file and its identity, which a copy does not have.
    """
    if name == "-" and sys.stdin is None:
        raise CorpusError("Standard input is closed; pipe texts to it, or name a file.")
    file = sys.stdin.buffer if name == "-" else Path(name).open("rb")  # noqa: SIM115
    if name != "-" and file.seekable():
        return file, _identity_of(file.fileno())
    copy = tempfile.TemporaryFile()  # noqa: SIM115
    shutil.copyfileobj(file, copy)
    return copy, None
