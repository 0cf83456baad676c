"""How a page begins: its question, the place of its progress, and the choices at the side."""

from contextlib import AbstractContextManager, nullcontext

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.shared import display, plan_fields, progress, questions, session, sidebar, tour
from pages.shared.display import Markdown

WITHOUT_CHOICES = ("studies", "diagnostics", "documentation")
"""Pages that no choice of the sidebar concerns; they open whatever is wrong with the choices."""
WITH_PAIRS = ("causal_limits", "intrinsic_dimension", "rerouting", "layer_ablation")
"""Pages that score rated pairs chosen in the sidebar; Similarity chooses its corpus itself."""
PAGE = "page"
"""Key of the file name of the page that runs."""


def page_header(question: Markdown, look_at: Markdown) -> None:
    """Show a page's question as its title and what to look at, and then what may take time."""
    session.run_by_entry()
    st.title(question)
    st.markdown(look_at)
    choices()


def _as_the_entry_file() -> AbstractContextManager[None]:
    """Widgets inside are those of all pages: Streamlit forgets a page's own when one leaves it."""
    context = get_script_run_ctx()
    if context is None:
        return nullcontext()
    return context.run_with_active_hash(context.pages_manager.main_script_hash)


def choices() -> None:
    """Show the choices at the side, and load the backbone; call it after the title."""
    progress.open_place()
    display.say_source("")
    name = st.session_state[PAGE]
    if name in WITHOUT_CHOICES:
        return
    with display.errors_stop_page(), _as_the_entry_file(), st.sidebar:
        sidebar.choose_backbone()
        plan_fields.choose_plan()
        plan_fields.choose_method_options()
        if name in WITH_PAIRS:
            questions.REROUTING.show("corpus")
        tour.offer_again(name)
