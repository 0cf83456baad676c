"""Findings say what clear means where the word first stands, and only there."""

from analysis.evaluation.comparison import CLEAR_MEANS
from analysis.recipes import findings
from tests.support.visits import ROOT


def _row(method: str, change: float, p: float) -> dict[str, object]:
    return {
        "method": method,
        "corpus": "own",
        "measure": "Spearman",
        "value": 50.0,
        "ci_low": 40.0,
        "ci_high": 60.0,
        "pairs": 10,
        "against": "mean",
        "change": change,
        "change_low": change - 1,
        "change_high": change + 1,
        "p": p,
        "p_holm": p,
    }


def test_clear_is_defined_where_it_first_stands() -> None:
    rows = [_row("a", 0.5, 0.4), _row("b", 0.2, 0.8), _row("c", 4.0, 0.001)]
    said = findings.sentences("score", rows)
    assert [sentence.count(CLEAR_MEANS) for sentence in said] == [1, 0, 0]


def test_findings_without_the_word_do_not_define_it() -> None:
    said = findings.sentences("score", [_row("c", 4.0, 0.001)])
    assert said
    assert CLEAR_MEANS not in " ".join(said)


def test_the_definition_is_that_of_the_documents() -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text()
    assert "the paired 95% interval lies wholly on one side of 0, and still does so" in CLEAR_MEANS
    assert "the paired 95% interval lies wholly on one side of 0, and still does so" in text
