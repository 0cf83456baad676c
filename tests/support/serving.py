"""The app as a server of its own, and a headless browser to look at it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Route,
    TimeoutError,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "causal_limits",
    "intrinsic_dimension",
    "rerouting",
    "embedding_space",
    "similarity",
    "long_texts",
    "layer_ablation",
    "studies",
    "diagnostics",
    "documentation",
)
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
expect.set_options(timeout=120_000)  # a busy machine is not a failure


@contextmanager
def served(log: Path, app: Path = ROOT / "app.py", **environment: str) -> Iterator[str]:
    """Run the app on a free port; the address, once it is healthy."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port)]
    with running(command, port, log, ROOT, **environment) as address:
        yield address


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], port: int, log: Path, cwd: Path, **environment: str
) -> Iterator[str]:
    """Run a command that serves the app on ``port``; the address, once it is healthy."""
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=cwd,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/_stcore/health", server, log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(address: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    """Wait until ``address`` answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    raise RuntimeError(f"The app did not start:\n{log.read_text(errors='replace')}")


@contextmanager
def browsing() -> Iterator[Browser]:
    """A headless Chromium that stays off the network of its own accord."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_SWITCHES)
        try:
            yield browser
        finally:
            browser.close()


def note_requests_to_others(context: BrowserContext, addresses: list[str]) -> None:
    """Add the address of every request to a host other than this machine; none is sent."""

    def decide(route: Route) -> None:
        addresses.append(route.request.url)
        route.abort()

    context.route(
        re.compile(r"^(?!(?:http|ws)://127\.0\.0\.1[:/]|blob:|data:|file:|about:)"), decide
    )


def settled(page: Page, seconds: float = 300) -> Page:
    """The page once its script has finished and nothing is left to draw."""
    page.wait_for_selector("[data-testid=stApp] h1, [data-testid=stAlert]", timeout=1000 * seconds)
    page.wait_for_function(
        """() => {
            const app = document.querySelector('[data-testid=stApp]');
            return app && app.getAttribute('data-test-script-state') !== 'running'
                && app.getAttribute('data-test-connection-state') === 'CONNECTED'
                && !document.querySelector('[data-testid=stStatusWidget]')
                && !document.querySelector('[data-testid=stSkeleton]');
        }""",
        timeout=1000 * seconds,
    )
    page.wait_for_timeout(400)  # figures are drawn after the script has finished
    return page


def choose(menu: Locator, option: str) -> None:
    """Choose in a menu; one that a late part of the page closes is opened again."""
    entry = menu.page.get_by_role("option", name=option)
    for _ in range(20):
        if not entry.count():
            menu.click()
        try:
            entry.click(timeout=5000)
        except TimeoutError:
            continue
        return
    raise AssertionError(f"The menu never offered {option}.")


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the screen; 0 or less if it is not."""
    beyond: list[int] = page.evaluate(
        """() => {
            const main = document.querySelector('[data-testid=stMain]');
            return [main.scrollWidth - main.clientWidth,
                    document.documentElement.scrollWidth - window.innerWidth];
        }"""
    )
    return max(beyond)
