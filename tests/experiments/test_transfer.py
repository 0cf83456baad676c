"""Chosen heads on a corpus that did not choose them, beside what they have to beat."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.evaluation import comparison
from analysis.experiments.score import score
from analysis.experiments.specs import Transfer
from analysis.experiments.transfer import random_heads, transfer
from analysis.recipes import charts, findings
from analysis.recipes.layer_answers import transfer as answer
from analysis.recipes.workspace import Workspace
from analysis.rerouting.plan import PLAIN, Head, Plan

RNG = np.random.default_rng(0)
TEXTS = tuple(f"text {number} is about {'cats' if number % 2 else 'tides'}" for number in range(24))
PAIRS = Pairs(
    "made", TEXTS, np.arange(24), np.roll(np.arange(24), 1), RNG.uniform(0, 5, 24), "made up"
)
CHOSEN = Plan(heads=(Head(2, 0), Head(3, 1)))


@pytest.fixture
def llama(tiny: Callable[[str], Backbone]) -> Backbone:
    return tiny("llama")


def test_each_choice_has_the_score_that_it_has_alone(llama: Backbone) -> None:
    found = transfer(
        *(llama, PAIRS, DEFAULT, CHOSEN),
        layers=(2,),
        baselines=[METHODS["mean"]],
        random_sets=3,
    )
    methods = [
        DEFAULT.under(PLAIN),
        DEFAULT.under(CHOSEN),
        DEFAULT.under(Plan((2,))),
        METHODS["mean"],
    ]
    alone = [score(llama, PAIRS, [method])[0].first for method in methods]
    assert [each.scored.first.value for each in found.judged] == [each.value for each in alone]
    assert found.judged[0].change is None
    for each, measure in zip(found.judged[1:], alone[1:], strict=True):
        expected = comparison.difference(measure, alone[0], ("", ""))
        assert each.change is not None
        assert (each.change.delta, each.change.ci_low) == (expected.delta, expected.ci_low)
    sets = [DEFAULT.under(Plan(heads=heads)) for heads in random_heads(llama, 2, 3)]
    expected_changes = [
        score(llama, PAIRS, [each])[0].first.value - alone[0].value for each in sets
    ]
    assert found.random.tolist() == expected_changes


def test_the_chance_of_random_heads_counts_those_at_least_as_good(llama: Backbone) -> None:
    found = transfer(llama, PAIRS, DEFAULT, CHOSEN, random_sets=0)
    assert found.p_random is None
    change = found.judged[1].change
    assert change is not None
    above = replace(found, random=np.array([change.delta, change.delta + 1, change.delta - 1]))
    assert above.p_random == pytest.approx(3 / 4)


def test_random_heads_are_as_many_and_not_of_the_first_layers(llama: Backbone) -> None:
    sets = random_heads(llama, 2, 30)
    assert len(set(sets)) > 5
    assert all(len(heads) == 2 and min(head.layer for head in heads) > 0 for heads in sets)
    assert random_heads(llama, 0, 5) == []


def test_plans_that_act_alike_keep_their_own_names(llama: Backbone) -> None:
    off = replace(CHOSEN, bias=-math.inf)
    found = transfer(llama, PAIRS, DEFAULT, off, layers=(2,), random_sets=0)
    assert [each.scored.plan.layers for each in found.judged] == [(), (), (2,)]
    assert found.judged[1].scored.plan == off
    assert len({each.scored.first.value for each in found.judged}) == 1


@pytest.mark.slow
def test_rows_charts_and_findings(llama: Backbone, tmp_path: Path) -> None:
    rated = "".join(f"{TEXTS[i]}\t{TEXTS[i - 1]}\t{i % 6}\n" for i in range(24))
    (tmp_path / "pairs.tsv").write_text(f"a\tb\tscore\n{rated}")
    spec = Transfer.read(
        {
            "backbone": "given",
            "corpus": str(tmp_path / "judged.tsv"),
            "chosen-on": "pairs",
            "chosen-corpus": str(tmp_path / "pairs.tsv"),
            "objective": "judgements",
            "top": 3,
            "random-sets": 4,
            "baseline": ["mean", "re-routing-only"],
        }
    )
    fresh = "".join(f"judge {i}\tjudge {i * i + 7}\t{i % 5}\n" for i in range(12))
    (tmp_path / "judged.tsv").write_text(f"a\tb\tscore\n{fresh}{TEXTS[0]}\tjudge 3\t1\n")
    workspace = Workspace()
    workspace.load = lambda *_: llama  # type: ignore[method-assign]
    rows = answer(spec, workspace)
    assert [row["subject"] for row in rows] == [
        *("nothing", "chosen heads", "whole layers", "baseline", "baseline", "random heads"),
    ]
    nothing, chosen, whole, _, rerouted, random = rows
    assert all((row["pairs"], row["of"]) == (12, 13) for row in rows)  # one shared a text
    assert chosen["value"] - nothing["value"] == pytest.approx(chosen["change"])
    assert rerouted["layers"] == whole["layers"]
    assert random["sets"] == 4
    assert random["change_low"] <= random["change"] <= random["change_high"]
    assert chosen["heads"]
    (chart,) = charts.draw("transfer", rows)
    assert len(chart.table) == len(rows)
    (sentence,) = findings.sentences("transfer", rows)
    assert "heads chosen by judgements of" in sentence
    assert f"p = {chosen['p_random']:.2f}" in sentence
    twice = [
        {**row, "grid": {"top": 3, "corpus": name}, "corpus": name}
        for name in ("one", "two")
        for row in rows
    ]
    (sentence,) = findings.sentences("transfer", twice)
    width = chosen["change_high"] - chosen["change"]
    assert sentence.startswith("top 3: 3 heads chosen by judgements of")
    assert f"{chosen['change']:+z.1f} [" in sentence
    assert f"{chosen['change'] + width / 2**0.5:+z.1f}] on average over 2 corpora" in sentence
    assert f"random heads {random['change']:+z.1f}." in sentence
    charted = charts.draw("transfer", [*twice, *({**row, "grid": {"top": 9}} for row in rows)])
    assert [chart.name for chart in charted] == [
        "Change of Spearman by choice: top 3",
        "Change of Spearman by choice: top 9",
    ]
    places = [place for trace in charted[0].figure.data for place in trace.y]  # type: ignore[union-attr]
    assert set(places) == {"one", "two"}
