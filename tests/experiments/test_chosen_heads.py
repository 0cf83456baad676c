"""Choices of heads by name: what each chooses, what is reported, and what is refused."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs, Retrieval, Texts
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.embedding.named_prompts import own_prompt
from analysis.errors import CorpusError, PlanError
from analysis.evaluation.similarity import cosines
from analysis.experiments import chosen_heads, head_choices, head_searches
from analysis.experiments.chosen_heads import choose
from analysis.experiments.head_choices import CHOICES, ChoiceName
from analysis.experiments.head_trials import Trials
from analysis.experiments.item_parts import parts_of
from analysis.experiments.sensitivity import sensitivity
from analysis.rerouting.plan import PLAIN, Head, Plan
from tests.support.tiny_models import HEADS, LAYERS

RNG = np.random.default_rng(0)
SHORT = replace(DEFAULT, prompt=own_prompt("{text}:"))
"""The method with a short prompt, so that the many passes are quick."""
TEXTS = tuple(f"{'tides' if number % 3 else 'cats'} {number}" for number in range(96))
PAIRS = Pairs("made", TEXTS[:24], np.arange(24), RNG.permutation(24), RNG.uniform(0, 5, 24), "")
MANY = Pairs(
    "made", TEXTS, np.arange(0, 96, 2), np.arange(1, 96, 2), RNG.uniform(0, 5, 48), "made up"
)
OUTSIDE = [Head(layer, head) for layer in range(1, LAYERS) for head in range(HEADS)]


@pytest.fixture
def llama(tiny: Callable[[str], Backbone]) -> Backbone:
    return tiny("llama")


def value_under(backbone: Backbone, plan: Plan, pairs: Pairs = PAIRS) -> float:
    """Pearson's correlation under a plan, encoded by itself."""
    embeddings = encode(backbone, pairs.texts, SHORT.under(plan)).embeddings
    return float(np.corrcoef(cosines(embeddings, pairs), pairs.scores)[0, 1])


