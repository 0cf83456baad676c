"""Seconds from a link to a page's first figure: ``python -m benchmarks.opening``.

A new headless Chromium on the machine of a server that has every page warm and the backbone
loaded; then the same browser again. The alternative in the same run is a page with only Streamlit
and one Plotly figure, which no page of ours can beat.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser

from tests.support.serving import PAGES, browsing, served, settled

BARE = "one figure"
_APP = """import plotly.graph_objects as go
import streamlit as st

st.title("One figure")
st.plotly_chart(go.Figure(go.Scatter(x=[1, 2, 3], y=[2, 1, 3])))
"""
_FIGURE = "[data-testid=stPlotlyChart] .main-svg"
FIRST = {
    "causal_limits": "[data-testid=stMain] .stHtml span",
    "diagnostics": "[data-testid=stMain] :is(table, [data-testid=stDataFrame])",
}
"""What is the first useful picture where it is not Plotly's."""


def seconds(browser: Browser, address: str, picture: str) -> tuple[float, float]:
    """Until ``picture`` is there, for a browser with nothing cached, and for the same once more."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    taken = []
    for _ in range(2):
        page = context.new_page()
        begun = time.perf_counter()
        page.goto(address)
        page.wait_for_selector(picture, state="attached", timeout=120_000)
        taken.append(time.perf_counter() - begun)
        settled(page)
        page.close()
    context.close()
    return taken[0], taken[1]


def measured(times: int) -> dict[str, list[tuple[float, float]]]:
    """Measure both visits of each page ``times`` times; those of the bare page under ``BARE``."""
    with (
        tempfile.TemporaryDirectory() as folder,
        browsing() as browser,
        served(Path(folder) / "log", KVE_CACHE=folder) as ours,
    ):
        bare = Path(folder) / "bare.py"
        bare.write_text(_APP, encoding="utf-8")
        with served(Path(folder) / "bare log", app=bare) as other:
            links = {BARE: (other, _FIGURE)}
            links |= {page: (f"{ours}/{page}", FIRST.get(page, _FIGURE)) for page in PAGES}
            for address, picture in links.values():
                seconds(browser, address, picture)
            rounds = [
                {name: seconds(browser, *link) for name, link in links.items()}
                for _ in range(times)
            ]
    return {name: [one[name] for one in rounds] for name in links}


def table(found: dict[str, list[tuple[float, float]]]) -> str:
    """Markdown: medians [smallest, largest] of seconds, and first visits over the bare page's."""
    lines = [f"| page | first visit, s | again, s | times {BARE} |", "| --- | --- | --- | --- |"]
    least = statistics.median(first for first, _ in found[BARE])
    for name, visits in found.items():
        first, again = zip(*visits, strict=True)
        ratio = statistics.median(first) / least
        lines.append(f"| {name} | {spread(first)} | {spread(again)} | {ratio:.2f} |")
    return "\n".join(lines)


def spread(values: Sequence[float]) -> str:
    """The median with the smallest and the largest, such as ``2.6 [2.6, 2.8]``."""
    return f"{statistics.median(values):.1f} [{min(values):.1f}, {max(values):.1f}]"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.opening", description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="visits of each page (5)")
    print(table(measured(parser.parse_args().times)))


if __name__ == "__main__":
    main()
