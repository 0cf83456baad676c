"""Downloads: a table as CSV that a spreadsheet opens safely, a figure as a page of its own."""

import re
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

PICTURES = ("png", "svg")
"""Image formats that the camera in a figure's corner saves."""


def buttons(name: str, table: pd.DataFrame, page: Callable[[], str] | None = None) -> None:
    """Buttons that download a table as CSV and its figure as an HTML page."""
    with st.container(horizontal=True):
        st.download_button(
            "CSV",
            lambda: csv(table),
            f"{file_name(name)}.csv",
            "text/csv",
            key=f"csv {name}",
            on_click="ignore",
            help="The table in UTF-8. An apostrophe stands before cells that a spreadsheet would "
            "run.",
        )
        if page is not None:
            st.download_button(
                "HTML",
                lambda: page().encode(),
                f"{file_name(name)}.html",
                "text/html",
                key=f"html {name}",
                on_click="ignore",
                help="The figure in one file that opens offline. The camera in the corner of a "
                "figure with axes saves it as an image.",
            )


def strips_page(title: str, strips: Iterable[tuple[str, str]]) -> str:
    """An HTML page of token strips, given as captions, which are escaped, and their HTML."""
    parts = (f"<p><b>{escape(caption)}</b></p>{strip}" for caption, strip in strips)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        '<body style="font:16px/1.5 sans-serif;color:#111;background:#fff;margin:2rem">'
        f"<h1>{escape(title)}</h1>{''.join(parts)}</body></html>"
    )


def csv(table: pd.DataFrame) -> bytes:
    """The table as CSV, with an apostrophe before what a spreadsheet would run as a formula."""

    def inert(cell: Any) -> Any:
        return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell

    safe = table.map(inert).rename(columns=inert)
    return safe.to_csv(index=False).encode()


def file_name(name: str) -> str:
    """The name of a figure's file."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")
