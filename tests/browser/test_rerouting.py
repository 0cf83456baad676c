"""Layers switched in the figures of two pages: what only a real click can show."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.checks import unexpected
from tests.support.serving import choose, settled, sideways

pytestmark = [pytest.mark.browser, pytest.mark.weights]


def layers(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Re-routed layers")


def click_on(page: Page, marks: str, number: int, becomes: str) -> None:
    """Click a figure's mark and wait until the plan is ``becomes``."""
    mark = page.get_by_test_id("stPlotlyChart").first.locator(marks).nth(number)
    box = mark.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(layers(page)).to_have_value(becomes)
    expect(page.get_by_text(f"Re-routed now: {becomes}.")).to_be_visible()
    settled(page)


@pytest.mark.slow
def test_markers_of_the_curve_are_switches(
    visit: Page, address: str, complaints: list[str]
) -> None:
    visit.goto(f"{address}/intrinsic_dimension?layers=29")
    settled(visit)
    curve = ".scatterlayer .trace:nth-child(2) path.point"
    for layer, becomes in ((10, "10,29"), (10, "29"), (10, "10,29"), (12, "10,12,29")):
        click_on(visit, curve, layer, becomes)
    expect(visit).to_have_url(re.compile("layers=10(,|%2C)12(,|%2C)29"))
    marked = ".scatterlayer .trace:nth-child(3) path.point"
    expect(visit.get_by_test_id("stPlotlyChart").first.locator(marked)).to_have_count(3)
    click_on(visit, marked, 1, "10,29")
    assert not unexpected(complaints)


@pytest.mark.slow
def test_columns_of_the_strip_are_switches_and_can_be_undone(
    visit: Page, address: str, complaints: list[str]
) -> None:
    visit.goto(f"{address}/rerouting?layers=5")
    settled(visit)
    columns = ".barlayer .trace:last-child path"
    for layer, becomes in ((5, "none"), (5, "5"), (5, "none"), (20, "20")):
        click_on(visit, columns, layer, becomes)
    for name, becomes in (("Undo", "none"), ("Undo", "5"), ("Redo", "none")):
        visit.get_by_role("button", name=name, exact=True).click()
        expect(layers(visit)).to_have_value(becomes)
        settled(visit)
    assert not unexpected(complaints)


@pytest.mark.slow
def test_a_link_restores_the_curves(visit: Page, address: str, complaints: list[str]) -> None:
    query = "dimension_samples=40&dimension_estimator=twonn&dimension_estimator=lpca"
    visit.goto(f"{address}/intrinsic_dimension?{query}")
    settled(visit)
    lines = visit.get_by_test_id("stPlotlyChart").first.locator(".legend .traces")
    expect(lines).to_have_count(3)  # two curves and what is re-routed
    visit.get_by_role("radio", name="both").click()
    expect(lines).to_have_count(5)
    expect(visit).to_have_url(re.compile("dimension_prompt=both"))
    expect(visit).to_have_url(re.compile("dimension_estimator=twonn&dimension_estimator=lpca"))
    settled(visit)
    assert not unexpected(complaints)


@pytest.mark.slow
def test_all_layers_fit_a_narrow_screen(visit: Page, address: str) -> None:
    visit.set_viewport_size({"width": 420, "height": 900})
    visit.goto(f"{address}/rerouting?layers=10-13")
    settled(visit)
    columns = visit.get_by_test_id("stPlotlyChart").first.locator(
        ".barlayer .trace:last-child path"
    )
    expect(columns).to_have_count(30)
    boxes = [column.bounding_box() for column in columns.all()]
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 420 for box in boxes)
    assert all(box and box["width"] >= 8 for box in boxes)


@pytest.mark.slow
def test_squares_of_the_map_are_switches_of_heads(
    visit: Page, address: str, complaints: list[str]
) -> None:
    visit.goto(f"{address}/rerouting?layers=none")
    settled(visit)
    visit.get_by_text("Single heads", exact=True).click()
    expect(visit).to_have_url(re.compile("heads_open=true"))
    settled(visit)
    squares = visit.get_by_test_id("stPlotlyChart").nth(1).locator(".barlayer .trace path")
    heads = visit.get_by_role("textbox", name="Re-routed heads")
    for place, becomes in ((9 * 20 + 3, "20.3"), (9 * 21, "20.3,21.0"), (9 * 20 + 3, "21.0")):
        square = squares.nth(place)
        square.scroll_into_view_if_needed()
        box = square.bounding_box()
        assert box is not None
        visit.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expect(heads).to_have_value(becomes)
        settled(visit)
    expect(visit.get_by_text("Re-routed now: head 21.0.")).to_be_visible()
    expect(visit).to_have_url(re.compile("heads=21.0"))
    visit.get_by_role("button", name="Undo", exact=True).click()
    expect(heads).to_have_value("20.3,21.0")
    settled(visit)
    assert not unexpected(complaints)


@pytest.mark.slow
def test_a_frame_turns_several_heads(visit: Page, address: str, complaints: list[str]) -> None:
    visit.goto(f"{address}/rerouting?layers=none&heads_open=true")
    settled(visit)
    visit.get_by_text("Frame several heads").click()
    settled(visit)
    squares = visit.get_by_test_id("stPlotlyChart").nth(1).locator(".barlayer .trace path")
    squares.nth(9 * 10 + 1).scroll_into_view_if_needed()
    first, last = (squares.nth(place).bounding_box() for place in (9 * 10 + 1, 9 * 12 + 3))
    assert first is not None
    assert last is not None
    visit.mouse.move(first["x"] - 2, first["y"] - 2)
    visit.mouse.down()
    visit.mouse.move(last["x"] + last["width"] + 2, last["y"] + last["height"] + 2, steps=8)
    visit.mouse.up()
    heads = visit.get_by_role("textbox", name="Re-routed heads")
    expect(heads).to_have_value("10.1-3,11.1-3,12.1-3")
    settled(visit)
    assert not unexpected(complaints)


@pytest.mark.slow
def test_a_link_shows_the_same_map_in_a_new_tab(
    visit: Page, address: str, complaints: list[str]
) -> None:
    visit.goto(f"{address}/rerouting?layers=10-11&heads_open=true")
    settled(visit)
    visit.get_by_role("radio", name="mean gate").click()
    expect(visit).to_have_url(re.compile("heads_colour=mean(\\+|%20)gate"))
    choose(visit.get_by_role("combobox", name=re.compile("Objective")), "uniformity")
    expect(visit).to_have_url(re.compile("heads_objective=uniformity"))
    settled(visit)
    other = visit.context.new_page()
    other.goto(visit.url)
    settled(other)
    for page in (visit, other):
        expect(page.get_by_role("radio", name="mean gate")).to_be_checked()
        expect(page.get_by_text("The brighter a head, the more its tokens hear")).to_be_visible()
        squares = page.get_by_test_id("stPlotlyChart").nth(1).locator(".barlayer .trace")
        expect(squares.first.locator("path")).to_have_count(18)
    assert other.url == visit.url
    assert not unexpected(complaints)


@pytest.mark.slow
def test_the_map_of_heads_fits_a_narrow_screen(telephone: Page, address: str) -> None:
    telephone.goto(f"{address}/rerouting?layers=10-13&heads_open=true&heads_colour=mean+gate")
    settled(telephone)
    expect(telephone.get_by_test_id("stPlotlyChart").nth(1)).to_be_visible()
    assert sideways(telephone) <= 0
