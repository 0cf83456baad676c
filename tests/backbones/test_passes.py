"""Passes that others interrupt: one backbone, many visits, the same bits."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from analysis.backbones import passes
from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.embedding.trace import Trace
from analysis.rerouting import forward_pass
from analysis.rerouting.pass_request import PassRequest, PassResult
from analysis.rerouting.plan import PLAIN, Plan
from analysis.runtime import fair_lock, visitors
from tests.support.tiny_models import LAYERS

FAMILIES = ("llama", "gemma3", "gemma2", "gpt_oss", "qwen3_next", "falcon")


def requests(backbone: Backbone) -> list[PassRequest]:
    """Passes of several lengths, plain and re-routed, whole and resumed, that keep all there is."""
    drawn = torch.Generator().manual_seed(0)
    plans = [PLAIN]
    if layers := backbone.reroutable:
        plans += [Plan(layers[1:2]), Plan(layers, 0.0)]
        plans += [Plan(layers[1:3], 2.0, position) for position in backbone.key_positions]
    made = []
    for width in (1, 7, 40):
        ids = torch.randint(3, backbone.facts.vocabulary, (2, width), generator=drawn)
        lengths = torch.tensor([width, max(1, width - 2)])
        kept = passes.run(backbone, PassRequest(ids, lengths, keep_inputs=range(LAYERS)))
        for plan in plans:
            whole = PassRequest(
                *(ids, lengths, plan, backbone.form),
                keep_inputs=range(LAYERS),
                keep_at=(torch.arange(2), lengths - 1),
                keep_gates=True,
            )
            made.append(whole)
            start = plan.active[0] if plan.active else LAYERS // 2
            made.append(
                PassRequest(
                    *(ids, lengths, plan, backbone.form),
                    start=start,
                    start_states=kept.inputs[start],
                )
            )
    return made


def parts(result: PassResult) -> dict[str, Any]:
    """Everything that a pass gives."""
    kept = {name: getattr(result, name) for name in ("inputs", "outputs", "gates")}
    return {"final": result.final, "pre_norm": result.pre_norm} | {
        f"{name} {layer}": states for name, of in kept.items() for layer, states in of.items()
    }


@pytest.mark.parametrize(
    "family",
    [FAMILIES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES[1:])],
)
def test_a_pass_cut_into_turns_keeps_its_bits(
    family: str, tiny: Callable[[str], Backbone], monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = tiny(family)
    asked = requests(backbone)
    alone = [parts(passes.run(backbone, request)) for request in asked]
    monkeypatch.setattr(backbone.lock, "_turn", 0.0)  # every layer is a turn
    monkeypatch.setattr(fair_lock, "LONG", 20)
    monkeypatch.setattr(fair_lock, "GRACE", 0.001)
    turns: list[int] = []
    over = backbone.lock._let_others_go_first

    def note(place: Any) -> None:
        turns.append(1)
        over(place)

    monkeypatch.setattr(backbone.lock, "_let_others_go_first", note)
    begin = threading.Barrier(4)

    def visit(number: int) -> list[dict[str, Any]]:
        begin.wait(30)
        with visitors.visiting(f"visitor {number % 3}", str(number)):
            results = []
            for request in asked[number:] + asked[:number]:
                with backbone.lock:
                    results.append(parts(passes.run(backbone, request)))
            return results[len(asked) - number :] + results[: len(asked) - number]

    with ThreadPoolExecutor(4) as threads:
        for results in threads.map(visit, range(4)):
            for result, expected in zip(results, alone, strict=True):
                assert result.keys() == expected.keys()
                assert all(torch.equal(result[name], expected[name]) for name in expected)
    assert len(turns) > len(asked), "they were cut"


def test_layers_of_two_visits_alternate(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama.lock, "_turn", 0.0)
    order: list[str] = []
    spend = llama.lock.spend

    def note(cost: float) -> None:
        spend(cost)
        order.append(str(visitors.current()[0]))

    monkeypatch.setattr(llama.lock, "spend", note)
    begin = threading.Barrier(2)

    def visit(name: str) -> Any:
        with visitors.visiting(name, name):
            begin.wait(30)
            return encoder.encode(llama, [f"{name} " * 60], METHODS["mean"]).embeddings

    most = 0
    for _ in range(20):  # on a busy machine one may be done before the other begins
        order.clear()
        with ThreadPoolExecutor(2) as threads:
            together = list(threads.map(visit, "ab"))
        assert sorted(order) == ["a"] * LAYERS + ["b"] * LAYERS
        most = max(most, sum(one != other for one, other in pairwise(order)))
        if most >= 3:
            break
    assert most >= 3
    monkeypatch.undo()
    for name, rows in zip("ab", together, strict=True):
        alone = encoder.encode(llama, [f"{name} " * 60], METHODS["mean"]).embeddings
        np.testing.assert_array_equal(rows, alone)


def test_who_stops_waiting_inside_a_pass_leaves_nothing_behind(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama.lock, "_turn", 0.0)
    texts, method = ["word " * 50], DEFAULT.under(Plan((2,)))
    expected = encoder.encode(llama, texts, method).embeddings

    def stop(_cost: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(llama.lock, "spend", stop)
        with pytest.raises(KeyboardInterrupt):
            encoder.encode(llama, texts, method)
        with pytest.raises(KeyboardInterrupt):
            Trace(llama, texts, method)
    assert not llama.lock.locked()
    assert forward_pass.current() is None
    np.testing.assert_array_equal(encoder.encode(llama, texts, method).embeddings, expected)
