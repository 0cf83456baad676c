"""A link holds the whole view: every widget of every page comes back in a fresh browser."""

import ast
from importlib import import_module
from typing import Any

import pytest
import streamlit
from streamlit.util import AttributeDictionary

from analysis.experiments.specs import Score
from analysis.recipes import files
from analysis.recipes.recipe import Recipe
from pages.shared.page_question import SIDEBAR
from pages.shared.questions import KINDS, PAGES, open_page
from tests.support.visits import ROOT, opened, turn_to, well

WIDGETS = {
    *("checkbox", "multiselect", "number_input", "pills", "radio", "segmented_control"),
    *("select_slider", "selectbox", "slider", "tabs", "text_area", "text_input", "toggle"),
}
DERIVED = {"switches"}
"""Keys of widgets that show another one's value."""
OWN = {
    *("backbone_typed", "causal_first", "causal_second", "compose_template", "gate_text"),
    *(
        "line",
        "own_first",
        "self.key",
        "own_prompts",
        "own_second",
        "picture",
        "point",
        "space_query",
        "space_tag",
    ),
    "vectors_shown",
}
"""Keys of widgets whose value stays in the visit: own texts, and what is about a file of one's own.
``line`` is the variable of a field for another backbone, which the menu above it takes over, and
``self.key`` that of an own text of a question."""


