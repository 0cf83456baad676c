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
from analysis.errors import OutOfMemory
from analysis.experiments import score as scores
from analysis.experiments import sweep as sweeps
from analysis.rerouting.plan import Plan
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


@pytest.mark.slow
def test_twenty_sessions_with_different_plans_get_what_each_gets_alone(llama: Backbone) -> None:
    expected = [encoder.encode(llama, TEXTS, DEFAULT.under(plan)).embeddings for plan in PLANS]

    def visit(i: int) -> Any:
        if i % 4 == 0:
            return cached_encoder.encode_methods(llama, TEXTS, [DEFAULT.under(PLANS[i])])[
                0
            ].embeddings
        return encoding.embeddings(llama, TEXTS, DEFAULT.under(PLANS[i]), traced=i % 2 == 1)

    for result, alone_ in zip(at_once(20, visit), expected, strict=True):
        np.testing.assert_array_equal(result, alone_)


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
    result = at_once(20, lambda _: scores.score(llama, PAIRS, [method])[0])
    assert encoded == [24]
    assert len({one.first.value for one in result}) == 1


@pytest.mark.slow
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


@pytest.mark.slow
def test_states_kept_in_memory_have_an_end(llama: Backbone) -> None:
    def flip(i: int) -> Any:
        texts = [f"{text} {i}" for text in TEXTS]
        return encoding.embeddings(llama, texts, DEFAULT.under(Plan((3,))), traced=True)

    result = at_once(12, flip)
    assert len(trace_cache._TRACES) <= trace_cache.MAX_TRACED
    for i in range(trace_cache.MAX_TRACED + 2):
        encoding.embeddings(
            llama, [f"{t} {i}!" for t in TEXTS], DEFAULT.under(Plan((3,))), traced=True
        )
    assert len(trace_cache._TRACES) == trace_cache.MAX_TRACED
    for i, rows in enumerate(result):
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


@pytest.mark.slow
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
    assert [one.name for one in sharing.active()] == ["qwen2"]
    assert not trace_cache._TRACES


@pytest.mark.slow
@pytest.mark.usefixtures("no_lease")
def test_switching_frees_the_old_backbone_before_the_new_one_loads() -> None:
    held: sharing.Lease | None = sharing.lease("llama", "float32", load=loading({}))
    assert held is not None
    gone = weakref.ref(held.backbone.model)

    def load(name: str, dtype: str) -> Backbone:
        assert gone() is None
        return loading({})(name, dtype)

    held = None
    held = sharing.lease("qwen2", "float32", load=load)
    assert held.name == "qwen2"


@pytest.mark.slow
@pytest.mark.usefixtures("no_lease")
def test_what_does_not_fit_beside_others_names_them() -> None:
    held = sharing.lease("llama", "float32", load=loading({}))

    def refuse(*_: Any, **__: Any) -> Backbone:
        raise OutOfMemory("It needs 9.0 GB and cpu has 1.0 GB free; choose a smaller backbone.")

    with pytest.raises(OutOfMemory, match="or use one that is already loaded: llama") as caught:
        sharing.lease("qwen2", "float32", load=refuse)
    assert_one_sentence(caught.value)
    assert sharing.lease("llama", "float32", load=refuse) is held
