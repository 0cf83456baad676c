"""Results that someone changed and sealed again: each is shown, or refused in one sentence."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from analysis.cli.main import main
from analysis.errors import ExplorerError, ResultsError
from analysis.recipes import (
    charts,
    comparison,
    files,
    findings,
    html_report,
    results,
    row_types,
    runner,
)
from analysis.recipes.results import Results
from tests.support.checks import assert_one_sentence
from tests.support.mutated_results import mutated, seeds
from tests.support.visits import ROOT, shown

SEEDS = seeds()


def use(study: Results, original: Results) -> None:
    """All that the page, the command and Python make of results."""
    assert study.sentences is not None
    for chart in study.charts():
        assert chart.figure is None or chart.figure.to_json()
        assert chart.table.to_csv() is not None
    charts.settings(study.rows)
    assert html_report.html(study)
    assert results.read(study.to_json()).rows == study.rows
    files.write(study.recipe)
    if study.recipe.digest == original.recipe.digest:
        assert comparison.compare(original, study).sentence


def tried(command: str, seed: int) -> bool:
    """Whether a mutation is read; it must be of use then, and refused in a sentence otherwise."""
    text = mutated(SEEDS[command], Random(f"{command} {seed}"))
    try:
        study = results.read(text)
    except ExplorerError as error:
        assert_one_sentence(error)
        return False
    use(study, results.read(json.dumps(SEEDS[command])))
    return True


@pytest.mark.parametrize("command", SEEDS)
def test_what_was_not_changed_is_of_use(command: str) -> None:
    study = results.read(json.dumps(SEEDS[command]))
    use(study, study)


@pytest.mark.parametrize("command", SEEDS)
def test_changed_results_are_of_use_or_refused(command: str) -> None:
    tried(command, 0)


@pytest.mark.parametrize("place", [("made", "machine"), ("made", "versions"), ("recipe",)])
def test_half_a_surrogate_pair_is_refused_wherever_it_is(place: tuple[str, ...]) -> None:
    document = json.loads(json.dumps(SEEDS["sts"]))
    *outer, last = place
    at = document
    for key in outer:
        at = at[key]
    at[last] = {"torch\ud800": "2"} if last == "versions" else at[last] + "\ud800"
    with pytest.raises(ResultsError, match="surrogate") as caught:
        results.read(json.dumps(document))
    assert_one_sentence(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("command", SEEDS)
def test_hundreds_of_changed_results_are_of_use_or_refused(command: str) -> None:
    read = sum(tried(command, seed) for seed in range(1, 101))
    assert 5 < read < 95  # both happen


@pytest.mark.slow
def test_the_page_shows_changed_results_or_refuses_them() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page("pages/studies.py").run()
    for seed in range(12):
        for command, document in SEEDS.items():
            text = mutated(document, Random(f"{command} {seed}"))
            app.file_uploader(key="opened_file").upload(f"{seed}.json", text.encode())
            app.run()
            assert not app.exception, (command, seed, app.exception[0].message)
            assert len(app.error) <= 1, (command, seed)
            assert app.error or "Run it again" in shown(app), (command, seed)


@pytest.mark.slow
def test_a_command_compares_changed_results_or_refuses_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, document in SEEDS.items():
        (tmp_path / "a.yaml").write_text(document["recipe"])
        rows = document["rows"]
        monkeypatch.setattr(runner, "rows", lambda *_, rows=rows, **__: iter(rows))
        for seed in range(40):
            text = mutated(document, Random(f"{command} {seed}"))
            (tmp_path / "old.json").write_text(text)
            arguments = ["run", str(tmp_path / "a.yaml"), "--compare", str(tmp_path / "old.json")]
            code = main(arguments)
            output = capsys.readouterr()
            assert code in (0, 1, 2)
            assert len((output.err if code == 2 else output.out).splitlines()) == 1


REPLACED: tuple[Any, ...] = (None, 0, 1, 2, "", "kv-embedding", [], [0], [2], [2, 2])


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_each_column_of_each_row_may_be_missing_or_another(name: str) -> None:
    """What findings and charts read without a default is a column that the type demands."""
    study = results.read(json.dumps(SEEDS[name]))
    command, rows = study.recipe.command, study.rows
    for column in sorted({column for row in rows for column in row}):
        for place, row in enumerate(rows):
            without = {key: value for key, value in row.items() if key != column}
            for changed in (without, *(row | {column: value} for value in REPLACED)):
                others = [*rows[:place], changed, *rows[place + 1 :]]
                try:
                    row_types.check(command, others)
                except ResultsError as error:
                    assert_one_sentence(error)
                    continue
                findings.sentences(command, others)
                if changed is without:
                    charts.draw(command, others)


def sealed(command: str, rows: list[Any]) -> str:
    study = results.read(json.dumps(SEEDS[command]))
    return Results(study.recipe, tuple(rows), study.provenance).to_json()


@pytest.mark.parametrize(
    ("command", "change", "message"),
    [
        ("sts", {"ci_low": "x"}, "in row 2, 'ci_low' is 'x'; run the recipe again"),
        ("sts", {"spearman": None}, "in row 2, 'spearman' is None"),
        ("sts", {"pairs": -1}, "in row 2, 'pairs' is -1"),
        ("sts", {"new": {"a": 1}}, "in row 2, 'new' is {'a': 1}"),
        ("score", {"against": None}, "in row 2, a change needs its interval"),
        ("long-texts", {"place": None}, "in row 2, 'place' is None"),
        ("score", {"p": 2}, "in row 2, 'p' is 2"),
        ("score", {"value": 10**400}, "in row 2, 'value' is 1000"),
        ("the study rules", {"rank": 0}, "in row 2, 'rank' is 0"),
        ("the study rules", {"windows": 0}, "in row 2, 'windows' is 0"),
        ("the study rules", {"rules": "paper"}, "in row 2, 'rules' is 'paper'"),
        ("ablation", {"layers": [[1]]}, r"in row 2, 'layers' is \[1\]"),
        ("causal", {"re-routed": True}, "in row 2, 're-routed' is True"),
    ],
)
def test_a_value_of_another_type_is_named(
    command: str, change: dict[str, Any], message: str
) -> None:
    rows = SEEDS[command]["rows"]
    text = sealed(command, [rows[0], rows[1] | change])
    with pytest.raises(ResultsError, match=message) as raised:
        results.read(text)
    assert_one_sentence(raised.value)


def test_a_column_of_several_kinds_is_no_parquet_file(tmp_path: Path) -> None:
    rows = SEEDS["sts"]["rows"]
    read = results.read(sealed("sts", [rows[0] | {"own": 1}, rows[1] | {"own": "x"}]))
    with pytest.raises(ResultsError, match="do not fit into a Parquet file") as raised:
        read.to_parquet(tmp_path / "a.parquet")
    assert_one_sentence(raised.value)


def test_lists_of_layers_that_do_not_fit_are_refused() -> None:
    (row,) = SEEDS["dimension"]["rows"]
    changes: tuple[dict[str, Any], ...] = (
        {"selected": [3]},
        {"band": []},
        {"frequency": [1.0]},
        {"curve": [1.0] * 4},
    )
    for change in changes:
        with pytest.raises(ResultsError, match="one entry for each layer"):
            results.read(sealed("dimension", [row | change]))
    assert results.read(sealed("dimension", [row | {"selected": []}])).sentences


def test_too_many_rows_or_columns_are_refused() -> None:
    row = SEEDS["sts"]["rows"][0]
    with pytest.raises(ResultsError, match="more than 50,000"):
        results.read(sealed("sts", [row] * (row_types.MOST_ROWS + 1)))
    with pytest.raises(ResultsError, match="more than 200 columns"):
        results.read(sealed("sts", [row | {f"c{i}": 1} for i in range(300)]))
