"""Many people at once: fair turns, one backbone for all, memory with an end, and no mix-ups."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from analysis.backbones import leases as sharing
from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs
from analysis.embedding import cached_encoder, encoder, trace_cache
from analysis.embedding.methods import DEFAULT
from analysis.errors import NoRoom
from analysis.experiments import score as scores
from analysis.experiments import sweep as sweeps
from analysis.rerouting.plan import Plan
from analysis.runtime import events, request_log
from analysis.runtime.fair_lock import Turns, alone
from analysis.spaces import projection
from tests.support import encoding
from tests.support.checks import assert_one_sentence
from tests.support.tiny_models import backbone_of, byte_tokenizer, plain

TEXTS = tuple(f"Text number {'x' * (7 * i % 31)} {i}." for i in range(24))
PAIRS = Pairs("made up", TEXTS, np.arange(23), np.arange(1, 24), np.arange(23.0), "here")
PLANS = [Plan((i % 6,), 0.5 * (i // 6)) for i in range(20)]


@pytest.fixture
def no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds a backbone yet."""
    monkeypatch.setattr(sharing, "_LEASES", weakref.WeakValueDictionary())
    monkeypatch.setattr(sharing, "_LATEST", [])


def at_once(number: int, work: Callable[[int], Any]) -> list[Any]:
    """What ``work`` gives in so many threads that begin together."""
    start = threading.Barrier(number)

    def begin(i: int) -> Any:
        start.wait(30)
        return work(i)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(begin, range(number)))


def waiting(turns: Turns, number: int) -> None:
    """Return once so many wait."""
    end = time.monotonic() + 30
    while turns.waiting < number:
        assert time.monotonic() < end
        time.sleep(0.002)


# Turns


def test_turns_come_in_the_order_of_arrival_and_batches_alternate() -> None:
    turns, order = Turns("the backbone"), []

    def batches(name: str, number: int) -> None:
        for _ in range(number):
            with turns:
                order.append(name)
                time.sleep(0.005)

    with ThreadPoolExecutor(3) as threads, turns:
        for place, (name, number) in enumerate((("long", 6), ("short", 2), ("other", 2)), 1):
            threads.submit(batches, name, number)
            waiting(turns, place)
    assert order == ["long", "short", "other"] * 2 + ["long"] * 4
    assert not turns.locked()


def test_who_waits_is_told_the_place_and_may_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.runtime.fair_lock.PATIENCE", 0.01)
    turns, told = Turns("the backbone"), []

    def leave(place: int, what: str) -> None:
        told.append((place, what))
        raise KeyboardInterrupt

    def wait() -> None:
        with pytest.raises(KeyboardInterrupt), events.heard(print, leave), turns:
            pytest.fail("it was not its turn")

    with turns:
        first = threading.Thread(target=wait)
        first.start()
        first.join(30)
        assert turns.waiting == 0  # the place is given up
    assert told == [(1, "the backbone")]

    places: list[int] = []

    def stay(_: int) -> None:
        def tell(place: int, _what: str) -> None:
            places.append(place)
            if place == 0:
                assert turns.locked()

        with events.heard(print, tell), turns:
            pass

    with ThreadPoolExecutor(3) as threads:
        with turns:
            waited = [threads.submit(stay, i) for i in range(3)]
            waiting(turns, 3)
            time.sleep(0.1)
        for one in waited:
            one.result(30)
    assert {0, 1, 2, 3} <= set(places)


def test_an_error_in_ones_turn_ends_it() -> None:
    turns = Turns("the backbone")
    with pytest.raises(ValueError, match="a defect"), turns:
        raise ValueError("a defect")
    assert not turns.locked()


def test_one_request_is_alone_and_others_are_not_kept() -> None:
    assert alone("a") is not alone("b")
    mine = alone("a")
    assert alone("a") is mine
    gone = weakref.ref(mine)
    del mine
    gc.collect()
    assert gone() is None


def test_two_maps_are_never_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = [], []

    class Slow:
        def __init__(self, **_: Any) -> None: ...

        def fit(self, rows: Any) -> Any:
            running.append(1)
            most.append(len(running))
            time.sleep(0.01)
            running.pop()
            self.embedding_ = np.zeros((len(rows), 2))
            return self

    monkeypatch.setattr("umap.UMAP", Slow)
    rows = np.random.default_rng(0).standard_normal((8, 20, 4))
    at_once(8, lambda i: projection.project(rows[i]))
    assert most == [1] * 8


# Twenty at once


def test_twenty_sessions_with_different_plans_get_what_each_gets_alone(llama: Backbone) -> None:
    expected = [encoder.encode(llama, TEXTS, DEFAULT.under(plan)).embeddings for plan in PLANS]

    def visit(i: int) -> Any:
        if i % 4 == 0:
            return cached_encoder.encode_methods(llama, TEXTS, [DEFAULT.under(PLANS[i])])[
                0
            ].embeddings
        return encoding.embeddings(llama, TEXTS, DEFAULT.under(PLANS[i]), traced=i % 2 == 1)

    for found, alone_ in zip(at_once(20, visit), expected, strict=True):
        np.testing.assert_array_equal(found, alone_)


