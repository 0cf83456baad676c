"""Locks handed on in the order of arrival, and what those who wait are told."""

import ctypes
import dis
import gc
import itertools
import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import FrameType
from typing import Any

import pytest

from analysis.runtime import events, fair_lock, visitors
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


# Turns by cost


def served(lock: FairLock, requests: list[tuple[str, str, float, int]]) -> list[str]:
    """The visits in the order of their steps; each request is visitor, visit, cost and steps."""
    order: list[str] = []

    def work(visitor: str, visit: str, cost: float, steps: int) -> None:
        with visitors.visiting(visitor, visit), lock:
            for _ in range(steps):
                lock.spend(cost)
                order.append(visit)

    with ThreadPoolExecutor(len(requests)) as threads, lock:
        for place, request in enumerate(requests, 1):
            threads.submit(work, *request)
            wait_until_waiting(lock, place)
    assert not lock.locked()
    assert not lock.waiting
    return order


def test_who_has_used_least_goes_first_inside_a_turn() -> None:
    order = served(FairLock("x", 10), [("a", "long", 100, 5), ("b", "short", 9, 12)])
    # The long one gives way before its first step; the short one has as much before the second.
    assert order.index("short") == 0
    assert order.index("long") == 11
    assert order[12:] == ["short", *["long"] * 4] or order.count("long") == 5


def test_a_turn_lasts_until_it_is_used_up_though_others_wait() -> None:
    order = served(FairLock("x", 10), [("a", "first", 1, 12), ("b", "second", 1, 12)])
    assert order[:9] == ["first"] * 9
    assert "second" in order[9:12]
    assert served(FairLock("x"), [("a", "first", 9, 9), ("b", "second", 9, 1)])[:9] == ["first"] * 9


def test_a_visitor_with_many_tabs_has_the_share_of_one() -> None:
    tabs = [("a", f"tab {i}", 10.0, 8) for i in range(6)]
    order = served(FairLock("x", 10), [*tabs, ("b", "other", 10.0, 24)])
    until = order[: len(order) - order[::-1].index("other")]
    assert 16 <= len(until) - 24 <= 26, "one step of all tabs for each of the other's"
    assert set(until) == {"other", *(f"tab {i}" for i in range(6))}, "and the tabs take turns"


def test_a_visitor_has_one_long_pass_at_a_time() -> None:
    lock, running, most = FairLock("x", 10), [], []

    def work(visitor: str, visit: str) -> None:
        with visitors.visiting(visitor, visit), lock:
            long_pass = lock.begin_long()
            running.append(visitor)
            most.append((running.count("a"), len(set(running))))
            for _ in range(4):
                lock.spend(100)
            running.remove(visitor)
            del long_pass

    requests = [("a", "1"), ("a", "2"), ("a", "3"), ("b", "4")]
    with ThreadPoolExecutor(4) as threads, lock:
        for place, request in enumerate(requests, 1):
            threads.submit(work, *request)
            wait_until_waiting(lock, place)
    assert max(most) == (1, 2)
    assert len(most) == 4


def test_a_callback_of_the_holder_may_enter_again() -> None:
    lock = FairLock("x", 1)
    with lock:
        with lock:
            lock.spend(100)
        assert lock.locked()
    assert not lock.locked()


def test_what_was_used_is_forgotten() -> None:
    lock = FairLock("x", 10)
    for i in range(50):
        with visitors.visiting(str(i % 40), str(i)), lock:
            lock.spend(i)
    assert len(lock._used) == len(lock._clock) == 2


# Interrupts


class Interrupt(BaseException):
    """As Streamlit's, or Ctrl-C."""


def interrupted(work: Callable[[], object], number: int) -> tuple[BaseException, str] | None:
    """Run ``work`` with an exception before the given opcode of the module; None if it ended."""
    count, where = 0, ""

    def inside(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count, where
        code = frame.f_code.co_code[frame.f_lasti : frame.f_lasti + 3 : 2]
        name, *following = (dis.opname[step] for step in code)
        # Between the last call and the return Python handles no interrupt.
        if event == "opcode" and not where and "RETURN_VALUE" not in (name, *following):
            count += 1
            if count == number:
                where = f"{frame.f_code.co_name}:{frame.f_lineno} {name}"
                raise Interrupt
        return inside

    def enter(frame: FrameType, _event: str, _: object) -> Any:
        if frame.f_code.co_filename != fair_lock.__file__:
            return None
        frame.f_trace_opcodes = True
        return inside

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    except Interrupt as error:
        return error, where  # its frames, and what they hold, are kept
    finally:
        sys.settrace(before)
    return None


def enter(lock: FairLock) -> None:
    with lock:
        pass


def hand_over(lock: FairLock) -> None:
    with visitors.visiting("b", "b"), lock:
        lock.spend(100)


def long_pass(lock: FairLock) -> None:
    with lock:
        lock.begin_long()


@pytest.mark.slow
# An interrupt in the callback of a weak reference is reported, and goes no further.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("work", [enter, hand_over, long_pass])
@pytest.mark.parametrize("waiting", [False, True])
def test_an_interrupt_at_any_step_gives_the_turn_back(
    work: Callable[[FairLock], object], waiting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair_lock, "PATIENCE", 0.02)
    for number in itertools.count(1):
        lock = FairLock("x", 1)
        other = threading.Thread(target=enter, args=(lock,))
        if waiting:
            other.start()  # comes and goes meanwhile
        error = interrupted(partial(work, lock), number)
        if waiting:
            other.join(10)
        assert not lock.locked(), error
        assert not lock.waiting, error
        after = threading.Thread(target=enter, args=(lock,), daemon=True)
        after.start()
        after.join(10)
        assert not after.is_alive(), error
        if error is None:
            break
    assert number > 100


@pytest.mark.slow
def test_interrupts_at_random_give_the_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_lock, "PATIENCE", 0.02)
    chance = random.Random(0)

    def work(lock: FairLock) -> None:
        try:
            while True:
                with lock:
                    lock.spend(2)
        except Interrupt:
            pass

    for _ in range(100):
        lock = FairLock("x", 1)
        threads = [threading.Thread(target=work, args=(lock,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            time.sleep(chance.random() * 0.002)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident or 0), ctypes.py_object(Interrupt)
            )
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert not lock.locked()
        assert not lock.waiting


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_finds_the_lock_free() -> None:
    lock = FairLock("x")
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            inside.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(30)
    if (child := os.fork()) == 0:
        with lock:
            os._exit(7)
    leave.set()
    holder.join(30)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
