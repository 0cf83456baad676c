"""The exact properties of re-routing, on every family's own code and on real weights.

1. Nothing selected, or b = -inf: the plain model.
2. Earlier tokens learn of the last one from the first selected layer's output on, not before.
3. There, the last token's own output is plain attention with its self-weight times 1 + e^b.
4. A text's states do not depend on its batch, its padding or the padding's side.
5. The closed form, the concatenated form and the formula written as a loop agree.
"""

import math
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Literal

import pytest
import torch
from conftest import Case
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_attention import Slow, attending, rerouted
from tiny_models import BENT, FAMILIES, LAYERS, WINDOW

from analysis import forward, rerouting
from analysis.errors import PlanError
from analysis.rerouting import (
    PLAIN,
    Form,
    Plan,
    Routing,
    closed_form,
    concatenated_form,
    gather_last,
    routed,
)

SUBJECTS = [*FAMILIES, pytest.param("smollm2", marks=pytest.mark.weights)]
FORMS: tuple[Form, ...] = ("closed", "concatenated")
OFF = -math.inf
LONG = WINDOW + 5


@pytest.fixture(params=SUBJECTS)
def case(request: pytest.FixtureRequest, case_of: Callable[[str], Case]) -> Case:
    """Every family and the packaged weights, one after the other."""
    return case_of(request.param)


