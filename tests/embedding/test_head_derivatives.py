"""The derivative of each head's strength, against differences of the objective itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.backbones.backbone import Backbone
from analysis.embedding.batching import prepare
from analysis.embedding.encoder import encode
from analysis.embedding.head_derivatives import head_derivatives
from analysis.embedding.method_parts import Contrast
from analysis.embedding.methods import DEFAULT, Method
from analysis.embedding.named_prompts import own_prompt
from analysis.embedding.read_out import pooled_rows
from analysis.embedding.shared_passes import run_batches
from analysis.errors import BackboneError, PlanError
from analysis.rerouting.plan import Head, Plan
from tests.support import tiny_models
from tests.support.tiny_models import FAMILIES, MORE, PARTLY, tiny

TEXTS = ("the thermostat is on", "it is warm", "a", "nothing else is known of the old bridge")
TINY = (*FAMILIES, *MORE, *PARTLY)
NAMES = [
    pytest.param(name, marks=[pytest.mark.slow] * bool(at % 8)) for at, name in enumerate(TINY)
]


def objective(embeddings: torch.Tensor) -> torch.Tensor:
    """A fixed function of the embeddings that no symmetry makes flat."""
    drawn = torch.Generator().manual_seed(0)
    weights = torch.randn(embeddings.shape, generator=drawn, dtype=torch.float64)
    return (embeddings * weights).sum()


def at_strengths(
    backbone: Backbone, method: Method, plan: Plan, strengths: dict[int, torch.Tensor]
) -> float:
    """The objective at given strengths, from a pass of its own."""
    ready = prepare(backbone, TEXTS, method)
    rows = torch.empty(ready.distinct, backbone.facts.hidden, dtype=torch.float64)
    for batch in ready.batches:
        (result,) = run_batches(backbone, [batch], method, plan, strengths=strengths)
        rows[list(batch.rows)] = pooled_rows(backbone, batch, method, result).double().detach()
    pooled = rows[torch.from_numpy(ready.of_text)].mean(0)
    return float(objective(torch.nn.functional.normalize(pooled, dim=-1)))


@pytest.mark.parametrize("name", NAMES)
def test_the_derivative_is_the_slope(name: str) -> None:
    backbone, step = tiny(name), 0.003
    plan = Plan(backbone.reroutable)
    method = DEFAULT.under(plan)
    values = head_derivatives(backbone, [(TEXTS, "Context")], method, objective).values
    heads = backbone.facts.heads
    drawn = torch.Generator().manual_seed(1)
    for _ in range(3):
        direction = {layer: torch.randn(heads, generator=drawn) for layer in plan.layers}
        ahead, behind = (
            at_strengths(backbone, method, plan, {k: s * d for k, d in direction.items()})
            for s in (step, -step)
        )
        slope = (ahead - behind) / (2 * step)
        expected = sum(float(values[k] @ d.double().numpy()) for k, d in direction.items())
        assert slope == pytest.approx(expected, rel=0.02, abs=0.02 * np.nanmax(np.abs(values)))


@pytest.mark.parametrize("name", NAMES)
def test_strengths_of_0_and_1_are_the_plain_and_the_rerouted_model(name: str) -> None:
    backbone = tiny(name)
    every = Plan(backbone.reroutable)
    method, heads = DEFAULT.under(every), backbone.facts.heads
    first, last = backbone.reroutable[0], backbone.reroutable[-1]
    strengths = {layer: torch.zeros(heads) for layer in every.layers}
    values = [at_strengths(backbone, method, every, strengths)]
    strengths[first][0] = strengths[last][heads - 1] = 1
    values.append(at_strengths(backbone, method, every, strengths))
    chosen = Plan(heads=tuple(sorted({Head(first, 0), Head(last, heads - 1)})))
    for value, plan in zip(values, (Plan(), chosen), strict=True):
        embeddings = encode(backbone, TEXTS, DEFAULT.under(plan)).embeddings
        assert value == pytest.approx(
            float(objective(torch.from_numpy(embeddings).double())), abs=1e-4
        )
    assert values[0] != pytest.approx(values[1], abs=1e-3)


def test_derivatives_are_taken_where_some_heads_reroute_already() -> None:
    backbone, base = tiny("llama"), Plan(heads=(Head(1, 0), Head(3, 1)))
    found = head_derivatives(backbone, [(TEXTS, "Context")], DEFAULT, objective, base=base)
    embeddings = encode(backbone, TEXTS, DEFAULT.under(base)).embeddings
    assert found.objective == pytest.approx(float(objective(torch.from_numpy(embeddings).double())))
    plain = head_derivatives(backbone, [(TEXTS, "Context")], DEFAULT, objective)
    assert not np.allclose(found.values, plain.values, rtol=1e-2)
    assert found.values[:, 0].shape == (tiny_models.LAYERS,)


def test_heads_that_reroute_already_keep_their_own_biases() -> None:
    backbone, step = tiny("llama"), 0.01
    base = Plan(heads=(Head(1, 0, 2.5), Head(3, 1)))
    method = DEFAULT.under(Plan((), -0.5))
    values = head_derivatives(backbone, [(TEXTS, "Context")], method, objective, base=base).values
    every = Plan(
        heads=tuple(
            Head(layer, head, {(1, 0): 2.5, (3, 1): 1.0}.get((layer, head), -0.5))
            for layer in backbone.reroutable
            for head in range(backbone.facts.heads)
        )
    )
    for place in ((1, 0), (3, 1), (4, 2)):
        ends = []
        for change in (step, -step):
            strengths = {layer: torch.zeros(backbone.facts.heads) for layer in backbone.reroutable}
            strengths[1][0] = strengths[3][1] = 1
            strengths[place[0]][place[1]] += change
            ends.append(at_strengths(backbone, method, every, strengths))
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(
            values[place], rel=0.02, abs=0.02 * np.nanmax(np.abs(values))
        )
    moved = Plan(key_position="first", heads=(Head(1, 0),))
    with pytest.raises(PlanError, match="key position"):
        head_derivatives(backbone, [(TEXTS, "Context")], method, objective, base=moved)


def test_derivatives_average_over_prompts() -> None:
    backbone = tiny("llama")
    twice = replace(DEFAULT, prompt=own_prompt("{text}:", "{text} in other words:"))
    values = head_derivatives(backbone, [(TEXTS, "Context")], twice, objective).values
    every = Plan(backbone.reroutable)
    for layer, head in ((2, 1), (4, 3)):
        ends = []
        for change in (0.003, -0.003):
            strengths = {each: torch.zeros(backbone.facts.heads) for each in backbone.reroutable}
            strengths[layer][head] = change
            ends.append(at_strengths(backbone, twice.under(every), every, strengths))
        assert (ends[0] - ends[1]) / 0.006 == pytest.approx(
            values[layer, head], rel=0.02, abs=0.02 * np.nanmax(np.abs(values))
        )


@pytest.mark.parametrize(
    "method",
    [
        replace(DEFAULT, change=replace(DEFAULT.change, contrast=Contrast("Not {text}:", 3))),
        replace(DEFAULT, pooling="attended"),
    ],
    ids=["moved away", "weighed by attention"],
)
def test_derivatives_go_through_all_that_the_plan_changes(method: Method) -> None:
    backbone = tiny("llama")
    values = head_derivatives(backbone, [(TEXTS, "Context")], method, objective).values
    every = Plan(backbone.reroutable)
    for layer, head in ((1, 1), (3, 2), (5, 0)):
        ends = []
        for change in (0.003, -0.003):
            strengths = {each: torch.zeros(backbone.facts.heads) for each in backbone.reroutable}
            strengths[layer][head] = change
            ends.append(at_strengths(backbone, method.under(every), every, strengths))
        assert (ends[0] - ends[1]) / 0.006 == pytest.approx(
            values[layer, head], rel=0.02, abs=0.02 * np.nanmax(np.abs(values))
        )


def test_layers_without_attention_have_no_derivative() -> None:
    backbone = tiny("qwen3_next")
    values = head_derivatives(backbone, [(TEXTS, "Context")], DEFAULT, objective).values
    finite = np.flatnonzero(np.isfinite(values).all(1))
    assert tuple(finite) == backbone.reroutable
    assert len(backbone.reroutable) < backbone.layers


def test_a_family_that_cannot_be_rerouted_is_named() -> None:
    with pytest.raises(BackboneError, match="falcon"):
        head_derivatives(tiny("falcon"), [(TEXTS, "Context")], DEFAULT, objective)
