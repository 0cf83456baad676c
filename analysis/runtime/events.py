"""What a person is told while work goes on: a place in a queue, a batch that had to be halved.

The library says it here, and a page or the command line listens. A listener may stop the work by
raising: what waits for its turn asks it twice a second, so a closed tab gives up its place.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


class Listener(NamedTuple):
    """``say`` takes a sentence; ``wait`` the place in a queue, 0 once it is one's turn, and for
    what."""

    say: Callable[[str], object]
    wait: Callable[[int, str], None]


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def heard(
    say: Callable[[str], object], wait: Callable[[int, str], None] = lambda _place, _what: None
) -> Iterator[None]:
    """Let ``say`` and ``wait`` hear what this thread is told inside the block."""
    token = _LISTENER.set(Listener(say, wait))
    try:
        yield
    finally:
        _LISTENER.reset(token)


def say(sentence: str) -> None:
    """Tell whoever listens; nobody need."""
    if (listener := _LISTENER.get()) is not None:
        listener.say(sentence)


def waiting(place: int, what: str) -> None:
    """Tell whoever listens how many are before this thread in the queue for ``what``."""
    if (listener := _LISTENER.get()) is not None:
        listener.wait(place, what)
