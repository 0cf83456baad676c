"""Prompts compared: each score is that of the method with the prompt, and spreads are theirs."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs
from analysis.embedding.methods import METHODS
from analysis.embedding.named_methods import method
from analysis.embedding.named_prompts import PROMPTS, own_prompt
from analysis.errors import PlanError
from analysis.experiments.prompt_bench import prompt_bench, prompt_of, without_prompt
from analysis.experiments.score import score
from analysis.experiments.specs import PromptBench
from analysis.recipes import charts, findings
from analysis.recipes.score_answers import prompts as answer
from analysis.recipes.workspace import Workspace
from analysis.rerouting.plan import Plan
from tests.support.checks import assert_one_sentence

OWN = 'The topic of "{text}" is'
WORDS = ("boat", "bank", "loan", "river", "house", "rain", "train", "song", "king", "bread")
PAIRS = Pairs(
    "made",
    tuple(f"The {word} is old" for word in WORDS),
    np.arange(10),
    (np.arange(10) * 3 + 1) % 10,
    np.arange(10.0) % 5,
    "",
)
ASKED = [method("prompt-eol+re-routing@1-2"), METHODS["mean"]]


def test_each_score_is_that_of_the_method_with_the_prompt(llama: Backbone) -> None:
    bench = prompt_bench(llama, PAIRS, ["eol", OWN], ASKED)
    for base, under in zip(ASKED, bench.scores, strict=True):
        for prompt, result in zip((PROMPTS["eol"], own_prompt(OWN)), under, strict=True):
            (alone,) = score(llama, PAIRS, [replace(base, name="x", prompt=prompt)])
            assert alone.first.value == result.first.value
    values = np.array([[each.first.value for each in under] for under in bench.scores])
    assert bench.over_prompts is not None
    assert bench.over_methods is not None
    assert bench.over_prompts.value == pytest.approx(values.std(axis=1, ddof=1).mean())
    assert bench.over_methods.value == pytest.approx(values.std(axis=0, ddof=1).mean())
    assert bench.over_prompts.ci_low <= bench.over_prompts.ci_high
    for under, (change,) in zip(bench.scores, bench.changes, strict=True):
        assert change.delta == pytest.approx(under[1].first.value - under[0].first.value)


def test_one_prompt_or_method_has_no_spread(llama: Backbone) -> None:
    bench = prompt_bench(llama, PAIRS, ["eol"], ASKED[1:])
    assert (bench.over_prompts, bench.over_methods, bench.changes) == (None, None, ((),))


def test_rows_say_which_prompt_and_reproduce_each_score(llama: Backbone) -> None:
    workspace = Workspace()
    workspace.load = lambda *_: llama  # type: ignore[method-assign]
    spec = PromptBench.read(
        {
            "template": ["eol", OWN],
            "method": ["prompt-eol", "kv-embedding"],
            "layers": "1-2",
            "part": 40,
        }
    )
    rows = answer(spec, workspace)
    assert [(row["prompt"], row["method"]) for row in rows] == [
        ("eol", "last"),
        (OWN, "last"),
        ("eol", "re-routing@1-2+hybrid"),
        (OWN, "re-routing@1-2+hybrid"),
    ]
    assert [row["against"] for row in rows] == [None, "eol", None, "eol"]
    assert rows[1]["layers"] == []
    assert rows[3]["layers"] == [1, 2]
    (chart,) = charts.draw("prompts", rows)
    assert len(chart.table) == 4
    first, *others = findings.sentences("prompts", rows)
    assert "over prompts and " in first
    assert len(others) == 2
    assert "scores from" in others[0]
    for sentence in (first, *others):
        assert_one_sentence(sentence)
    for row in rows:
        again = method(f"a={row['parts']}")
        assert again.template == row["template"]
        assert again.plan == Plan(tuple(row["layers"]))


def test_what_cannot_be_compared_is_refused(llama: Backbone) -> None:
    for prompts, methods, message in (
        (["eol", "eol"], ASKED, "each of them once"),
        ([], ASKED, "at least one"),
        (["eoll"], ASKED, "no name of one"),
        (["eol"], [METHODS["prompt-eol"], METHODS["last-token"]], "apart from their prompts"),
        (["eol"], [METHODS["token-prepending"]], "needs both or neither"),
        (["eol-placeholder"], ASKED, "needs both or neither"),
    ):
        with pytest.raises(PlanError, match=message) as caught:
            prompt_bench(llama, PAIRS, prompts, methods)
        assert_one_sentence(caught.value)
    assert prompt_of("eol") is PROMPTS["eol"]
    assert without_prompt(method("echo+last")) == "last"
