"""Fields in a real browser: what is typed, refused, corrected and undone."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.serving import settled

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
