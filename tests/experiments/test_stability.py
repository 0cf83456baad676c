"""What choices of heads on other items share: known answers, and the choices themselves."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs
from analysis.embedding.methods import DEFAULT
from analysis.errors import CorpusError, PlanError
from analysis.experiments.chosen_heads import Chosen, choose
from analysis.experiments.item_parts import parts_of
from analysis.experiments.specs import Stability as Spec
from analysis.experiments.stability import Stability, expected_overlap, stability
from analysis.recipes import charts, findings, row_types
from analysis.recipes.layer_answers import stability as answer
from analysis.recipes.workspace import Workspace
from analysis.rerouting.plan import Head, Plan

RNG = np.random.default_rng(0)
NUMBER = 72
LEFT = tuple(f"text {number} is about {'cats' if number % 2 else 'tides'}" for number in range(72))
RIGHT = tuple(f"line {number} is on {'boats' if number % 3 else 'trees'}" for number in range(72))
PAIRS = Pairs(
    "made",
    LEFT + RIGHT,
    np.arange(NUMBER),
    NUMBER + np.arange(NUMBER),
    RNG.uniform(0, 5, NUMBER),
    "made up",
)


@pytest.fixture
def llama(tiny: Callable[[str], Backbone]) -> Backbone:
    return tiny("llama")


def with_heads(chosen: Chosen, heads: list[Head]) -> Chosen:
    return replace(chosen, plan=Plan(heads=tuple(heads)))


@given(st.data())
def test_chance_is_the_mean_over_all_draws(data: st.DataObject) -> None:
    of = data.draw(st.integers(1, 7))
    one, other = (data.draw(st.integers(0, of)) for _ in range(2))
    expected = expected_overlap(one, other, of)
    if not one + other:
        assert math.isnan(expected)
        return
    draw = np.random.default_rng(0)
    overlaps = []
    for _ in range(2000):
        sets = [set(draw.permutation(of)[:size]) for size in (one, other)]
        overlaps.append(len(sets[0] & sets[1]) / len(sets[0] | sets[1]))
    assert expected == pytest.approx(np.mean(overlaps), abs=0.05)


def test_known_answers() -> None:
    assert expected_overlap(3, 3, 3) == pytest.approx(1)
    assert expected_overlap(1, 1, 4) == pytest.approx(1 / 4)
    assert expected_overlap(2, 0, 9) == 0


def test_parts_choose_as_they_do_alone(llama: Backbone) -> None:
    found = stability(llama, PAIRS, DEFAULT, parts=3, count=3)
    alone = [choose(llama, part, DEFAULT, count=3) for part in parts_of(PAIRS, 3)]
    assert [each.plan for each in found.chosen] == [each.plan for each in alone]
    assert (found.items, found.of, len(found.agreements)) == (NUMBER, NUMBER, 3)
    for agreement in found.agreements:
        one, other = ({*alone[part].plan.heads} for part in agreement.parts)
        assert agreement.shared == len(one & other)
        assert agreement.overlap == len(one & other) / len(one | other)
        assert -1 <= agreement.correlation <= 1
    assert {*found.common} == set.intersection(*({*each.plan.heads} for each in alone))


def test_what_two_choices_share(llama: Backbone) -> None:
    chosen = choose(llama, PAIRS, DEFAULT, count=3)
    same = Stability((chosen, chosen), "made", NUMBER, NUMBER)
    (agreement,) = same.agreements
    assert (agreement.overlap, agreement.shared) == (1, len(chosen.plan.heads))
    assert agreement.correlation == pytest.approx(1)
    assert {*same.common} == {*chosen.plan.heads}
    one, other = [Head(2, 0), Head(2, 1, 0.5)], [Head(2, 1), Head(3, 0)]
    halves = Stability((with_heads(chosen, one), with_heads(chosen, other)), "made", 72, 72)
    assert (halves.agreements[0].shared, halves.agreements[0].overlap) == (1, 1 / 3)
    assert halves.common == (Head(2, 1),)
    none = Stability((with_heads(chosen, []),) * 2, "made", NUMBER, NUMBER)
    assert math.isnan(none.agreements[0].overlap)
    row = none.to_rows()[0]
    assert (row["overlap"], row["chance"], row["common"]) == (None, None, "")
    row_types.check("stability", none.to_rows())
    (sentence,) = findings.sentences("stability", none.to_rows())
    assert sentence.endswith("no part chooses any.")
    assert charts.draw("stability", none.to_rows()) == []


def test_too_few_items_are_refused_before_a_backbone_is_loaded(tmp_path: Path) -> None:
    rated = "".join(f"{LEFT[i]}\t{RIGHT[i]}\t{i % 6}\n" for i in range(30))
    (tmp_path / "pairs.tsv").write_text(f"a\tb\tscore\n{rated}")
    values = {"backbone": "no such", "corpus": str(tmp_path / "pairs.tsv"), "parts": 2}
    with pytest.raises(CorpusError, match=r"pairs.tsv has 30 rated pairs, too few for 2 parts"):
        answer(Spec.read(values), Workspace())
    with pytest.raises(PlanError, match="mean re-routes no heads"):
        answer(Spec.read({"corpus": "lee50", "method": "mean"}), Workspace())


def test_rows_charts_and_findings(llama: Backbone, tmp_path: Path) -> None:
    rated = "".join(f"{LEFT[i]}\t{RIGHT[i]}\t{i % 6}\n" for i in range(NUMBER))
    (tmp_path / "pairs.tsv").write_text(f"a\tb\tscore\n{rated}")
    values = {"backbone": "given", "corpus": str(tmp_path / "pairs.tsv"), "parts": 3, "top": 3}
    workspace = Workspace()
    workspace.load = lambda *_: llama  # type: ignore[method-assign]
    rows = answer(Spec.read(values), workspace)
    row_types.check("stability", rows)
    assert [(row["first"], row["second"]) for row in rows] == [(1, 2), (1, 3), (2, 3)]
    (sentence,) = findings.sentences("stability", rows)
    shared = [100 * row["overlap"] for row in rows]
    span = f"[{min(shared):.0f}, {max(shared):.0f}]"
    assert f"share {np.mean(shared):.0f}% {span} of the heads that either chose" in sentence
    assert f"would share {100 * rows[0]['chance']:.0f}%" in sentence
    (chart,) = charts.draw("stability", rows)
    assert chart.figure is not None
    assert {trace.name for trace in chart.figure.data} == {"chosen on two parts", "drawn at random"}
    assert len(chart.table) == 3
