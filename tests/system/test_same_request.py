"""A page, its command, its script and its recipe are one request: every number is the same."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analysis.cli import standard_streams
from analysis.cli.main import main
from analysis.experiments import long_texts
from analysis.recipes import files, findings
from analysis.recipes.answers import answer
from pages.shared.own_texts import OWN, PASTED
from tests.support.visits import (
    OWN_TEXTS,
    metric,
    opened,
    paste,
    show_tab,
    shown,
    unfolded,
    well,
)

Rows = list[dict[str, Any]]
Numbers = dict[tuple[Any, ...], Sequence[Any]]


def _table(app: AppTest, *columns: str) -> pd.DataFrame:
    """The page's first table that has these columns."""
    return next(each.value for each in app.dataframe if set(columns) <= set(each.value))


def _scores(table: pd.DataFrame, *place: str) -> Numbers:
    """Measures and their intervals in a page's table, by method."""
    columns = [str(name) for name in table]
    lows = [name for name in columns if name.endswith(" low") and name != "rank low"]
    names = [name.removesuffix(" low") for name in lows]
    return {
        (*(row[name] for name in place), row["method"], name): [
            row[name],
            row[f"{name} low"],
            row[f"{name} high"],
        ]
        for row in table.to_dict("records")
        for name in names
    }


def _answered(rows: Rows, *place: str) -> Numbers:
    return {
        (*(row[name] for name in place), row["method"], row["measure"]): [
            row["value"],
            row["ci_low"],
            row["ci_high"],
        ]
        for row in rows
    }


def _similarity(app: AppTest, rows: Rows) -> tuple[Any, Any]:
    table = _table(app, "method", "Spearman", "dtype")
    app = unfolded(show_tab(app, "Comparisons"))
    shown_changes = {
        row["method"]: [row["difference"], row["low"], row["high"], row["p"]]
        for row in _table(app, "method", "difference", "p").to_dict("records")
    }
    changes = {
        row["method"]: [row["change"], row["change_low"], row["change_high"], row["p"]]
        for row in rows
        if row["change"] is not None and row["measure"] == rows[0]["measure"]
    }
    shown_ranks = {
        row["method"]: [row["rank"], row["rank low"], row["rank high"], row["not told apart from"]]
        for row in table.to_dict("records")
    }
    ranks = {
        row["method"]: [
            row["rank"],
            row["rank_low"],
            row["rank_high"],
            ", ".join(row["level_with"]),
        ]
        for row in rows
        if row["measure"] == rows[0]["measure"]
    }
    return (_scores(table), shown_changes, shown_ranks), (_answered(rows), changes, ranks)


def _rerouting(app: AppTest, rows: Rows) -> tuple[Any, Any]:
    plain, rerouted = (row for row in rows if row["measure"] == "Spearman")
    page = [
        metric(app, "Nothing re-routed"),
        metric(app, "Re-routed"),
        metric(app, "95% interval of the change"),
    ]
    low, high = rerouted["change_low"], rerouted["change_high"]
    message = shown(app)
    for row in (plain, rerouted):
        assert f"{row['ci_low']:.1f} to {row['ci_high']:.1f}" in message
    return page, [
        f"{plain['value']:.1f}",
        f"{rerouted['value']:.1f}",
        f"{low:+.1f} to {high:+.1f}",
    ]


def _dimension(app: AppTest, rows: Rows) -> tuple[Any, Any]:
    table = _table(app, "layer", "dimension", "selected by the rule")
    (row,) = rows
    page = table[["dimension", "low", "high"]].to_numpy().tolist()
    selected = table["layer"][table["selected by the rule"]].tolist()
    curve = [[value, *band] for value, band in zip(row["curve"], row["band"], strict=True)]
    return (page, selected), (curve, row["selected"])


def _causal(app: AppTest, rows: Rows) -> tuple[Any, Any]:
    names = ["token", "plain", "re-routed"]
    table = _table(app, *names)
    return table[names].to_numpy().tolist(), [[row[name] for name in names] for row in rows]


def _space(app: AppTest, rows: Rows) -> tuple[Any, Any]:
    table = _table(app, "measure", "left", "right").set_index("measure")
    page = table.loc[["trustworthiness of the map"], ["left", "right"]].to_numpy()
    return page[0].tolist(), rows[0]["trustworthiness"]


def _long_texts(app: AppTest, rows: Rows) -> tuple[Any, Any]:
    by_place = _scores(_table(app, "position", "method"), "position")
    by_length = _scores(_table(app, "tokens", "method"), "tokens")
    places = [row for row in rows if row["tokens"] is None]
    lengths = [{**row, "tokens": f"{row['tokens']:,}"} for row in rows if row["tokens"]]
    return (by_place, by_length), (_answered(places, "place"), _answered(lengths, "tokens"))


def _ablation(app: AppTest, rows: Rows) -> tuple[Any, Any]:
    table = _table(app, "re-routed", "Spearman", "change low")
    page = {
        row["re-routed"]: [row["Spearman"], row["change"], row["change low"], row["change high"]]
        for row in table.to_dict("records")
    }
    from analysis.rerouting.layer_lists import format_layers

    answered = {
        row.get("heads") or format_layers(row["layers"], 0): [
            *(row["spearman"], row["change"]),
            *(row["ci_low"], row["ci_high"]),
        ]
        for row in rows
    }
    both = page.keys() & answered.keys()  # the page shows random plans too
    return {name: page[name] for name in both}, {name: answered[name] for name in both}


