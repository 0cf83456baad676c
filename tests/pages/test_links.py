"""A link holds the whole view: every widget of every page comes back in a fresh browser."""

import ast
from typing import Any

import pytest

from pages.shared.questions import KINDS
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
