"""The questions of the pages: a widget holds each option, and gives it back as it was."""

from typing import Any

import pytest
import streamlit
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.util import AttributeDictionary

from analysis.corpora import registry
from analysis.corpora.types import Kind
from analysis.recipes import files
from analysis.recipes.recipe import Recipe
from pages.shared import questions
from pages.shared.controls import (
    Control,
    Menu,
    Menus,
    Number,
    Pair,
    Switch,
    Text,
)
from pages.shared.corpus_picker import CorpusControl
from pages.shared.grid_controls import Axis, Second
from pages.shared.page_question import SIDEBAR, Page

each_page = pytest.mark.parametrize("page", questions.PAGES.values(), ids=questions.PAGES)


def corpora(control: CorpusControl, kind: Kind) -> st.SearchStrategy[dict[str, Any]]:
    """A packaged corpus that is scored, all of it or a part."""
    entries = [e for e in registry.list_corpora() if (e.kind, e.where) == (kind, "packaged")]
    sizes = {entry.name: entry.size for entry in entries}
    full = {name: st.none() if control.sample is None else st.just(sizes[name]) for name in sizes}
    return st.sampled_from(list(sizes)).flatmap(
        lambda name: st.fixed_dictionaries(
            {"corpus": st.just(name), "part": full[name] | st.integers(3, sizes[name] - 1)}
        )
    )


def values(control: Control) -> st.SearchStrategy[Any]:
    """Values of the option that a control holds."""
    match control:
        case Number(low=low, high=high):
            most = high("smollm2") if callable(high) else high
            numbers: st.SearchStrategy[float] = (
                st.integers(low, int(most)) if isinstance(low, int) else st.floats(low, most)
            )
            return st.none() | numbers if control.initial is None else numbers
        case Text(own=own):
            return st.text(min_size=1) if own else st.sampled_from(["none", "1,3", "0-2"])
        case Switch():
            return st.booleans()
        case Pair():
            return st.tuples(*[st.sampled_from(control.names)] * 2)
        case Axis(groups=groups) if groups:
            return st.sampled_from([value for group in groups.values() for value in group])
        case Menus() if not isinstance(control, Axis):
            return st.lists(st.sampled_from(control.names), min_size=1, unique=True).map(tuple)
        case Menu():
            return st.sampled_from(control.names or ["smollm2"])
    raise AssertionError(control)


@st.composite
def specs(draw: st.DrawFn, page: Page[Any]) -> Any:
    """Any question that a page shows."""
    accepted = page.question.options()
    options = dict(page.fixed)
    for control in (*SIDEBAR.controls, *page.controls):
        if isinstance(control, CorpusControl):
            options |= draw(corpora(control, control.kind or options["on"]))
        elif not isinstance(control, Second) and control.option in accepted:
            options[control.option] = draw(values(control))
    if options.get("heads") is not None:
        options["layers"] = "auto"  # heads take their place
    return page.question.read(options)


@each_page
def test_each_option_has_a_widget_or_is_named_as_not_offered(page: Page[Any]) -> None:
    accepted = set(page.question.options())
    held = [o for c in (*SIDEBAR.controls, *page.controls) for o in c.options if o in accepted]
    held += [name for name in {**SIDEBAR.fixed, **page.fixed} if name in accepted]
    assert sorted(held) == sorted(accepted)


@each_page
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_question_comes_back_from_the_widgets_as_it_was(page: Page[Any], data: Any) -> None:
    spec = data.draw(specs(page))
    recipe = files.read(files.write(Recipe(spec, view={"page": page.name})))
    name, state = questions.state(recipe)
    assert name == page.name
    assert page.spec(state) == spec
    assert page.grid(state) == ()


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_curves_come_back_from_the_widgets_as_they_were(data: Any) -> None:
    page = questions.DIMENSION
    state = questions.state(Recipe(data.draw(specs(page))))[1]
    for control in page.controls:
        if isinstance(control, Axis):
            names = st.sampled_from(list(control.groups) or control.names)
            several = names if control.groups else st.lists(names, min_size=1, unique=True)
            state[control.key] = data.draw(several)
        elif isinstance(control, Second):
            state[control.key] = data.draw(st.sampled_from([None, "owner/other"]))
    recipe = Recipe(page.spec(state), page.grid(state))
    assert questions.state(recipe)[1] == state


class Widgets:
    """A place of a page that keeps what Streamlit is told."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, Any]] = {}

    def __getattr__(self, widget: str) -> Any:
        return lambda *_labels, **options: self.shown.update({options["key"]: options})


@each_page
def test_the_address_holds_all_but_own_texts(
    page: Page[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = AttributeDictionary({"backbone": "smollm2"})
    monkeypatch.setattr(streamlit, "session_state", state)
    place = Widgets()
    shown = [c for c in (*SIDEBAR.controls, *page.controls) if not isinstance(c, CorpusControl)]
    for control in shown:
        more = {"options": [control.initial]} if getattr(control, "names", None) == [] else {}
        control.show((place, place) if isinstance(control, Pair) else place, **more)
    own = {control.key for control in shown if isinstance(control, Text) and control.own}
    assert len(place.shown) == len(shown) + sum(isinstance(control, Pair) for control in shown)
    for key, options in place.shown.items():
        assert ("bind" in options) == (key not in own)