def calls() -> list[tuple[str, ast.Call, dict[str, str]]]:
    """Each widget of the pages that has a key: where it stands, and its arguments."""
    found = []
    for path in sorted((ROOT / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                given = {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg}
                if node.func.attr in WIDGETS and "key" in given:
                    found.append((f"{path.name}:{node.lineno}", node, given))
    return found


def test_every_widget_is_in_the_address_or_kept_in_the_visit() -> None:
    assert len(calls()) > 30
    for where, _, given in calls():
        key = given["key"].strip("'")
        if (key in OWN and "bind" not in given) or "file_id" in key or "{place}" in key:
            assert "session" in given["persist_state"], f"{where}: {key} is lost on another page"
            assert "bind" not in given, f"{where}: {key} would enter the address"
        elif key not in DERIVED:
            assert "query-params" in given.get("bind", ""), f"{where}: {key} is not in the link"


NOT_IN_RECIPES = dict.fromkeys(("study", "document"), "its page has no question of its own")
"""Bound keys that are in no recipe, and why."""
PASSED_ON = {
    ("corpus_picker.py", "kind"),  # CorpusControl writes both of its keys
    ("corpus_picker.py", "key"),
    ("similarity_sections.py", "key"),  # measure_ and the kind of corpus
    ("word_sections.py", "key"),  # word_method and words_method
    ("display.py", "key or f'open {label}'"),  # what calls ``folded`` with a key
}
"""Keys that are variables, by file; those that are handed on are named where they are chosen."""


def bound_keys() -> list[tuple[str, str, str]]:
    """Each key that a page binds to the address: where it stands, its file, and its expression."""
    found = []
    for path in sorted((ROOT / "pages").rglob("*.py")):
        module = (
            import_module(f"pages.shared.{path.stem}") if path.parent.name == "shared" else None
        )
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            given = {k.arg: k.value for k in node.keywords if k.arg}
            key = given.get("key")
            if node.func.attr == "folded":
                key = key or (node.args[1] if len(node.args) > 1 else None)
            elif "bind" not in given:
                continue
            if isinstance(key, ast.Name) and key.id.isupper():
                key = ast.Constant(getattr(module, key.id))
            if key is not None:
                written = key.value if isinstance(key, ast.Constant) else ast.unparse(key)
                found.append((f"{path.name}:{node.lineno}", path.name, str(written)))
    return found


def in_recipes() -> set[str]:
    """The keys that a recipe of some page holds: its question's, and those of its view."""
    keys = {control.key for control in SIDEBAR.controls}
    for page in PAGES.values():
        keys.update(page.view, page.own)
        for control in page.controls:
            keys.update(getattr(control, "keys", [control.key]))
    return keys


def test_every_key_in_the_address_is_in_the_recipes_too() -> None:
    known, found = in_recipes() | set(NOT_IN_RECIPES), bound_keys()
    assert len(found) > 25
    for where, file, key in found:
        if (file, key) in PASSED_ON:
            continue
        if key.startswith("f'"):  # such as compose_{...}
            start = key[2:].partition("{")[0]
            assert sum(each.startswith(start) for each in known) > 3, f"{where}: {key}"
        else:
            assert key in known, f"{where}: {key} is missing in Page.view"


def test_own_texts_are_in_recipes_and_stay_out_of_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = {"own_first": "a private text", "compose_template": "{text}, privately"}
    view = {"page": "similarity", "similarity_tab": "Prompts", "prompt_methods": ["mean"], **kept}
    recipe = files.read(files.write(Recipe(Score(method=("mean",)), view=view)))
    state = AttributeDictionary({"backbone": "smollm2"})
    monkeypatch.setattr(streamlit, "session_state", state)
    open_page(recipe)
    assert {key: state[key] for key in view if key != "page"} == {
        key: value for key, value in view.items() if key != "page"
    }
    page, link = state["opened"]
    assert page == "similarity"
    assert link["similarity_tab"] == "Prompts"
    assert link["prompt_methods"] == ["mean"]
    assert "private" not in str(link)


def other(widget: Any) -> Any:
    """A value of a widget that it does not have now, as a link writes it; None where it has one."""
    options: Any = getattr(widget, "options", None)
    now = widget.value
    match widget.type:
        case "toggle" | "checkbox":
            return "false" if now else "true"
        case "multiselect":
            return [str(option) for option in options[-2:] if option not in now] or None
        case "selectbox" | "radio" | "segmented_control" | "button_group":
            rest = [str(option) for option in options if option != now]
            return rest[-1] if rest else None
        case "number_input" | "slider":
            low, high = (widget.min, widget.max)
            number = low if now in (None, high) or now != low else high
            return None if number is None else str(number)
    return None


LABELS = {**KINDS, "last": "last token", "all": "all tokens"}
"""How the address writes values that it does not write as they are."""
LEFT = {"backbone", "dtype", "heads", "pairs", "presenter", "key_position"}
"""Widgets that decide which others there are, or what is loaded; they have tests of their own."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "sections"),
    [
        ("causal_limits", {}),
        ("intrinsic_dimension", {}),
        ("rerouting", {"heads_open": "true"}),
        ("embedding_space", {}),
        ("similarity", {"compose": "true"}),
        ("similarity", {"similarity_tab": "Comparisons"}),
        ("layer_ablation", {}),
    ],
)
def test_every_choice_comes_back_in_a_fresh_browser(
    page: str, sections: dict[str, str], tiny_llama: dict[str, str]
) -> None:
    app = well(opened(page, **tiny_llama, **sections))
    kinds = ("toggle", "selectbox", "radio", "segmented_control", "number_input", "slider")
    widgets = [w for kind in kinds for w in app.get(kind) if getattr(w, "key", None)]
    link: dict[str, Any] = {
        str(w.key): value
        for w in widgets
        if w.key not in {*LEFT, *sections, *DERIVED} and (value := other(w)) is not None
    }
    assert len(link) > 5
    fresh = opened(page, **tiny_llama, **sections, **link)
    assert not fresh.exception
    held = {key: fresh.session_state[key] for key in link if key in fresh.session_state}
    for key, value in held.items():
        assert _same(value, link[key]), (key, value, link[key])
    assert len(held) >= len(link) - 2, "few widgets depend on the others"
    turn_to(turn_to(fresh, "studies"), page)
    for key, value in held.items():
        assert fresh.session_state[key] == value, f"{key} is lost on leaving the page"


def _same(held: Any, asked: str | list[str]) -> bool:
    if isinstance(held, int | float) and not isinstance(held, bool):
        return float(held) == float(asked)  # type: ignore[arg-type]
    if isinstance(asked, list):
        return [str(each) for each in held] == asked
    return str(held).lower() == asked.lower() or asked in LABELS.values()
