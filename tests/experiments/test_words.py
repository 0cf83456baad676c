"""What word did it think of? Rows of texts and of corpora, stored once, the same at every door."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

import analysis
from analysis.backbones.backbone import Backbone, load
from analysis.backbones.unembedding import final_states
from analysis.corpora.types import Texts
from analysis.embedding import logit_lens
from analysis.embedding.named_methods import method
from analysis.errors import BackboneError, CorpusError, PlanError
from analysis.evaluation import bootstrap
from analysis.experiments import words as experiment
from analysis.experiments.specs import Words as Question
from analysis.experiments.words import words
from analysis.experiments.words_result import Words
from analysis.recipes import charts, findings, row_types
from analysis.recipes.answers import answer
from analysis.rerouting.plan import Head, Plan
from tests.support.checks import assert_one_sentence
from tests.support.scoring import TEXTS
from tests.support.tiny_models import LAYERS, save_headed

PLAN = Plan((2, 3))
OWN = ("A boat by the bank.", "The song of the king")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_headed(tmp_path_factory.mktemp("words") / "llama")


@pytest.fixture
def headed(folder: Path, empty_cache: Path) -> Backbone:  # noqa: ARG001
    """A tiny backbone with an unembedding, of which nothing is stored."""
    return load(folder, dtype="float32")


def test_both_sides_are_those_of_the_lens(headed: Backbone) -> None:
    plain, rerouted = words(headed, OWN, method("prompt-eol"), PLAN)
    assert (plain.side, rerouted.side) == ("plain", "re-routed")
    assert (plain.method.plan, rerouted.method.plan) == (Plan(), PLAN)
    raised = method("prompt-eol-rerouted")
    for side, plan in ((plain, Plan()), (rerouted, PLAN)):
        expected = logit_lens.logit_lens(headed, OWN, raised.under(plan))
        np.testing.assert_array_equal(side.lens.ids, expected.ids)
        np.testing.assert_allclose(side.lens.entropies, expected.entropies, atol=2e-6)
    assert not np.array_equal(plain.lens.entropies, rerouted.lens.entropies)


def test_a_method_that_reroutes_and_the_same_without_it_have_the_same_sides(
    headed: Backbone,
) -> None:
    for one, other in zip(
        words(headed, OWN, method("kv-embedding"), PLAN),
        words(headed, OWN, method("prompt-only"), PLAN),
        strict=True,
    ):
        np.testing.assert_array_equal(one.lens.probabilities, other.lens.probabilities)


def test_a_plan_of_no_layers_has_one_side(headed: Backbone) -> None:
    (plain,) = words(headed, OWN, method("kv-embedding"))
    (prepended,) = words(headed, OWN, method("token-prepending"))
    assert {plain.side, prepended.side} == {"plain"}
    assert plain.layer == LAYERS - 1
    assert prepended.layer == LAYERS - 2, "the layer that the method reads"
    heads = words(headed, OWN, method("kv-embedding"), Plan(heads=(Head(2, 1),)))
    assert heads[1].to_rows()[0]["heads"] == "2.1"


def test_a_second_ask_computes_nothing(
    headed: Backbone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [each.to_rows() for each in words(headed, OWN, method("kv-embedding"), PLAN)]
    again = load(folder, dtype="float32")

    def compute(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("this was to be read, not computed")

    monkeypatch.setattr(logit_lens, "logit_lens", compute)
    assert [each.to_rows() for each in words(again, OWN, method("kv-embedding"), PLAN)] == first
    early = replace(method("kv-embedding"), reading=method("kv-embedding").reading.at(1))
    (row,) = (
        row
        for row in words(again, OWN[:2], early)[0].to_rows(1)
        if row["number"] == 2 and row["read"]
    )
    assert row["layer"] == 1, "another output layer is another view of the same numbers"
    with pytest.raises(AssertionError, match="was to be read"):
        words(again, OWN[:1], method("kv-embedding"), PLAN)


def test_rows_of_texts_say_the_words_of_every_layer(headed: Backbone) -> None:
    plain, _ = words(headed, OWN, method("meta-eol-short"), PLAN)
    rows = plain.to_rows(3)
    assert len(rows) == 8 * len(OWN) * LAYERS * 3
    assert [row["rank"] for row in rows[:4]] == [1, 2, 3, 1]
    last = [row for row in rows if row["prompt"] == 8 and row["number"] == 2 and row["read"]]
    assert [row["layer"] for row in last] == [LAYERS - 1] * 3
    assert last[0]["text"] == OWN[1]
    assert last[0]["template"] == method("meta-eol-short").templates[7]
    assert last[0]["probability"] == float(plain.lens.probabilities[7, 1, -1, 0])
    assert last[0]["word"] == plain.words[last[0]["token"]]
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    (long,) = words(headed, ["boat " * 100], method("prompt-eol"))
    assert len(long.to_rows()[0]["text"]) == 200


def test_rows_of_a_corpus_count_its_first_words(headed: Backbone) -> None:
    drawn = experiment.drawn(TEXTS, 30)
    assert (len(drawn.texts), drawn.total) == (30, 50)
    plain, _ = words(headed, drawn, method("prompt-eol"), PLAN)
    rows = [row for row in plain.to_rows(4) if row["read"]]
    tokens = plain.lens.ids[0, :, -1, 0].tolist()
    counts = Counter(tokens)
    assert [row["count"] for row in rows] == sorted(counts.values(), reverse=True)[:4]
    shares = plain.lens.probabilities[0, :, -1, 0].astype(float)
    draws = np.concatenate(list(bootstrap.of_items(30, "texts").weights()))
    for row in rows:
        members = np.array(tokens) == row["token"]
        assert counts[row["token"]] == row["count"]
        assert row["probability"] == pytest.approx(shares[members].mean())
        if row["count"] == 1:
            assert row["ci_low"] is None
            continue
        with np.errstate(invalid="ignore"):
            means = (draws[:, members] @ shares[members]) / draws[:, members].sum(1)
        low, high = np.nanquantile(means, [0.025, 0.975])
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high))
        assert row["ci_low"] <= row["probability"] <= row["ci_high"]
    bits = plain.lens.entropies[0, :, -1]
    assert rows[0]["entropy"] == pytest.approx(bits.mean())
    expected = np.quantile(draws @ bits / 30, [0.025, 0.975])
    assert (rows[0]["entropy_low"], rows[0]["entropy_high"]) == pytest.approx(tuple(expected))
    assert rows[0]["information"] == rows[0]["corpus_entropy"] - rows[0]["entropy"]
    assert 0 <= rows[0]["information"] <= np.log2(30), "a mean is more even, by no more than that"
    assert (rows[0]["different"], rows[0]["texts"], rows[0]["of"]) == (len(counts), 30, 50)
    assert json.loads(json.dumps(plain.to_rows(), allow_nan=False)) == plain.to_rows()


@pytest.mark.parametrize("corpus", [False, True])
def test_rows_are_checked_put_into_words_and_drawn(corpus: bool, headed: Backbone) -> None:
    texts = experiment.drawn(TEXTS, 12) if corpus else OWN
    sides = words(headed, texts, method("prompt-eol"), PLAN)
    rows = [row for each in sides for row in each.to_rows(3)]
    row_types.check("words", rows)
    sentences = findings.sentences("words", rows)
    assert len(sentences) == (1 if corpus else 2)
    assert all("with layers 2-3 re-routed" in each for each in sentences)
    (first,) = (
        row
        for row in rows
        if (row["model"], row["read"], row["rank"], row.get("number", 1)) == ("plain", True, 1, 1)
    )
    assert first["word"] in sentences[0]
    names = [chart.name.partition(",")[0] for chart in charts.draw("words", rows)]
    assert names == (
        ["Most frequent words", "Entropy by layer", "Words by layer"]
        if corpus
        else ["Words by layer"] * 2
    )
    assert isinstance(analysis.plot(sides), go.Figure)
    assert isinstance(sides[1].plot(), go.Figure)
    early = replace(method("prompt-eol"), reading=method("prompt-eol").reading.at(1))
    (said,) = findings.sentences("words", words(headed, OWN[:1], early)[0].to_rows())
    assert said.endswith("at layer 1, which it reads.")


def test_the_library_gives_what_the_command_gives(headed: Backbone, folder: Path) -> None:
    question = Question(
        backbone=str(folder),
        dtype="float32",
        text=OWN,
        method=("prompt-eol", "kv-embedding"),
        layers="2-3",
        bias=0.5,
    )
    rows = list(answer(question).rows)
    assert rows == [
        row
        for name in ("prompt-eol", "kv-embedding")
        for each in analysis.words(headed, OWN, name, layers="2-3", bias=0.5)
        for row in each.to_rows()
    ]
    (one,) = analysis.words(headed, OWN[0], layers="none")
    assert isinstance(one, Words)
    assert one.texts == OWN[:1]
    planned = method("kv-embedding").under(Plan((4,)))
    assert analysis.words(headed, OWN[0], planned)[1].method.plan == Plan((4,))
    of_corpus, _ = analysis.words(headed, TEXTS, samples=9, layers="2")
    assert (of_corpus.corpus, len(of_corpus.texts), of_corpus.of) == ("made up", 9, 50)
    assert len(of_corpus.to_dataframe()) == len(of_corpus.to_rows())


def test_what_has_no_word_is_refused(headed: Backbone, tiny: Callable[[str], Backbone]) -> None:
    refused: tuple[tuple[type[Exception], str, Callable[[], object]], ...] = (
        (PlanError, "mean reads", lambda: words(headed, OWN, method("mean"))),
        (
            BackboneError,
            "tiny llama has no unembedding",
            lambda: words(tiny("llama"), OWN, method("prompt-eol")),
        ),
        (
            CorpusError,
            "20 texts of one's own at most, not 21",
            lambda: analysis.words(headed, ["a"] * 21),
        ),
        (PlanError, "1 to 20 words", lambda: experiment.check_top(21)),
        (analysis.ExplorerError, "Text 2 is empty", lambda: analysis.words(headed, ["a", " "])),
        (
            analysis.ExplorerError,
            "There is no text",
            lambda: analysis.words(headed, [], layers="none"),
        ),
    )
    for kind, message, ask in refused:
        with pytest.raises(kind, match=message) as caught:
            ask()
        assert_one_sentence(caught.value)


def test_states_that_overflow_are_refused(headed: Backbone) -> None:
    with pytest.raises(BackboneError, match="not finite"):
        final_states(headed, torch.full((1, headed.facts.hidden), float("nan")))


def test_a_corpus_of_one_text_has_no_interval_of_words(headed: Backbone) -> None:
    (only,) = words(headed, Texts("one", OWN[:1], "made up"), method("prompt-eol"))
    rows = only.to_rows()
    assert {row["count"] for row in rows} == {1}
    assert {row["ci_low"] for row in rows} == {None}
    row_types.check("words", rows)
