"""Results as files: the same twice, read again or refused, compared, and as a page."""

import json
import re
from pathlib import Path
from typing import Any

import markupsafe
import pandas as pd
import pytest

from analysis.backbones import backbone
from analysis.cli.main import main
from analysis.errors import ResultsError
from analysis.evaluation.comparison import CLEAR_MEANS
from analysis.recipes import charts, comparison, files, findings, results, runner
from analysis.recipes.recipe import Recipe
from analysis.recipes.results import Results
from tests.support import tiny_models
from tests.support.checks import assert_one_sentence
from tests.support.visits import OWN_PAIRS

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>"
GRID = f"""
version: 1
title: {HOSTILE}
command: parts
corpus: pairs.tsv
grid:
- backbone: [llama, other]
  layers: [1-2]
- backbone: [llama]
  layers: [all]
  bias: [2.0]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tiny backbones, pairs, and a recipe with a grid over both."""
    where = tmp_path_factory.mktemp("grids")
    tiny_models.save_folder(where / "llama")
    tiny_models.save_folder(where / "other", "gpt2")
    (where / "pairs.tsv").write_text(OWN_PAIRS)
    (where / "grid.yaml").write_text(GRID)
    return where


@pytest.fixture(scope="module")
def made(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its results, from an empty cache."""
    output = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KVE_CACHE", str(tmp_path_factory.mktemp("first")))
        patch.setattr("analysis.backbones.devices._cpu_gains_by_bfloat16", lambda: False)
        assert main(["run", "grid.yaml", "--output", str(output)]) == 0
    return output


@pytest.mark.slow
def test_a_grid_gives_the_same_numbers_twice_and_loads_a_backbone_once(
    folder: Path,
    made: Path,
    empty_cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    loaded, load = [], backbone.load

    def noted(name: str, **options: Any) -> backbone.Backbone:
        loaded.append(name)
        return load(name, **options)

    monkeypatch.setattr(backbone, "load", noted)
    first = made / "results.json"
    assert main(["run", "grid.yaml", "--compare", str(first), "--output", str(folder / "o")]) == 0
    assert loaded == ["llama", "other"]
    assert "The results are the same: all" in capsys.readouterr().out
    again = results.read_file(folder / "o" / "results.json")
    assert again.rows == results.read_file(first).rows
    assert [row["grid"] for row in again.rows[::9]] == [
        {"backbone": "llama", "layers": "1-2", "bias": 1.0},
        {"backbone": "llama", "layers": "all", "bias": 2.0},
        {"backbone": "other", "layers": "1-2", "bias": 1.0},
    ]


def test_other_numbers_are_found_and_said(
    folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    old = results.read_file(made / "results.json")
    rows = [dict(row) for row in old.rows]
    rows[4]["value"] += 3
    (folder / "moved.json").write_text(Results(old.recipe, tuple(rows), old.provenance).to_json())
    monkeypatch.setattr(runner, "rows", lambda *_, **__: iter(old.rows))
    assert main(["run", "grid.yaml", "--compare", "moved.json"]) == 1
    assert "are not the same: value in row 5 is" in capsys.readouterr().out


def test_the_rows_are_there_for_other_programs(made: Path) -> None:
    table = pd.read_parquet(made / "results.parquet")
    rows = results.read_file(made / "results.json").rows
    assert len(table) == len(rows) == 27
    assert table["value"].tolist() == [row["value"] for row in rows]
    assert table["grid.backbone"].tolist() == [row["grid"]["backbone"] for row in rows]
    assert [list(layers) for layers in table["layers"]] == [row["layers"] for row in rows]


def test_the_page_needs_no_network_and_runs_no_text(made: Path) -> None:
    page = (made / "report.html").read_text(encoding="utf-8")
    assert len(re.findall(r"<script[^>]*>/\*\*\s*\* plotly\.js", page)) == 1
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", page)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    for told in (
        "Contribution of each part",
        "Compress the {role} in one word",
        "scikit-dimension",
    ):
        assert told in page
    for sentence in results.read_file(made / "results.json").sentences:
        assert str(markupsafe.escape(sentence)) in page


# Reading


ROW: dict[str, Any] = {"method": "mean", "spearman": 50.0, "ci_low": 40.0, "ci_high": 60.0}


def document(**changed: Any) -> str:
    """Small results as JSON; ``changed`` are parts of the document."""
    one = Results(Recipe.of("sts", {}), (ROW | {"corpus": "x"},), {"versions": {"torch": "2"}})
    return json.dumps(json.loads(one.to_json()) | changed)


def test_results_survive_their_file() -> None:
    result = results.read(document())
    assert result.recipe == Recipe.of("sts", {})
    assert result.rows == (ROW | {"corpus": "x"},)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not readable JSON"),
        ("version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("[" * 100_000, "not readable JSON"),
        ('{"results": NaN}', "not readable JSON"),
        ("[]", "holds no results"),
        ('{"rows": []}', "holds no results"),
        (document(results=2), "of format 2, this program reads 1: update"),
        (document(results=True), "of format True"),
        (document(rows=[]), "is damaged"),
        (document(rows=[3]), "is damaged"),
        (document(rows=[{"a": {"b": 1}}]), "was changed"),
        (document(rows=[{"grid": {"b": [1]}}]), "was changed"),
        (document(made={}), "is damaged"),
        (document(recipe=3), "is damaged"),
        (document(recipe="version: 9\ncommand: sts"), "of version 9"),
        (document(rows=[{"a": 1}]), "was changed after it was written"),
        (document(recipe="version: 1\ncommand: score\n"), "was changed after it was written"),
        (" " * (results.LARGEST + 1), "larger than"),
    ],
)
def test_what_are_no_results_is_refused_with_a_sentence(text: str, message: str) -> None:
    with pytest.raises(ResultsError, match=re.escape(message)) as raised:
        results.read(text)
    assert_one_sentence(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="cannot be read: No such file") as raised:
        results.read_file(tmp_path / "no.json")
    assert_one_sentence(raised.value)


def test_rows_of_another_kind_are_not_drawn_but_named() -> None:
    odd = Results(Recipe.of("score", {}), ({"a": 1},), {"versions": {}})
    with pytest.raises(ResultsError, match="do not fit the command score") as raised:
        odd.charts()
    assert_one_sentence(raised.value)


# Comparing


def of(*rows: dict[str, Any], made: Recipe | None = None) -> Results:
    return Results(made or Recipe.of("sts", {}), rows, {})


@pytest.mark.parametrize(
    ("change", "same", "message"),
    [
        ({}, True, "all 3 numbers are equal"),
        ({"spearman": 50.2}, True, "to rounding: of 3 numbers 1 differ, by 0.2 at most (spearman"),
        ({"spearman": 50.9}, False, "spearman in row 1 is 50, it was 50.9"),
        ({"method": "echo"}, False, "method in row 1 is 'mean', it was 'echo'"),
        ({"ci_low": None}, False, "ci_low in row 1 is 40.0, it was None"),
        ({"more": 1.0}, False, "more in row 1 is None, it was 1.0"),
    ],
)
def test_whether_two_are_the_same(change: dict[str, Any], same: bool, message: str) -> None:
    result = comparison.compare(of(ROW), of(ROW | change))
    assert result.same is same
    assert message in result.sentence


def test_one_text_more_or_less_of_few_is_rounding() -> None:
    row = {"measure": "kNN accuracy", "value": 50.0, "texts": 150}
    assert comparison.compare(of(row), of(row | {"value": 50 + 100 / 150})).same
    assert not comparison.compare(of(row), of(row | {"value": 50 + 200 / 150})).same


def test_a_missing_row_and_another_recipe_are_no_rounding() -> None:
    assert "the number of rows is 1, it was 2" in comparison.compare(of(ROW), of(ROW, ROW)).sentence
    with pytest.raises(ResultsError, match="another recipe"):
        comparison.compare(of(ROW), of(ROW, made=Recipe.of("sts", {"bias": 2.0})))


def test_ranks_that_swap_by_rounding_are_the_same() -> None:
    rows = [{"rank": n, "layers": [n], "measure": "x", "value": 50.0 + n} for n in (1, 2)]
    swapped = [{**rows[1], "rank": 1, "value": 51.9}, {**rows[0], "rank": 2}]
    made = Recipe.of("ablation", {})
    assert comparison.compare(of(*swapped, made=made), of(*rows, made=made)).same


def test_columns_that_earlier_results_lack_are_not_compared() -> None:
    result = comparison.compare(of(ROW | {"rank": 1.0, "level_with": ["mean"]}), of(ROW))
    assert "all 3 numbers are equal" in result.sentence
    both = of(ROW | {"rank": 1.0}), of(ROW | {"rank": 9.0})
    assert "rank in row 1 is 1, it was 9" in comparison.compare(*both).sentence


# Sentences


def parts_row(where: str, change: float, low: float, high: float) -> dict[str, Any]:
    return {
        **{"grid": {"backbone": where, "on": "pairs", "part": 3}, "corpus": "lee50"},
        **{"part": "prompt", "how": "alone", "against": "mean", "pairs": 9},
        **{"change": change, "change_low": low, "change_high": high},
    }


def test_differences_over_places_name_those_that_are_clear() -> None:
    rows = [parts_row("a", 3.0, 1.0, 5.0), parts_row("b", -2.0, -3.0, -1.0)]
    rows.append(parts_row("c", 0.5, -1.0, 2.0))
    assert findings.sentences("parts", rows) == [
        "The prompt, alone, changes the score by -2.0 to +3.0; clearly up: a on lee50 +3.0 [+1.0, "
        "+5.0]; clearly down: b on lee50 -2.0 [-3.0, -1.0]; not clear: c on lee50 +0.5 [-1.0, "
        f"+2.0]. {CLEAR_MEANS}"
    ]


def test_what_is_not_clear_among_many_is_not_called_so() -> None:
    (message,) = findings.sentences("parts", [parts_row("a", 3.0, 1.0, 5.0) | {"p_holm": 0.2}])
    assert "clearly up: none" in message


def test_commands_that_only_list_say_nothing() -> None:
    assert findings.sentences("backbones", [{"name": "x"}]) == []


def test_exact_methods_are_listed_once_each(made: Path) -> None:
    rows = results.read_file(made / "results.json").rows
    exact = charts.settings(rows)
    assert not exact.duplicated().any()
    assert set(exact["template"]) == {
        "{text}",
        "{role}: {text}\nCompress the {role} in one word:",
    }
    assert set(exact["layers"]) >= {"none", "1-2"}


def test_a_recipe_in_results_is_the_recipe(folder: Path, made: Path) -> None:
    assert results.read_file(made / "results.json").recipe == files.read_file(
        str(folder / "grid.yaml")
    )


def test_an_ablation_of_heads_is_a_map_and_named_by_the_heads() -> None:
    settings = {"corpus": "own.tsv", "method": "kv-embedding", "bias": 1.0, "layers": []}
    numbers = {"ci_low": -1.0, "ci_high": 1.0, "spearman": 50.0}
    rows: list[dict[str, Any]] = [
        settings | numbers | {"heads": head, "rank": rank, "change": 0.5 - rank}
        for rank, head in enumerate(("2.1", "0.0", "2.0"), 1)
    ]
    (chart,) = charts.draw("ablation", [*rows, settings | numbers | {"rank": 4, "change": 0.0}])
    assert chart.name == "Change by head"
    assert chart.figure is not None
    known, unknown = chart.figure.data
    assert list(known.hovertext) == [
        f"layer {layer}, head {head}<br>change of Spearman x 100 {change:+.3g}{chosen}"
        for layer, head, change, chosen in (
            *((0, 0, -1.5, ""), (2, 0, -2.5, "")),
            (2, 1, -0.5, "<br>re-routed"),
        )
    ]
    assert len(unknown.x) == 3
    (finding,) = findings.sentences("ablation", rows)
    assert "Of 3 plans" in finding
    assert "The best is head 2.1" in finding
    mixed = [rows[0], rows[1] | {"layers": [4]}, rows[2] | {"heads": "1.0-2"}]
    (chart,) = charts.draw("ablation", mixed)
    assert chart.name == "Change by layers"
    assert chart.figure is not None
    assert {x for trace in chart.figure.data for x in trace.x} == {"2.1", "4,0.0", "1.0-2"}
