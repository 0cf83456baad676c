"""Fields in a real browser: what is typed, refused, corrected and undone."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.serving import choose, settled

pytestmark = [pytest.mark.browser, pytest.mark.weights]


@pytest.mark.slow
def test_a_backbone_is_typed_refused_corrected_and_undone(
    visit: Page, address: str, folder_of: Callable[[str], str]
) -> None:
    visit.goto(address)
    settled(visit)
    line = visit.get_by_role("textbox", name="Another backbone")
    line.fill("smollm2@abc")
    line.press("Tab")
    refused = visit.get_by_test_id("stAlert").filter(has_text="There is no backbone called")
    expect(refused).to_be_visible()
    expect(line).to_have_value("smollm2@abc")
    expect(visit.locator("h1")).to_have_text("What can an early token know?")
    expect(visit.get_by_text("30 layers")).to_be_visible()
    line.fill(folder_of("llama"))
    line.press("Tab")
    expect(visit.get_by_text("6 layers")).to_be_visible()
    expect(visit).to_have_url(re.compile("backbone=.*tiny-llama"))
    expect(line).to_have_value("")
    settled(visit)
    visit.go_back()
    visit.go_back()
    expect(visit.get_by_text("30 layers")).to_be_visible()
    expect(visit).not_to_have_url(re.compile("backbone="))


@pytest.mark.slow
def test_back_undoes_each_choice_and_forward_makes_it_again(visit: Page, address: str) -> None:
    rule = visit.get_by_test_id("stSelectbox").filter(has_text="Automatic layer rule")
    layers = visit.get_by_role("textbox", name="Re-routed layers")
    bias = visit.get_by_role("slider", name="Bias")

    def shown(query: str, chosen: tuple[str, str, str]) -> None:
        expect(visit).to_have_url(f"{address}/intrinsic_dimension{query}")
        settled(visit)
        expect(visit.locator("h1")).to_have_text("Where does the model compress?")
        expect(rule.locator("input")).to_have_value(chosen[0])
        expect(layers).to_have_value(chosen[1])
        expect(bias).to_have_attribute("aria-valuetext", chosen[2])

    steps = {  # what the address says, and the rule, layers and bias on the page
        "": ("paper", "auto", "1.00"),
        "?rule=lowest": ("lowest", "auto", "1.00"),
        "?layers=10-12&rule=lowest": ("lowest", "10-12", "1.00"),
        "?bias=1.5&layers=10-12&rule=lowest": ("lowest", "10-12", "1.50"),
    }
    visit.goto(f"{address}/intrinsic_dimension")
    settled(visit)
    choose(rule.get_by_role("combobox"), "lowest")
    shown(*list(steps.items())[1])
    layers.fill("10-12")
    layers.press("Enter")
    shown(*list(steps.items())[2])
    bias.press("ArrowRight")
    shown(*list(steps.items())[-1])
    visit.get_by_role("link", name="Studies").click()
    expect(visit.locator("h1")).to_have_text("What did the studies find?")
    settled(visit)
    for query, chosen in reversed(steps.items()):
        visit.go_back()
        shown(query, chosen)
    for query, chosen in list(steps.items())[1:]:
        visit.go_forward()
        shown(query, chosen)
    visit.go_forward()
    expect(visit.locator("h1")).to_have_text("What did the studies find?")
