"""Passes: what they keep is what transformers reports, and a late start ends in the same place."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from analysis.backbones.backbone import Backbone
from analysis.rerouting import forward_pass
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import PLAIN, Plan
from tests.support import properties
from tests.support.properties import Case
from tests.support.tiny_models import FAMILIES, IGNORING, LAYERS, WINDOW

SUBJECTS = [*FAMILIES, *IGNORING, pytest.param("smollm2", marks=pytest.mark.weights)]
LENGTHS = torch.tensor([WINDOW + 5, WINDOW + 1, 2])
LAST = (torch.arange(3), LENGTHS - 1)
IDS = torch.randint(3, 250, (3, WINDOW + 5), generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=SUBJECTS)
def case(request: pytest.FixtureRequest) -> Case:
    """Families that can be re-routed, families that cannot, and the packaged weights."""
    return properties.case(request.param)


def plans_from(case: Case, start: int) -> list[Plan]:
    """Plans whose first layer is ``start`` or later; only the plain one where nothing re-routes."""
    if not case.backbone.reroutable:
        return [PLAIN]
    layers = case.backbone.layers
    plans = [Plan((start,)), Plan(tuple(range(start, layers)), 0.0), Plan((layers - 1,), 3.0)]
    return [PLAIN, *plans]


@pytest.mark.slow
def test_a_resumed_pass_equals_the_whole_one_to_the_bit(case: Case) -> None:
    model, layers, form = case.backbone.model, case.backbone.layers, case.backbone.form
    kept = forward_pass.run(model, PassRequest(IDS, LENGTHS, keep_inputs=range(layers))).inputs
    before = {layer: states.clone() for layer, states in kept.items()}
    for start in (0, layers // 2, layers - 1):
        for plan in plans_from(case, start):
            request = PassRequest(IDS, LENGTHS, plan, form, keep_at=LAST)
            total = forward_pass.run(model, request)
            late = replace(request, start=start, start_states=kept[start])
            resumed = forward_pass.run(model, late)
            assert torch.equal(resumed.final, total.final)
            assert torch.equal(resumed.pre_norm, total.pre_norm)
            assert sorted(resumed.outputs) == list(range(start, layers))
            for layer, states in resumed.outputs.items():
                assert torch.equal(states, total.outputs[layer])
    for layer, states in kept.items():
        assert torch.equal(states, before[layer]), "resuming must leave the kept states alone"


def test_a_late_start_runs_no_earlier_layer(tiny: Callable[[str], Backbone]) -> None:
    backbone = tiny("gemma3")
    state = forward_pass.run(backbone.model, PassRequest(IDS, LENGTHS, keep_inputs=[4])).inputs[4]
    ran: list[int] = []
    handles = [
        backbone.model.get_submodule(f"layers.{i}.mlp").register_forward_hook(
            lambda *_, i=i: ran.append(i)
        )
        for i in range(LAYERS)
    ]
    try:
        forward_pass.run(
            backbone.model, PassRequest(IDS, LENGTHS, Plan((4,)), start=4, start_states=state)
        )
    finally:
        for handle in handles:
            handle.remove()
    assert ran == [4, 5]


def test_kept_states_are_those_that_transformers_reports(case: Case) -> None:
    layers = case.backbone.layers
    with torch.inference_mode():
        expected = case.plain(input_ids=IDS, use_cache=False, output_hidden_states=True)
    result = forward_pass.run(
        case.backbone.model, PassRequest(IDS, LENGTHS, keep_inputs=range(layers), keep_at=LAST)
    )
    states = expected.hidden_states
    assert len(states) == layers + 1
    rows = torch.arange(len(IDS))
    for layer in range(layers):
        assert torch.equal(result.inputs[layer], states[layer])
        if layer + 1 < layers:  # transformers' last one comes after the final norm
            assert torch.equal(result.outputs[layer], states[layer + 1][rows, LENGTHS - 1])
        assert result.outputs[layer].dtype == torch.float32
    assert torch.equal(result.outputs[layers - 1], result.pre_norm[rows, LENGTHS - 1])
    assert torch.equal(result.final, expected.last_hidden_state)
    assert not torch.equal(result.pre_norm, result.final)


def test_right_padding_needs_no_mask(case: Case) -> None:
    real = torch.arange(IDS.shape[1]) < LENGTHS[:, None]
    with torch.inference_mode():
        masked = case.plain(input_ids=IDS, attention_mask=real.long(), use_cache=False)
    result = forward_pass.run(case.backbone.model, PassRequest(IDS, LENGTHS)).final[real]
    torch.testing.assert_close(result, masked.last_hidden_state[real], atol=1e-4, rtol=1e-4)


def test_nothing_is_kept_that_was_not_asked_for(tiny: Callable[[str], Backbone]) -> None:
    result = forward_pass.run(tiny("llama").model, PassRequest(IDS, LENGTHS, Plan((1,))))
    assert result.inputs == result.outputs == result.gates == {}


def test_a_model_outside_a_pass_is_as_transformers_made_it(case: Case) -> None:
    forward_pass.run(case.backbone.model, PassRequest(IDS, LENGTHS, keep_at=LAST))
    with torch.inference_mode():
        states = [m(input_ids=IDS, use_cache=False) for m in (case.backbone.model, case.plain)]
    assert torch.equal(states[0].last_hidden_state, states[1].last_hidden_state)


def test_a_pass_that_fails_leaves_nothing_behind(tiny: Callable[[str], Backbone]) -> None:
    model = tiny("llama").model
    plain = forward_pass.run(model, PassRequest(IDS, LENGTHS)).final
    with pytest.raises(IndexError):
        forward_pass.run(
            model, PassRequest(IDS + 100_000, LENGTHS, Plan((1,)), start=2, start_states=plain)
        )
    assert torch.equal(forward_pass.run(model, PassRequest(IDS, LENGTHS)).final, plain)
    with torch.inference_mode():
        assert torch.equal(model(input_ids=IDS, use_cache=False).last_hidden_state, plain)


def test_states_carry_no_gradient(tiny: Callable[[str], Backbone]) -> None:
    result = forward_pass.run(tiny("llama").model, PassRequest(IDS, LENGTHS, Plan((1,))))
    assert result.final.is_inference()
    assert not any(p.requires_grad for p in tiny("llama").model.parameters())


def test_an_inactive_plan_may_hold_layers_below_the_start(tiny: Callable[[str], Backbone]) -> None:
    backbone = tiny("llama")
    state = forward_pass.run(
        backbone.model, PassRequest(IDS, LENGTHS, keep_inputs=[LAYERS - 1])
    ).inputs[LAYERS - 1]
    off = Plan((0,), -math.inf)
    result = forward_pass.run(
        backbone.model, PassRequest(IDS, LENGTHS, off, start=LAYERS - 1, start_states=state)
    ).final
    assert torch.equal(result, forward_pass.run(backbone.model, PassRequest(IDS, LENGTHS)).final)
