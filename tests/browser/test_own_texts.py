"""Own texts in a real browser: a pasted list is on the maps and on the curve, and nowhere else."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.serving import choose, settled
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
    choose(menu.get_by_role("combobox"), "own texts")
    visit.keyboard.press("Escape")
    settled(visit)
    expect(visit.get_by_text("own-texts.txt: 60 texts. A list of your own.")).to_be_visible()
    curves = visit.locator("g.legend text")
    expect(curves.filter(has_text="own-texts.txt").first).to_be_visible()
    expect(visit.locator("textarea")).to_have_value("\n".join(OWN_TEXTS))
    assert "boat" not in visit.url
    paste(visit, *OWN_TEXTS[:5])
    few = "An intrinsic dimension needs at least 20 distinct texts, and own-texts.txt has 5"
    expect(visit.get_by_text(few)).to_be_visible()
    expect(visit.get_by_text("Until then: news-sentences.")).to_be_visible()


def test_an_upload_stays_while_other_pages_are_visited(
    visit: Page, address: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.csv"
    rows = (f"{text};{number % 3}" for number, text in enumerate(OWN_TEXTS))
    file.write_text("\n".join(["text;topic", *rows]), "utf-8")
    visit.goto(f"{address}/embedding_space?space_corpus=own+texts")
    settled(visit)
    visit.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(file)
    said = visit.get_by_text("mine.csv: 60 texts, 3 labels.")
    expect(said).to_be_visible()
    settled(visit)
    visit.get_by_role("link", name="Studies").click()
    expect(visit.get_by_role("heading", level=1)).not_to_contain_text("embedding space")
    visit.get_by_role("link", name="Embedding space").click()
    expect(said).to_be_visible()
    settled(visit)
    visit.wait_for_function(f"() => ({DOTS})().join() === '60,60'")
    assert "mine" not in visit.url
