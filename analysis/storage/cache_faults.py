"""Why a file of the cache cannot be read or written, in words, with the way out."""

import errno
import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path

from ..errors import one_line
from ..runtime import events, hosting

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WRAPPED = re.compile(r"\(os error (\d+)\)")
"""The number of an error of the operating system in one of safetensors'."""


def primary(error: Exception) -> int:
    """SQLite's code of an error, without its extension; 0 for other errors."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def say_unusable(what: str, error: Exception, path: Path, verb: str) -> None:
    """Say, once to each listener, that work goes on without a part of the cache.

    Args:
        what: what is stored there, in the plural.
        error: what reading or writing raised.
        path: the file or folder.
        verb: ``read`` or ``written``.
    """
    effect = "computed again" if verb == "read" else "computed and not stored"
    events.say_once(f"{what} are {effect}, because {explained(error, path, verb)}")


def say_damaged(what: str, path: Path) -> None:
    """Say, once to each listener, that a damaged file is no longer used.

    Args:
        what: what is stored there, in the plural.
        path: the file, which stays where it is.
    """
    events.say_once(
        f"{what} are computed again, because {_named(path)} is damaged; it is left there, and may "
        "be deleted."
    )


def explained(error: Exception, path: Path, verb: str) -> str:
    """One sentence on why ``path`` cannot be read or written, and what to do.

    A visitor of a hosted server is told neither the path nor whose it is.

    Args:
        error: what reading or writing raised, of the operating system or of SQLite.
        path: a file or folder of the cache.
        verb: ``read`` or ``written``.
    """
    fault, way_out = parts(error, path, verb)
    return f"{fault}; {way_out[0].lower()}{way_out[1:]}"


def parts(error: Exception, path: Path, verb: str) -> tuple[str, str]:
    """The same as a fault and what to do about it, each a sentence of its own.

    Args:
        error: what reading or writing raised, of the operating system or of SQLite.
        path: a file or folder of the cache.
        verb: ``read`` or ``written``.
    """
    reason, way_out = _reason(error, path, verb)
    if hosting.hosted() is not None:
        way_out = "Tell the people who run this server"
    return f"{_named(path)} cannot be {verb}: {reason}", f"{way_out}."


def _named(path: Path) -> str:
    return str(path) if hosting.hosted() is None else "the server's cache"


def _reason(error: Exception, path: Path, verb: str) -> tuple[str, str]:
    """The reason in words, and what a user can do about it."""
    elsewhere = "set KVE_CACHE to another folder"
    number, code = getattr(error, "errno", None), primary(error)
    if match := _WRAPPED.search(str(error)):
        number = int(match[1])
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        number = _errno_of(path, verb)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return "another program has locked it", f"End that program, or {elsewhere}"
    if code == sqlite3.SQLITE_FULL or number in _FULL:
        return "its disk is full", f"Free some space there, or {elsewhere}"
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"permission denied{_owner(path)}",
            f"Let its owner give your group access (chmod -R g+rwX), or {elsewhere}",
        )
    if number == errno.EROFS:
        return "its disk is read-only", "Set KVE_CACHE to another folder"
    if number in (errno.EMFILE, errno.ENFILE):
        return "too many files are open", "Raise the limit (ulimit -n)"
    reason = os.strerror(number).lower() if number else one_line(error)
    return reason, f"Correct that, or {elsewhere}"


def _errno_of(path: Path, verb: str) -> int | None:
    """The operating system's reason where SQLite gives none; the file itself is not opened.

    Closing a file ends all locks that SQLite holds on it in this process.
    """
    mode = os.R_OK if verb == "read" else os.W_OK
    effective = os.access in os.supports_effective_ids
    try:
        os.close(os.open(path.parent, os.O_RDONLY))
        if verb == "written" and os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return errno.EROFS
        for place in (path.parent, path):
            place.stat()
            if not os.access(place, mode, effective_ids=effective):
                return errno.EACCES
    except OSError as error:
        return error.errno
    return None


def _owner(path: Path) -> str:
    """Whose the nearest file or folder is that can be looked at; a visitor is not told."""
    for place in (path, *path.parents):
        with suppress(OSError, NotImplementedError):
            number = place.stat().st_uid
            try:
                name = place.owner()
            except KeyError:  # a user of another machine, as on a network
                name = f"user {number}"
            whose = f" ({'it' if place == path else place} belongs to {name})"
            return whose if hosting.hosted() is None else ""
    return ""
