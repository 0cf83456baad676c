"""How pages show things: sentences instead of tracebacks, progress, figures with their tables.

Every figure has its table beside it, and both can be taken along: the table as CSV, the figure as
a page that needs no network, or as PNG or SVG by the camera in its corner.
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from analysis.errors import ExplorerError
from analysis.recipes import files, scripts
from analysis.recipes.recipe import Recipe
from analysis.runtime import request_log
from analysis.runtime.events import heard
from analysis.runtime.paths import program
from pages.shared import downloads

_ON_PRIMARY = """<style>
button[kind=primary], button[kind=primary] *, [data-tag], [data-tag] *
{ color: light-dark(#ffffff, #111111) !important; }
</style>"""
"""Streamlit writes white on the primary colour, which in the dark is a light one.

The browser chooses, as Streamlit does not run a page again where the theme changes.
"""


_NO_RAW_CSV = """<style>
button[kind=elementToolbar][aria-label^="Download as CSV"] { display: none; }
</style>"""
"""Streamlit's own CSV of a table is not made safe for spreadsheets; ours is, see ``csv``."""


_OF_FIGURES = """<style>
[data-testid=stPlotlyChart] text[style*="fill: rgb(128, 132, 149)"] { fill: #5b5f6d !important; }
</style>"""
"""Streamlit's grey for the words of figures on a light page is too light to be read by all."""


def apply_styles() -> None:
    """Letters that stand out on their colours and in figures, and no unsafe CSV at any table.

    No selector asks what an element holds: with one, a browser styles the page anew for every
    label that Plotly measures, which took 16 of the 25 seconds that a page of figures needed.
    """
    st.html(_NO_RAW_CSV + _ON_PRIMARY + _OF_FIGURES)


def escaped(text: str) -> str:
    """A person's text as Markdown that shows it as it is: no pictures, links or formulas in it."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)


@contextmanager
def errors_stop_page() -> Iterator[None]:
    """Show what a person can solve as its sentence, and stop this run there."""
    try:
        yield
    except ExplorerError as error:
        request_log.note(outcome="refused", error=type(error).__name__)
        st.error(escaped(str(error)))
        st.stop()


@contextmanager
def show_notices() -> Iterator[None]:
    """Show what the library tells while it works: a place in a queue, batches in halves."""
    queue = st.empty()

    def wait(place: int, what: str) -> None:
        if place:
            queue.info(f"In the queue for {what}: place {place}. Everyone's work takes turns.")
        else:
            queue.empty()

    with heard(st.warning, wait):
        yield


@contextmanager
def errors_skip_section() -> Iterator[None]:
    """Show what a person can solve as its sentence, and go on without this part of the page."""
    try:
        yield
    except ExplorerError as error:
        st.warning(escaped(str(error)))


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar that appears with the first batch and goes when the work is done."""
    place = st.empty()

    def show(done: int, whole: int) -> None:
        place.progress(done / whole, f"{label}: {done:,} of {whole:,}")

    yield show
    place.empty()


def figure(
    drawn: go.Figure,
    table: pd.DataFrame,
    name: str,
    *,
    on_select: Any = "ignore",
    selection_mode: Any = ("points", "box", "lasso"),
) -> Any:
    """A figure with its table folded away below it; what is selected in it, where that is asked.

    ``name`` is its title for the table, downloads and screen readers, unlike any other's on the
    page; ``on_select`` and ``selection_mode`` are Streamlit's, the state is kept under ``name``.
    """
    selected = chart(drawn, name, on_select=on_select, selection_mode=selection_mode)
    folded_table(name, lambda: table, lambda: drawn.to_html(include_plotlyjs=True, div_id="figure"))
    return selected


def folded_table(
    name: str,
    table: Callable[[], pd.DataFrame],
    page: Callable[[], str] | None = None,
) -> None:
    """A table folded away under its name, with its download and that of its figure as a page."""
    with folded(f"Table: {name}") as opened:
        if opened:
            made = table()
            st.dataframe(made, hide_index=True, key=f"table {name}")
            downloads.buttons(name, made, page)


@contextmanager
def folded(label: str) -> Iterator[bool]:
    """An expander, and whether it is open; only then need it be filled, so pages open sooner."""
    expander = st.expander(label, key=f"open {label}", on_change="rerun")
    with expander:
        yield bool(expander.open)


def chart(
    drawn: go.Figure,
    name: str,
    *,
    key: str | None = None,
    on_select: Any = "ignore",
    selection_mode: Any = ("points", "box", "lasso"),
) -> Any:
    """A figure alone, as while it fills in; ``key`` where one name is drawn again and again."""
    return st.plotly_chart(
        drawn,
        key=key or name,
        alt=name,
        on_select=on_select,
        selection_mode=selection_mode,
        config={
            "displaylogo": False,
            "toImageButtonOptions": {
                "format": st.session_state.get("picture", downloads.PICTURES[0]),
                "filename": downloads.file_name(name),
            },
        },
    )


def reproduce(recipe: Recipe) -> None:
    """How this view is had again: by its link, in a terminal, from a script or from a file."""
    request_log.note(**recipe.spec.log_facts())
    with folded("Take this view along") as opened:
        if opened:
            _spellings(recipe)


def _spellings(recipe: Recipe) -> None:
    # Without a language: the highlighter's colours are too pale on the light ground.
    st.markdown(
        "**As a link**: the address bar holds all choices of this view; what was typed or "
        "uploaded stays out of it. **In a terminal**, in the project's folder:"
    )
    st.code(recipe.command_line(), language=None, wrap_lines=True)
    st.markdown("**From a script**:")
    st.code(scripts.python(recipe), language=None, wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "Download recipe",
            lambda: files.write(recipe),
            f"{recipe.command}.yaml",
            "application/yaml",
            on_click="ignore",
            help=f"A file for `{program()} run`, each choice with what it means. The page *Studies* "
            "opens it again.",
        )
        st.segmented_control(
            "The camera in a figure's corner saves",
            downloads.PICTURES,
            default=downloads.PICTURES[0],
            required=True,
            key="picture",
            persist_state="session",
        )


def signed(value: float) -> str:
    """A change with its sign, one decimal."""
    return f"{value:+.1f}" if math.isfinite(value) else "undefined"
