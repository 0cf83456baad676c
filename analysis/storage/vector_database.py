"""Bytes by key in one SQLite file of a folder, shared by threads, processes and users.

Every call opens the file and closes it again, so that nothing is held between calls. There is no
write-ahead log: a full disk and a folder that may only be read can still be read, and so can one on
a network. The keys stored longest ago are deleted beyond :data:`MAX_BYTES`.

A file is never deleted or renamed. Where SQLite's own integrity check finds damage, the next file
in number is begun; a process that still has the damaged one open goes on with it undisturbed.
"""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from .cache_faults import primary, say_damaged, say_unusable

MAX_BYTES = 2 * 1024**3
"""Bytes in use beyond which the oldest are deleted."""
PATIENCE = 5.0
"""Seconds to wait for a file that another process has locked."""
_IMPATIENT = 60.0
"""Seconds after a wait in vain during which nobody waits again."""
_FILE = "format2-{}.db"
_PAGE = 8192
_AT_ONCE = 500
_SCHEMA = "CREATE TABLE vectors (key BLOB PRIMARY KEY, value BLOB NOT NULL)"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_UNTIL: dict[Path, float] = {}
"""When to wait for a locked file again, by its folder."""


def get_many(folder: Path, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    """The values under ``keys``, by key; those without one, or that cannot be read, are left out.

    Args:
        folder: where the file is; it need not exist.
        keys: any number of keys.
    """
    values: dict[bytes, bytes] = {}

    def read(file: Path) -> None:
        if not file.exists():
            return
        with _connected(file) as connection:
            if not _schema(connection):
                return
            for begin in range(0, len(keys), _AT_ONCE):
                some = keys[begin : begin + _AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, value FROM vectors WHERE key IN ({marks})"
                values.update(connection.execute(query, some))

    if keys:
        _attempt(read, folder, "read")
    return values


def put_many(folder: Path, items: Sequence[tuple[bytes, bytes]]) -> None:
    """Store values under their keys, all or none of them.

    Args:
        folder: where the file is; made if it does not exist.
        items: pairs of key and value.
    """

    def write(file: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            file.touch(exist_ok=False)  # with the umask's permissions; SQLite's leave out the group
        with _connected(file) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            if not _schema(connection):
                connection.execute(_SCHEMA)
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", items)
            _drop_oldest(connection)

    if items:
        _attempt(write, folder, "written")


def _schema(connection: sqlite3.Connection) -> str:
    """How the table was made; empty if it was not."""
    row = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table'").fetchone()
    return row[0].decode(errors="replace") if row else ""


def _drop_oldest(connection: sqlite3.Connection) -> None:
    """Delete what was stored longest ago, whose row numbers are the smallest."""

    def number(pragma: str) -> int:
        return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])

    limit = MAX_BYTES // number("page_size")
    while number("page_count") - number("freelist_count") > limit:
        oldest = "SELECT rowid FROM vectors ORDER BY rowid LIMIT 1000"
        if not connection.execute(f"DELETE FROM vectors WHERE rowid IN ({oldest})").rowcount:
            return


@contextmanager
def _connected(file: Path) -> Iterator[sqlite3.Connection]:
    patience = PATIENCE if time.monotonic() > _UNTIL.get(file.parent, 0) else 0
    with closing(sqlite3.connect(file, timeout=patience, isolation_level=None)) as connection:
        connection.text_factory = bytes  # a damaged value may pretend to be text
        connection.execute(f"PRAGMA page_size = {_PAGE}")
        yield connection


def _attempt(work: Callable[[Path], None], folder: Path, verb: Literal["read", "written"]) -> None:
    """Do ``work`` with the file in use; where that fails, say why and go on without it."""
    file = folder
    try:
        file = folder / _FILE.format(_number(folder))
        work(file)
    except (OSError, sqlite3.Error, UnicodeError) as error:
        if primary(error) == sqlite3.SQLITE_BUSY:
            _UNTIL[folder] = time.monotonic() + _IMPATIENT
        if _may_be_damage(error) and _is_damaged(file):
            _begin_next(file)
        else:
            say_unusable("Embeddings", error, file, verb)


def _number(folder: Path) -> int:
    """The number of the file in use, the largest in the folder."""
    names: list[str] = []
    with suppress(FileNotFoundError):
        names = os.listdir(folder)  # noqa: PTH208  # what cannot be listed is an error here
    pattern = _FILE.format(r"(\d+)")
    return max(
        (int(match[1]) for name in names if (match := re.fullmatch(pattern, name))), default=1
    )


def _may_be_damage(error: Exception) -> bool:
    return isinstance(error, UnicodeError) or primary(error) in _DAMAGE


def _is_damaged(file: Path) -> bool:
    """Whether SQLite proves damage; a file that cannot be checked is not damaged."""
    try:
        with _connected(file) as connection:
            sound = connection.execute("PRAGMA integrity_check(1)").fetchone() == (b"ok",)
            return not sound or _schema(connection) not in ("", _SCHEMA)
    except (sqlite3.Error, UnicodeError) as error:
        return _may_be_damage(error)


def _begin_next(damaged: Path) -> None:
    """Leave a damaged file where it is, and use the next in number from here on."""
    number = int(damaged.stem.rpartition("-")[2]) + 1
    with suppress(OSError):
        damaged.with_name(_FILE.format(number)).touch()
    say_damaged("Embeddings", damaged)
