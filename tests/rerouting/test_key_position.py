"""The prefix's key moved before the first token, against rotary positions written as a formula."""

from collections.abc import Callable

import pytest
import torch

from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder
from analysis.embedding import trace as trace_embedding
from analysis.embedding.methods import DEFAULT
from analysis.errors import BackboneError
from analysis.rerouting.plan import Plan
from tests.support import properties
from tests.support.slow_attention import Slow, attending
from tests.support.tiny_models import LONG

ROTATE_HALVES = ("llama", "qwen3", "gemma3", "olmo2", "mistral", "qwen2", "gemma", "mixtral")
"""Families whose rotary positions turn pairs (i, i + d/2); the first four in every run."""


def turned(family: str) -> Callable[[int, torch.Tensor, int], torch.Tensor]:
    """Turns a key (d,) from position n to -1: pairs (i, i + d/2) by -(n + 1) theta^(-2i/d)."""
    config = properties.case(family).plain.config

    def turn(layer: int, key: torch.Tensor, n: int) -> torch.Tensor:
        rope = config.rope_parameters
        if "rope_theta" not in rope:  # one for each kind of layer
            rope = rope[config.layer_types[layer]]
        half = len(key) // 2
        angles = -(n + 1) * rope["rope_theta"] ** (-torch.arange(half) / half)
        a, b = key[:half], key[half:]
        cos, sin = angles.cos(), angles.sin()
        return torch.cat([a * cos - b * sin, b * cos + a * sin])

    return turn


LATER = [pytest.param(family, marks=pytest.mark.nightly) for family in ROTATE_HALVES[4:]]


@pytest.mark.slow
@pytest.mark.parametrize("family", [*ROTATE_HALVES[:4], *LATER, *properties.REAL_CASES])
def test_the_moved_key_is_the_formulas(family: str) -> None:
    case = properties.case(family)
    ids, lengths = case.tokens(LONG, LONG - 4, 1)
    real = torch.arange(LONG) < lengths[:, None]
    names = ("window", "first", "last", "all")
    for name in names[:1] if family in properties.REAL else names:  # each takes a while there
        layers = case.layer_sets[name]
        slow = Slow(layers, 1.0, real, case.window, turn=turned(family))
        with attending(case.plain, slow):
            expected = case.plain(input_ids=ids, use_cache=False).last_hidden_state[real]
        plan = Plan(layers, 1.0, "first")
        for form in properties.FORMS:
            result = case.run(ids, lengths, plan, form=form, keep_gates=True)
            case.close(result.final[real], expected)
            for layer, gate in result.gates.items():
                weights = slow.gates[layer].transpose(1, 2)[real]
                case.close(gate.transpose(1, 2)[real], weights, times=4)


def test_a_moved_key_resumes_too() -> None:
    case = properties.case("gemma3")
    texts = ["a text of some words", "on", "the other one, a little longer than the first"]
    trace = trace_embedding.Trace(case.backbone, texts, DEFAULT)
    for layers in ((0,), (2, 3), (5,)):
        plan = Plan(layers, 1.0, "first")
        full = encoder.encode(case.backbone, texts, DEFAULT.under(plan)).embeddings
        assert abs(trace.embed(plan) - full).max() < 1e-6


def test_absolute_positions_refuse_to_be_moved(tiny: Callable[[str], Backbone]) -> None:
    with pytest.raises(BackboneError, match=r"gpt2.*no rotary positions.*key position own"):
        encoder.encode(tiny("gpt2"), ["a text"], DEFAULT.under(Plan((1,), 1.0, "first")))
    encoder.encode(tiny("gpt2"), ["a text"], DEFAULT.under(Plan((), 1.0, "first")))
