"""Linked maps in a real browser: what is selected on one is lit on the other, and goes along."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from pyarrow import parquet

from analysis.corpora import vector_files
from tests.support.serving import choose, settled

pytestmark = [pytest.mark.browser, pytest.mark.weights]

STATE = """() => [...document.querySelectorAll('[data-testid=stPlotlyChart] .js-plotly-plot')].map(
    map => ({
        mark: map.dataset.mark || '',
        boxes: (map.layout.selections || []).length,
        dragging: map._fullLayout.dragmode,
        lit: map._fullData.every(trace => !trace.selectedpoints) ? null : map._fullData.flatMap(
            trace => [...trace.customdata && trace.selectedpoints || []].map(
                point => Number(trace.customdata[point]))
        ).sort((a, b) => a - b),
    }))"""
ENCLOSED = """map => {
    const plot = map.querySelector('.js-plotly-plot'), [box] = plot.layout.selections || [];
    const within = (value, one, other) => (value - one) * (value - other) <= 0;
    return !box ? [] : plot._fullData.flatMap(t => [...t.customdata || []].filter((row, i) =>
        within(t.x[i], box.x0, box.x1) && within(t.y[i], box.y0, box.y1)).map(Number)
    ).sort((a, b) => a - b);
}"""
PLACES = """map => {
    const plot = map.querySelector('.js-plotly-plot'), {xaxis, yaxis} = plot._fullLayout;
    const corner = plot.getBoundingClientRect();
    return plot._fullData.flatMap(trace => [...trace.customdata].map((row, i) => [
        Number(row), corner.left + xaxis._offset + xaxis.l2p(trace.x[i]),
        corner.top + yaxis._offset + yaxis.l2p(trace.y[i])]));
}"""


@pytest.fixture
def maps(visit: Page, address: str) -> Locator:
    """Both maps, drawn."""
    visit.goto(f"{address}/embedding_space")
    settled(visit)
    result = visit.get_by_test_id("stPlotlyChart")
    expect(result).to_have_count(2)
    result.first.scroll_into_view_if_needed()
    visit.wait_for_timeout(500)
    return result


def state(page: Page, **expected: Any) -> list[dict[str, Any]]:
    """Of each map its box and what is lit, once both are as ``expected``."""
    for _ in range(60):
        settled(page)
        now: list[dict[str, Any]] = page.evaluate(STATE)
        if len(now) == 2 and all(one[key] == expected[key] for one in now for key in expected):
            return now
        page.wait_for_timeout(250)
    raise AssertionError(f"{now} is not {expected}")


def drag(page: Page, map_: Locator, box: tuple[float, float, float, float]) -> list[int]:
    """Drag a box whose corners are shares of the map; the rows of the dots that it encloses."""
    area = map_.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    x0, x1 = (area["x"] + share * area["width"] for share in box[::2])
    y0, y1 = (area["y"] + share * area["height"] for share in box[1::2])
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move((x0 + x1) / 2, (y0 + y1) / 2, steps=5)
    page.mouse.move(x1, y1, steps=5)
    page.mouse.up()
    for _ in range(40):
        if rows := map_.evaluate(ENCLOSED):
            break
        page.wait_for_timeout(100)
    assert 3 < len(rows) < 197
    return list(rows)


def metric(page: Page, label: str) -> Locator:
    named = page.get_by_test_id("stMetricLabel").get_by_text(label, exact=True)
    return page.get_by_test_id("stMetric").filter(has=named).get_by_test_id("stMetricValue")


PART = (0.02, 0.02, 0.6, 0.98)
OTHER_PART = (0.55, 0.02, 0.98, 0.6)


@pytest.mark.slow
def test_a_box_on_the_left_is_seen_on_the_right_and_can_be_taken_along(
    visit: Page, maps: Locator
) -> None:
    maps.first.evaluate("map => map.querySelector('.js-plotly-plot').dataset.mark = 'kept'")
    rows = drag(visit, maps.first, PART)
    left, right = state(visit, lit=rows)
    assert (left["boxes"], right["boxes"]) == (1, 0)
    assert left["mark"] == "kept"  # the map under the pointer was not drawn anew
    expect(metric(visit, "Texts selected")).to_have_text(f"{len(rows)} of 200")

    with visit.expect_download() as caught:
        visit.locator(".st-key-csv-Selected-texts").get_by_role("button").click()
    path = caught.value.path()
    table = list(csv.DictReader(io.StringIO(Path(path).read_text(encoding="utf-8"))))
    assert caught.value.suggested_filename == "selected-texts.csv"
    assert len(table) == len(rows)
    assert {"text", "label", "neighbours kept (%)", "left x", "right y"} <= set(table[0])


@pytest.mark.nightly
def test_each_map_takes_over_from_the_other_and_all_can_be_cleared(
    visit: Page, maps: Locator
) -> None:
    state(visit, lit=drag(visit, maps.first, PART))
    rows = drag(visit, maps.nth(1), OTHER_PART)
    left, right = state(visit, lit=rows)
    assert (left["boxes"], right["boxes"]) == (0, 1)
    visit.get_by_role("button", name="Clear selection").click()
    state(visit, lit=None, boxes=0)
    expect(metric(visit, "Texts selected")).to_have_text("0 of 200")
    state(visit, lit=drag(visit, maps.first, PART))
    area = maps.first.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    visit.mouse.dblclick(area["x"] + area["width"] * 0.8, area["y"] + area["height"] * 0.9)
    state(visit, lit=None, boxes=0)


@pytest.mark.slow
def test_a_search_takes_over_from_a_box_and_leaves_nothing_behind(
    visit: Page, maps: Locator
) -> None:
    state(visit, lit=drag(visit, maps.first, PART))
    search = visit.get_by_role("textbox", name="Search the texts")
    search.fill("PYTHON")
    search.press("Enter")
    left, right = state(visit, boxes=0)
    assert left["lit"]
    assert left["lit"] == right["lit"]
    expect(metric(visit, "Texts found")).to_have_text(f"{len(left['lit'])} of 200")
    search.fill("")
    search.press("Enter")
    state(visit, lit=None, boxes=0)
    search.fill("python")
    search.press("Enter")
    state(visit, boxes=0, lit=left["lit"])
    rows = drag(visit, maps.nth(1), OTHER_PART)
    state(visit, lit=rows)
    expect(search).to_have_value("")


@pytest.mark.slow
def test_a_click_on_one_dot_shows_its_text_and_neighbours(visit: Page, maps: Locator) -> None:
    visit.get_by_role("button", name="More").click()
    visit.get_by_role("radio", name="move").click()
    visit.keyboard.press("Escape")
    state(visit, dragging="pan")
    maps.first.scroll_into_view_if_needed()
    visit.wait_for_timeout(1000)
    places = maps.first.evaluate(PLACES)
    row, x, y = max(  # the dot that is farthest from all others
        places,
        key=lambda one: min(abs(one[1] - o[1]) + abs(one[2] - o[2]) for o in places if o != one),
    )
    for step in range(20):  # a map that was just drawn may miss the first moves
        visit.mouse.move(x - step % 2, y)
        visit.wait_for_timeout(200)
        if visit.locator(".hoverlayer .hovertext").count():
            break
    expect(visit.locator(".hoverlayer .hovertext").first).not_to_be_empty()
    visit.mouse.click(x, y)
    state(visit, lit=[int(row)])
    expect(metric(visit, "Texts selected")).to_have_text("1 of 200")
    expect(visit.get_by_text("of 10 are the same in both spaces.")).to_be_visible()


@pytest.mark.slow
def test_a_selection_survives_another_page_and_a_new_colour(visit: Page, maps: Locator) -> None:
    rows = drag(visit, maps.first, PART)
    state(visit, lit=rows)
    choose(visit.get_by_role("combobox", name="Colour by"), "length")
    state(visit, lit=rows, boxes=0)
    visit.get_by_role("link", name="Intrinsic dimension").click()
    expect(visit.locator("h1")).to_have_text("Where does the model compress?")
    settled(visit)
    visit.get_by_role("link", name="Embedding space").click()
    expect(visit.locator("h1")).to_have_text("How does the embedding space change?")
    state(visit, lit=rows, boxes=0)


@pytest.mark.slow
def test_the_maps_are_whole_on_the_first_screen_with_one_legend(visit: Page, address: str) -> None:
    visit.set_viewport_size({"width": 1440, "height": 900})
    visit.goto(f"{address}/embedding_space?space_colour=cluster&space_corpus=lee50")
    settled(visit)
    maps = visit.get_by_test_id("stPlotlyChart")
    expect(maps).to_have_count(2)
    plots = []
    for chart in maps.all():
        box, plot = chart.bounding_box(), chart.locator(".nsewdrag").first.bounding_box()
        assert box is not None
        assert plot is not None
        assert box["y"] + box["height"] <= 900
        plots.append((plot["y"], plot["height"]))
    assert plots[0] == plots[1], "equal points are in equal places"
    assert [chart.locator(".legend .traces").first.is_visible() for chart in maps.all()] == [
        True,
        False,
    ]


STARS = """() => [...document.querySelectorAll('[data-testid=stPlotlyChart] .js-plotly-plot')].map(
    map => map._fullData.filter(trace => trace.name === 'your text').map(
        trace => [trace.x[0], trace.y[0], trace.visible]))"""


@pytest.mark.slow
def test_a_text_of_ones_own_is_a_star_on_both_maps_that_no_box_selects(
    visit: Page, maps: Locator
) -> None:
    field = visit.get_by_role("textbox", name="Find by meaning")
    field.fill("Which language is a program written in?")
    field.press("Enter")
    expect(visit.get_by_role("heading", name="Nearest to your text")).to_be_visible()
    settled(visit)
    stars = visit.evaluate(STARS)
    assert [len(each) for each in stars] == [1, 1]
    assert stars[0] != stars[1]
    assert "language" not in visit.url
    rows = drag(visit, maps.first, (0.02, 0.02, 0.98, 0.6))
    state(visit, lit=rows)
    assert visit.evaluate(STARS) == stars


@pytest.mark.slow
def test_vectors_are_downloaded_with_their_texts_and_what_made_them(
    visit: Page, maps: Locator
) -> None:
    rows = drag(visit, maps.first, PART)
    state(visit, lit=rows)
    visit.get_by_text("Vectors", exact=True).click()
    settled(visit)
    for key, count in (("right-vectors", 200), ("right-vectors-selected", len(rows))):
        with visit.expect_download() as caught:
            visit.locator(f".st-key-Parquet-{key}").get_by_role("button").click()
        assert caught.value.suggested_filename == f"{key}.parquet"
        data = Path(caught.value.path()).read_bytes()
        held = vector_files.read("right.parquet", data)
        assert held.texts is not None
        assert held.rows.shape == (count, 576)
        table = parquet.read_table(io.BytesIO(data))
        assert table.column_names == ["text", "label", "embedding"]
        assert table.schema.metadata[b"method"] == b"kv-embedding"
        assert table.schema.metadata[b"corpus"] == b"chatterbot"
    with visit.expect_download() as caught:
        visit.locator(".st-key-TensorBoard-left-vectors").get_by_role("button").click()
    assert zipfile.is_zipfile(caught.value.path())