def tokens(case: Case, *lengths: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random right-padded ids (B, T) and their lengths (B,)."""
    drawn = torch.Generator().manual_seed(seed)
    ids = torch.randint(
        3, case.backbone.facts.vocabulary, (len(lengths), max(lengths)), generator=drawn
    )
    for row, length in enumerate(lengths):
        ids[row, length:] = 0
    return ids, torch.tensor(lengths)


def layer_sets(layers: int) -> dict[str, tuple[int, ...]]:
    """The selections tried; where a family mixes, one layer of the window slides, one does not."""
    middle = layers // 3
    return {
        "none": (),
        "first": (0,),
        "last": (layers - 1,),
        "window": (middle, middle + 1),
        "all": tuple(range(layers)),
    }


def assert_close(found: torch.Tensor, expected: torch.Tensor, tolerance: float = 2e-5) -> None:
    """Equal to float32 rounding, which grows with the largest number around."""
    assert found.shape == expected.shape
    scale = max(1.0, float(expected.abs().max()))
    assert float((found - expected).abs().max()) <= tolerance * scale


# Plans


@pytest.mark.parametrize("layers", [(-1,), (1, 1), (2, 1)])
def test_plan_refuses_layers_out_of_order(layers: tuple[int, ...]) -> None:
    with pytest.raises(PlanError, match="distinct, ascending"):
        Plan(layers)


@pytest.mark.parametrize("bias", [math.nan, math.inf])
def test_plan_refuses_a_bias_that_is_no_number(bias: float) -> None:
    with pytest.raises(PlanError, match="bias"):
        Plan((0,), bias)


def test_a_plan_that_is_off_has_no_active_layers() -> None:
    assert Plan((1, 2), OFF).active == PLAIN.active == ()
    assert Plan((1, 2), -3.0).active == (1, 2)


# 1. Nothing re-routed


@pytest.mark.parametrize("form", FORMS)
def test_nothing_rerouted_is_the_plain_model_to_the_bit(case: Case, form: Form) -> None:
    ids, lengths = tokens(case, LONG, LONG - 4, 1)
    layers = case.backbone.layers
    with torch.inference_mode():
        expected = case.plain(input_ids=ids, use_cache=False, output_hidden_states=True)
    for plan in (PLAIN, Plan((), 5.0), Plan(tuple(range(layers)), OFF)):
        found = forward.run(
            case.backbone.model, ids, lengths, plan, form=form, keep_inputs=range(layers)
        )
        assert torch.equal(found.final, expected.last_hidden_state)
        for layer in range(layers):
            assert torch.equal(found.inputs[layer], expected.hidden_states[layer])


@pytest.mark.parametrize("form", FORMS)
def test_a_bias_that_shuts_the_prefix_out_comes_to_the_plain_model(case: Case, form: Form) -> None:
    ids, lengths = tokens(case, LONG, LONG - 4)
    with torch.inference_mode():
        expected = case.plain(input_ids=ids, use_cache=False).last_hidden_state
    everywhere = Plan(tuple(range(case.backbone.layers)), -1e4)
    found = forward.run(case.backbone.model, ids, lengths, everywhere, form=form).final
    assert_close(found, expected)


@pytest.mark.parametrize("form", FORMS)
def test_rerouting_changes_the_plain_model(case: Case, form: Form) -> None:
    """Else every other test here would pass with nothing done at all."""
    ids, lengths = tokens(case, LONG)
    plan = Plan(layer_sets(case.backbone.layers)["window"])
    plain = forward.run(case.backbone.model, ids, lengths).final
    moved = forward.run(case.backbone.model, ids, lengths, plan, form=form).final
    assert ((moved - plain).norm(dim=-1) > 1e-3 * plain.norm(dim=-1)).all()


# 2. What early tokens know


@pytest.mark.parametrize("form", FORMS)
def test_earlier_tokens_learn_of_the_last_one_at_the_first_selected_layer(
    case: Case, form: Form
) -> None:
    model, layers = case.backbone.model, case.backbone.layers
    ids, lengths = tokens(case, LONG)
    other = ids.clone()
    other[0, -1] = 3 if ids[0, -1] != 3 else 4
    plan = Plan(layer_sets(layers)["window"])
    first = plan.layers[0]

    def moved(chosen: Plan) -> list[torch.Tensor]:
        """Per state of the model, the distance (T,) between each token's two states."""
        a, b = (
            forward.run(model, x, lengths, chosen, form=form, keep_inputs=range(layers))
            for x in (ids, other)
        )
        states = [a.inputs[i] - b.inputs[i] for i in range(layers)]
        return [x[0].norm(dim=-1) for x in (*states, a.raw - b.raw, a.final - b.final)]

    for distances in moved(PLAIN):
        assert (distances[:-1] == 0).all()
        assert distances[-1] > 0
    rerouted_distances = moved(plan)
    for distances in rerouted_distances[: first + 1]:
        assert (distances[:-1] == 0).all()
    for distances in rerouted_distances[first + 1 :]:
        assert (distances[:-1] > 0).all(), "a token outside every sliding window hears of it too"


# 3. The last token itself


@pytest.mark.parametrize("bias", [-2.0, 1.0])
@pytest.mark.parametrize("form", FORMS)
def test_last_token_weighs_itself_by_one_plus_e_to_the_b(
    case: Case, form: Form, bias: float
) -> None:
    ids, lengths = tokens(case, LONG)
    for first in (0, 2):
        plan = Plan((first,), bias)
        found = forward.run(
            case.backbone.model, ids, lengths, plan, form=form, keep_inputs=[first + 1]
        ).inputs[first + 1]
        slow = Slow((first,), bias, torch.ones_like(ids).bool(), case.window, self_weighted=True)
        with attending(case.plain, slow):
            expected = case.plain(input_ids=ids, use_cache=False, output_hidden_states=True)
        assert_close(found[:, -1], expected.hidden_states[first + 1][:, -1])


# 4. Batches and padding


def left_padded(
    case: Case, ids: torch.Tensor, lengths: torch.Tensor, plan: Plan, form: Form, pads: int
) -> torch.Tensor:
    """States of right-padded ``ids`` from a pass padded on the left, in their places of before."""
    rows, width = len(ids), ids.shape[1] + pads
    moved = torch.zeros(rows, width, dtype=torch.int64)
    mask, positions = torch.zeros_like(moved), torch.zeros_like(moved)
    for row, length in enumerate(lengths.tolist()):
        moved[row, width - length :] = ids[row, :length]
        mask[row, width - length :] = 1
        positions[row, width - length :] = torch.arange(length)
    last = torch.full((rows,), width - 1)
    with torch.inference_mode(), routed(Routing(plan, last, form)):
        states = case.backbone.model(
            input_ids=moved, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
    assert states.isfinite().all(), "what pads hold must not poison what is added to it"
    return torch.stack(
        [row.roll(int(length), 0) for row, length in zip(states, lengths, strict=True)]
    )


@pytest.mark.parametrize("layers", ["none", "all"])
@pytest.mark.parametrize("form", FORMS)
def test_states_do_not_depend_on_batch_or_padding(case: Case, form: Form, layers: str) -> None:
    ids, lengths = tokens(case, LONG, 2, LONG - 4, 1)
    plan = Plan(layer_sets(case.backbone.layers)[layers])
    model = case.backbone.model
    wider = torch.nn.functional.pad(ids, (0, 7))
    together = {
        "batch": forward.run(model, ids, lengths, plan, form=form).final,
        "more padding": forward.run(model, wider, lengths, plan, form=form).final,
        "left padding": left_padded(case, ids, lengths, plan, form, pads=3),
    }
    for row, length in enumerate(lengths.tolist()):
        alone = forward.run(
            model, ids[row : row + 1, :length], lengths[row : row + 1], plan, form=form
        ).final[0]
        for states in together.values():
            assert_close(states[row, :length], alone)


def test_what_padding_holds_does_not_matter(case: Case) -> None:
    ids, lengths = tokens(case, LONG, 3)
    plan = Plan(layer_sets(case.backbone.layers)["all"])
    other = ids.clone()
    other[1, 3:] = 7
    a, b = (forward.run(case.backbone.model, x, lengths, plan).final for x in (ids, other))
    assert torch.equal(a[0], b[0])
    assert torch.equal(a[1, :3], b[1, :3])


# 5. Closed form, concatenated form, formula


@pytest.mark.parametrize("width", [1, 2, LONG])
@pytest.mark.parametrize("layers", layer_sets(LAYERS))
@pytest.mark.parametrize("family", FAMILIES)
def test_forms_equal_the_formula(
    family: str, layers: str, width: int, case_of: Callable[[str], Case]
) -> None:
    case = case_of(family)
    ids, lengths = tokens(case, width, max(1, width - 4))
    real = torch.arange(width) < lengths[:, None]
    for bias in (-2.0, 0.0, 1.0, 5.0) if layers != "none" else (1.0,):
        plan = Plan(layer_sets(LAYERS)[layers], bias)
        slow = Slow(plan.layers, bias, real, case.window)
        with attending(case.plain, slow):
            expected = case.plain(input_ids=ids, use_cache=False).last_hidden_state
        for form in FORMS:
            found = forward.run(case.backbone.model, ids, lengths, plan, form=form, keep_gates=True)
            assert_close(found.final[real], expected[real])
            assert set(found.gates) == set(plan.layers)
            for layer, gate in found.gates.items():
                assert gate.dtype == torch.float32
                assert gate.min() >= 0
                assert gate.max() <= 1
                weights = slow.gates[layer].transpose(1, 2)[real]
                assert_close(gate.transpose(1, 2)[real], weights)


@pytest.mark.weights
def test_forms_equal_the_formula_on_real_weights(case_of: Callable[[str], Case]) -> None:
    case = case_of("smollm2")
    ids, lengths = tokens(case, LONG)
    real = torch.ones_like(ids).bool()
    for layers in ("window", "all"):
        plan = Plan(layer_sets(case.backbone.layers)[layers])
        slow = Slow(plan.layers, plan.bias, real, case.window)
        with attending(case.plain, slow):
            expected = case.plain(input_ids=ids, use_cache=False).last_hidden_state
        for form in FORMS:
            found = forward.run(case.backbone.model, ids, lengths, plan, form=form, keep_gates=True)
            assert_close(found.final, expected, 1e-4)
            for layer, gate in found.gates.items():
                assert_close(gate, slow.gates[layer], 1e-4)


@st.composite
def attentions(draw: st.DrawFn) -> dict[str, Any]:
    """Queries, keys and values of any shape, with any padding, sliding window and bias."""
    rows, kv_heads, groups = (draw(st.integers(1, 3)) for _ in range(3))
    width, depth, value_depth = draw(st.integers(1, 10)), *(draw(st.integers(1, 9)) for _ in "kv")
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    spread = draw(st.sampled_from([0.1, 1.0, 4.0]))

    def random(heads: int, size: int) -> torch.Tensor:
        return spread * torch.randn(rows, heads, width, size, generator=generator)

    side = draw(st.sampled_from(["none", "right", "left"]))
    lengths = [width if side == "none" else draw(st.integers(1, width)) for _ in range(rows)]
    starts = [width - n if side == "left" else 0 for n in lengths]
    return {
        "query": random(kv_heads * groups, depth),
        "key": random(kv_heads, depth),
        "value": random(kv_heads, value_depth),
        "real": [(start, start + n) for start, n in zip(starts, lengths, strict=True)],
        "window": draw(st.none() | st.integers(1, width)),
        "scale": draw(st.sampled_from([1.0, 0.37])),
        "bias": draw(st.floats(-6, 6) | st.just(-1e4) | st.just(OFF)),
        "mask_kind": draw(st.sampled_from(["bool", "inf", "min"])),
    }


def mask_of(
    sees: Callable[[int, int, int], bool],
    rows: int,
    width: int,
    kind: Literal["bool", "inf", "min"],
) -> torch.Tensor:
    """The mask (B, 1, T, T) in each of the ways that transformers writes one."""
    seen = torch.tensor(
        [[[sees(b, i, j) for j in range(width)] for i in range(width)] for b in range(rows)]
    )[:, None]
    if kind == "bool":
        return seen
    low = OFF if kind == "inf" else torch.finfo(torch.float32).min
    return torch.zeros(seen.shape).masked_fill(~seen, low)


@settings(max_examples=150)
@given(drawn=attentions())
def test_forms_equal_the_formula_for_any_shape(drawn: dict[str, Any]) -> None:
    query, key, value = drawn["query"], drawn["key"], drawn["value"]
    real, window, scale, bias = (drawn[name] for name in ("real", "window", "scale", "bias"))
    rows, width = len(query), query.shape[2]
    last = [stop - 1 for _, stop in real]

    def sees(b: int, i: int, j: int) -> bool:
        begin, stop = real[b]
        return begin <= j <= i < stop and (window is None or i - j < window)

    expected, weights = rerouted(query, key, value, last, sees, scale, bias)
    pair = tuple(gather_last(x, torch.tensor(last)) for x in (key, value))
    masks = [mask_of(sees, rows, width, drawn["mask_kind"])]
    if window is None and all(begin == 0 for begin, _ in real):
        masks.append(None)  # causal, and padding on the right needs no mask
    rows_real = torch.tensor([[begin <= i < stop for i in range(width)] for begin, stop in real])
    for mask in masks:
        for found, gate in (
            closed_form(query, key, value, pair, mask, scale, bias),
            concatenated_form(query, key, value, pair, mask, scale, bias, keep_gate=True),
        ):
            assert_close(found.transpose(1, 2)[rows_real], expected.transpose(1, 2)[rows_real])
            assert_close(gate.transpose(1, 2)[rows_real], weights.transpose(1, 2)[rows_real])
            assert 0 <= float(gate[~gate.isnan()].min()) <= float(gate[~gate.isnan()].max()) <= 1


def test_closed_form_with_the_prefix_off_is_the_kernel_to_the_bit() -> None:
    query, key, value = (torch.randn(2, 4, 9, 16) for _ in range(3))
    pair = key[:, :, -1:], value[:, :, -1:]
    found, gate = closed_form(query, key, value, pair, None, 0.25, OFF)
    plain = torch.nn.functional.scaled_dot_product_attention(
        query, key, value, is_causal=True, scale=0.25
    )
    assert torch.equal(found, plain)
    assert (gate == 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes_follow_the_wide_one(dtype: torch.dtype) -> None:
    query, key, value = (
        torch.randn(2, 4, 9, 16, generator=torch.Generator().manual_seed(i)) for i in range(3)
    )
    wide, _ = closed_form(query, key, value, (key[:, :, -1:], value[:, :, -1:]), None, 0.25, 1.0)
    query, key, value = (x.to(dtype) for x in (query, key, value))
    for form in (closed_form, concatenated_form):
        found, _ = form(query, key, value, (key[:, :, -1:], value[:, :, -1:]), None, 0.25, 1.0)
        assert found.dtype == dtype
        assert_close(found.float(), wide, 2e-2)


def test_gates_are_kept_only_when_asked_for(case: Case) -> None:
    ids, lengths = tokens(case, 5)
    plan = Plan(layer_sets(case.backbone.layers)["window"])
    assert forward.run(case.backbone.model, ids, lengths, plan).gates == {}
    kept = forward.run(case.backbone.model, ids, lengths, plan, keep_gates=True).gates
    assert tuple(kept) == plan.layers
    assert {gate.shape for gate in kept.values()} == {(1, case.backbone.facts.heads, 5)}


def test_bent_families_run_through_their_own_function(case_of: Callable[[str], Case]) -> None:
    forms = {family: case_of(family).backbone.form for family in FAMILIES}
    assert {f for f, form in forms.items() if form == "concatenated"} == set(BENT)


# Threads on one model


def test_threads_with_different_plans_do_not_meet(case_of: Callable[[str], Case]) -> None:
    case = case_of("gemma3")
    ids, lengths = tokens(case, LONG, LONG - 4)
    plans = [PLAIN, *(Plan(s, b) for s in layer_sets(LAYERS).values() for b in (0.0, 3.0))]

    def final(plan: Plan) -> torch.Tensor:
        return forward.run(case.backbone.model, ids, lengths, plan).final

    with ThreadPoolExecutor(1) as one:
        expected = list(one.map(final, plans))
    with eager_switching(), ThreadPoolExecutor(4) as several:
        found = list(several.map(final, plans * 6))
    for i, states in enumerate(found):
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
        self.value: Routing | None = None

    def get(self) -> Routing | None:
        return self.value

    def set(self, value: Routing) -> Routing | None:
        before, self.value = self.value, value
        return before

    def reset(self, before: Routing | None) -> None:
        self.value = before


@pytest.mark.parametrize("shared", [False, True], ids=["context", "module"])
def test_a_plan_kept_on_the_module_would_be_mixed_up(
    shared: bool, case_of: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads set their plans one after the other, then both run: whose plan is carried out?"""
    case = case_of("llama")
    ids, lengths = tokens(case, 9)
    plans = [Plan((1,), 3.0), Plan((2,), 3.0)]
    expected = [forward.run(case.backbone.model, ids, lengths, plan).final for plan in plans]
    if shared:
        monkeypatch.setattr(rerouting, "_ROUTING", OneForAll())
    first_is_set, both_are_set, all_done = threading.Event(), *(threading.Barrier(2) for _ in "ab")

    def final(number: int) -> torch.Tensor:
        if number == 1:
            assert first_is_set.wait(30)
        with torch.inference_mode(), routed(Routing(plans[number], lengths - 1)):
            first_is_set.set()
            both_are_set.wait(30)
            states = case.backbone.model(input_ids=ids, use_cache=False).last_hidden_state
            all_done.wait(30)
        return states

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(final, (0, 1)))
    carried_out = [
        next(i for i in (0, 1) if torch.allclose(states, expected[i], atol=1e-5))
        for states in found
    ]
    assert carried_out == ([1, 1] if shared else [0, 1])


def test_routing_ends_with_its_block(case_of: Callable[[str], Case]) -> None:
    case = case_of("llama")
    ids, lengths = tokens(case, 9)
    plain = forward.run(case.backbone.model, ids, lengths).final
    with pytest.raises(RuntimeError, match="half way"), routed(Routing(Plan((1,)), lengths - 1)):
        raise RuntimeError("half way")
    with torch.inference_mode():
        assert torch.equal(case.backbone.model(input_ids=ids).last_hidden_state, plain)
