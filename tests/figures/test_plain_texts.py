"""Names and texts in figures and pages are shown as they are written, never read as HTML."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from analysis.figures import html_page
from analysis.figures.theme import laid_out
from analysis.recipes import html_report, results
from tests.support import hostile

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    *(ROOT / "analysis" / "figures").glob("*.py"),
    ROOT / "analysis" / "recipes" / "charts.py",
]
STUDIES = ("rules", "parts", "long-texts")
ESCAPED = "&lt;a href=x&gt;b&lt;/a&gt; &amp;amp;"
WRITTEN = "<a href=x>b</a> &amp;"


def texts(part: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every string of a figure with the name of its property."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key != "template":
                yield from texts(value, key)
    elif isinstance(part, list | tuple | np.ndarray):
        for value in part:
            yield from texts(value, name)
    elif isinstance(part, str):
        yield name, part


def check(figure: go.Figure) -> None:
    for name, text in texts(figure.to_plotly_json()):
        if name == "hovertemplate":
            assert hostile.HOST not in text
        else:
            assert not set(text.replace("<br>", "")) & set("<>"), (name, text)


def test_every_text_of_a_figure_is_escaped_once() -> None:
    figure = go.Figure()
    figure.add_scatter(
        x=[WRITTEN, "plain"],
        y=np.array([1.0, 2.0]),
        name=WRITTEN,
        text=np.array([WRITTEN, "a\nb"]),
        customdata=[[WRITTEN, 1], ["c", 2]],
        hovertemplate="%{text}<br>%{y}<extra></extra>",
        marker={"colorbar": {"title": {"text": WRITTEN}, "ticktext": (WRITTEN,)}},
    )
    figure.add_annotation(text=WRITTEN)
    figure.update_xaxes(title=WRITTEN, categoryarray=[WRITTEN], ticktext=[WRITTEN])
    laid_out(figure, 100, title={"text": WRITTEN}, legend={"title": {"text": WRITTEN}})
    (trace,) = figure.data
    assert list(trace.x) == [ESCAPED, "plain"]
    assert trace.y.tolist() == [1.0, 2.0]
    assert trace.name == trace.marker.colorbar.title.text == figure.layout.title.text == ESCAPED
    assert list(trace.text) == [ESCAPED, "a<br>b"]
    assert [list(row) for row in trace.customdata] == [[ESCAPED, 1], ["c", 2]]
    assert trace.hovertemplate == "%{text}<br>%{y}<extra></extra>"
    assert figure.layout.annotations[0].text == figure.layout.xaxis.title.text == ESCAPED
    assert figure.layout.xaxis.categoryarray[0] == trace.marker.colorbar.ticktext[0] == ESCAPED
    assert figure.layout.legend.title.text == ESCAPED
    check(figure)


@pytest.mark.parametrize("study", STUDIES)
def test_results_of_someone_else_draw_no_tag(study: str) -> None:
    read = results.read(hostile.results(ROOT / "assets" / "studies" / f"{study}.json"))
    drawn = [chart.figure for chart in read.charts() if chart.figure is not None]
    assert drawn
    for figure in drawn:
        check(figure)
    report = html_report.html(read)
    begun = report.partition("<body>")[2]
    for tag in ("<img", "<a ", "<b>", "<span", "</script> &"):
        assert tag not in begun, tag
    assert "\\u003cimg" not in begun, "in the data of a figure"


def test_every_figure_is_finished_by_the_one_door() -> None:
    """A function that returns a figure returns it from ``laid_out``, or from another such one."""
    trees = [ast.parse(path.read_text("utf-8")) for path in SOURCES]
    drawing = {
        node.name
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.returns is not None
        and ast.unparse(node.returns) == "go.Figure"
    }
    assert len(drawing) > 15
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef) and node.name in drawing - {"laid_out", "enlarged"}:
            for statement in node.body:
                if isinstance(statement, ast.Return) and statement.value is not None:
                    assert isinstance(statement.value, ast.Call), node.name
                    called = ast.unparse(statement.value.func).rpartition(".")[2]
                    assert called in drawing, (node.name, called)
        if isinstance(node, ast.keyword) and node.arg == "hovertemplate":
            parts = {type(part) for part in ast.walk(node.value)}
            assert ast.JoinedStr not in parts, f"no name enters a template: {node.lineno}"


def test_a_page_may_ask_no_host() -> None:
    figure = laid_out(go.Figure(go.Scatter(x=[1], y=[1], text=["</script><script>x()"])), 100)
    page = html_page.figure_page(figure, WRITTEN)
    head = page.partition("</head>")[0]
    assert f'content="{html_page.POLICY}"' in head
    assert f"<title>{ESCAPED}</title>" in head
    assert "http:" not in html_page.POLICY
    assert "<script>x()" not in page
    beside = html_page.figure_page(figure, "x", "beside")
    assert 'src="plotly.min.js"' in beside
    assert len(beside) < 20_000
    assert page == html_page.figure_page(figure, WRITTEN), "the same file again"
