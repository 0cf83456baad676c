"""The field of a backbone: a menu of those offered, and a line to type any other one in."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from analysis.runtime import hosting
from pages.shared import valid_values
from pages.shared.controls import Control

ANY = (
    "A Hugging Face id (owner/name or owner/name@revision), the path of a folder, or that of a "
    ".gguf file."
)
"""What may be typed."""


def choose(
    control: Control, offered: Sequence[str], check: Callable[[], object], **more: Any
) -> None:
    """Show the menu and the line of a backbone, and check what is chosen.

    Args:
        control: the menu's.
        offered: the names in the menu. What is typed, or stands in the link, is added to them.
        check: checks the choice, between the menu and the line; see :func:`valid_values.check`.
        more: goes to the menu.
    """
    key = control.key
    named = [st.session_state.get(key), *st.query_params.get_all(key)]
    help_text = "This server offers these backbones." if hosting.hosted() else "Packaged models, "
    if not hosting.hosted():
        help_text += "and those of the paper. Any other is typed below."
    names = dict.fromkeys([*offered, *filter(None, named)])
    control.show(st, options=names, help=help_text, **more)
    place = st.container()
    check()
    if hosting.hosted():
        return
    line = f"{key}_typed"
    if st.session_state.get(line) == valid_values.value(key):
        st.session_state[line] = ""  # it stands in the menu now; what was refused stays
    place.text_input(
        "Another backbone",
        key=line,
        persist_state="session",
        on_change=_use_typed,
        args=(key, line),
        placeholder="owner/name, folder or .gguf file",
        help=ANY,
    )


def _use_typed(key: str, line: str) -> None:
    if typed := st.session_state[line].strip():
        st.session_state[key] = typed
