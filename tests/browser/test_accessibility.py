"""Every page under axe-core's rules, in a real browser, in light and in dark, wide and narrow."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from analysis.figures.theme import luminance
from tests.support import serving
from tests.support.serving import settled

pytestmark = [pytest.mark.browser, pytest.mark.weights]
GRAVE = ("serious", "critical")
WORDS = ":is(.xtick, .ytick, .xtitle, .ytitle, .gtitle, .legendtext, [class^=cb], [class^=ycb])"
"""The words of a figure that stand on the page itself."""
COLOUR = "element => getComputedStyle(element).backgroundColor"


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """A tab of no other test."""
    context = browser.new_context()
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()


def graver(tab: Page) -> list[tuple[str, list[str]]]:
    """What axe-core finds that is serious or worse: the rule and where it is broken.

    What is fading in is pale for a moment: it looks again, and what it finds three times counts.
    """
    grave = []
    for _ in range(3):
        result = Axe().run(tab, options={"resultTypes": ["violations"]}).response
        assert len(result["passes"]) > 10  # it looked
        grave = [one for one in result["violations"] if one["impact"] in GRAVE]
        if not grave:
            break
        tab.wait_for_timeout(1000)
    return [(one["id"], [node["target"] for node in one["nodes"]]) for one in grave]


def faintest(tab: Page, paper: str) -> float:
    """The least contrast of a figure's words with the page; axe-core does not look into SVG."""
    colours = tab.evaluate(
        """words => [...document.querySelectorAll(`.js-plotly-plot ${words}`)]
            .flatMap(one => one.matches("text") ? [one] : [...one.querySelectorAll("text")])
            .map(one => getComputedStyle(one).fill)""",
        WORDS,
    )
    pairs = [sorted((luminance(one), luminance(paper))) for one in set(colours)]
    return min(((high + 0.05) / (low + 0.05) for low, high in pairs), default=21)


@pytest.mark.slow
@pytest.mark.parametrize("name", serving.PAGES)
def test_no_page_has_serious_findings_or_scrolls_sideways(
    tab: Page, address: str, name: str
) -> None:
    """Wide in light, then, without opening it again, narrow in dark."""
    tab.set_viewport_size({"width": 1440, "height": 1000})
    tab.emulate_media(color_scheme="light")
    tab.goto(f"{address}/{'' if name == 'causal_limits' else name}")
    settled(tab)
    for one in (
        tab.get_by_test_id("stExpander").filter(has_text="Share or reproduce this view").all()
    ):
        one.locator("summary").click()
        settled(tab)
    assert not graver(tab)
    paper = tab.get_by_test_id("stApp").evaluate(COLOUR)
    assert faintest(tab, paper) >= 4.5
    tab.emulate_media(color_scheme="dark")
    tab.set_viewport_size({"width": 420, "height": 900})
    settled(tab)
    night = tab.get_by_test_id("stApp").evaluate(COLOUR)
    assert night != paper
    assert faintest(tab, night) >= 4.5
    assert serving.sideways(tab) <= 0
    assert not graver(tab)


def test_the_rules_find_what_is_wrong(tab: Page) -> None:
    tab.set_content('<html lang="en"><title>t</title><p style="color:#ccc">pale</p><img src="a">')
    result = {one["id"] for one in Axe().run(tab).response["violations"]}
    assert {"color-contrast", "image-alt"} <= result
    words = '<g class="xtick"><text style="fill: rgb(128, 132, 149)">1</text></g>'
    tab.set_content(f'<div class="js-plotly-plot"><svg>{words}</svg></div>')
    assert faintest(tab, "rgb(255, 255, 255)") == pytest.approx(3.72, abs=0.01)


@pytest.mark.slow
def test_a_page_is_worked_by_keyboard(tab: Page, address: str) -> None:
    tab.goto(f"{address}/rerouting?layers=5")
    settled(tab)
    tab.get_by_role("textbox", name="Re-routed layers").focus()
    for _ in range(40):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.innerText.trim()") == "None":
            break
    tab.keyboard.press("Enter")
    tab.get_by_text("Re-routed now: none.").wait_for()