def test_twenty_sessions_that_ask_the_same_compute_it_once(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    inner = encoder.encode_methods

    def counted(backbone: Backbone, texts: Any, *rest: Any, **how: Any) -> Any:
        encoded.append(len(texts))
        return inner(backbone, texts, *rest, **how)

    monkeypatch.setattr(encoder, "encode_methods", counted)
    method = DEFAULT.under(Plan((2,)))
    found = at_once(20, lambda _: scores.score(llama, PAIRS, [method])[0])
    assert encoded == [24]
    assert len({one.first.value for one in found}) == 1


def test_two_sweeps_of_the_same_plans_share_the_work(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[Plan] = []
    inner = scores.measured

    def counted(*arguments: Any) -> Any:
        scored.append(arguments[2].plan)
        return inner(*arguments)

    monkeypatch.setattr(scores, "measured", counted)
    one, other = at_once(2, lambda _: list(sweeps.sweep(llama, PAIRS, PLANS[:5])))
    assert [s.first.value for s in one] == [s.first.value for s in other]
    assert len(scored) == 5


def test_states_kept_in_memory_have_an_end(llama: Backbone) -> None:
    def flip(i: int) -> Any:
        texts = [f"{text} {i}" for text in TEXTS]
        return encoding.embeddings(llama, texts, DEFAULT.under(Plan((3,))), traced=True)

    found = at_once(12, flip)
    assert len(trace_cache._TRACES) <= trace_cache.KEPT
    for i in range(trace_cache.KEPT + 2):
        encoding.embeddings(
            llama, [f"{t} {i}!" for t in TEXTS], DEFAULT.under(Plan((3,))), traced=True
        )
    assert len(trace_cache._TRACES) == trace_cache.KEPT
    for i, rows in enumerate(found):
        texts = [f"{text} {i}" for text in TEXTS]
        np.testing.assert_array_equal(
            rows, encoder.encode(llama, texts, DEFAULT.under(Plan((3,)))).embeddings
        )


# Backbones that visits share


def loading(families: dict[str, int]) -> Callable[..., Backbone]:
    """Loads a tiny backbone by its family's name, and counts."""

    def load(name: str, dtype: str) -> Backbone:
        assert dtype == "float32"
        families[name] = families.get(name, 0) + 1
        time.sleep(0.02)
        return backbone_of(plain(name), byte_tokenizer(), name)

    return load


@pytest.mark.usefixtures("no_lease")
def test_a_backbone_is_loaded_once_for_all_and_freed_when_the_last_leaves() -> None:
    counts: dict[str, int] = {}
    load = loading(counts)
    leases = at_once(20, lambda i: sharing.lease(("llama", "qwen2")[i % 2], "float32", load=load))
    assert counts == {"llama": 1, "qwen2": 1}
    assert len({id(lease.backbone) for lease in leases}) == 2
    encoding.embeddings(leases[0].backbone, TEXTS, DEFAULT.under(Plan((2,))), traced=True)
    gone = weakref.ref(leases[0].backbone.model)
    del leases[0::2]
    sharing._LATEST[:] = leases[:1]
    gc.collect()
    assert gone() is None, "nobody uses it"
    assert [one.name for one in sharing.held()] == ["qwen2"]
    assert not trace_cache._TRACES


@pytest.mark.usefixtures("no_lease")
def test_switching_frees_the_old_backbone_before_the_new_one_loads() -> None:
    held = sharing.lease("llama", "float32", load=loading({}))
    gone = weakref.ref(held.backbone.model)

    def load(name: str, dtype: str) -> Backbone:
        assert gone() is None
        return loading({})(name, dtype)

    held = None
    held = sharing.lease("qwen2", "float32", load=load)
    assert held.name == "qwen2"


@pytest.mark.usefixtures("no_lease")
def test_what_does_not_fit_beside_others_names_them() -> None:
    held = sharing.lease("llama", "float32", load=loading({}))

    def refuse(*_: Any, **__: Any) -> Backbone:
        raise NoRoom("It needs 9.0 GB and cpu has 1.0 GB free; choose a smaller backbone.")

    with pytest.raises(NoRoom, match="or use what others use here now: llama") as caught:
        sharing.lease("qwen2", "float32", load=refuse)
    assert_one_sentence(caught.value)
    assert sharing.lease("llama", "float32", load=refuse) is held


# The journal


def test_a_request_leaves_one_line_and_no_text(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    import json

    log = tmp_path / "log.jsonl"
    monkeypatch.setenv("KVE_LOG", str(log))
    request_log.start()
    try:
        for _ in range(2):
            with request_log.request("page", page="similarity"):
                cached_encoder.encode_methods(llama, TEXTS, [DEFAULT])
        with pytest.raises(NoRoom), request_log.request("page"):
            raise NoRoom("no")
        with pytest.raises(KeyboardInterrupt), request_log.request("page"):
            raise KeyboardInterrupt
        with pytest.raises(ZeroDivisionError), request_log.request("page"):
            raise ZeroDivisionError
    finally:
        monkeypatch.setenv("KVE_LOG", "off")
        request_log.start()
    first, second, refused, stopped, failed = map(json.loads, log.read_text().splitlines())
    assert first["encoded"] == 24
    assert first["tokens"] > 24
    assert first["known"] == 0
    assert (second["known"], "encoded" in second) == (24, False)
    assert {"time", "seconds", "memory_mb"} <= first.keys()
    assert (refused["outcome"], refused["error"]) == ("refused", "NoRoom")
    assert stopped["outcome"] == "stopped"
    assert (failed["outcome"], failed["error"]) == ("failed", "ZeroDivisionError")
    assert "Text number" not in log.read_text()
