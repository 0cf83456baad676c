"""A visit with a real browser: what only the rendered page can show."""

import re

import pytest
from playwright.sync_api import Page, expect

from analysis.rerouting.layer_lists import parse_layers
from tests.support.checks import unexpected
from tests.support.serving import settled

pytestmark = [pytest.mark.browser, pytest.mark.weights]


def metric(page: Page, label: str) -> str:
    """The value of the metric with this label."""
    named = page.get_by_test_id("stMetricLabel").get_by_text(label, exact=True)
    result = page.get_by_test_id("stMetric").filter(has=named)
    return result.get_by_test_id("stMetricValue").inner_text()


def test_a_walk_through_the_app(visit: Page, address: str, complaints: list[str]) -> None:
    visit.goto(address)
    settled(visit)
    expect(visit.locator("h1")).to_have_text("What can an early token know?")
    expect(visit).to_have_title("Causal limits - KV-Embedding Explorer")

    visit.get_by_role("link", name="Intrinsic dimension").click()
    expect(visit.locator("h1")).to_have_text("Where does the model compress?")
    settled(visit)
    curve = visit.get_by_test_id("stPlotlyChart").first
    expect(curve.locator(".scatterlayer .trace:nth-child(2) path.point")).to_have_count(30)
    said = metric(visit, "The rule selects")
    visit.get_by_role("button", name=f"Use {said.lower()}").click()
    chosen = said.split()[-1]
    layers = visit.get_by_role("textbox", name="Re-routed layers")
    expect(layers).to_have_value(chosen)
    expect(visit).to_have_url(re.compile(f"layers={chosen.replace(',', '(,|%2C)')}"))

    visit.get_by_role("link", name="Re-routing").click()
    expect(visit.locator("h1")).to_have_text(re.compile("What does re-routing change"))
    settled(visit)
    expect(layers).to_have_value(chosen)
    lit = visit.get_by_test_id("stButtonGroup").locator("button[aria-pressed=true]")
    assert [int(layer) for layer in lit.all_inner_texts()] == list(parse_layers(chosen, 30))
    layers.fill("5")  # the scores of single layers ship
    layers.press("Enter")
    expect(visit.get_by_text("Re-routed now: 5.")).to_be_visible()
    settled(visit)
    before = metric(visit, "Re-routed")
    assert before != metric(visit, "Nothing re-routed")
    switch = visit.get_by_test_id("stButtonGroup").get_by_role("button", name="5", exact=True)
    switch.click()
    expect(layers).to_have_value("none")
    expect(visit.get_by_text("Re-routed now: none.")).to_be_visible()
    settled(visit)
    assert metric(visit, "Re-routed") == metric(visit, "Nothing re-routed") != before
    switch.click()
    expect(layers).to_have_value("5")
    expect(visit.get_by_text("Re-routed now: 5.")).to_be_visible()
    settled(visit)
    assert metric(visit, "Re-routed") == before

    visit.get_by_role("link", name="Embedding space").click()
    expect(visit.locator("h1")).to_have_text("How does the embedding space change?")
    settled(visit)
    maps = visit.get_by_test_id("stPlotlyChart")
    expect(maps).to_have_count(2)
    expect(maps.first.locator(".gtitle")).to_have_text("mean")
    expect(layers).to_have_value("5")
    assert not unexpected(complaints)


@pytest.mark.slow
def test_a_link_restores_the_plan_for_someone_else(
    visit: Page, address: str, complaints: list[str]
) -> None:
    visit.goto(f"{address}/?layers=10-13&bias=2")
    settled(visit)
    expect(visit.get_by_role("textbox", name="Re-routed layers")).to_have_value("10-13")
    expect(visit.get_by_text("Re-routed now: 10-13.")).to_be_visible()
    expect(visit.get_by_role("slider", name="Bias")).to_have_value("2")
    assert not unexpected(complaints)


@pytest.mark.slow
def test_a_link_may_name_the_first_page(visit: Page, address: str) -> None:
    visit.goto(f"{address}/causal_limits?layers=10-13")
    settled(visit)
    expect(visit.locator("h1")).to_have_text("What can an early token know?")
    expect(visit.get_by_text("Re-routed now: 10-13.")).to_be_visible()
    expect(visit.get_by_text("Page not found")).to_have_count(0)


@pytest.mark.slow
def test_a_link_to_a_page_opens_that_page(visit: Page, address: str) -> None:
    visit.goto(f"{address}/intrinsic_dimension?rule=lowest")
    settled(visit)
    expect(visit.locator("h1")).to_have_text("Where does the model compress?")
    expect(visit.get_by_text("lowest").first).to_be_visible()
    expect(visit.get_by_test_id("stPlotlyChart").first).to_be_visible()


@pytest.mark.slow
def test_bad_input_shows_a_sentence(visit: Page, address: str) -> None:
    visit.goto(f"{address}/?layers=99")
    alert = visit.get_by_test_id("stAlert").filter(has_text="There is no layer 99")
    expect(alert).to_be_visible()
    assert "Traceback" not in visit.inner_text("body")
