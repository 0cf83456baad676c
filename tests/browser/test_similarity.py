"""The pages on similarity and long texts in a real browser, and what is taken along from them."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from analysis.corpora import registry
from analysis.experiments.score import OPENING_METHODS
from analysis.recipes import files
from tests.support.serving import choose, settled

pytestmark = [pytest.mark.browser, pytest.mark.weights]


def downloaded(page: Page, button: Locator) -> bytes:
    """The file that a click on the button gives."""
    with page.expect_download() as result:
        button.click()
    return Path(result.value.path()).read_bytes()


def unfolded(page: Page, title: str) -> Locator:
    """What is folded away under a title, opened."""
    result = page.get_by_test_id("stExpander").filter(has_text=title).first
    result.locator("summary").click()
    settled(page)
    return result


@pytest.mark.slow
def test_methods_are_compared_and_everything_is_taken_along(visit: Page, address: str) -> None:
    visit.goto(f"{address}/similarity?dtype=float32")
    settled(visit)
    chart = visit.get_by_test_id("stPlotlyChart").first
    expect(chart.locator(".scatterlayer .points path.point")).to_have_count(len(OPENING_METHODS))
    visit.get_by_role("tab", name="Comparisons").click()
    settled(visit)
    expect(visit).to_have_url(re.compile("similarity_tab=Comparisons"))
    expect(
        visit.get_by_text(re.compile("last-token scores .* lower than kv-embedding"))
    ).to_be_visible()
    visit.get_by_role("tab", name="Scores").click()
    settled(visit)

    visit.get_by_test_id("stButtonGroup").get_by_text("labelled texts").click()
    expect(visit.get_by_text("kNN accuracy").first).to_be_visible()
    settled(visit)
    expect(visit).to_have_url(re.compile("score_on=labelled"))

    table = unfolded(visit, "Table: Scores by method")
    rows = list(
        csv.DictReader(
            io.StringIO(
                downloaded(visit, table.get_by_role("button", name="CSV", exact=True)).decode()
            )
        )
    )
    assert {row["method"] for row in rows} == set(OPENING_METHODS)
    page = downloaded(visit, table.get_by_role("button", name="HTML", exact=True)).decode()
    assert "plotly" in page
    assert "kv-embedding" in page
    assert not re.search(r'<script[^>]*src="http', page)  # it opens without a network

    table.get_by_test_id("stDataFrame").hover()
    tools = table.get_by_test_id("stElementToolbar")
    expect(tools.get_by_label("Search").first).to_be_visible()
    expect(tools.get_by_label("Download as CSV")).to_be_hidden()  # not made safe for spreadsheets

    visit.get_by_role("tab", name="Prompts").click()
    settled(visit)
    strip = unfolded(visit, "Table: Tokens of mean")
    page = downloaded(visit, strip.get_by_role("button", name="HTML", exact=True)).decode()
    assert "<h1>Tokens of mean</h1>" in page
    assert "pooled with weight" in page

    along = unfolded(visit, "Share or reproduce this view")
    file = downloaded(visit, along.get_by_role("button", name="Download recipe"))
    result = files.read(file)
    assert (result.command, result.spec.values()["on"]) == ("score", "labelled")
    expect(along.get_by_text(result.command_line())).to_be_visible()


@pytest.mark.slow
def test_the_same_link_shows_the_same_in_a_fresh_browser(visit: Page, address: str) -> None:
    chosen = "dtype=float32&score_on=retrieval&score_method=mean&score_method=echo"
    visit.goto(f"{address}/similarity?{chosen}")
    settled(visit)
    expect(visit.get_by_text("nDCG@10").first).to_be_visible()
    chart = visit.get_by_test_id("stPlotlyChart").first
    expect(chart.locator(".scatterlayer .points path.point")).to_have_count(2)


@pytest.mark.slow
def test_long_texts_are_drawn_by_place_and_by_length(visit: Page, address: str) -> None:
    visit.goto(f"{address}/long_texts?long_texts_method=mean&long_texts_tokens=32")
    settled(visit)
    place, length = visit.get_by_test_id("stPlotlyChart").all()
    expect(place.locator(".scatterlayer .points path.point")).to_have_count(3)
    expect(length.locator(".scatterlayer .points path.point")).to_have_count(1)
    methods = visit.get_by_test_id("stMultiSelect").filter(has_text="Methods")
    choose(methods.get_by_role("combobox"), "prompt-only")
    visit.keyboard.press("Escape")
    settled(visit)
    expect(place.locator(".scatterlayer .points path.point")).to_have_count(6)


@pytest.mark.slow
def test_uploaded_vectors_stand_beside_the_methods(visit: Page, address: str) -> None:
    pairs = registry.load_pairs("lee50")
    rows = np.random.default_rng(0).normal(size=(len(pairs.texts), 16))
    array = io.BytesIO()
    np.save(array, rows)
    visit.goto(f"{address}/similarity?score_method=mean&score_method=echo")
    settled(visit)
    section = unfolded(visit, "Vectors from elsewhere")
    section.locator("input[type=file]").first.set_input_files(
        {
            "name": "noise.npy",
            "mimeType": "application/octet-stream",
            "buffer": array.getvalue(),
        }
    )
    settled(visit)
    section.get_by_role("button", name="Add the vectors").click()
    expect(section.get_by_text("vectors from noise.npy, dimension 16")).to_be_visible()
    settled(visit)
    points = visit.get_by_test_id("stPlotlyChart").first.locator(".points path.point")
    expect(points).to_have_count(3)
    assert "noise" not in visit.url
    section.get_by_role("button", name="Remove", exact=True).click()
    settled(visit)
    expect(points).to_have_count(2)
