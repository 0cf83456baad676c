"""What a link asks for: cleaned of what no widget can hold, and named where it is not to be had."""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException
from streamlit.runtime.scriptrunner import StopException, get_script_run_ctx

from analysis.errors import quoted
from pages.shared import display

_ASKED, _LABELS = "values in the link", "labels in the address"


def clean() -> None:
    """Remove empty and infinite values from the address when a visit begins.

    An empty value would choose nothing where something must be chosen, and no field holds an
    infinite number. Without them, the widgets have their default values.
    """
    if _ASKED in st.session_state:
        return
    asked = {name: st.query_params.get_all(name) for name in st.query_params}
    st.session_state[_ASKED] = asked
    invalid = [name for name, values in asked.items() if not all(map(_is_valid, values))]
    for name in invalid:
        with contextlib.suppress(StreamlitAPIException):  # a widget already holds it
            del st.query_params[name]
    if invalid:
        st.rerun()  # widgets read the address as it was when the run began


def note_label(key: str, label: str) -> None:
    """Note how the address writes what a widget holds, where that is not the value itself."""
    st.session_state.setdefault(_LABELS, {})[key] = label


@contextlib.contextmanager
def named_at_its_end(place: Any) -> Iterator[None]:
    """At the end of a page, name in ``place`` what of the visit's link its widgets refused."""
    try:
        yield
    except StopException:
        _name_refused(place)
        raise
    _name_refused(place)


def _name_refused(place: Any) -> None:
    state = st.session_state
    asked: dict[str, list[str]] = state.get(_ASKED, {})
    state[_ASKED] = {}
    refused = [
        f"{name}={quoted(', '.join(values))}, for which {_written(state[name])} stands"
        for name, values in asked.items()
        if _is_bound(name)
        and name in state
        and not _holds(values, state[name], state.get(_LABELS, {}).get(name))
    ]
    if refused:
        said = f"The link asks for what cannot be had: {'; '.join(refused)}."
        place.warning(display.escaped(said))


def _is_bound(name: str) -> bool:
    """Whether a widget of the page holds what the address says under a name.

    The visit's state has more names than that: what the tour does, pages that were opened.
    """
    context = get_script_run_ctx()
    if context is None:
        return False
    with context.session_state.query_params() as params:
        return bool(params.is_bound(name))


def _holds(asked: list[str], value: Any, label: str | None) -> bool:
    """Whether a widget holds what the link asks for."""
    if isinstance(value, list | tuple):
        return [str(each) for each in value] == asked
    if isinstance(value, bool):
        return asked[-1].strip().lower() == str(value).lower()
    if isinstance(value, int | float):
        with contextlib.suppress(ValueError):
            return float(asked[-1]) == value
        return False
    return asked[-1] in (str(value), label)


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "none" if value in (None, "") else str(value)


def _is_valid(value: str) -> bool:
    """Whether a value is not empty and, if it is a number, finite."""
    with contextlib.suppress(ValueError):
        return math.isfinite(float(value))
    return bool(value.strip())
