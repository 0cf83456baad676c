"""Claim: a page shows its first figure about as soon as Streamlit shows any figure at all.

Seconds from following a link to the first figure in the page, in a browser that has seen nothing
of it before (no files, no compiled scripts), while the server has the backbone loaded.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.measuring import Ratio, of_repetitions
from tests.serving import PAGES, browsing, served, settled

REPETITIONS = 3
LEAST = """
import plotly.graph_objects as go
import streamlit as st

st.title("The least")
with st.sidebar:
    st.selectbox("One", [1, 2])
    st.slider("Two", 0, 1)
    st.text_input("Three")
st.plotly_chart(go.Figure(go.Scatter(x=[1, 2], y=[3, 4])))
"""
"""What Streamlit itself takes: a title, three widgets and two points."""
_WATCH = """new MutationObserver(() => {
    const figure = '[data-testid=stPlotlyChart] .main-svg, [data-testid=stHtml] [dir]';
    if (!window.firstFigure && document.querySelector(figure))
        window.firstFigure = performance.now() / 1000;
}).observe(document, {subtree: true, childList: true});"""


def measure() -> list[Ratio]:
    """Every page against the least page, in turn, after one opening of each."""
    found: dict[str, list[tuple[float, float]]] = {page: [] for page in PAGES}
    with tempfile.TemporaryDirectory() as name, browsing() as browser:
        folder = Path(name)
        (folder / "least.py").write_text(LEAST, encoding="utf-8")
        with (
            served(folder / "log", KVE_CACHE=name) as address,
            served(folder / "least.log", str(folder / "least.py")) as least,
        ):
            for repetition in range(REPETITIONS + 1):
                for page in PAGES:
                    seconds = (
                        _first_figure(browser, f"{address}/{page}"),
                        _first_figure(browser, least),
                    )
                    if repetition:
                        found[page].append(seconds)
    return [
        of_repetitions(
            f"first figure, {page.replace('_', ' ')}",
            "a title, three widgets and two points in Streamlit",
            found[page],
            on="a fresh headless Chromium on the same machine",
            target=None,
        )
        for page in PAGES
    ]


def _first_figure(browser: Browser, address: str) -> float:
    """Seconds from the link to the first figure."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    try:
        context.add_init_script(_WATCH)
        page = context.new_page()
        page.goto(address)
        page.wait_for_function("() => window.firstFigure", timeout=180_000)
        settled(page)
        return float(page.evaluate("() => window.firstFigure"))
    finally:
        context.close()
