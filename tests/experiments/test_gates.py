"""The mean gate of a layer: the average of each text's own gates, from one padded pass."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.backbones.backbone import Backbone
from analysis.embedding.methods import DEFAULT
from analysis.embedding.named_prompts import own_prompt
from analysis.errors import CorpusError, PlanError
from analysis.experiments import causal
from analysis.experiments import gates as gates_experiment
from analysis.rerouting import forward_pass
from analysis.rerouting.plan import Head, Plan
from tests.support import tiny_models

TEXTS = ("Boats.", "The old bridge over the river was closed.", "A loan from the bank, at last.")
PLAN = Plan((2, 4), 1.5)


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_it_is_the_average_over_texts_that_run_alone(
    tiny: Callable[[str], Backbone],
    empty_cache: object,  # noqa: ARG001
    family: str,
) -> None:
    result = gates_experiment.mean_gates(tiny(family), TEXTS, DEFAULT.under(PLAN))
    alone = [causal.gates(tiny(family), text, PLAN, template=DEFAULT.template) for text in TEXTS]
    by_head = np.stack([gates.values.mean(axis=2) for gates in alone], axis=2)
    np.testing.assert_allclose(result.by_head, by_head, rtol=1e-4)
    expected = by_head.mean(axis=1)
    np.testing.assert_allclose(result.by_text, expected, rtol=1e-4)
    np.testing.assert_allclose(result.strength, expected.mean(axis=1), rtol=1e-4)
    assert result.layers == (2, 4)
    assert result.tokens == sum(len(gates.tokens) for gates in alone)


def test_heads_that_do_not_reroute_have_no_gate(llama: Backbone) -> None:
    plan = Plan((4,), heads=(Head(2, 1),))
    gates = gates_experiment.mean_gates(llama, TEXTS, DEFAULT.under(plan)).by_head
    assert gates.shape == (2, tiny_models.HEADS, len(TEXTS))
    open_heads = (gates > 0).all(axis=2)
    assert open_heads.tolist() == [[False, True, False, False], [True] * 4]
    assert (gates[~open_heads] == 0).all()


def test_long_texts_are_cut_and_counted_as_they_are_read(llama: Backbone) -> None:
    result = gates_experiment.mean_gates(llama, ("word " * 1000,), DEFAULT.under(PLAN))
    assert result.tokens <= gates_experiment.MAX_TOKENS


def test_nothing_rerouted_has_no_gate(llama: Backbone) -> None:
    result = gates_experiment.mean_gates(llama, TEXTS, DEFAULT)
    assert result.layers == ()
    assert result.strength.shape == (0,)


def test_a_second_call_computes_nothing_and_each_request_is_its_own(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [
        (TEXTS, DEFAULT.under(PLAN)),
        (TEXTS[:2], DEFAULT.under(PLAN)),
        (TEXTS, DEFAULT.under(Plan((2, 4), 0.0))),
        (TEXTS, DEFAULT.under(Plan((2,), 1.5))),
        (TEXTS, replace(DEFAULT, prompt=own_prompt("{role}: {text}\nIn a word:"), plan=PLAN)),
    ]
    first = [gates_experiment.mean_gates(llama, *one) for one in asked]
    for i, one in enumerate(first):
        assert not any(
            one.by_head.shape == other.by_head.shape and (one.by_head == other.by_head).all()
            for other in first[:i]
        )

    def compute(*_: object, **__: object) -> None:
        raise AssertionError("this was to be read, not computed")

    monkeypatch.setattr(forward_pass, "run_jointly", compute)
    for one, again in zip(
        first, (gates_experiment.mean_gates(llama, *one) for one in asked), strict=True
    ):
        np.testing.assert_array_equal(one.by_head, again.by_head)
        assert one.tokens == again.tokens


def test_what_cannot_be_listened_to_is_refused(llama: Backbone) -> None:
    with pytest.raises(CorpusError):
        gates_experiment.mean_gates(llama, ("  ",), DEFAULT.under(PLAN))
    with pytest.raises(PlanError):
        gates_experiment.mean_gates(llama, TEXTS, DEFAULT.under(Plan((99,))))


@given(st.integers(1, 200))
def test_texts_are_drawn_evenly_and_once(number: int) -> None:
    texts = [str(i) for i in range(number)]
    result = [int(text) for text in gates_experiment.spread_sample(texts)]
    assert len(result) == min(number, gates_experiment.MAX_TEXTS)
    assert result == sorted(set(result))
    if number > gates_experiment.MAX_TEXTS:
        assert max(np.diff([*result, number])) <= number // gates_experiment.MAX_TEXTS + 1
