"""Figures and strips as HTML pages that need no network, and are not allowed to use one."""

from html import escape
from typing import Literal

import plotly.graph_objects as go

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' 'self' file:; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; worker-src blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy of a page in one file: nothing is asked of, or sent to, a host.

Plotly's script is in the page or beside it, and compiles what draws many dots.
"""


def page(title: str, body: str, head: str = "") -> str:
    """An HTML page.

    Args:
        title: shown by the browser.
        body: the content as HTML, its texts escaped.
        head: HTML for the head.
    """
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(title)}</title>{head}</head>{body}</html>"
    )


def figure_page(
    figure: go.Figure, title: str, script: Literal["inside", "beside"] = "inside"
) -> str:
    """A figure as an HTML page.

    Args:
        figure: from a function of :mod:`analysis.figures`, its texts escaped.
        title: shown by the browser.
        script: whether Plotly's script is in the page, or in ``plotly.min.js`` beside it.
    """
    included = True if script == "inside" else "directory"
    drawn = figure.to_html(full_html=False, include_plotlyjs=included, div_id="figure")
    return page(title, f"<body>{drawn}</body>")
