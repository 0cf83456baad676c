"""What an early token can know: nothing of the ending under causal attention, to the last bit."""

from collections.abc import Callable

import numpy as np
import pytest
import tiny_models

from analysis import causality
from analysis.backbone import Backbone
from analysis.errors import BackboneError, CorpusError, PlanError
from analysis.methods import DEFAULT
from analysis.prompting import BARE
from analysis.rerouting import PLAIN, Plan

FIRST = "She walked along the bank and watched the boats."
SECOND = "She walked along the bank and asked for a loan."
PLAN = Plan((2, 3))
SLIDING = ("mistral", "phi3", "gemma3", "gemma2", "gpt_oss")
"""Behind the prompt's end their short windows hide the ending from the final token itself."""


@pytest.mark.parametrize("prompted", [True, False])
@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_plain_tokens_stay_to_the_last_bit_and_rerouted_ones_move(
    tiny: Callable[[str], Backbone], family: str, prompted: bool
) -> None:
    template = DEFAULT.template if prompted else BARE
    found = causality.movement(tiny(family), FIRST, SECOND, PLAN, template=template)
    shared = len(found.tokens)
    assert found.plain.shape == found.rerouted.shape == (tiny_models.LAYERS + 1, shared)
    assert (found.plain == 0).all()
    assert (found.rerouted[: PLAN.layers[0] + 1] == 0).all()  # states entering layers 0 to 2
    if not prompted or family not in SLIDING:
        assert (found.rerouted[PLAN.layers[0] + 1 :] > 0).all()
    assert np.isfinite(found.rerouted).all()


@pytest.mark.weights
def test_smollm2_knows_nothing_of_the_ending(smollm2: Backbone) -> None:
    found = causality.movement(smollm2, FIRST, SECOND, Plan((10, 11, 12, 13)))
    assert (found.plain == 0).all()
    assert (found.rerouted[:11] == 0).all()
    assert (found.rerouted[-1] > 0).all()
    words = "".join(found.tokens)
    assert words.endswith("She walked along the bank and")
    assert "".join(found.endings[0]).startswith(" watched")
    assert "".join(found.endings[1]).startswith(" asked")


def test_tokens_are_the_texts_own(tiny: Callable[[str], Backbone]) -> None:
    found = causality.movement(tiny("llama"), FIRST, SECOND, PLAN, template=BARE)
    assert "".join(found.tokens + found.endings[0]) == FIRST
    assert "".join(found.tokens + found.endings[1]) == SECOND
    assert found.endings[0][0] != found.endings[1][0]
    assert found.plan == PLAN


def test_one_text_may_be_the_beginning_of_the_other(tiny: Callable[[str], Backbone]) -> None:
    found = causality.movement(tiny("llama"), "The old", "The old bridge", PLAN, template=BARE)
    assert "".join(found.tokens) == "The old"
    assert (found.plain == 0).all()


@pytest.mark.parametrize("plan", [PLAIN, Plan((2, 3), -np.inf)])
def test_a_plan_that_does_nothing_moves_nothing(
    tiny: Callable[[str], Backbone], plan: Plan
) -> None:
    found = causality.movement(tiny("llama"), FIRST, SECOND, plan)
    assert (found.rerouted == 0).all()
    gates = causality.gates(tiny("llama"), FIRST, plan)
    assert gates.values.shape == (0, tiny_models.HEADS, len(gates.tokens))


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_gates_are_shares_that_grow_with_the_bias(
    tiny: Callable[[str], Backbone], family: str
) -> None:
    low, high = (causality.gates(tiny(family), FIRST, Plan((1, 4), b)) for b in (-1.0, 3.0))
    for found in (low, high):
        assert found.layers == (1, 4)
        assert found.values.shape == (2, tiny_models.HEADS, len(found.tokens))
        assert found.values.dtype == np.float32
        assert ((found.values > 0) & (found.values < 1)).all()
    assert (high.values[0] > low.values[0]).all()  # the first layer's queries are the same


def test_line_breaks_are_made_visible(tiny: Callable[[str], Backbone]) -> None:
    tokens = causality.gates(tiny("llama"), "one\ntwo", PLAN, template=BARE).tokens
    assert "\u21b5" in "".join(tokens)
    assert "\n" not in "".join(tokens)


@pytest.mark.parametrize(
    ("first", "second", "plan", "error", "said"),
    [
        ("", SECOND, PLAN, CorpusError, "empty"),
        (FIRST, " \n", PLAN, CorpusError, "empty"),
        (FIRST, FIRST, PLAN, CorpusError, "the same"),
        ("one", "9 others", PLAN, CorpusError, "share no beginning"),
        (FIRST, SECOND, Plan((99,)), PlanError, "99"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    tiny: Callable[[str], Backbone],
    first: str,
    second: str,
    plan: Plan,
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        causality.movement(tiny("llama"), first, second, plan, template=BARE)


def test_a_family_that_cannot_be_rerouted_still_shows_its_plain_side(
    tiny: Callable[[str], Backbone],
) -> None:
    found = causality.movement(tiny("falcon"), FIRST, SECOND, PLAIN)
    assert (found.plain == 0).all()
    with pytest.raises(BackboneError, match="cannot be re-routed"):
        causality.movement(tiny("falcon"), FIRST, SECOND, PLAN)
