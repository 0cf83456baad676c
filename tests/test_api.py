"""The library's words, what its documentation runs, and its shapes for other libraries."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

import analysis
from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Texts
from analysis.embedding import encoder
from analysis.embedding.methods import METHODS, Method, MethodName
from analysis.errors import ExplorerError, PlanError
from analysis.rerouting.plan import Plan
from tests.support.checks import assert_one_sentence

ROOT = Path(__file__).parents[1]
TEXTS = [f"The boat {number} is by the bank." for number in range(24)]
PLAN = Plan((2, 3))


# The words


def test_encode_gives_what_the_encoder_gives(llama: Backbone) -> None:
    rerouting, mean = METHODS["kv-embedding"].under(PLAN), METHODS["mean"]
    named: tuple[tuple[Method | MethodName, Method], ...] = (
        (rerouting, rerouting),
        ("kv-embedding", rerouting),
        ("mean", mean),
    )
    for method, expected in named:
        vectors = analysis.encode(llama, TEXTS, method, layers="2-3", role="Query")
        encoding = encoder.encode(llama, TEXTS, expected, role="Query")
        np.testing.assert_allclose(vectors, encoding.embeddings, atol=1e-6)


def test_layers_are_read_as_the_command_line_does(llama: Backbone) -> None:
    assert analysis.select_layers(llama, "2-3,5") == (2, 3, 5)
    assert analysis.select_layers(llama, [2, 5]) == (2, 5)
    assert analysis.select_layers(llama, "none") == ()
    for layers in ("99", [3, 1]):
        with pytest.raises(PlanError):
            analysis.select_layers(llama, layers)


def test_a_backbone_that_cannot_be_rerouted_has_no_layers_to_select(
    tiny: Callable[[str], Backbone],
) -> None:
    assert analysis.select_layers(tiny("falcon")) == ()


def test_a_method_keeps_the_plan_that_it_has(llama: Backbone) -> None:
    planned = METHODS["kv-embedding"].under(Plan((1,), 2.0))
    np.testing.assert_array_equal(
        analysis.encode(llama, TEXTS, planned, layers="all", bias=0.0),
        analysis.encode(llama, TEXTS, "kv-embedding", layers=(1,), bias=2.0),
    )


def test_scores_are_compared_with_the_first_in_pairs(llama: Backbone) -> None:
    texts = Texts("made", tuple(TEXTS * 2), "", labels=("a", "b") * 24)
    scores = analysis.score(llama, texts, ["mean", "echo", "kv-embedding"], layers="2-3")
    differences = analysis.compare(scores)
    assert [(one.first, one.second) for one in differences] == [
        ("echo", "mean"),
        ("kv-embedding", "mean"),
    ]
    values = [one.measures[0].value for one in scores]
    assert [one.delta for one in differences] == pytest.approx([v - values[0] for v in values[1:]])
    ranks = analysis.ranks(scores)
    assert [rank.name for rank in ranks] == ["mean", "echo", "kv-embedding"]
    assert sum(rank.rank for rank in ranks) == 6
    further = [replace(score, corpus="another") for score in scores]
    summary = analysis.mean_ranks([*scores, *further])
    assert dict(zip(summary.names, summary.means, strict=True)) == {
        rank.name: rank.rank for rank in ranks
    }
    refused: tuple[Callable[[], object], ...] = (
        lambda: analysis.compare(scores[:1]),
        lambda: analysis.compare(scores, "x"),
        lambda: analysis.ranks(scores[:1]),
        lambda: analysis.ranks(scores, "x"),
        lambda: analysis.mean_ranks([scores[0], scores[0]]),
    )
    for wrong in refused:
        with pytest.raises(PlanError) as caught:
            wrong()
        assert_one_sentence(caught.value)


@pytest.mark.slow
def test_plot_knows_curves_and_scores_and_refuses_the_rest(llama: Backbone) -> None:
    texts = Texts("made", tuple(TEXTS * 2), "", labels=("a", "b") * 24)
    curve = analysis.dimensions(llama, texts, samples=24)
    assert isinstance(curve.plot(), go.Figure)
    rows = curve.to_dataframe()
    np.testing.assert_array_equal(rows["dimension"], curve.curve.dims)
    assert rows["layer"].tolist() == list(range(llama.layers))
    assert rows["corpus"].unique().tolist() == ["made"] == [curve.to_dict()["corpus"]]
    scores = analysis.score(llama, texts, ["mean", METHODS["kv-embedding"].under(PLAN)])
    assert [one.name for one in scores] == ["mean", "kv-embedding"]
    bars = analysis.plot(scores)
    assert sorted(bars.data[0].y) == ["kv-embedding", "mean"]
    for other in (3, [], [1]):
        with pytest.raises(PlanError) as caught:
            analysis.plot(other)  # type: ignore[arg-type]
        assert_one_sentence(caught.value)


def test_a_method_that_does_not_exist_is_refused(llama: Backbone) -> None:
    with pytest.raises(ExplorerError, match="kv-embedding") as caught:
        analysis.encode(llama, TEXTS, "magic")
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("given", ["smollm2", None, METHODS["mean"]])
def test_a_name_is_no_loaded_backbone(given: Any) -> None:
    uses: tuple[Callable[[], object], ...] = (
        lambda: analysis.encode(given, TEXTS, "mean"),
        lambda: analysis.score(given, "lee50", "mean"),
        lambda: analysis.dimensions(given, TEXTS),
        lambda: analysis.select_layers(given, "2-3"),
    )
    for use in uses:
        with pytest.raises(ExplorerError, match="load_backbone") as caught:
            use()
        assert_one_sentence(caught.value)


def test_every_public_name_is_there_and_typed() -> None:
    assert set(analysis._MODULE_OF) == set(analysis.__all__) <= set(dir(analysis))
    for name in analysis.__all__:
        assert getattr(analysis, name) is not None
    assert (ROOT / "analysis" / "py.typed").is_file()
    with pytest.raises(AttributeError):
        analysis.nothing_like_it  # noqa: B018


def test_to_import_the_package_costs_nothing() -> None:
    heavy = "{'torch', 'transformers', 'numpy', 'ray', 'streamlit'}"
    code = f"import sys, analysis; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# What the documentation runs


@pytest.mark.slow
@pytest.mark.weights
def test_every_block_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == page.count("```") // 2 >= 8
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/library.md", "exec"), names)
    message = capsys.readouterr().out
    assert "(2, 576) float32" in message
    assert "There is no method 'magic'" in message
    assert "The boat is by the bank." in message
    assert message.count("576") >= 4
    imports = (node for block in blocks for node in ast.walk(ast.parse(block)))
    assert any(isinstance(node, ast.ImportFrom) for node in imports)


def test_the_first_script_runs_in_any_folder_with_the_path_that_is_named(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    assert "or put the folder on `PYTHONPATH`" in page
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = "import analysis as kv; print(kv.Plan((1, 2)).layers, kv.load_texts('chatterbot').name)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("(1, 2) chatterbot\n", 0), done.stderr


def test_the_page_names_all_fields_of_corpora() -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    for kind in (analysis.Texts, analysis.Pairs, analysis.Retrieval):
        (row,) = re.findall(rf"^\| `{kind.__name__}` \| `name`(.*)\|$", page, re.MULTILINE)
        named = {*re.findall(r"`(\w+)`", row), "name", "total"}  # the last for all three
        assert {field.name for field in fields(kind)} <= named
        assert "`total` is the size of the full corpus" in page


def test_a_figure_is_saved_without_the_script_as_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    assert 'figure.write_html("scores.html", include_plotlyjs="directory")' in page
    figure = go.Figure(go.Bar(x=[1], y=["a"]))
    for name in ("one.html", "two.html"):
        figure.write_html(tmp_path / name, include_plotlyjs="directory")
        saved = (tmp_path / name).read_text(encoding="utf-8")
        assert len(saved) < 50_000
        assert re.findall(r'<script[^>]* src="([^"]+)"', saved) == ["plotly.min.js"]
    assert (tmp_path / "plotly.min.js").stat().st_size > 4_000_000


@pytest.mark.slow
@pytest.mark.weights
def test_the_notebook_runs() -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "docs" / "explorer.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(ROOT / "docs")}}
    )
    client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert sum("application/vnd.plotly.v1+json" in one.get("data", {}) for one in shown) == 2


@pytest.mark.slow
def test_heads_are_chosen_and_rerouted(llama: Backbone) -> None:
    ratings = np.random.default_rng(0).uniform(0, 5, 24)
    texts = tuple(f"text {number} and {number**2}" for number in range(25))
    pairs = analysis.Pairs("made", texts, np.arange(24), np.arange(1, 25), ratings, "")
    found = analysis.sensitivity(llama, pairs)
    assert isinstance(found, analysis.Sensitivity)
    heads = found.top(3)
    (chosen,) = analysis.score(llama, pairs, heads=heads)
    assert chosen.plan.heads == heads
    (plain,) = analysis.score(llama, pairs, layers="none")
    assert plain.measure("Pearson").value == pytest.approx(100 * found.value, abs=1e-4)
    assert chosen.measure("Pearson").value > plain.measure("Pearson").value
    np.testing.assert_array_equal(
        analysis.encode(llama, texts[:2], heads=[(1, 0), (2, 3)]),
        analysis.encode(llama, texts[:2], heads="1.0,2.3"),
    )
    agreed = analysis.sensitivity(llama, pairs, objective="agreement", teacher="mean")
    assert agreed.teacher == "mean"
    choice = analysis.choose_heads(
        *(llama, pairs), how="steps", count=3, objective="agreement", teacher="mean", bias=2.0
    )
    assert isinstance(choice, analysis.Chosen)
    assert (choice.teacher, choice.plan.bias) == ("mean", 2.0)
    assert choice.value >= choice.plain
    (scored,) = analysis.score(llama, pairs, "kv-embedding", heads=choice.plan.heads, bias=2.0)
    assert scored.plan == choice.plan
    assert analysis.choose_heads(llama, pairs, count=3).plan.heads == heads
    with pytest.raises(analysis.ExplorerError, match="layers or heads"):
        analysis.encode(llama, texts[:2], layers="1", heads="1.0")
