"""Locks handed on in the order of arrival, and what those who wait are told."""

import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from analysis.runtime import events
from analysis.runtime.fair_lock import FairLock, lock_for


def wait_until_waiting(lock: FairLock, number: int) -> None:
    """Return once so many wait."""
    end = time.monotonic() + 30
    while lock.waiting < number:
        assert time.monotonic() < end
        time.sleep(0.002)


def test_locks_are_handed_on_in_the_order_of_arrival_and_batches_alternate() -> None:
    lock, order = FairLock("the backbone"), []

    def batches(name: str, number: int) -> None:
        for _ in range(number):
            with lock:
                order.append(name)
                time.sleep(0.005)

    with ThreadPoolExecutor(3) as threads, lock:
        for place, (name, number) in enumerate((("long", 6), ("short", 2), ("other", 2)), 1):
            threads.submit(batches, name, number)
            wait_until_waiting(lock, place)
    assert order == ["long", "short", "other"] * 2 + ["long"] * 4
    assert not lock.locked()


def test_who_waits_is_told_the_place_and_may_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.runtime.fair_lock.PATIENCE", 0.01)
    lock, messages = FairLock("the backbone"), []

    def leave(place: int, what: str) -> None:
        messages.append((place, what))
        raise KeyboardInterrupt

    def wait() -> None:
        with pytest.raises(KeyboardInterrupt), events.listening(print, leave), lock:
            pytest.fail("it was not its turn")

    with lock:
        first = threading.Thread(target=wait)
        first.start()
        first.join(30)
        assert lock.waiting == 0  # the place is given up
    assert messages == [(1, "the backbone")]

    places: list[int] = []

    def stay(_: int) -> None:
        def tell(place: int, _what: str) -> None:
            places.append(place)
            if place == 0:
                assert lock.locked()

        with events.listening(print, tell), lock:
            pass

    with ThreadPoolExecutor(3) as threads:
        with lock:
            waited = [threads.submit(stay, i) for i in range(3)]
            wait_until_waiting(lock, 3)
            time.sleep(0.1)
        for one in waited:
            one.result(30)
    assert {0, 1, 2, 3} <= set(places)


def test_an_error_frees_the_lock() -> None:
    lock = FairLock("the backbone")
    with pytest.raises(ValueError, match="a defect"), lock:
        raise ValueError("a defect")
    assert not lock.locked()


def test_a_request_has_one_lock_which_is_not_kept() -> None:
    assert lock_for("a") is not lock_for("b")
    mine = lock_for("a")
    assert lock_for("a") is mine
    gone = weakref.ref(mine)
    del mine
    gc.collect()
    assert gone() is None
