"""A search on the page on layer ablation in a real browser: stopped, taken up again, finished."""

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.support.serving import settled
from tests.support.visits import OWN_PAIRS

pytestmark = [pytest.mark.browser, pytest.mark.weights]
SCORED = re.compile(r"(\d+) of (\d+) plans scored")
HEAD, *ROWS = OWN_PAIRS.replace("house", f"house {uuid.uuid4()} " + "by the sea " * 3).splitlines()
OWN = "\n".join([HEAD, *ROWS[:5]]) + "\n"
"""Few pairs, but long enough for a search over them to be stopped; no earlier run left scores."""


def scored(page: Page) -> int:
    """How many plans the bar says are scored."""
    result = SCORED.search(page.get_by_test_id("stProgress").inner_text())
    assert result is not None
    return int(result[1])


def upload(page: Page) -> None:
    """Upload the pairs."""
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": "own.tsv", "mimeType": "text/tab-separated-values", "buffer": OWN.encode()}
    )
    expect(page.get_by_text(re.compile("^own.tsv: ")).first).to_be_attached()
    settled(page)


@pytest.mark.slow
def test_a_search_is_stopped_taken_up_again_and_its_map_fills(visit: Page, address: str) -> None:
    visit.goto(f"{address}/layer_ablation?ablation_search=bias&layers=8&pairs=uploaded+file")
    settled(visit)
    upload(visit)
    visit.get_by_role("button", name=re.compile("^Score the")).click()
    expect(visit.get_by_text(re.compile("[1-9][0-9]* of [0-9]+ plans scored"))).to_be_visible()
    visit.get_by_test_id("stMain").get_by_role("button", name="Stop").click()
    again = visit.get_by_role("button", name=re.compile("^Score the"))
    expect(again).to_be_visible()
    settled(visit)
    kept = scored(visit)
    assert kept > 0
    points = visit.get_by_test_id("stPlotlyChart").first.locator(".scatterlayer path.point")
    assert points.count() > 0
    visit.reload()  # a new session of the same visitor: the file is gone, the scores are not
    settled(visit)
    upload(visit)
    assert scored(visit) >= kept
    again.click()
    expect(visit.get_by_text("including the reference points")).to_be_visible()
    settled(visit)
    assert visit.get_by_test_id("stPlotlyChart").first.bounding_box()["width"] > 600  # type: ignore[index]
    chart = visit.get_by_test_id("stPlotlyChart").first
    point = chart.locator(".scatterlayer path.point").nth(3).bounding_box()
    assert point is not None
    visit.mouse.click(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    expect(visit.get_by_role("button", name=re.compile("^Use the selected plan"))).to_be_visible()
    best = visit.get_by_role("button", name=re.compile("^Use the best plan"))
    named = re.search(r"at bias (-?[\d.]+)", best.inner_text())
    assert named is not None
    best.click()
    settled(visit)
    expect(visit.get_by_role("slider", name="Bias")).to_have_value(named[1])
