"""Two linked maps: a selection on one, or the hits of a search, is highlighted on both.

A map that is redrawn loses its selection box and its zoom. So the map in which texts were selected
is left as it is (Plotly fades the others), and only the other map is redrawn with the selection.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analysis.figures.spaces import DRAGGING
from analysis.storage import result_store
from pages.shared import display, map_tags
from pages.shared.map_colours import COLOURS

Rows = tuple[int, ...]


def selected_rows(event: Mapping[str, Any] | None) -> Rows:
    """The rows of a selection event, from its points' ``customdata``, in order.

    A text of one's own has none.
    """
    points = event["selection"]["points"] if event else []
    rows = (point["customdata"] for point in points if point.get("customdata") is not None)
    return tuple(sorted({int(row[0] if isinstance(row, list) else row) for row in rows}))


def search(texts: Sequence[str], words: str) -> Rows:
    """The rows of the texts that contain ``words``, ignoring case."""
    folded = words.casefold()
    return tuple(row for row, text in enumerate(texts) if folded in text.casefold())


def choose(
    texts: Sequence[str], bar: Sequence[DeltaGenerator], more: DeltaGenerator
) -> tuple[Rows, str, str]:
    """Show the widgets above the maps; returns the selected rows, the colouring, the drag mode.

    Args:
        texts: the texts of the maps.
        bar: places for the colouring and the search.
        more: a place for the drag mode.
    """
    state = st.session_state
    if state.get("space_of") != (digest := result_store.digest(list(texts))):
        state.space_of, state.space_rows = digest, ()
        map_tags.forget()
    words = bar[1].text_input(
        "Search the texts", key="space_search", on_change=_select, args=((),), bind="query-params"
    )
    colouring = bar[0].selectbox(
        "Colour by",
        list(COLOURS),
        key="space_colour",
        bind="query-params",
        help="; ".join(f"*{name}*: {meaning}" for name, meaning in COLOURS.items()) + ".",
    )
    dragging = more.segmented_control(
        "Drag to",
        list(DRAGGING),
        default="box",
        required=True,
        key="dragging",
        bind="query-params",
        wrap=True,
        help="*box* and *lasso* select the texts inside; *move* shifts the map, and a click "
        "selects a text.",
    )
    rows: Rows = search(texts, words) if words else state.space_rows
    return rows, colouring, str(dragging)


def clear_button(place: DeltaGenerator, rows: Rows) -> None:
    """Offer to clear selection and search."""
    searching = bool(st.session_state.space_search)
    place.button("Clear selection", on_click=_clear, disabled=not (searching or rows))


def show(
    side: str, draw: Callable[[Rows], go.Figure], same: Sequence[Any], rows: Rows, name: str
) -> None:
    """Show a map with ``rows`` selected; ``draw`` draws it, the same as long as ``same`` is."""
    state = st.session_state
    key = f"{side} map {result_store.digest(list(same), state.get('space_fresh', 0))}"
    drawn: dict[str, Rows] = state.setdefault("space_drawn", {})
    if not rows or selected_rows(state.get(key)) != rows:
        drawn[side] = rows
    figure = draw(drawn[side]).update_layout(meta={"together": "maps"})  # for browser.js
    display.chart(figure, name, key=key, on_select=partial(_select_on_map, key))


def table(name: str, texts: pd.DataFrame, rows: Rows, *, selects: bool, **more: Any) -> None:
    """Show a table of texts, its index their rows; a click on a row shows its neighbours.

    With ``selects``, the click also selects the text on both maps, in place of ``rows``.
    """
    key = f"{name} {result_store.digest(rows)}"
    st.dataframe(
        texts,
        hide_index=True,
        key=key,
        on_select=partial(_select_in_table, key, texts.index.tolist(), selects),
        selection_mode="single-row",
        **more,
    )


def _select_on_map(key: str) -> None:
    event = st.session_state[key]
    enclosed = event["selection"]["box"] or event["selection"]["lasso"]
    _clear() if enclosed and not selected_rows(event) else _select(selected_rows(event))
    st.session_state.space_search = ""


def _select_in_table(key: str, ids: Sequence[int], selects: bool) -> None:
    clicked = tuple(ids[i] for i in st.session_state[key]["selection"]["rows"])
    if selects:
        _select(clicked)
        st.session_state.space_search = ""
    st.session_state.space_look = clicked[0] if clicked else None


def _clear() -> None:
    """Clear selection and search, and redraw both maps without their boxes."""
    _select(())
    st.session_state.space_search = ""
    st.session_state.space_fresh = st.session_state.get("space_fresh", 0) + 1


def _select(rows: Rows) -> None:
    st.session_state.space_rows, st.session_state.space_look = rows, None