@pytest.mark.parametrize(
    "how",
    ["steps", *(pytest.param(how, marks=pytest.mark.slow) for how in CHOICES if how != "steps")],
)
def test_the_objective_is_that_of_the_plan_and_the_result_is_stored(
    how: ChoiceName, llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = SHORT.under(Plan((), 1.5))
    chosen = choose(llama, PAIRS, method, how=how, count=5)
    assert 1 <= len(chosen.plan.heads) <= 5
    assert (chosen.plan.bias, chosen.plan.layers) == (1.5, ())
    assert chosen.value == pytest.approx(value_under(llama, chosen.plan), abs=1e-6)
    assert chosen.plain == pytest.approx(value_under(llama, PLAIN), abs=1e-6)
    assert (chosen.how, chosen.count, chosen.items, chosen.of) == (how, 5, 24, 24)
    monkeypatch.setattr(chosen_heads, "Trials", None)
    again = choose(llama, PAIRS, method, how=how, count=5)
    assert (again.plan, again.settings) == (chosen.plan, chosen.settings)
    rows = again.to_rows()
    assert len(rows) == LAYERS * HEADS
    marked = {(row["layer"], row["head"]): row.get("own_bias") for row in rows if row["chosen"]}
    assert marked == {head[:2]: head.bias for head in chosen.plan.heads}
    assert {row["value"] for row in rows} == {chosen.value}
    assert len(again.to_dataframe()) == len(rows)


def test_top_are_the_largest_derivatives(llama: Backbone) -> None:
    values = sensitivity(llama, PAIRS, SHORT).values
    chosen = choose(llama, PAIRS, SHORT, how="top", count=7)
    assert chosen.plan.heads == head_choices.top(values, 7)
    assert chosen.passes == 4
    np.testing.assert_array_equal(chosen.sensitivity.values, values)


def test_relinearising_in_one_round_is_top(llama: Backbone) -> None:
    trials = Trials(llama, PAIRS, SHORT)
    once = head_searches.relinearised(trials, [6], rounds=1)[6]
    assert once == choose(llama, PAIRS, SHORT, how="top", count=6).plan.heads
    assert trials.passes == 3
    twice = head_searches.relinearised(trials, [6], rounds=2)[6]
    first = head_choices.top(sensitivity(llama, PAIRS, SHORT).values, 3)
    values = sensitivity(llama, PAIRS, SHORT, base=Plan(heads=first)).values
    best = sorted((head for head in OUTSIDE if head not in first), key=lambda h: -values[h[:2]])
    new = [head for head in best[: 6 - len(first)] if values[head[:2]] > 0]
    assert set(twice) == {*first, *new}


@pytest.mark.slow
def test_effects_are_differences_of_the_objective(llama: Backbone) -> None:
    chosen = choose(llama, PAIRS, SHORT, how="single", count=4)
    plain = value_under(llama, PLAIN)
    expected = np.array(
        [
            [value_under(llama, Plan(heads=(Head(layer, head),))) - plain for head in range(HEADS)]
            for layer in range(LAYERS)
        ]
    )
    assert chosen.effects is not None
    np.testing.assert_allclose(chosen.effects, expected, atol=1e-6)
    assert chosen.plan.heads == head_choices.largest(expected, 4)
    # the plain pass, half a pass for each head, and the four together
    alone = HEADS * (LAYERS + 1) / 2
    first = min(head.layer for head in chosen.plan.heads)
    assert chosen.passes == pytest.approx(1 + alone + 1 - first / LAYERS)
    assert chosen.rank_correlations == pytest.approx(
        [
            spearmanr(chosen.sensitivity.values[part].ravel(), expected[part].ravel()).statistic
            for part in (slice(1, None), slice(1))
        ]
    )
    assert chosen.to_rows()[0]["effect"] in chosen.effects


@pytest.mark.slow
def test_greedy_is_the_best_of_the_candidates_at_each_step(llama: Backbone) -> None:
    waiting = head_choices.ranked(
        head_choices.outside_the_first(sensitivity(llama, PAIRS, SHORT).values)
    )
    path: list[Head] = []
    reached = [value_under(llama, PLAIN)]
    while waiting and len(path) < 6:
        tried = {
            head: value_under(llama, Plan(heads=tuple(sorted([*path, head]))))
            for head in waiting[: head_searches.CANDIDATES]
        }
        best = max(tried, key=lambda head: tried[head])
        if tried[best] <= reached[-1]:
            break
        reached.append(tried[best])
        path.append(best)
        waiting.remove(best)
    chosen = choose(llama, PAIRS, SHORT, how="greedy", count=6)
    assert chosen.plan.heads == tuple(sorted(path))
    assert chosen.value == pytest.approx(reached[-1], abs=1e-6)
    assert chosen.value > chosen.plain
    begun = head_searches.greedy(Trials(llama, PAIRS, SHORT), [2, 6])
    assert set(begun[2]) == set(path[:2])


@pytest.mark.parametrize("count", [1, 5, pytest.param(30, marks=pytest.mark.slow)])
def test_steps_never_end_below_their_start(count: int, llama: Backbone) -> None:
    chosen = choose(llama, PAIRS, SHORT, how="steps", count=count)
    assert chosen.value >= chosen.plain
    assert 1 <= len(chosen.plan.heads) <= count
    assert all(head.layer >= 1 for head in chosen.plan.heads)
    assert all(head.bias is None or head.bias < 1 for head in chosen.plan.heads)
    assert chosen.passes <= 25


def test_steps_follow_the_gradient_as_far_as_it_helps(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = Trials(llama, PAIRS, SHORT)
    ends = []
    for number in range(1, 5):
        monkeypatch.setattr(head_searches, "STEPS", number)
        ends.append(trials.value(head_searches.steps(trials, [8])[8]))
    assert ends == sorted(ends)
    assert ends[0] >= trials.value()
    assert ends[-1] > trials.value()


def test_where_no_head_helps_none_is_chosen(llama: Backbone) -> None:
    off = SHORT.under(Plan((), -math.inf))
    for how in CHOICES:
        chosen = choose(llama, PAIRS, off, how=how, count=3)
        assert chosen.plan.heads == ()
        assert chosen.value == pytest.approx(chosen.plain, abs=1e-7)


def test_a_bias_says_how_strong_a_head_is() -> None:
    strengths = np.zeros((LAYERS, HEADS))
    strengths[2, 1], strengths[4, 3] = 0.25, 1
    heads = head_searches.with_biases(strengths, 1.5)
    assert heads == (Head(2, 1, 1.5 + math.log(0.25)), Head(4, 3))
    logits = torch.linspace(-12, 6, 50, dtype=torch.float64)
    gate, weaker = (torch.sigmoid(logits + bias) for bias in (1.5, 1.5 + math.log(0.25)))
    odds = [each / (1 - each) for each in (gate, weaker)]
    torch.testing.assert_close(odds[1], 0.25 * odds[0])
    torch.testing.assert_close(weaker, 0.25 * gate / (1 - 0.75 * gate))
    torch.testing.assert_close(weaker[:5], 0.25 * gate[:5], rtol=1e-3, atol=0)


def test_strengths_are_projected() -> None:
    strengths = np.array([[-np.inf, 3.0, 0.5], [0.3, -1, 0.01]])
    none = np.full((2, 3), -0.5)
    np.testing.assert_array_equal(head_searches.projected(strengths, 9), [[0, 1, 0.5], [0.3, 0, 0]])
    np.testing.assert_array_equal(head_searches.projected(strengths, 2), [[0, 1, 0.5], [0, 0, 0]])
    np.testing.assert_array_equal(head_searches.projected(none, 2), np.zeros((2, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["top", "single", "greedy"])
def test_the_number_of_heads_is_found_on_halves_that_did_not_choose(
    how: ChoiceName, llama: Backbone
) -> None:
    chosen = choose(llama, MANY, SHORT, how=how, count=None)
    first, second = parts_of(MANY)
    assert not {*first.texts} & {*second.texts}
    expected = {}
    for size in (0, 8, 16):
        ends = []
        for chooser, judge in ((first, second), (second, first)):
            heads = choose(llama, chooser, SHORT, how=how, count=size).plan.heads if size else ()
            ends.append(value_under(llama, Plan(heads=heads), judge))
        expected[size] = np.mean(ends)
    assert dict(chosen.held_out) == pytest.approx(expected, abs=1e-6)
    assert chosen.count == max(expected, key=lambda size: expected[size])
    assert len(chosen.plan.heads) <= chosen.count
    if chosen.count:
        whole = choose(llama, MANY, SHORT, how=how, count=chosen.count)
        assert chosen.plan == whole.plan
        assert chosen.passes > whole.passes
    assert chosen.settings["held_out"][0][0] == 0


@pytest.mark.slow
def test_other_kinds_of_items_choose_heads_too(llama: Backbone) -> None:
    labelled = Texts("made", TEXTS, "", tuple(str(number % 3) for number in range(96)))
    found = Retrieval(
        "made", TEXTS[:40], TEXTS[40:], tuple({number: 1} for number in range(40)), ""
    )
    for corpus in (labelled, found):
        chosen = choose(llama, corpus, SHORT, how="greedy", count=2)
        assert chosen.value > chosen.plain
        exact = sensitivity(llama, corpus, SHORT, base=chosen.plan).value
        assert chosen.value == pytest.approx(exact, abs=1e-6)
        assert choose(llama, corpus, SHORT, how="top", count=None).held_out
    agreed = choose(
        *(llama, PAIRS, SHORT),
        how="steps",
        count=4,
        objective="agreement",
        teacher=METHODS["prompt-eol"],
    )
    assert agreed.teacher == "prompt-eol"
    assert agreed.value >= agreed.plain


@pytest.mark.parametrize("count", [0, -1, 1.5, "60", True])
def test_a_number_of_heads_is_a_count(count: object, llama: Backbone) -> None:
    with pytest.raises(PlanError, match="number of heads must be a whole number of at least 1"):
        choose(llama, PAIRS, count=count)  # type: ignore[arg-type]


def test_what_cannot_choose_is_refused(llama: Backbone) -> None:
    with pytest.raises(PlanError, match="no choice of heads 'best'; choose one of top"):
        choose(llama, PAIRS, SHORT, how="best")  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match="made has 24 rated pairs, too few for 2 parts"):
        choose(llama, PAIRS, count=None)
    with pytest.raises(PlanError, match="re-routes no heads"):
        choose(llama, PAIRS, METHODS["mean"])
    with pytest.raises(PlanError, match="teacher"):
        choose(llama, PAIRS, objective="agreement")


def test_the_extremes_are_outside_the_first_fifth() -> None:
    values = np.zeros((10, 3))
    values[0, 0], values[1, 2], values[5, 1], values[9, 0] = 9, -9, 2, -1
    values[4] = np.nan
    assert head_choices.extremes(values) == (Head(5, 1), Head(9, 0))
    assert head_choices.extremes(np.full((10, 3), np.nan)) is None
    alone = np.full((10, 1), np.nan)
    alone[9] = 1
    assert head_choices.extremes(alone) is None
