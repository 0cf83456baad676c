"""The two sentences of the page on causal limits: ready examples, and sentences of one's own."""

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from pages.shared import display, valid_values
from pages.shared.example_sentences import EXAMPLES
from pages.shared.questions import CAUSAL

T = TypeVar("T")
OWN = "your own sentences"
"""What the menu of examples says while the sentences are those of none."""
_KEYS = ("causal_first", "causal_second")


def choose_example(at: Any) -> None:
    """Show the menu of examples in a place; choosing one fills in its sentences."""
    state = st.session_state
    chosen = state.get("example")
    if chosen is None and (texts := _texts()) is not None:  # as a recipe gives them
        state.example = chosen = next((name for name in EXAMPLES if _of(name) == texts), OWN)
    if chosen is not None and (chosen not in EXAMPLES or _texts() not in (None, _of(chosen))):
        state.example = chosen = OWN if _texts() else next(iter(EXAMPLES))
    at.selectbox(
        "Example",
        [*EXAMPLES, *([OWN] if chosen == OWN else [])],
        key="example",
        on_change=_fill_in,
        bind=None if chosen == OWN else "query-params",
        persist_state="session",
        width=320,
    )
    if _texts() is None or state.example not in (chosen, OWN):  # the latter by going back
        _fill_in()


def choose(compare: Callable[[str, str], T], at: Any) -> tuple[tuple[str, str], T]:
    """Show the fields of both sentences in a place; returns both, and what ``compare`` finds.

    While they are refused, the last valid ones stay, or else those of the first example.
    """
    left, right = columns = at.columns(2)
    CAUSAL.show("first", left)
    CAUSAL.show("second", right)
    compared = valid_values.computed(_KEYS, compare, *_of(next(iter(EXAMPLES))), at=at)
    texts = valid_values.value(_KEYS[0]), valid_values.value(_KEYS[1])
    example = EXAMPLES.get(st.session_state.example)
    if example and example.gloss and texts == _of(example.label):
        for column, gloss in zip(columns, example.gloss, strict=True):
            column.markdown(f"*{display.escaped(gloss)}*")
    return texts, compared


def _of(name: str) -> tuple[str, str]:
    return EXAMPLES[name].first, EXAMPLES[name].second


def _texts() -> tuple[str, str] | None:
    """The sentences in the fields; None before they are shown first."""
    first, second = (st.session_state.get(key) for key in _KEYS)
    return None if first is None or second is None else (first, second)


def _fill_in() -> None:
    st.session_state.update(zip(_KEYS, _of(st.session_state.example), strict=True))
