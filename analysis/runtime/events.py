"""What a person is told while work goes on: a place in a queue, a batch that had to be halved.

The library says it here, and a page or the command line listens. A listener may stop the work by
raising: what waits for its turn tells it its place twice a second, so a closed tab gives up its
place.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""


def quiet(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def ignore_place(_place: int, _resource: str) -> None:
    """A queue that nobody watches."""


class Listener(NamedTuple):
    """Who listens in a thread.

    Attributes:
        say: takes a sentence.
        wait: takes the place in a queue, 0 once it is this thread's turn, and what it waits for.
    """

    say: Callable[[str], object]
    wait: Callable[[int, str], None]


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(
    say: Callable[[str], object], wait: Callable[[int, str], None] = ignore_place
) -> Iterator[None]:
    """Hand what this thread says inside the block to a listener.

    Args:
        say: takes a sentence.
        wait: takes the place in a queue, 0 once it is this thread's turn, and what it waits for.
    """
    token = _LISTENER.set(Listener(say, wait))
    try:
        yield
    finally:
        _LISTENER.reset(token)


def say(sentence: str) -> None:
    """Tell whoever listens; nobody need."""
    if (listener := _LISTENER.get()) is not None:
        listener.say(sentence)


def say_place(place: int, resource: str) -> None:
    """Tell whoever listens how many are before this thread in the queue for ``resource``."""
    if (listener := _LISTENER.get()) is not None:
        listener.wait(place, resource)
