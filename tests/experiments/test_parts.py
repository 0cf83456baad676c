"""What parts bring and where windows rank, against slow counting on a tiny backbone."""

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.corpora import columns, types
from analysis.corpora.types import Pairs
from analysis.dimension.selection import RULES
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.experiments import dimension, parts, rules
from analysis.experiments import score as scores
from analysis.experiments.parts import PARTS, Part, Setting
from analysis.rerouting.plan import Plan
from tests.support.visits import OWN_PAIRS


@pytest.fixture
def pairs() -> Pairs:
    return columns.read_pairs("own.tsv", OWN_PAIRS.encode())


def test_all_parts_are_the_method_and_none_are_the_mean() -> None:
    plan = Plan((1, 2), 1.5)
    all_parts = DEFAULT.under(plan)
    full = parts.assembled(frozenset(PARTS), all_parts)
    assert (full.template, full.pooling, full.reroutes) == (DEFAULT.template, "hybrid", True)
    assert full.plan == plan
    none = parts.assembled(frozenset(), all_parts)
    mean = METHODS["mean"]
    assert (none.name, none.template, none.pooling) == ("mean", mean.template, mean.pooling)
    assert not none.reroutes
    without_bias = parts.assembled(frozenset(PARTS) - {"bias"}, all_parts)
    assert (without_bias.reroutes, without_bias.plan) == (True, Plan((1, 2), 0.0))


def test_each_question_differs_by_its_part() -> None:
    asked = list(parts.questions())
    assert len(asked) == 2 * len(PARTS) + 1
    for part, how, before, after in asked[:-1]:
        gone = after - before
        assert part in gone
        assert gone <= (
            {part, "bias"} if (part, how) == ("re-routing", "with the rest") else {part}
        )
    assert asked[-1][2:] == (frozenset(), frozenset(PARTS))


@pytest.mark.slow
def test_what_a_part_brings_is_the_difference_of_two_scores(llama: Backbone, pairs: Pairs) -> None:
    plan = Plan((1, 2))
    result = {
        (one.part, one.setting): one
        for one in parts.contributions(llama, pairs, DEFAULT.under(plan))
    }
    named = ("kv-embedding", "prompt-only", "re-routing-only", "mean")
    scored = scores.score(llama, pairs, [METHODS[name].under(plan) for name in named])
    kv, prompt_only, rerouting_only, mean = (one.measures[0].value for one in scored)
    differences: dict[tuple[Part, Setting], float] = {
        ("re-routing", "with the rest"): kv - prompt_only,
        ("prompt", "with the rest"): kv - rerouting_only,
        ("all parts", "together"): kv - mean,
    }
    for key, expected in differences.items():
        assert result[key].change.delta == pytest.approx(expected, abs=1e-9)
        assert result[key].change.p_holm is not None
    alone = result["bias", "alone"]
    assert (alone.without.plan.bias, alone.with_part.plan.bias) == (0.0, 1.0)


@pytest.mark.slow
def test_ranks_and_their_intervals_count_the_better_windows(llama: Backbone, pairs: Pairs) -> None:
    texts = types.Texts("some", tuple(f"{n} boats lie by bank {n}." for n in range(40)), "")
    curve = dimension.dimensions(llama, texts, samples=40)
    result = rules.ranked(llama, pairs, curve)
    windows = [one for one in result if one.plan.layers in {(n,) for n in range(llama.layers)}]
    assert len(windows) == result[0].windows == llama.layers  # a tenth of the layers, and one
    drawn = np.stack([one.scored.measures[0].drawn for one in windows])
    for one in result[::3]:
        measure = one.scored.measures[0]
        better = [w for w in windows if w.scored.measures[0].value > measure.value]
        assert one.rank == 1 + len(better)
        ranks = np.sort(
            [1 + int((draw > own).sum()) for draw, own in zip(drawn.T, measure.drawn, strict=True)]
        )
        assert one.low == ranks[round(0.025 * (len(ranks) - 1))]
        assert one.high == ranks[round(0.975 * (len(ranks) - 1))]
    assert {rule for one in result for rule in one.rules} == set(RULES)
    for one in result:
        assert all(curve.selected(rule) == one.plan.layers for rule in one.rules)
    (nothing,) = scores.score(llama, pairs, [DEFAULT])
    assert result[0].change.delta == pytest.approx(
        result[0].scored.measures[0].value - nothing.measures[0].value
    )
