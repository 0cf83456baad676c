"""The tour, the glossary and what a page takes along, through Streamlit's own harness."""

import ast
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from analysis.recipes import files
from analysis.spaces import projection
from pages.shared import glossary, tour
from tests.support.visits import ROOT, downloads, opened, press, shown, turn_to, unfolded, well

PAGES = sorted(
    path.stem
    for path in (ROOT / "pages").glob("*.py")
    if (ast.get_docstring(ast.parse(path.read_text())) or "").endswith("?")
)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No page compiles UMAP in the background of these tests."""
    monkeypatch.setattr(projection, "warm_up", lambda: None)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_every_page_is_a_stop() -> None:
    assert sorted(tour.STOPS) == PAGES


def test_what_the_tour_names_is_on_the_pages() -> None:
    said = [
        node.value
        for path in (ROOT / "pages").rglob("*.py")
        if path.name != "tour.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    document = (ROOT / "docs" / "tour.md").read_text("utf-8")
    named = re.findall(r"\*([^*\n]+)\*", "\n".join([document, *tour.STOPS.values()]))
    assert len(named) > 15
    assert [name for name in named if not any(name in text for text in said)] == []


@pytest.mark.slow
def test_the_tour_is_offered_once_and_left_at_any_stop(tiny_llama: dict[str, str]) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    app.session_state["backbone"] = tiny_llama["backbone"]
    well(app.run())
    press(app, "Start the tour")
    assert any("Stop 1 of" in m.value for m in app.markdown)
    turn_to(app, "rerouting")
    assert any("Stop 3 of" in m.value for m in app.markdown)
    press(app, "End the tour")
    assert not any("Stop " in m.value for m in app.markdown)
    turn_to(app, "causal_limits")
    assert "Start the tour" not in labels(app)


def test_whoever_follows_a_link_is_not_stopped(tiny_llama: dict[str, str]) -> None:
    assert "Start the tour" not in labels(opened(**tiny_llama))


def test_every_term_is_explained_in_a_sentence_and_used() -> None:
    used = set()
    for name in PAGES:
        tree = ast.parse((ROOT / "pages" / f"{name}.py").read_text())
        calls = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "glossary.explain"
        ]
        assert calls, f"{name} explains no terms"
        strings = (node.value for node in ast.walk(calls[0]) if isinstance(node, ast.Constant))
        used |= set(strings)
    assert used == set(glossary.TERMS)
    assert all(meaning.endswith(".") for meaning in glossary.TERMS.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [pytest.param(one, marks=[pytest.mark.nightly] * (one == "long_texts")) for one in PAGES],
)
def test_every_page_is_taken_along_as_what_it_shows(page: str, tiny_llama: dict[str, str]) -> None:
    app = well(unfolded(opened(page, own_pairs=True, **tiny_llama)))
    command, script = (block.value for block in app.code if "analysis" in block.value)
    assert command.startswith("python -m analysis ")
    assert f"--backbone={Path(tiny_llama['backbone'])}" in command
    compile(script, page, "exec")
    assert "Download recipe" in downloads(app)
    assert files.VERSION == 1


@pytest.mark.slow
@pytest.mark.weights
def test_the_tour_can_be_taken_again() -> None:
    app = opened()
    press(app, "No, thanks")
    assert "Stop 1" not in shown(well(app))
    press(app, "Take the tour")
    assert "Stop 1" in shown(well(app))
    assert not [button for button in app.button if button.label == "Take the tour"]
