"""Figures in a real browser: pictures that say what they show, labels hidden on both maps."""

import struct
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.serving import settled

pytestmark = [pytest.mark.browser, pytest.mark.weights]

VISIBLE = """() => [...document.querySelectorAll('.js-plotly-plot')].map(
    map => map._fullData.filter(trace => trace.visible !== true).map(trace => trace.name))"""
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
