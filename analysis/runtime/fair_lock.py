"""Locks that are granted fairly, and given back whatever interrupts a thread.

A backbone's lock is held for a request. After :data:`TURN` the holder lets others go first who have
used less, at the next batch or layer, so a short request does not wait for the end of a long one.
The order is that of start-time fair queueing (Goyal, Vin & Cheng, 1996,
https://doi.org/10.1145/248156.248171): whoever has used least comes first, and who was away starts
level with whoever is being served. A plain lock would starve some: a thread that releases one
mostly gets it back at once.

An interrupt may be raised between any two steps of Python. So leaving is the C code of ``RLock``,
which knows its owner, and entering gives back what the thread owns. Only the owner writes what is
counted, and nothing relies on a message that may be lost: who waits looks again after ``PATIENCE``.
"""

import itertools
import math
import os
import threading
import time
from _thread import RLock
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from weakref import ReferenceType, WeakValueDictionary, ref

from . import events, request_log, visitors

PATIENCE = 0.5
"""Seconds between two messages to a thread that waits; one that waits less gets none."""
GRACE = 0.25
"""Seconds that a long pass waits for a shorter request's next part, before it takes its turn."""
TURN = 16_384
"""Cost of a turn after which others go first, in tokens times layers."""
LONG = 1_024
"""Tokens of a pass of which a visitor has one under way at a time, as it holds its states."""
SQUARE = 4_096
"""Tokens of a text whose attention, which grows with their square, costs as much as the rest."""
Level = tuple[Hashable, ...]
"""A visitor, or one of its visits."""
_ARRIVALS = itertools.count()


def cost(rows: int, tokens: int) -> float:
    """What a layer costs, in tokens.

    Args:
        rows: number of texts.
        tokens: tokens of each.
    """
    return rows * tokens * (1 + tokens / SQUARE)


class LongPass:
    """A long pass under way: it ends with the last reference to it."""


class _Place:
    """One thread's place in a queue, and its turn afterwards."""

    def __init__(self, clock: Mapping[Level, float]) -> None:
        """Take a place; ``clock`` is where newcomers start."""
        visit = visitors.current()
        levels = [visit[:depth] for depth in range(1, len(visit) + 1)]
        self.starts = {level: clock.get(level[:-1], 0.0) for level in levels}
        self.visitor = levels[0]
        self.arrived = next(_ARRIVALS)
        self.called = threading.Lock()  # released to wake the thread
        self.called.acquire()
        self.spent = 0.0
        self.divisible = True
        self.long_pass: ReferenceType[LongPass] | None = None
        self.awaited: _Place | None = None

    @property
    def is_long(self) -> bool:
        """Whether a long pass is under way in this turn, or is to begin."""
        return self.long_pass is not None and self.long_pass() is not None


