"""Every page under axe-core's rules, in a real browser, in light and in dark."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests import serving
from tests.serving import settled

pytestmark = [pytest.mark.browser, pytest.mark.weights]
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module", params=["light", "dark"])
def tab(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A tab in these colours."""
    context = browser.new_context(color_scheme=request.param)
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()


IN_THE_DARK = ("causal_limits", "embedding_space", "similarity")
"""Pages looked at in both colours in every run, the others in the dark by ``make test-all``."""


@pytest.mark.parametrize(
    ("tab", "name"),
    [
        pytest.param(
            colours,
            name,
            marks=[pytest.mark.slow] if colours == "dark" and name not in IN_THE_DARK else [],
        )
        for colours in ("light", "dark")
        for name in serving.PAGES
    ],
    indirect=["tab"],
)
def test_no_page_has_serious_findings(tab: Page, address: str, name: str) -> None:
    tab.goto(f"{address}/{'' if name == 'causal_limits' else name}")
    settled(tab)
    for one in tab.get_by_test_id("stExpander").filter(has_text="Take this view along").all():
        one.locator("summary").click()
        settled(tab)
    found = Axe().run(tab).response
    assert len(found["passes"]) > 10  # it looked
    grave = [one for one in found["violations"] if one["impact"] in GRAVE]
    assert not [(one["id"], [node["target"] for node in one["nodes"]]) for one in grave]


def test_the_rules_find_what_is_wrong(tab: Page) -> None:
    tab.set_content('<html lang="en"><title>t</title><p style="color:#ccc">pale</p><img src="a">')
    found = {one["id"] for one in Axe().run(tab).response["violations"]}
    assert {"color-contrast", "image-alt"} <= found


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
