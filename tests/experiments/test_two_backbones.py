"""Two backbones on one corpus: their scores, what changes with the model, and the warning."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.cli.main import main
from analysis.corpora.types import Pairs
from analysis.embedding.methods import METHODS
from analysis.evaluation import comparison
from analysis.experiments import two_backbones
from analysis.experiments.plans import planned_beside
from analysis.experiments.score import score
from analysis.experiments.score_result import ranks
from analysis.experiments.specs import Score
from analysis.recipes import charts, findings
from tests.support.visits import OWN_PAIRS

WORDS = ("rain", "river", "bank", "loan", "king", "bread", "train", "song", "house", "boat")
PAIRS = Pairs(
    *("made", tuple(f"the {a} and the {b}" for a in WORDS for b in WORDS[:2]), np.arange(10)),
    *(np.arange(10, 20), np.random.default_rng(0).random(10), "made up"),
)
NAMES = ("mean", "echo")


@pytest.fixture
def backbones(tiny: Callable[[str], Backbone], empty_cache: Path) -> list[Backbone]:  # noqa: ARG001
    return [tiny("llama"), tiny("qwen2")]


def test_rows_are_those_of_each_backbone_and_changes_are_paired(
    backbones: list[Backbone],
) -> None:
    asked = [METHODS[name] for name in NAMES]
    first, second = (score(backbone, PAIRS, asked) for backbone in backbones)
    named = [two_backbones.beside(each, backbones[1]) for each in second]
    other = backbones[1].facts.name
    assert [each.name for each in named] == [f"{name} \u00b7 {other}" for name in NAMES]
    assert [row["method"] for row in named[0].to_rows()] == [named[0].name] * 2
    changes = two_backbones.changes([*first, *named], "Spearman")
    for change, before, after in zip(changes, first, second, strict=True):
        drawn = after.first.drawn - before.first.drawn
        assert change.delta == pytest.approx(after.first.value - before.first.value)
        expected = comparison.difference(after.first, before.first, ("", ""))
        assert (change.ci_low, change.ci_high, change.p) == (
            *(expected.ci_low, expected.ci_high),
            expected.p,
        )
        assert drawn.shape == before.first.drawn.shape
    assert [change.p_holm for change in changes] == comparison.holm([c.p for c in changes])
    assert {rank.of for rank in ranks([*first, *named])} == {4}


def test_only_rows_that_differ_in_both_are_warned_of(backbones: list[Backbone]) -> None:
    (mean, echo) = score(backbones[0], PAIRS, [METHODS[name] for name in NAMES])
    beside = two_backbones.beside(mean, backbones[1])
    subjects = two_backbones.subjects
    assert two_backbones.mixing(subjects([mean, echo])) == ""
    assert two_backbones.mixing(subjects([mean, beside])) == ""
    assert two_backbones.mixing(subjects([mean, echo]), subjects([mean])) == ""
    said = two_backbones.mixing(subjects([mean, echo, beside]))
    assert "cannot be put down to either" in said
    assert echo.name in said
    assert beside.name in said
    assert two_backbones.mixing(subjects([mean, beside]), subjects([echo]))


def test_layers_that_the_second_lacks_give_way_to_the_automatic_choice(
    backbones: list[Backbone],
) -> None:
    plan, said = planned_beside(Score(layers="2-3"), backbones[1])
    assert (plan.layers, said) == ((2, 3), "")
    _, said = planned_beside(Score(heads="99.0"), backbones[1])
    assert said.startswith(f"On {backbones[1].facts.name}: ")
    assert said.endswith("Now: the automatic choice.")


def test_the_command_scores_both_and_says_what_changes(
    folder_of: Callable[[str], str],
    tmp_path: Path,
    empty_cache: Path,  # noqa: ARG001
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "pairs.tsv").write_text(OWN_PAIRS)
    named = [f"--method={name}" for name in NAMES]
    asked = ["score", f"--corpus={tmp_path / 'pairs.tsv'}", *named, "--json"]
    alone = [_rows(capsys, *asked, f"--backbone={folder_of(f)}") for f in ("llama", "qwen2")]
    first = folder_of("llama")
    rows = _rows(capsys, *asked, f"--backbone={first}", f"--beside={folder_of('qwen2')}")
    assert [row["value"] for row in rows] == [row["value"] for part in alone for row in part]
    assert [row["method"] for row in rows[::2]] == [
        *NAMES,
        *(f"{name} \u00b7 tiny-qwen2" for name in NAMES),
    ]
    assert [row["backbone"] for row in rows] == ["tiny-llama"] * 4 + ["tiny-qwen2"] * 4
    assert [row["against"] for row in rows[::2]] == [None, "mean", "mean", "echo"]
    assert {row["ranked"] for row in rows} == {4}
    assert "cannot be put down to either" in findings.sentences("score", rows)[-1]
    drawn = charts.draw("score", rows)
    (change,) = (c for c in drawn if c.name == "Change of Spearman with the backbone")
    assert list(change.table["method"]) == [f"{name} \u00b7 tiny-qwen2" for name in NAMES]
    assert main([*asked, f"--backbone={first}", f"--beside={first}"]) != 0
    assert "already the backbone" in capsys.readouterr().err


def _rows(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    assert main(list(words)) == 0
    rows: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return rows
