"""A visitor who clicks and types at random, on every page, for as long as there is time."""

import math
import random
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page

from tests.support import hostile
from tests.support.serving import PAGES, note_requests_to_others, served
from tests.support.tiny_models import save_folder
from tests.support.visits import OWN_PAIRS

pytestmark = [pytest.mark.browser]
ACTIVE = (
    "button, a[href], summary, input, textarea, [role=combobox], [role=slider], [role=switch], "
    "[role=tab], [role=radio], [role=option], label, .nsewdrag, .legendtoggle, canvas"
)
"""What can be clicked on a page, its tables and figures included."""
PLACES = """active => [...document.querySelectorAll(active)].map(element => {
    const box = element.getBoundingClientRect();
    return [box.x, box.y, box.width, box.height, element.tagName.toLowerCase()];
}).filter(([x, y, width, height]) => width > 0 && height > 0)"""
STAYING = """addEventListener("click", event => {
    if (event.target.closest?.('a[href^="http"][target=_blank]')) event.preventDefault();
}, true)"""
"""Follow no link to another host: only what the app asks for of itself is looked for."""
TYPED = (
    *("", "0", "-1", "3", "1e9", "none", "auto", "all", "2-3", "99", "nan", "x" * 3_000),
    *(
        "The bank of the river.",
        "\u05e9\u05dc\u05d5\u05dd",
        "\U0001d54f",
        "\x00",
        "../../etc/passwd",
    ),
    *hostile.MARKUPS,
)
KEYS = ("Enter", "Escape", "Tab", "ArrowDown", "ArrowUp", "ArrowRight", "Backspace", "Space", "End")


class Visitor:
    """One tab and the chance that moves it; what it did is kept for the report."""

    def __init__(self, page: Page, address: str, link: str, seed: int, files: list[Path]) -> None:
        self.page, self.address, self.link, self.files = page, address, link, files
        self.chance = random.Random(seed)
        self.done: list[str] = []

    def act(self) -> None:
        """Do one thing; a page that changes underneath is no mistake."""
        try:
            self._act()
        except Error as error:
            if "crash" in str(error).lower():
                raise
            self.done.append(f"missed: {str(error).splitlines()[0][:80]}")

    def _act(self) -> None:
        page, chance = self.page, self.chance
        number = chance.random()
        if number < 0.03 or not self.done:
            name = chance.choice(PAGES)
            self.done.append(f"page: {name}")
            page.goto(f"{self.address}/{name}?{self.link}", timeout=60_000)
            page.wait_for_selector("[data-testid=stApp] h1", timeout=60_000)
        elif number < 0.06:
            chosen = page.locator("input[type=file]").all()
            if chosen:
                self.done.append("upload")
                chance.choice(chosen).set_input_files(chance.choice(self.files), timeout=2_000)
        elif number < 0.10:
            self.done.append("scroll")
            page.mouse.wheel(0, chance.choice([-3_000, 400, 900, 3_000]))
        elif number < 0.13:
            self.done.append("back")
            page.go_back(timeout=5_000)
        else:
            places = page.evaluate(PLACES, ACTIVE)
            if places:
                x, y, width, height, tag = chance.choice(places)
                self._click(x, y, width, height, tag)
        page.wait_for_timeout(chance.choice([30, 100, 300, 1_000]))

    def _click(self, x: float, y: float, width: float, height: float, tag: str) -> None:
        page, chance = self.page, self.chance
        if not 0 <= y <= 950:
            page.mouse.wheel(0, y - 400)
            y = 400
        at = (x + width * chance.random(), min(y + height * chance.random(), 990))
        self.done.append(f"click: {tag}")
        page.mouse.move(*at)
        if tag in ("rect", "canvas", "g") or chance.random() < 0.1:
            page.mouse.down()
            page.mouse.move(at[0] + chance.randint(-200, 200), at[1] + chance.randint(-200, 200))
            page.mouse.up()
        else:
            page.mouse.click(*at, click_count=chance.choice([1, 1, 1, 2]))
        if tag in ("input", "textarea") or chance.random() < 0.1:
            if chance.random() < 0.7:
                page.keyboard.press("Control+a")
            page.keyboard.insert_text(chance.choice(TYPED))
            page.keyboard.press(chance.choice(KEYS))


def wander(browser: Browser, tmp_path: Path, seed: int, seconds: float) -> Counter[str]:
    """Act at random for so long; the actions by kind.

    Raises:
        AssertionError: an exception on a page, a request to another host, a dead server.
    """
    folder, outside = save_folder(tmp_path / "llama"), list[str]()
    files = [tmp_path / "own.tsv", tmp_path / "odd.tsv", tmp_path / "odd.yaml", tmp_path / "a.json"]
    marked = OWN_PAIRS.replace("score", hostile.MARKUPS[0])
    for path, text in zip(files, (OWN_PAIRS, marked, "version: 1\ncommand: [", "{"), strict=True):
        path.write_text(text, encoding="utf-8")
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(10_000)
    note_requests_to_others(context, outside)
    context.add_init_script(STAYING)
    link = f"backbone={folder}&dtype=float32"
    with served(tmp_path / "log", KVE_CACHE=str(tmp_path / "cache"), KVE_LOG="off") as address:
        visitor = Visitor(context.new_page(), address, link, seed, files)
        end = math.inf
        while time.monotonic() < end:
            visitor.act()
            if end == math.inf:  # the first page waits for PyTorch
                end = time.monotonic() + seconds
            report = f"seed {seed}, after {visitor.done[-12:]}"
            shown = visitor.page.get_by_test_id("stException")
            if shown.count():
                raise AssertionError(f"an exception, {report}:\n{(tmp_path / 'log').read_text()}")
            assert not outside, f"{outside}, {report}"
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=30) as answer:
                assert answer.status == 200, report
        context.close()
    log = (tmp_path / "log").read_text(errors="replace")
    assert "Traceback" not in log, log[-6_000:]
    return Counter(action.partition(":")[0] for action in visitor.done)


@pytest.mark.nightly
def test_half_a_minute_of_clicks(browser: Browser, tmp_path: Path) -> None:
    done = wander(browser, tmp_path, seed=1, seconds=30)
    assert done["click"] > 5


@pytest.mark.nightly
def test_ten_minutes_of_clicks(browser: Browser, tmp_path: Path) -> None:
    """Another visitor every night, whose seed the report names."""
    seed = int(time.time()) // 86_400
    done = wander(browser, tmp_path, seed, seconds=600)
    print(f"seed {seed}: {dict(done)}")
    assert done["click"] > 100
