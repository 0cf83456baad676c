"""What a visitor meets first: the line about the app, its menu, headings, the way by keyboard."""

from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from tests.support import serving
from tests.support.serving import settled

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.slow]


@pytest.mark.parametrize("name", serving.PAGES)
def test_titles_stand_near_the_top_and_headings_come_in_order(
    visit: Page, address: str, name: str
) -> None:
    visit.set_viewport_size({"width": 1440, "height": 900})
    visit.goto(f"{address}/{name}?layers=10-13")
    settled(visit)
    expect(visit.locator(".st-key-about")).to_contain_text("without training")
    for link in ("Paper", "Documentation"):  # Streamlit's bar lies over them
        visit.locator(".st-key-about").get_by_role("link", name=link).click(trial=True)
    if name != "causal_limits":  # where the tour is offered above it
        box = visit.locator("h1").bounding_box()
        assert box is not None
        assert box["y"] < 80
    levels = visit.locator("h1, h2, h3, h4").evaluate_all("all => all.map(one => +one.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_menu_chooses_light_and_dark_and_says_what_this_is(visit: Page, address: str) -> None:
    visit.emulate_media(color_scheme="light")
    visit.goto(f"{address}/studies")
    settled(visit)
    paper = "element => getComputedStyle(element).backgroundColor"
    light = visit.get_by_test_id("stApp").evaluate(paper)
    menu = visit.get_by_test_id("stMainMenu").get_by_role("button")
    menu.click()
    themes = visit.get_by_role("menuitemradio")
    expect(themes).to_have_count(3)
    visit.get_by_role("menuitemradio", name="Dark").click()
    visit.wait_for_timeout(500)
    assert visit.get_by_test_id("stApp").evaluate(paper) != light
    about = visit.get_by_role("menuitem", name="About")
    if not about.is_visible():
        menu.click()
    about.click()
    expect(visit.get_by_role("dialog")).to_contain_text("Tang & Yang, ACL 2026")


def test_the_page_is_reached_in_five_tab_stops(visit: Page, address: str) -> None:
    visit.goto(f"{address}/rerouting?layers=5")
    settled(visit)
    inside = "document.querySelector('[data-testid=stMain]').contains(document.activeElement)"
    visit.keyboard.press("Tab")
    visit.keyboard.press("Enter")
    for _ in range(4):
        visit.keyboard.press("Tab")
        if visit.evaluate(f"{inside} && document.activeElement.innerText.trim() !== ''"):
            break
    assert visit.evaluate(inside)
    assert visit.evaluate("document.activeElement.innerText") != ""
