"""A recipe that was opened: the page that shows it, or how to run it."""

import streamlit as st

from analysis.errors import ExplorerError
from analysis.recipes import files
from analysis.recipes.recipe import Recipe
from analysis.runtime.paths import program
from pages.shared import display, questions


def show(opened: Recipe) -> None:
    """Show a recipe: the page that shows it, or one of its points, and the command to run it."""
    _show_title(opened)
    chosen = opened
    try:
        questions.state(opened)
    except ExplorerError:
        if not opened.grid:
            raise
        points = opened.points()
        names = {
            ", ".join(f"{axis} {point.spec.values()[axis]}" for axis in opened.axes): point
            for point in points
        }
        st.markdown(f"A grid of {len(points):,} points. A page shows one of them.")
        chosen = names[
            st.selectbox("Point of the grid", list(names), key="point", persist_state="session")
        ]
        questions.state(chosen)
    page, _ = questions.state(chosen)
    st.button(
        f"Open the page {display.escaped(page.replace('_', ' '))}",
        on_click=questions.open_page,
        args=(chosen,),
        type="primary",
    )
    st.markdown("**Or run it**, in the project's folder:")
    st.code(f"{program()} run recipe.yaml --output results", language=None, wrap_lines=True)
    with st.expander("Show the recipe"):
        st.code(files.write(opened), language=None, wrap_lines=True)


def _show_title(titled: Recipe) -> None:
    if titled.title:
        st.header(display.escaped(titled.title))
    if titled.about:
        st.markdown(display.escaped(titled.about))