class FairLock(RLock):  # type: ignore[misc]  # typeshed calls it final; it is not
    """A lock granted to whoever has used it least, which tells waiting threads their place."""

    _is_owned: Callable[[], bool]
    _at_fork_reinit: Callable[[], None]

    def __init__(self, resource: str, turn: float = math.inf) -> None:
        """Create a free lock.

        Args:
            resource: what it protects; completes "waiting for".
            turn: the cost after which a turn is offered to others, see :meth:`spend`.
        """
        self.resource, self._turn = resource, turn
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._queue: list[_Place] = []
        self._holder: _Place | None = None
        self._long: WeakValueDictionary[Level, LongPass] = WeakValueDictionary()
        self._used: dict[Level, float] = {}
        self._clock: dict[Level, float] = {}

    def locked(self) -> bool:
        """Whether a thread holds the lock now."""
        if self._is_owned():
            return True
        try:
            return not self.acquire(blocking=False)
        finally:
            if self._is_owned():
                self.release()

    @property
    def waiting(self) -> int:
        """Number of waiting threads, without the one that holds the lock."""
        return len(self._queue)

    def __enter__(self) -> None:  # type: ignore[override]
        if self._process != os.getpid() and not self._is_owned():
            self._at_fork_reinit()  # its holder may be a thread of the parent's
            self._reset()
        if self._is_owned() and self._holder is not None:  # a callback of the holder
            self._holder.divisible = False
            self.acquire()
            return
        place = _Place(self._clock)
        try:
            self._wait_for_turn(place)
        except BaseException:
            self._leave_queue(place)
            if self._is_owned():
                self.release()
            raise

    def spend(self, amount: float) -> None:
        """Count the cost of the holder's next step; let others go first if its turn is used up.

        Nothing happens in a thread that does not hold the lock.

        Args:
            amount: the cost, in the unit of ``turn``.

        Raises:
            BaseException: what a listener raises to stop a thread that waits.
        """
        if not self._is_owned() or (place := self._holder) is None:
            return
        self._charge(place, amount)
        place.spent += amount
        if place.spent < self._turn or not place.divisible:
            return
        first = self._first()
        if first is not None and self._used_by(first) < self._used_by(place):
            self._let_others_go_first(place)

    def begin_long(self) -> LongPass:
        """Wait until the visitor of this thread has no other long pass under way.

        Nothing is waited for in a thread that does not hold the lock.

        Returns:
            What to refer to as long as the pass is under way.

        Raises:
            BaseException: what a listener raises to stop a thread that waits.
        """
        long_pass = LongPass()
        if self._is_owned() and (place := self._holder) is not None and place.divisible:
            place.long_pass = ref(long_pass, lambda _: self._call_first())
            if not self._may_begin(place):
                self._let_others_go_first(place)
            self._long[place.visitor] = long_pass
        return long_pass

    def _let_others_go_first(self, place: _Place) -> None:
        """Give the turn of ``place`` back, and wait for another; own the lock in any case."""
        try:
            self.release()
            self._call_first()
            self._wait_for_turn(place)
        except BaseException:
            self._leave_queue(place)
            while not self._is_owned():  # the block that holds it ends by giving it back
                with suppress(BaseException):
                    self.acquire()
            raise

    def _wait_for_turn(self, place: _Place) -> None:
        """Return when this thread owns the lock."""
        self._queue.append(place)
        has_waited, began = False, time.perf_counter()
        while not self._wins(place):
            has_waited = True
            events.say_place(self._number(place), self.resource)
        self._leave_queue(place)
        if not self._queue:  # all that come start level
            self._used, self._clock = {}, {}
        for level, used in zip(place.starts, self._used_by(place), strict=True):
            self._used[level] = used
            self._clock[level[:-1]] = max(used, self._clock.get(level[:-1], 0))
        place.spent, self._holder = 0.0, place
        self._charge(place, 1)
        if has_waited:
            events.say_place(0, self.resource)
            request_log.count(waited=time.perf_counter() - began)

    def _wins(self, place: _Place) -> bool:
        """Wait up to ``PATIENCE`` for the turn of ``place``; return whether the lock is owned."""
        end = time.perf_counter() + PATIENCE
        while (left := end - time.perf_counter()) > 0:
            if self._first() is not place:
                place.called.acquire(timeout=left)
            elif self.acquire(timeout=left):
                last = self._holder
                expects_last = (
                    last is not None
                    and place.is_long
                    and last not in (place, place.awaited)
                    and self._used_by(last) < self._used_by(place)
                )
                if self._first() is place and not expects_last:
                    return True
                self.release()
                self._call_first()
                if expects_last:
                    place.awaited = last
                    place.called.acquire(timeout=min(left, GRACE))
        return False

    def _first(self) -> _Place | None:
        """The place whose turn comes next; None where none may begin."""
        able = [place for place in tuple(self._queue) if self._may_begin(place)]
        return min(able, key=lambda place: (self._used_by(place), place.arrived), default=None)

    def _number(self, place: _Place) -> int:
        """How many come before ``place``, the one that holds the lock included; at least 1."""
        mine = self._used_by(place), place.arrived
        others = tuple(self._queue)
        return 1 + sum((self._used_by(other), other.arrived) < mine for other in others)

    def _may_begin(self, place: _Place) -> bool:
        """Whether the visitor has no other long pass under way, if this place is for one."""
        wanted = place.long_pass and place.long_pass()
        return wanted is None or self._long.get(place.visitor) in (None, wanted)

    def _call_first(self) -> None:
        if (first := self._first()) is not None:
            with suppress(RuntimeError):  # called before, and not awake yet
                first.called.release()

    def _leave_queue(self, place: _Place) -> None:
        if place in self._queue:
            self._queue.remove(place)
        self._call_first()

    def _used_by(self, place: _Place) -> list[float]:
        """What the visitor of a place has used, and then its visit."""
        return [max(self._used.get(level, 0), start) for level, start in place.starts.items()]

    def _charge(self, place: _Place, amount: float) -> None:
        for level in place.starts:
            self._used[level] = self._used.get(level, 0) + amount


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
