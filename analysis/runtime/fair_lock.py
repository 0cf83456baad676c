"""Locks on what only one can use at a time: first come, first served.

A backbone's lock is held for one batch. Whoever has more batches queues again behind all others,
so that sessions with much to do and with little take turns, and none is starved, as happens with a
plain lock: a thread that releases one mostly gets it right back.
"""

import threading
import time
from collections import deque
from types import TracebackType
from weakref import WeakValueDictionary

from . import events, request_log

PATIENCE = 0.5
"""Seconds between two messages to a thread that waits; one that waits less gets none."""


class FairLock:
    """A lock that is handed on in the order of arrival, and tells those who wait their place."""

    def __init__(self, resource: str) -> None:
        """Make a lock that is free.

        Args:
            resource: what it protects; completes "waiting for".
        """
        self.resource = resource
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    def locked(self) -> bool:
        """Whether anyone holds it now."""
        return bool(self._queue)

    @property
    def waiting(self) -> int:
        """How many wait, whoever holds it left out."""
        return max(0, len(self._queue) - 1)

    def __enter__(self) -> None:
        ticket, has_waited, began = object(), False, time.perf_counter()
        with self._changed:
            self._queue.append(ticket)
        try:
            while not self._comes_first(ticket):
                has_waited = True
                events.say_place(self._place(ticket), self.resource)
            if has_waited:
                events.say_place(0, self.resource)
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
        self._leave(self._queue[0])

    def _comes_first(self, ticket: object) -> bool:
        """Wait a moment for the turn of ``ticket``; whether it came."""
        with self._changed:
            return self._changed.wait_for(lambda: self._queue[0] is ticket, PATIENCE)

    def _place(self, ticket: object) -> int:
        with self._changed:
            return self._queue.index(ticket)

    def _leave(self, ticket: object) -> None:
        with self._changed:
            self._queue.remove(ticket)
            self._changed.notify_all()


_BY_NAME: WeakValueDictionary[str, FairLock] = WeakValueDictionary()
_NAMING = threading.Lock()


def lock_for(request: str) -> FairLock:
    """The lock of one request: who asks for what another computes waits, and then reads it.

    Args:
        request: names what is computed, such as its key in a store.

    Returns:
        The same lock for the same name, as long as anyone uses it.
    """
    with _NAMING:
        lock = _BY_NAME.get(request)
        if lock is None:
            lock = _BY_NAME[request] = FairLock("the same request of another visit")
        return lock
