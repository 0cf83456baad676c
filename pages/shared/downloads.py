"""Downloads: a table as CSV that a spreadsheet opens safely, a figure as a page of its own."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from html import escape

import pandas as pd
import streamlit as st

from analysis.figures import html_page
from pages.shared.csv_writer import write_csv

PICTURES = {"png": ("png", 1), "png 2x": ("png", 2), "png 3x": ("png", 3), "svg": ("svg", 1)}
"""Pictures that the camera of a figure saves: the format, and pixels for each on the screen."""
PICTURE = "png"
"""The picture it saves unless another is chosen."""


def buttons(name: str, table: pd.DataFrame, page: Callable[[], str] | None = None) -> None:
    """Buttons that download a table as CSV and its figure as an HTML page."""
    with st.container(horizontal=True):
        st.download_button(
            "CSV",
            partial(write_csv, table),
            f"{file_name(name)}.csv",
            "text/csv",
            key=f"csv {name}",
            on_click="ignore",
            help="The table in UTF-8. An apostrophe stands where a spreadsheet would read a "
            "formula.",
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
    style = "font:16px/1.5 sans-serif;color:#111;background:#fff;margin:2rem"
    return html_page.page(
        title, f'<body style="{style}"><h1>{escape(title)}</h1>{"".join(parts)}</body>'
    )


def file_name(name: str) -> str:
    """The name of a figure's file."""
    return re.sub(r"\W+", "-", name.lower()).strip("-")