def _output_layers(app: AppTest, rows: Rows) -> tuple[Any, Any]:
    columns = ["method", "output_layer", "value", "ci_low", "ci_high", "held_out", "dimension"]
    table = _table(app, *columns)
    assert findings.sentences("output-layers", rows)[0] in shown(app)
    return table[columns].to_numpy().tolist(), [[row[name] for name in columns] for row in rows]


def _printed(arguments: list[str]) -> Any:
    """What a command prints as JSON.

    Not read from standard output: a thread of a page may put back the one from before the test.
    """
    printed: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(standard_streams, "write", printed.append)
        assert main(arguments) == 0
    return json.loads("".join(printed))


@dataclass(frozen=True)
class Case:
    """A page, how it is opened, and the numbers that it shows beside those of an answer.

    ``section`` has the question, where it is not the page's own; ``own`` is the place where own
    texts are pasted, which the command reads from the file that the page offers.
    """

    page: str
    numbers: Callable[[AppTest, Rows], tuple[Any, Any]]
    query: dict[str, Any] = field(default_factory=dict)
    before: Callable[[AppTest], AppTest] = lambda app: app
    section: str = "view"
    own: str = ""

    @property
    def name(self) -> str:
        """The page, and the search, the section or the own texts where there are any."""
        section = "" if self.section == "view" else self.section
        own = self.own and f"own texts at {self.own}"
        return " ".join(filter(None, (self.page, self.query.get("ablation_search"), section, own)))


def _score_missing(app: AppTest) -> AppTest:
    return app.button(key="search").click().run()


CASES = [
    Case("causal_limits", _causal),
    Case("intrinsic_dimension", _dimension),
    Case(
        "intrinsic_dimension",
        _output_layers,
        {"output_layers_method": ["mean", "kv-embedding"], "score_layers": "true"},
        section="score by layer",
    ),
    Case("rerouting", _rerouting),
    Case("embedding_space", _space, {"space_projection": "pca"}),
    Case("similarity", _similarity, {"score_method": ["kv-embedding", "mean", "echo"]}),
    Case("causal_limits", _causal, {"layers": "auto", "calibration": OWN}, own="calibration"),
    Case("intrinsic_dimension", _dimension, {"dimension_corpus": [OWN]}, own="page"),
    Case("embedding_space", _space, {"space_projection": "pca", "space_corpus": OWN}, own="page"),
    Case("long_texts", _long_texts, {"long_texts_most_chatterbot-answers": "10"}),
    *(
        Case("layer_ablation", _ablation, {"ablation_search": search}, _score_missing)
        for search in ("single layers", "single heads")
    ),
]


QUICK = ("rerouting",)
"""The pages that `make test` compares; the others are slow."""
LONG = ("layer_ablation single heads",)
"""Those that take more than a minute."""


def _marks(case: Case) -> list[pytest.MarkDecorator]:
    quick, long = case.page in QUICK, case.name in LONG
    return [] if quick else [pytest.mark.slow, *[pytest.mark.nightly] * long]


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=_marks(case)) for case in CASES],
)
def test_a_page_shows_what_its_command_script_and_recipe_give(
    case: Case,
    tiny_llama: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = case.before(well(opened(case.page, **tiny_llama | case.query)))
    if case.own:
        well(paste(app, *OWN_TEXTS, place=case.own))
        (tmp_path / PASTED).write_text("\n".join(OWN_TEXTS), "utf-8")
    app = well(unfolded(app, case.section))
    command, script = (str(block.value) for block in app.code[:2])
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(command.removeprefix("python -m "))
    assert program == "analysis"
    by_command = _printed([*arguments, "--json"])
    names: dict[str, Any] = {}
    exec(script, names)
    assert json.loads(json.dumps(names["result"].to_dict())) == by_command
    question = names["question"]
    recipe = files.read(files.write(_recipe(question)))
    assert recipe.spec == question
    assert json.loads(json.dumps(answer(recipe.spec).to_dict())) == by_command
    rows = by_command if isinstance(by_command, list) else [by_command]
    page, answered = case.numbers(app, rows)
    assert page
    np.testing.assert_equal(page, answered)


@pytest.mark.slow
@pytest.mark.parametrize("queries", [None, 7, 100])
def test_the_queries_asked_for_on_long_texts_are_those_scored(
    queries: int | None, tiny_llama: dict[str, str]
) -> None:
    part = {} if queries is None else {"long_texts_most_chatterbot-answers": str(queries)}
    few = {"long_texts_method": ["mean"], "long_texts_tokens": ["64"]}
    app = well(unfolded(opened("long_texts", **tiny_llama, **few, **part)))
    scored = queries or long_texts.LONG_QUERIES
    assert f"{scored} of 306 queries" in shown(app)
    (sample,) = (widget for widget in app.number_input if widget.label == "Sample (queries)")
    assert sample.value == scored
    words = ["long-texts", "--backbone", tiny_llama["backbone"], "--method", "mean"]
    words += ["--tokens", "64"] + ([] if queries is None else ["--part", str(queries)])
    rows = _printed([*words, "--json"])
    assert {row["queries"] for row in rows} == {scored}
    np.testing.assert_equal(*_long_texts(app, rows))


def _recipe(question: Any) -> Any:
    from analysis.recipes.recipe import Recipe

    return Recipe(question)
