"""Sensitivities of heads: whose objective, from what, and which heads they choose."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs, Retrieval, Texts
from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT, METHODS, VARIANTS, variant
from analysis.errors import CorpusError, PlanError
from analysis.evaluation.similarity import cosines
from analysis.experiments import head_choices
from analysis.experiments.corpus_objective import LEAST_ITEMS
from analysis.experiments.head_choices import ObjectiveName
from analysis.experiments.score import score
from analysis.experiments.sensitivity import Sensitivity, sensitivity
from analysis.rerouting.plan import Head, Plan
from tests.support.tiny_models import LAYERS

RNG = np.random.default_rng(0)
TEXTS = tuple(
    f"text {number} is about {'cats' if number % 2 else 'tides'} {number**2}"
    for number in range(24)
)
PAIRS = Pairs(
    "made", TEXTS, np.arange(24), np.roll(np.arange(24), 1), RNG.uniform(0, 5, 24), "made up"
)
LABELLED = Texts("made", TEXTS, "made up", tuple(str(number % 3) for number in range(24)))
FOUND = Retrieval(
    "made",
    TEXTS[:20],
    tuple(reversed(TEXTS)),
    tuple({number: 1} for number in range(20)),
    "made up",
)


@pytest.fixture
def llama(tiny: Callable[[str], Backbone]) -> Backbone:
    return tiny("llama")


def test_the_objective_of_pairs_is_pearsons_correlation(llama: Backbone) -> None:
    found = sensitivity(llama, PAIRS)
    embeddings = encode(llama, TEXTS, METHODS["prompt-only"]).embeddings
    assert found.value == pytest.approx(
        np.corrcoef(cosines(embeddings, PAIRS), PAIRS.scores)[0, 1], abs=1e-6
    )
    assert found.values.shape == (LAYERS, llama.facts.heads)
    (scored,) = score(llama, PAIRS, [DEFAULT.under(Plan())])
    assert found.value == pytest.approx(scored.measure("Pearson").value / 100, abs=1e-6)


def test_heads_are_chosen_for_another_prompt_too(llama: Backbone) -> None:
    chosen, plain = VARIANTS["prompt-eol-rerouted"], METHODS["prompt-eol"]
    found = sensitivity(llama, PAIRS, chosen)
    best = found.top(1)
    scored, unchanged, rerouted = score(
        llama, PAIRS, [plain, chosen.under(Plan()), chosen.under(Plan(heads=best))]
    )
    assert found.value == pytest.approx(scored.measure("Pearson").value / 100, abs=1e-6)
    assert unchanged.measures == scored.measures
    assert rerouted.measure("Pearson").value > scored.measure("Pearson").value
    assert variant(chosen, separator="quoted", pooling="mean", norm="pre") is chosen


@pytest.mark.parametrize("corpus", [PAIRS, LABELLED, FOUND], ids=["pairs", "labelled", "retrieval"])
@pytest.mark.parametrize("objective", ["judgements", "agreement", "halves", "uniformity"])
def test_every_objective_has_a_value_on_every_kind_of_corpus(
    corpus: Pairs | Texts | Retrieval, objective: ObjectiveName, llama: Backbone
) -> None:
    teacher = METHODS["prompt-eol"] if objective == "agreement" else None
    found = sensitivity(llama, corpus, objective=objective, teacher=teacher)
    assert np.isfinite(found.value)
    assert np.isfinite(found.values).all()
    assert np.abs(found.values).max() > 0
    assert found.teacher == ("prompt-eol" if teacher else "")


def test_agreement_with_itself_is_perfect_and_flat(llama: Backbone) -> None:
    found = sensitivity(llama, PAIRS, objective="agreement", teacher=METHODS["prompt-only"])
    assert found.value == pytest.approx(1)
    judged = sensitivity(llama, PAIRS)
    assert np.abs(found.values).max() < 1e-3 * np.abs(judged.values).max()


def test_it_is_stored_and_the_bias_counts(llama: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sensitivity(llama, PAIRS)
    other = sensitivity(llama, PAIRS, DEFAULT.under(Plan((), 3.0)))
    assert not np.allclose(first.values, other.values)
    monkeypatch.setattr("analysis.embedding.head_derivatives.head_derivatives", None)
    np.testing.assert_array_equal(sensitivity(llama, PAIRS).values, first.values)
    np.testing.assert_array_equal(
        sensitivity(llama, PAIRS, DEFAULT.under(Plan((), 3.0))).values, other.values
    )


@pytest.mark.parametrize(
    ("corpus", "reason"),
    [
        (
            replace(PAIRS, left=PAIRS.left[:19], right=PAIRS.right[:19], scores=PAIRS.scores[:19]),
            "19",
        ),
        (replace(PAIRS, scores=np.ones(24)), "All ratings of made are the same"),
        (Texts("made", TEXTS, ""), "two labels"),
        (Texts("made", TEXTS, "", ("same",) * 24), "two labels"),
        (Texts("made", TEXTS, "", TEXTS), "texts that share one"),
    ],
)
def test_what_is_too_little_is_refused(corpus: Pairs | Texts, reason: str, llama: Backbone) -> None:
    with pytest.raises(CorpusError, match=reason):
        sensitivity(llama, corpus)


def test_short_texts_have_no_halves(llama: Backbone) -> None:
    short = Texts("made", tuple(f"text {number}" for number in range(LEAST_ITEMS)), "")
    with pytest.raises(CorpusError, match="0 texts of at least four words"):
        sensitivity(llama, short, objective="halves")


def test_a_method_that_reroutes_nothing_has_no_heads(llama: Backbone) -> None:
    with pytest.raises(PlanError, match="mean re-routes no heads"):
        sensitivity(llama, PAIRS, METHODS["mean"])
    with pytest.raises(PlanError, match="teacher"):
        sensitivity(llama, PAIRS, objective="agreement")


def test_the_top_are_the_largest_outside_the_first_fifth() -> None:
    values = np.array([[9.0, 9], [1, -1], [3, np.nan], [2, 0.5], [-4, 0]])
    assert head_choices.top(values, 2) == (Head(2, 0), Head(3, 0))
    assert head_choices.top(values, 10) == (Head(1, 0), Head(2, 0), Head(3, 0), Head(3, 1))
    drawn = head_choices.random(values, 3, seed=0)
    assert len(drawn) == 3
    assert all(head.layer > 0 for head in drawn)
    assert drawn == head_choices.random(values, 3, seed=0)
    assert len(head_choices.random(values, 99, seed=0)) == 7


def test_rows_are_the_heads_in_order(llama: Backbone) -> None:
    found: Sensitivity = sensitivity(llama, PAIRS)
    rows = found.to_dataframe()
    assert len(rows) == found.values.size
    assert rows["derivative"].is_monotonic_decreasing
    assert found.values[rows["layer"], rows["head"]].tolist() == rows["derivative"].tolist()
