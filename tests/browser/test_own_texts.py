"""Own texts in a real browser: a pasted list is on the maps and on the curve, and nowhere else."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.serving import settled
from tests.support.visits import OWN_TEXTS

pytestmark = [pytest.mark.browser, pytest.mark.weights]

DOTS = """() => [...document.querySelectorAll('[data-testid=stPlotlyChart] .js-plotly-plot')].map(
    map => map._fullData.flatMap(trace => [...trace.customdata || []]).length)"""


def paste(page: Page, *texts: str) -> None:
    field = page.locator("textarea[aria-label='Or a list, one text a line']")
    field.fill("\n".join(texts))
    field.blur()
    page.wait_for_timeout(500)
    settled(page)


def test_a_pasted_list_is_on_the_maps_and_on_the_curve(visit: Page, address: str) -> None:
    visit.goto(f"{address}/embedding_space?space_corpus=own+texts")
    settled(visit)
    expect(
        visit.get_by_text("Until texts are given, those of chatterbot are used.")
    ).to_be_visible()
    paste(visit, *OWN_TEXTS)
    expect(visit.get_by_text("own-texts.txt: 60 texts. A list of your own.")).to_be_visible()
    visit.wait_for_function(f"() => ({DOTS})().join() === '60,60'")
    with visit.expect_download() as download:
        visit.get_by_role("button", name="Save the texts as own-texts.txt").click()
    assert download.value.path().read_text("utf-8").splitlines() == list(OWN_TEXTS)
    visit.get_by_role("link", name="Intrinsic dimension").click()
    settled(visit)
    menu = visit.get_by_test_id("stMultiSelect").filter(has_text="Texts")
    menu.get_by_role("combobox").click()
    visit.get_by_role("option", name="own texts").click()
    visit.keyboard.press("Escape")
    settled(visit)
    expect(visit.get_by_text("own-texts.txt: 60 texts. A list of your own.")).to_be_visible()
    expect(visit.get_by_text("60 distinct texts were drawn.")).to_be_visible()
    expect(visit.locator("textarea")).to_have_value("\n".join(OWN_TEXTS))
    assert "boat" not in visit.url
    paste(visit, *OWN_TEXTS[:5])
    few = "An intrinsic dimension needs at least 20 distinct texts, and own-texts.txt has 5"
    expect(visit.get_by_text(few)).to_be_visible()
    expect(visit.get_by_text("Until then: news-sentences.")).to_be_visible()
