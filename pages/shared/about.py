"""What the app is: a line above each page, and what its menu tells."""

import streamlit as st
from streamlit.commands.page_config import MenuItems

from analysis import __version__

PAPER = "https://arxiv.org/abs/2601.01046"
"""The paper whose method is re-implemented."""
_SENTENCE = (
    "turns frozen decoder-only language models into text embedders without training, and measures "
    "how good they are."
)
_LINKS = f"[Paper]({PAPER}) [Documentation](documentation)"
MENU: MenuItems = {
    "About": f"**KV-Embedding Explorer {__version__}** {_SENTENCE} It re-implements *KV-Embedding* "
    f"([Tang & Yang, ACL 2026]({PAPER})) from its abstract and public descriptions; it is not by "
    "its authors. Licence: Apache-2.0."
}
"""Streamlit's menu, which also chooses between light, dark and the system's colours."""


def show() -> None:
    """Say in one line above the page what the app is, with links."""
    with st.container(key="about"):
        st.caption(f"**KV-Embedding Explorer** {_SENTENCE} {_LINKS}")
