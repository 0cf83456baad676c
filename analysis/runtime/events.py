"""Messages to the user while work goes on: a place in a queue, a batch that had to be halved.

The library sends them here, and a page or the command line listens. A listener may stop the work by
raising an exception: a waiting thread reports its place twice a second, so a closed tab leaves the
queue, and work that goes on asks before every layer (:func:`may_stop`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

Progress = Callable[[int, int], None]
"""Called with the number of items done and the total."""


def quiet(_done: int, _total: int) -> None:
    """Report no progress."""


def ignore_place(_place: int, _resource: str) -> None:
    """Report no place in a queue."""


def go_on() -> None:
    """Never stop the work."""


class Listener(NamedTuple):
    """The functions that receive a thread's messages.

    Attributes:
        say: takes a sentence.
        wait: takes the place in a queue, 0 once it is this thread's turn, and what it waits for.
        stop: raises to stop the work; see :func:`may_stop`.
        said_once: what :func:`say_once` has sent.
    """

    say: Callable[[str], object]
    wait: Callable[[int, str], None]
    stop: Callable[[], object]
    said_once: set[str]


_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(
    say: Callable[[str], object],
    wait: Callable[[int, str], None] = ignore_place,
    stop: Callable[[], object] = go_on,
) -> Iterator[None]:
    """Send this thread's messages inside the block to a listener.

    Args:
        say: takes a sentence.
        wait: takes the place in a queue, 0 once it is this thread's turn, and what it waits for.
        stop: called between the layers of every pass and between the epochs of a map; what it
            raises ends the work there.
    """
    token = _LISTENER.set(Listener(say, wait, stop, set()))
    try:
        yield
    finally:
        _LISTENER.reset(token)


def say(sentence: str) -> None:
    """Send a sentence to the listener, if there is one."""
    if (listener := _LISTENER.get()) is not None:
        listener.say(sentence)


def say_once(sentence: str) -> None:
    """Send a sentence to the listener, if there is one that has not had it yet."""
    listener = _LISTENER.get()
    if listener is not None and sentence not in listener.said_once:
        listener.said_once.add(sentence)
        listener.say(sentence)


def say_place(place: int, resource: str) -> None:
    """Tell the listener how many are before this thread in the queue for ``resource``.

    Args:
        place: number of threads before this one; 0 once it is its turn.
        resource: what it waits for.
    """
    if (listener := _LISTENER.get()) is not None:
        listener.wait(place, resource)


def may_stop() -> None:
    """Let the listener stop the work here, if it wants to; called where nothing is half done."""
    if (listener := _LISTENER.get()) is not None:
        listener.stop()
