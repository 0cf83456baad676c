"""Gates, and threads with different plans on one model.

What holds for every family's own code and for real weights is in test_families.py.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder
from analysis.embedding.methods import DEFAULT
from analysis.rerouting import forward_pass
from analysis.rerouting.forward_pass import RunningPass
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import PLAIN, KeyPosition, Plan
from tests.support import properties
from tests.support.tiny_models import BENT, FAMILIES, LAYERS, LONG

# Gates and forms


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_gates_are_kept_only_when_asked_for(family: str) -> None:
    case = properties.case(family)
    ids, lengths = case.tokens(5)
    plan = case.plan("window")
    assert case.run(ids, lengths, plan).gates == {}
    kept = case.run(ids, lengths, plan, keep_gates=True).gates
    assert tuple(kept) == plan.layers
    assert {gate.shape for gate in kept.values()} == {(1, case.backbone.facts.heads, 5)}


def test_bent_families_run_through_their_own_function(tiny: Callable[[str], Backbone]) -> None:
    forms = {family: tiny(family).form for family in FAMILIES}
    assert {f for f, form in forms.items() if form == "concatenated"} == set(BENT)


# Threads on one model


@pytest.mark.slow
@pytest.mark.parametrize("encodes", [50, pytest.param(1000, marks=pytest.mark.nightly)])
def test_many_encodes_with_different_plans_do_not_meet(
    tiny: Callable[[str], Backbone], encodes: int
) -> None:
    backbone = tiny("gemma3")
    texts = ["the river rose after the flood", "a short one", "on"]
    variants: tuple[tuple[float, KeyPosition], ...] = ((0.0, "own"), (3.0, "own"), (1.0, "first"))
    plans = [
        PLAIN,
        *(
            Plan(layers, bias, position)
            for layers in ((0,), (5,), (2, 3), tuple(range(LAYERS)))
            for bias, position in variants
        ),
    ]

    def embeddings(plan: Plan) -> NDArray[np.float32]:
        return encoder.encode(backbone, texts, DEFAULT.under(plan)).embeddings

    expected = [embeddings(plan) for plan in plans]
    for i, one in enumerate(expected):
        assert not any(np.allclose(one, other, atol=1e-4) for other in expected[:i])
    with eager_switching(), ThreadPoolExecutor(8) as threads:
        result = list(threads.map(embeddings, (plans * 80)[:encodes]))
    wrong = [i for i, e in enumerate(result) if not np.array_equal(e, expected[i % len(plans)])]
    assert len(result) == encodes
    assert not wrong


def test_passes_that_run_at_the_same_time_do_not_meet() -> None:
    """Without the lock that makes encodes take turns."""
    case = properties.case("gemma3")
    ids, lengths = case.tokens(LONG, LONG - 4)
    plans = [PLAIN, *(case.plan(name, b) for name in case.layer_sets for b in (0.0, 3.0))]

    def final(plan: Plan) -> torch.Tensor:
        return case.run(ids, lengths, plan).final

    with ThreadPoolExecutor(1) as one:
        expected = list(one.map(final, plans))
    with eager_switching(), ThreadPoolExecutor(4) as several:
        result = list(several.map(final, plans * 6))
    for i, states in enumerate(result):
        assert torch.equal(states, expected[i % len(plans)])


@contextmanager
def eager_switching() -> Iterator[None]:
    """Let Python change threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class OneForAll:
    """A ContextVar's interface over a plain attribute: what a plan kept on the module would be."""

    def __init__(self) -> None:
        self.value: RunningPass | None = None

    def get(self) -> RunningPass | None:
        return self.value

    def set(self, value: RunningPass) -> RunningPass | None:
        before, self.value = self.value, value
        return before

    def reset(self, before: RunningPass | None) -> None:
        self.value = before


@pytest.mark.parametrize("shared", [False, True], ids=["context", "module"])
def test_a_plan_kept_on_the_module_would_be_mixed_up(
    shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads set their plans one after the other, then both run: whose plan is carried out?"""
    case = properties.case("llama")
    ids, lengths = case.tokens(9)
    plans = [Plan((1,), 3.0), Plan((2,), 3.0)]
    expected = [case.run(ids, lengths, plan).final for plan in plans]
    if shared:
        monkeypatch.setattr(forward_pass, "_CURRENT", OneForAll())
    first_is_set, both_are_set, all_done = threading.Event(), *(threading.Barrier(2) for _ in "ab")

    def final(number: int) -> torch.Tensor:
        if number == 1:
            assert first_is_set.wait(30)
        request = PassRequest(ids, lengths, plans[number])
        with torch.inference_mode(), forward_pass.running(request):
            first_is_set.set()
            both_are_set.wait(30)
            output = case.backbone.model(input_ids=ids, use_cache=False)
            all_done.wait(30)
        states: torch.Tensor = output.last_hidden_state
        return states

    with ThreadPoolExecutor(2) as threads:
        result = list(threads.map(final, (0, 1)))
    carried_out = [
        next(i for i in (0, 1) if torch.allclose(states, expected[i], atol=1e-5))
        for states in result
    ]
    assert carried_out == ([1, 1] if shared else [0, 1])


def test_a_pass_ends_with_its_block() -> None:
    case = properties.case("llama")
    ids, lengths = case.tokens(9)
    plain = case.run(ids, lengths).final
    request = PassRequest(ids, lengths, Plan((1,)))
    with pytest.raises(RuntimeError, match="half way"), forward_pass.running(request):
        raise RuntimeError("half way")
    with torch.inference_mode():
        assert torch.equal(case.backbone.model(input_ids=ids).last_hidden_state, plain)
