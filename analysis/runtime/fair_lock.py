"""Turns on what only one can use at a time: first come, first served.

A backbone's turn lasts one batch. Whoever has more batches queues again behind all others, so
that sessions with much to do and with little take turns, and none is starved, as happens with a
plain lock: a thread that releases one mostly gets it right back.
"""

import threading
import time
from collections import deque
from types import TracebackType
from weakref import WeakValueDictionary

from . import events, request_log

PATIENCE = 0.5
"""Seconds between two words to who waits; none is said to who waits less."""


class Turns:
    """A lock that serves in the order of arrival and tells those who wait their place.

    ``what`` completes "waiting for".
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    def locked(self) -> bool:
        """Whether it is anyone's turn now."""
        return bool(self._line)

    @property
    def waiting(self) -> int:
        """How many wait, whoever has the turn left out."""
        return max(0, len(self._line) - 1)

    def __enter__(self) -> None:
        ticket, told, began = object(), False, time.perf_counter()
        with self._changed:
            self._line.append(ticket)
        try:
            while not self._comes(ticket):
                told = True
                events.waiting(self._before(ticket), self.what)
            if told:
                events.waiting(0, self.what)
                request_log.count(waited=time.perf_counter() - began)
        except BaseException:
            self._leave(ticket)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave(self._line[0])

    def _comes(self, ticket: object) -> bool:
        """Wait a moment for the turn of ``ticket``; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._line[0] is ticket, PATIENCE)

    def _before(self, ticket: object) -> int:
        with self._changed:
            return self._line.index(ticket)

    def _leave(self, ticket: object) -> None:
        with self._changed:
            self._line.remove(ticket)
            self._changed.notify_all()


_NAMED: WeakValueDictionary[str, Turns] = WeakValueDictionary()
_NAMING = threading.Lock()


def alone(name: str) -> Turns:
    """The turns of one request: who asks for what another computes waits, and then finds it."""
    with _NAMING:
        found = _NAMED.get(name)
        if found is None:
            found = _NAMED[name] = Turns("the same request of another visit")
        return found
