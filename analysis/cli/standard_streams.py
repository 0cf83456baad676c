"""Standard input, output and error of the program, closed, full or without a reader as they may be.

Results go to standard output; what cannot be written there is an error. Progress and errors go to
standard error; what cannot be written there is lost, and the work goes on.
"""

import os
import sys
from pathlib import Path
from typing import NoReturn

from ..errors import ExplorerError


def prepare() -> None:
    """Open what is closed, so that no file of the program gets its number; print any character."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def check_output() -> None:
    """Refuse to work for a standard output that is closed.

    Raises:
        ExplorerError: it is closed.
    """
    if sys.stdout is None:
        raise ExplorerError("Standard output is closed; give it a file, a pipe or a terminal.")


def write(text: str = "") -> None:
    """Write a text and a line end to standard output, with all that was printed before.

    Raises:
        BrokenPipeError: its reader has gone.
        ExplorerError: it cannot be written.
    """
    try:
        if text:
            print(text)
        sys.stdout.flush()  # where nothing is buffered, writing "" would fail on a full disk
    except OSError as error:
        _give_up(error)


def say(sentence: str) -> None:
    """Write a line to standard error, if that is possible."""
    try:
        print(sentence, file=sys.stderr, flush=True)
    except OSError:
        _lose(sys.stderr.fileno())


def _give_up(error: OSError) -> NoReturn:
    _lose(sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        raise error
    raise ExplorerError(
        f"Standard output cannot be written: {error.strerror or error}; choose another place."
    ) from None


def _lose(number: int) -> None:
    """Let what is still buffered go nowhere, or Python complains of it when it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)
