"""Linked maps: what is selected in one is selected in the other, or found by a search.

A map that is drawn anew loses its box and its place, so the one that a selection was made in is
left as it is (it fades the others by itself) and only the other is drawn with the selection in it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from analysis.figures.spaces import DRAGGING
from analysis.storage import result_store
from pages.shared import display
from pages.shared.map_colours import COLOURS

Rows = tuple[int, ...]


def picked(event: Mapping[str, Any] | None) -> Rows:
    """The rows that a selection event of a map holds in its points' ``customdata``, in order."""
    points = event["selection"]["points"] if event else []
    found = (point["customdata"] for point in points)
    return tuple(sorted({int(row[0] if isinstance(row, list) else row) for row in found}))


def hits(texts: Sequence[str], sought: str) -> Rows:
    """The rows of the texts that hold ``sought``, whatever the case."""
    folded = sought.casefold()
    return tuple(row for row, text in enumerate(texts) if folded in text.casefold())


def choose(texts: Sequence[str]) -> tuple[Rows, str, str]:
    """The widgets above the maps: the rows selected of ``texts``, colours, what dragging does."""
    state = st.session_state
    if state.get("space_of") != (of := result_store.digest(list(texts))):
        state.space_of, state.space_rows = of, ()
    a, b, c, d = st.columns([3, 2, 2, 2], vertical_alignment="bottom")
    sought = a.text_input("Search the texts", key="space_search", on_change=_mark, args=((),))
    by = b.selectbox(
        "Colour",
        list(COLOURS),
        key="space_colour",
        bind="query-params",
        help="; ".join(f"*{name}*: {meaning}" for name, meaning in COLOURS.items()) + ".",
    )
    dragging = c.segmented_control(
        "Dragging on a map",
        list(DRAGGING),
        default="box",
        required=True,
        key="dragging",
        help="*box* and *lasso* select what they enclose; with *move*, a click selects one text.",
    )
    rows: Rows = hits(texts, sought) if sought else state.space_rows
    d.button("Clear the selection", on_click=_clear, disabled=not (sought or rows))
    return rows, by, str(dragging)


def show(
    side: str, draw: Callable[[Rows], go.Figure], same: Sequence[Any], rows: Rows, name: str
) -> None:
    """One of the maps with ``rows`` selected; ``draw`` draws it, and equally while ``same`` is."""
    state = st.session_state
    key = f"{side} map {result_store.digest(list(same), state.get('space_fresh', 0))}"
    drawn: dict[str, Rows] = state.setdefault("space_drawn", {})
    if not rows or picked(state.get(key)) != rows:
        drawn[side] = rows
    display.chart(draw(drawn[side]), name, key=key, on_select=partial(_select, key))


def table(name: str, found: pd.DataFrame, rows: Rows, *, selects: bool, **more: Any) -> None:
    """A table of texts, its index the row ids; a click on a row looks at its text.

    With ``selects``, the text also becomes the selection, in place of ``rows``.
    """
    key = f"{name} {result_store.digest(rows)}"
    st.dataframe(
        found,
        hide_index=True,
        key=key,
        on_select=partial(_look, key, found.index.tolist(), selects),
        selection_mode="single-row",
        **more,
    )


def _select(key: str) -> None:
    event = st.session_state[key]
    enclosed = event["selection"]["box"] or event["selection"]["lasso"]
    _clear() if enclosed and not picked(event) else _mark(picked(event))
    st.session_state.space_search = ""


def _look(key: str, ids: Sequence[int], selects: bool) -> None:
    clicked = tuple(ids[i] for i in st.session_state[key]["selection"]["rows"])
    if selects:
        _mark(clicked)
        st.session_state.space_search = ""
    st.session_state.space_look = clicked[0] if clicked else None


def _clear() -> None:
    """Nothing is selected or sought, and both maps are drawn anew, without their boxes."""
    _mark(())
    st.session_state.space_search = ""
    st.session_state.space_fresh = st.session_state.get("space_fresh", 0) + 1


def _mark(rows: Rows) -> None:
    st.session_state.space_rows, st.session_state.space_look = rows, None
