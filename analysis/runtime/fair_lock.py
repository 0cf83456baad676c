"""Locks that are granted in the order of arrival.

A backbone's lock is held for one batch. A session with more batches queues again behind all others,
so sessions with long and short work take turns. A plain lock would starve some: a thread that
releases one mostly gets it back at once.
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
    """A lock granted in the order of arrival, which tells waiting threads their place."""

    def __init__(self, resource: str) -> None:
        """Create a free lock.

        Args:
            resource: what it protects; completes "waiting for".
        """
        self.resource = resource
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    def locked(self) -> bool:
        """Whether a thread holds the lock now."""
        return bool(self._queue)

    @property
    def waiting(self) -> int:
        """Number of waiting threads, without the one that holds the lock."""
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
        """Wait up to ``PATIENCE`` for the turn of ``ticket``; return whether it came."""
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
    """The lock of one request: of two equal requests the second waits and reads the result.

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
