"""Seconds from Enter to the first picture: ``python -m benchmarks.starting``.

``make run`` gets ready before it says its address: libraries are imported and the packaged backbone
is loaded. The alternative in the same run is ``streamlit run app.py``, which says its address at
once and lets the first visit wait. Weights are converted before either begins.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Browser

from analysis.backbones import backbone
from benchmarks.opening import FIRST, spread
from tests.support.serving import ROOT, browsing, free_port, running, settled

STARTS = {
    "make run": ("analysis", "app", "--port"),
    "streamlit run app.py": ("streamlit", "run", "app.py", "--server.port"),
}
"""Modules and their words, before the port."""


def seconds(browser: Browser, words: Sequence[str], log: Path) -> tuple[float, float]:
    """From Enter to the address, and from the address to the first picture of the first visit."""
    port, begun = free_port(), time.perf_counter()
    with running([sys.executable, "-m", *words, str(port)], port, log, ROOT) as address:
        ready = time.perf_counter()
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector(FIRST["causal_limits"], state="attached", timeout=120_000)
        shown = time.perf_counter()
        settled(page)
        context.close()
    return ready - begun, shown - ready


def measured(times: int) -> dict[str, list[tuple[float, float]]]:
    """Start each server ``times`` times, in turn."""
    backbone.load()  # converts, where nobody has
    with tempfile.TemporaryDirectory() as folder, browsing() as browser:
        log = Path(folder) / "log"
        rounds = [
            {name: seconds(browser, words, log) for name, words in STARTS.items()}
            for _ in range(times)
        ]
    return {name: [one[name] for one in rounds] for name in STARTS}


def table(found: dict[str, list[tuple[float, float]]]) -> str:
    """Markdown: medians [smallest, largest], and the wait of a first visit over the other's."""
    lines = [
        "| start | address said after, s | first picture after that, s | ratio | from Enter, s |",
        "| --- | --- | --- | --- | --- |",
    ]
    slowest = statistics.median(shown for _, shown in found["streamlit run app.py"])
    for name, starts in found.items():
        ready, shown = zip(*starts, strict=True)
        ratio = statistics.median(shown) / slowest
        whole = [sum(each) for each in starts]
        lines.append(
            f"| {name} | {spread(ready)} | {spread(shown)} | {ratio:.2f} | {spread(whole)} |"
        )
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starting", description=__doc__)
    parser.add_argument("--times", type=int, default=3, help="starts of each (3)")
    print(table(measured(parser.parse_args().times)))


if __name__ == "__main__":
    main()
