"""Passes that run as one give what each gives alone, to the bit; families that cannot say why."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from analysis.rerouting import forward_pass
from analysis.rerouting.interventions import Overwriting, Steering
from analysis.rerouting.pass_request import PassRequest, PassResult
from analysis.rerouting.plan import OFF, Head, Plan
from tests.support import properties
from tests.support.tiny_models import FAMILIES, IGNORING, LONG, MORE, OTHERS, PARTLY

ROUNDED = (
    *(
        "gpt2",
        "modernbert-decoder",
        "gpt_oss",
        "mixtral",
        "qwen2_moe",
        "qwen3_moe",
        "deepseek_v3",
        "afmoe",
        "aria_text",
        "axk1",
    ),
    *("cohere2_moe", "ernie4_5_moe", "exaone_moe", "flex_olmo", "flint", "glm4_moe"),
    *("glm4_moe_lite", "granitemoe", "granitemoeshared", "hy_v3", "jetmoe", "kolibri1", "laguna"),
    *("llama4_text", "mellum", "mimo_v2_flash", "minimax_m2", "minimax_m3_vl_text", "olmoe"),
    *("phimoe", "solar_open"),
)
"""Families whose layers (experts, most of them) round a row by how many there are."""
MIXED = ("qwen3_next", "qwen3_5_text", "jamba", "lfm3", "minimax", "olmo_hybrid")
"""Families some of whose layers pass something on from token to token."""
SEPARATE = {
    **dict.fromkeys(ROUNDED, "round"),
    **dict.fromkeys(MIXED, "mix prompts"),
    "biogpt": "one sequence a row",
}
"""Families whose prompts of different lengths run separately, and a part of the reason."""
SHAPES = ((3, 4), (2, LONG), (1, 1), (4, 7), (1, 2 * LONG))
"""Rows and tokens of the passes that run as one; some are longer than every window."""
FIRST = torch.tensor([0])
FOUR = ("llama", "gemma3", "gpt_oss", "cohere2")
TINY = (*FAMILIES, *MORE, *PARTLY)


def requests_of(case: properties.Case, **wishes: Any) -> list[PassRequest]:
    """A request of each shape, all of other tokens."""
    return [
        PassRequest(*case.tokens(*[width] * rows, seed=seed), form=case.backbone.form, **wishes)
        for seed, (rows, width) in enumerate(SHAPES)
    ]


def check_equal(case: properties.Case, requests: list[PassRequest]) -> None:
    """Each request gives the same bits beside the others, in either order, and alone."""
    model = case.backbone.model
    alone = [given(forward_pass.run(model, request)) for request in requests]
    for order in (1, -1):
        jointly = forward_pass.run_jointly(model, requests[::order])[::order]
        for expected, result in zip(alone, map(given, jointly), strict=True):
            assert expected.keys() == result.keys()
            for name, tensor in expected.items():
                assert torch.equal(tensor, result[name]), name


def given(result: PassResult) -> dict[str, torch.Tensor]:
    """All tensors of a result by their place in it."""
    parts: dict[str, torch.Tensor] = {}
    for name, value in vars(result).items():
        if isinstance(value, torch.Tensor):
            parts[name] = value
        elif isinstance(value, dict):
            parts |= {f"{name} {layer}": states for layer, states in value.items()}
        elif isinstance(value, list):
            parts |= {f"{name} {number}": states for number, states in enumerate(value)}
    return parts


def plans(case: properties.Case) -> list[Plan]:
    reached = case.backbone.reroutable
    heads = (Head(reached[0], 1, 0.5), Head(reached[-1], 0, 2.0), Head(reached[-1], 2, OFF))
    found = [Plan(), Plan(reached), Plan(reached[1:3], -0.5), Plan((), heads=heads)]
    if "first" in case.backbone.key_positions:
        found.append(Plan(reached[:2], key_position="first"))
    return found


CASES = [
    *(pytest.param(name, marks=[pytest.mark.slow] * (name not in FOUR)) for name in TINY),
    *(pytest.param(name, marks=pytest.mark.nightly) for name in OTHERS),
    pytest.param("smollm2", marks=[pytest.mark.weights, pytest.mark.slow]),
]


@pytest.mark.parametrize("name", CASES)
def test_a_pass_gives_the_same_bits_beside_others_and_alone(name: str) -> None:
    case = properties.case(name)
    if case.backbone.separate:
        assert SEPARATE[name] in case.backbone.separate
        return
    assert name not in SEPARATE
    middle = case.backbone.layers // 2
    for plan in plans(case):
        wishes = {
            "keep_inputs": range(case.backbone.layers),
            "keep_gates": True,
            "keep_attention": True,
            "keep_routers": True,
            "sum_up": "outputs" if case.backbone.reroutable else None,
            "sum_layers": case.backbone.reroutable[:2],
            "keep_attended_at": case.backbone.reroutable[0],
        }
        requests = requests_of(case, plan=plan, **wishes)
        check_equal(case, requests)
        states = [forward_pass.run(case.backbone.model, each).inputs[middle] for each in requests]
        late = [
            replace(each, start=middle, start_states=entering, keep_inputs=[middle])
            for each, entering in zip(requests, states, strict=True)
        ]
        check_equal(case, late)


@pytest.mark.parametrize("name", ["llama", "gemma3", "gemma2", "cohere2"])
def test_what_changes_a_pass_changes_its_own_rows(name: str) -> None:
    case = properties.case(name)
    requests = requests_of(case, plan=Plan((3,)))
    over = [
        replace(each, overwriting=Overwriting(FIRST, FIRST, FIRST - 1, 1, 4)) for each in requests
    ]
    check_equal(case, over)
    attended = [
        forward_pass.run(case.backbone.model, replace(each, keep_attended_at=2, stop=3)).attended
        for each in requests
    ]
    steered = [
        replace(each, steering=Steering(2, away.flip(0) + 1, 0.5))
        for each, away in zip(requests, attended, strict=True)
    ]
    check_equal(case, steered)
    check_equal(case, [replace(each, plan=Plan(), causal=False) for each in requests])
    mixed = [replace(each, plan=Plan((number,))) for number, each in enumerate(requests)]
    check_equal(case, mixed)
    last = [
        replace(each, keep_at=(torch.arange(len(each.lengths)), each.last)) for each in requests
    ]
    check_equal(case, last)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) for n in IGNORING])
def test_a_family_with_its_own_attention_runs_separately(name: str) -> None:
    assert "its own attention" in (properties.case(name).backbone.separate or "")
