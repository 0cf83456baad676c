"""How pages show things: sentences instead of tracebacks, progress, figures with their tables.

Every figure has its table below it, and both can be exported: the table as CSV, the figure as an
HTML page that needs no network, or as PNG or SVG by the camera in its corner (``browser.js`` puts
its title and source on the picture).
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from analysis.errors import ExplorerError
from analysis.figures import theme
from analysis.figures.html_page import figure_page
from analysis.recipes import files, scripts
from analysis.recipes.recipe import Recipe
from analysis.runtime import hosting, request_log
from analysis.runtime.paths import program
from pages.shared import downloads

_PRIMARY_TEXT = """<style>
button[kind=primary], button[kind=primary] *, [data-tag], [data-tag] *
{ color: light-dark(#ffffff, #111111) !important; }
</style>"""
"""Streamlit writes white on the primary colour, which in the dark is a light one.

The browser chooses, as Streamlit does not run a page again where the theme changes.
"""


_FIGURE_TEXT = """<style>
[data-testid=stPlotlyChart] text[style*="fill: rgb(128, 132, 149)"] { fill: #5b5f6d !important; }
</style>"""
"""Streamlit's grey for the text of figures is too light on a light page for some readers."""


_SPACING = """<style>
[data-testid=stMainBlockContainer] { padding-top: 2rem; }
.st-key-about { margin: -1.25rem 2rem -0.75rem 0; }
.st-key-tour_box { margin-top: 0.75rem; }
.st-key-about a { color: inherit !important; text-decoration: underline; }
[data-testid=stHeader] { background: none; }
:is([data-testid=stHeader], [data-testid=stToolbar]) { pointer-events: none; }
[data-testid=stHeader] :is(button, a) { pointer-events: auto; }
@media (max-width: 640px) {
    [data-testid=stMainBlockContainer] { padding-top: 4.5rem; }
    .st-key-about { margin-right: 0; }
    [data-testid=stHeader] { background: inherit; }
    .st-key-document_text table { display: block; overflow-x: auto; }
}
</style>"""
"""The title near the top, the menu beside the line above it; on a telephone below the menu, and a
document's wide tables in frames of their own."""


_FIGURES = """<style>
[class*="st-key-Right-map"] .legend { visibility: hidden; }
@media (max-width: 640px) {
    :is([class*="st-key-Left-map"], [class*="st-key-Right-map"]) .modebar-container {
        top: 22px !important;
    }
}
@media (hover: none) {
    .js-plotly-plot:not(:hover) .modebar { opacity: 0 !important; pointer-events: none; }
}
</style>"""
"""One legend serves both maps (``browser.js`` hides in both what is hidden in one). A figure's
buttons lie below the title of a narrow map, and show on a telephone once the figure is tapped."""


_SOURCE = "what the figures are of"


def say_source(text: str) -> None:
    """What the figures that follow on the page are of; their pictures say it under the title."""
    st.session_state[_SOURCE] = text


def apply_styles() -> None:
    """Make text legible on the primary colour and in figures, and the space above titles small.

    No selector asks what an element holds: with one, a browser styles the page anew for every
    label that Plotly measures, which took 16 of the 25 seconds that a page of figures needed.
    """
    st.html(_PRIMARY_TEXT + _FIGURE_TEXT + _FIGURES + _SPACING)


Markdown: TypeAlias = str
"""A text that is Markdown: written in the code, or made plain by :func:`escaped`."""
_LARGE = 2
"""The size from which a column of numbers is shown with one decimal."""
VIEW: Markdown = "Share or reproduce this view"
_JOINER = "\u2060"
"""A word joiner, which is not seen."""
_REWRITTEN = re.compile(
    # links are made of addresses,
    r"(?<=http)(?=s?://)|(?<=www)(?=\.)|(?<=@)(?=[\w-])"
    # icons, pictographs and Streamlit's logo of words between colons,
    r"|(?<=:)(?=[\w+-]+:)"
    # arrows and dashes of signs that stand alone.
    r"|(?<=(?<!\S)-)(?=[->](?!\S))|(?<=(?<!\S)[<>~])(?=[=-]>?(?!\S))",
    re.IGNORECASE,
)
"""Where a text is cut so that Streamlit does not rewrite it, which it does after it has read the
escapes of Markdown."""


def escaped(text: object) -> Markdown:
    """Anything as Markdown that shows it as it is written: no picture, link, formula or icon.

    The one door through which names, texts and messages reach a page.
    """
    lines = (line.strip() for line in hosting.without_paths(str(text)).splitlines())
    cut = _REWRITTEN.sub(_JOINER, "\n".join(lines))
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", cut)


@contextmanager
def errors_stop_page() -> Iterator[None]:
    """Show an error that a person can solve as its sentence, and stop this run there."""
    try:
        yield
    except ExplorerError as error:
        request_log.note(outcome="refused", error=type(error).__name__)
        st.error(escaped(str(error)))
        st.stop()


@contextmanager
def errors_skip_section() -> Iterator[None]:
    """Show an error that a person can solve as its sentence, and skip this section of the page."""
    try:
        yield
    except ExplorerError as error:
        st.warning(escaped(str(error)))


def refusal(error: ExplorerError, counts: str = "", at: Any = st) -> None:
    """Show beside a field why its value is refused, and what counts in its place."""
    request_log.note(outcome="refused", error=type(error).__name__)
    at.error(escaped(f"{error} {counts}"))


def figure(
    figure: go.Figure,
    table: pd.DataFrame,
    name: str,
    *,
    on_select: Any = "ignore",
    selection_mode: Any = ("points", "box", "lasso"),
) -> Any:
    """Show a figure with its table folded below it; returns what is selected in the figure.

    ``name`` is the title of its table, its downloads and its description for screen readers, and
    is used once on a page. ``on_select`` and ``selection_mode`` are Streamlit's; the selection is
    kept under ``name``.
    """
    selected = chart(figure, name, on_select=on_select, selection_mode=selection_mode)
    folded_table(name, lambda: table, partial(figure_page, figure, name))
    return selected


def folded_table(
    name: str,
    table: Callable[[], pd.DataFrame],
    page: Callable[[], str] | None = None,
) -> None:
    """A table folded under its name, with its download and its figure's as an HTML page."""
    with folded(f"Table: {name}") as opened:
        if opened:
            rows = table()
            st.dataframe(rows, hide_index=True, key=f"table {name}", column_config=_rounded(rows))
            downloads.buttons(name, rows, page)


def _rounded(table: pd.DataFrame) -> dict[str, Any]:
    """One decimal on the screen for columns of scores and other large numbers; files keep all."""
    return {
        str(name): st.column_config.NumberColumn(format="%.1f")
        for name, column in table.items()
        if pd.api.types.is_float_dtype(column) and column.abs().max() >= _LARGE
    }


@contextmanager
def folded(label: str, key: str | None = None) -> Iterator[bool]:
    """An expander, and whether it is open. Fill it only then, so that pages open sooner.

    With a ``key``, the address says under it whether it is open.
    """
    bind: Any = "query-params" if key else None
    expander = st.expander(escaped(label), key=key or f"open {label}", on_change="rerun", bind=bind)
    with expander:
        yield bool(expander.open)


def chart(
    figure: go.Figure,
    name: str,
    *,
    key: str | None = None,
    on_select: Any = "ignore",
    selection_mode: Any = ("points", "box", "lasso"),
) -> Any:
    """A figure without its table; ``key`` where one name is drawn again and again."""
    meta = {"title": name, "source": st.session_state.get(_SOURCE, "")}
    meta = {key: theme.escaped(text) for key, text in meta.items()}
    figure.update_layout(meta={**(figure.layout.meta or {}), **meta})
    kind, scale = downloads.PICTURES[st.session_state.get("picture", downloads.PICTURE)]
    return st.plotly_chart(
        figure,
        key=key or name,
        alt=name,
        on_select=on_select,
        selection_mode=selection_mode,
        config={
            "displaylogo": False,
            "toImageButtonOptions": {
                "format": kind,
                "scale": scale,
                "filename": downloads.file_name(name),
            },
        },
    )


def reproduce(recipe: Recipe, label: Markdown = VIEW) -> None:
    """Offer this view as a link, a command, a Python script and a recipe file.

    A section of a page that has a question of its own has another ``label``.
    """
    if label == VIEW:
        request_log.note(**recipe.spec.log_facts())
    with folded(label) as opened:
        if opened:
            _ways_to_reproduce(recipe, pictures=label == VIEW)


def _ways_to_reproduce(recipe: Recipe, *, pictures: bool) -> None:
    # Without a language: the highlighter's colours are too pale on the light ground.
    st.markdown(
        "**By a link**: copy the address bar. It holds every choice of this view, but no text "
        "that was typed or uploaded. **In a terminal**, in the project's folder:"
    )
    command_and_script(recipe)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "Download recipe",
            lambda: files.write(recipe),
            f"{recipe.command}.yaml",
            "application/yaml",
            on_click="ignore",
            help=f"A file for `{program()} run` that explains each choice. The page *Studies* "
            "opens it.",
        )
        if pictures:
            st.segmented_control(
                "Save figures as",
                list(downloads.PICTURES),
                default=downloads.PICTURE,
                required=True,
                key="picture",
                persist_state="session",
                help="The camera in the corner of a figure saves it with its title, the backbone, "
                "the precision, the corpus and the number of items.",
            )


def command_and_script(recipe: Recipe) -> None:
    """Show a recipe as a command and as a Python script, and what it needs."""
    if recipe.about:
        st.markdown(escaped(recipe.about))
    st.code(recipe.command_line(), language=None, wrap_lines=True)
    st.markdown("**In Python**:")
    st.code(scripts.python(recipe), language=None, wrap_lines=True)


def signed(value: float) -> str:
    """A change with its sign, one decimal."""
    return f"{value:+.1f}" if math.isfinite(value) else "undefined"
