"""Methods that a visit has composed, spelled by their parts; menus of methods offer them too."""

import streamlit as st

from analysis.embedding import method_spelling, named_methods
from analysis.errors import ExplorerError

MOST = 12
"""Most methods that a page compares."""
_KEY = "own_methods"


def offered(key: str) -> list[str]:
    """The composed methods that a menu offers: the visit's, and those of its link or recipe.

    Args:
        key: the menu's key in the session and the address.
    """
    chosen = st.session_state.get(key) or []
    chosen = [chosen] if isinstance(chosen, str) else chosen
    named = [*st.session_state.get(_KEY, []), *chosen, *st.query_params.get_all(key)]
    return [each for each in dict.fromkeys(named) if _is_composed(each)]


def add(spelled: str, key: str) -> None:
    """Offer a method in this visit and choose it in a menu, in place of one of the same name."""
    name = named_methods.method(spelled).name

    def without(spellings: list[str]) -> list[str]:
        return [each for each in spellings if _name(each) != name]

    st.session_state[_KEY] = [*without(st.session_state.get(_KEY, [])), spelled]
    st.session_state[key] = [*without(st.session_state[key]), spelled]


def _name(spelled: str) -> str:
    try:
        return named_methods.method(spelled).name
    except ExplorerError:
        return ""


def _is_composed(value: object) -> bool:
    """Whether a value is a spelling as it is always written."""
    if not isinstance(value, str) or not method_spelling.is_spelling(value):
        return False
    try:
        return method_spelling.spelled(named_methods.method(value)) == value
    except ExplorerError:
        return False
