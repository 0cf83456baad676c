"""Figures in a real browser: pictures that say what they show, labels hidden on both maps."""

import struct
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from tests.support.serving import settled

pytestmark = [pytest.mark.browser, pytest.mark.weights]

VISIBLE = """() => [...document.querySelectorAll('.js-plotly-plot')].map(
    map => map._fullData.filter(trace => trace.visible !== true).map(trace => trace.name))"""
SCROLLED = "() => document.querySelector('[data-testid=stMain]').scrollTop"
BOXES = """() => document.querySelector('.js-plotly-plot').layout.selections?.length ?? 0"""
SCALE = """() => {
    const {format, scale} = document.querySelector('.js-plotly-plot')._context.toImageButtonOptions;
    return [format, scale];
}"""


def size(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG in pixels."""
    width, height = struct.unpack(">II", png[16:24])
    return int(width), int(height)


def picture(page: Page, figure: Locator) -> bytes:
    """What the camera of a figure saves."""
    figure.hover()
    with page.expect_download() as caught:
        figure.locator('.modebar-btn[data-title^="Download plot"]').click()
    return Path(caught.value.path()).read_bytes()


def until(page: Page, script: str, expected: object) -> None:
    """Wait until a script gives what is expected."""
    for _ in range(120):
        if (now := page.evaluate(script)) == expected:
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"{now} is not {expected}")


@pytest.mark.slow
def test_pictures_have_the_size_asked_for_the_title_and_the_source(
    visit: Page, address: str
) -> None:
    visit.goto(f"{address}/embedding_space")
    settled(visit)
    figure = visit.get_by_test_id("stPlotlyChart").first
    once = size(picture(visit, figure))
    visit.get_by_text("Share or reproduce this view").click()
    for name, times in (("png 2x", 2), ("png 3x", 3)):
        visit.get_by_role("radio", name=name).click()
        until(visit, SCALE, ["png", times])
        figure.scroll_into_view_if_needed()
        assert size(picture(visit, figure)) == (times * once[0], times * once[1])
    visit.get_by_role("radio", name="svg").click()
    until(visit, SCALE, ["svg", 1])
    drawn = picture(visit, figure).decode()
    assert "Left map: mean" in drawn
    assert "SmolLM2" in drawn or "smollm2" in drawn
    assert "chatterbot, n = 200 of 1,569 texts" in drawn
    shown = figure.locator(".gtitle").text_content()
    assert shown == "mean", "on the page the title is as it was"


@pytest.mark.slow
def test_a_label_hidden_on_one_map_hides_on_the_other_and_stays_hidden(
    visit: Page, address: str
) -> None:
    visit.goto(f"{address}/embedding_space?space_colour=cluster&space_corpus=lee50")
    settled(visit)
    maps = visit.get_by_test_id("stPlotlyChart")
    expect(maps).to_have_count(2)
    entry = maps.first.locator(".legend .traces").nth(2)
    name = entry.text_content()
    entry.locator(".legendtoggle").click()
    until(visit, VISIBLE, [[name], [name]])
    visit.wait_for_timeout(1500)
    search = visit.get_by_role("textbox", name="Search the texts")
    search.fill("government")
    search.press("Enter")  # both maps are drawn again
    settled(visit)
    until(visit, VISIBLE, [[name], [name]])
    entry.locator(".legendtoggle").click()
    until(visit, VISIBLE, [[], []])


@pytest.mark.slow
def test_a_finger_scrolls_past_a_map_and_draws_a_box_only_when_asked(
    browser: Browser, address: str
) -> None:
    screen = ViewportSize(width=390, height=844)
    context = browser.new_context(viewport=screen, has_touch=True, is_mobile=True)
    context.set_default_timeout(120_000)
    page = context.new_page()
    finger = context.new_cdp_session(page)

    def swipe(figure: Locator, up: int, right: int = 0) -> None:
        """Draw a finger from a figure's middle over the screen."""
        box = figure.locator(".nsewdrag").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for part in range(11):
            point = {"x": x + right * part / 10, "y": y - up * part / 10}
            kind = "touchMove" if part else "touchStart"
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
            page.wait_for_timeout(30)
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    page.goto(f"{address}/embedding_space")
    settled(page)
    figure = page.get_by_test_id("stPlotlyChart").first
    figure.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    before = page.evaluate(SCROLLED)
    swipe(figure, up=150)
    page.wait_for_timeout(1000)
    assert page.evaluate(SCROLLED) - before > 75
    assert page.evaluate(BOXES) == 0
    page.evaluate("document.querySelector('.js-plotly-plot').scrollIntoView({block: 'center'})")
    figure.locator(".nsewdrag").tap()  # shows the buttons
    figure.locator('.modebar-btn[data-val="select"]').tap()
    before = page.evaluate(SCROLLED)
    swipe(figure, up=60, right=60)
    until(page, f"({BOXES})() > 0", True)
    assert abs(page.evaluate(SCROLLED) - before) < 30, "what is said of the texts moves the map"
    context.close()
