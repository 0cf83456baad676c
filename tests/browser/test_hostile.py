"""Files, links and texts of someone else: nothing of them is a link, a picture or a request."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from analysis.recipes import html_report, results
from tests.support import hostile
from tests.support.serving import PAGES, settled
from tests.support.visits import OWN_PAIRS, ROOT

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.slow]
STUDIES = ROOT / "assets" / "studies"
DRAWN = """() => [...document.querySelectorAll('body *')].filter(element =>
    [...element.attributes].some(({name, value}) => value.includes('evil.example') && (
        /^(xlink:)?href$|^src|action$|^(poster|data|background|ping)$/.test(name)
        || (name === 'style' && value.includes('url('))))
).map(element => element.outerHTML.slice(0, 300))"""
"""Elements that point to the other host."""
REWRITTEN = "[data-testid=stMain] :is(.katex, [data-testid=stMarkdownColoredText], img)"


def check(page: Page) -> None:
    """Open everything that is folded, and look at what is drawn."""
    for summary in page.locator("[data-testid=stExpander] summary").all():
        if summary.locator("xpath=..").get_attribute("open") is None:
            summary.click()
            page.wait_for_timeout(300)
    settled(page)
    assert page.evaluate(DRAWN) == []
    assert page.locator(REWRITTEN).evaluate_all("all => all.map(e => e.outerHTML)") == []
    assert page.get_by_test_id("stException").count() == 0


def upload(page: Page, path: Path) -> None:
    page.locator("[data-testid=stMain] input[type=file]").set_input_files(path)
    page.wait_for_timeout(500)
    settled(page)


@pytest.mark.parametrize("study", ["rules", "parts", "long-texts"])
def test_results_of_someone_else(unguarded: Page, address: str, tmp_path: Path, study: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(hostile.results(STUDIES / f"{study}.json"), encoding="utf-8")
    unguarded.goto(f"{address}/studies")
    settled(unguarded)
    upload(unguarded, path)
    check(unguarded)
    shown = unguarded.get_by_test_id("stMain").inner_text().replace("\u2060", "")
    for markup in hostile.MARKUPS:
        assert re.sub(r"\s+", " ", markup) in re.sub(r"\s+", " ", shown), markup


def test_a_report_of_results_of_someone_else(unguarded: Page, tmp_path: Path) -> None:
    for study in ("rules", "parts", "long-texts"):
        read = results.read(hostile.results(STUDIES / f"{study}.json"))
        path = tmp_path / f"{study}.html"
        path.write_text(html_report.html(read), encoding="utf-8")
        unguarded.goto(path.as_uri())
        expect(unguarded.locator(".js-plotly-plot .main-svg").first).to_be_visible()
        assert unguarded.evaluate(DRAWN) == []
        assert unguarded.locator("h1").inner_text() == " ".join(hostile.ALL.split())


def test_a_report_may_ask_no_host(visit: Page, outside: list[str], tmp_path: Path) -> None:
    """Even if a picture got into it: the report's own policy stops the request."""
    page = html_report.html(results.read_file(STUDIES / "parts.json"))
    picture = f"<img src='http://{hostile.HOST}/a.png'><h1>"
    path = tmp_path / "report.html"
    path.write_text(page.replace("<h1>", picture, 1), encoding="utf-8")
    visit.goto(path.as_uri())
    expect(visit.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    assert not outside


def test_a_page_may_ask_no_host(visit: Page, address: str, outside: list[str]) -> None:
    """Even if a picture got into it: the server's policy stops the request."""
    visit.goto(f"{address}/diagnostics")
    settled(visit)
    visit.evaluate(
        """async host => {
            const picture = document.createElement('img');
            picture.src = `http://${host}/a.png`;
            document.body.append(picture);
            await fetch(`http://${host}/b`, {mode: 'no-cors'}).catch(() => {});
            const script = document.createElement('script');
            script.src = `http://${host}/c.js`;
            document.body.append(script);
        }""",
        hostile.HOST,
    )
    visit.wait_for_timeout(500)
    assert not outside


@pytest.mark.nightly
def test_pairs_of_someone_else(unguarded: Page, address: str, tmp_path: Path) -> None:
    """Names of columns and files, texts in tables, on the maps and beside the dots."""
    lines = [line.split("\t") for line in OWN_PAIRS.strip().splitlines()]
    head = [f"{name} {markup}" for name, markup in zip(lines[0], hostile.MARKUPS, strict=False)]
    rows = [
        [f"{first} {markup}", f"{second} {markup}", score]
        for (first, second, score), markup in zip(lines[1:], hostile.MARKUPS, strict=False)
    ]
    path = tmp_path / "![x](www.evil.example).tsv"
    path.write_text("\n".join("\t".join(row) for row in (head, *rows)), encoding="utf-8")
    unguarded.goto(f"{address}/similarity?pairs=uploaded+file")
    settled(unguarded)
    unguarded.locator("[data-testid=stSidebar] input[type=file]").set_input_files(path)
    unguarded.wait_for_timeout(500)
    settled(unguarded)
    check(unguarded)


def test_a_recipe_of_someone_else(unguarded: Page, address: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "version: 1\ncommand: score\n"
        f"title: {hostile.ALL!r}\nabout: {hostile.ALL!r}\n"
        f"grid:\n- corpus: [{hostile.MARKUPS[0]!r}, {hostile.MARKUPS[2]!r}]\n",
        encoding="utf-8",
    )
    unguarded.goto(f"{address}/studies")
    settled(unguarded)
    upload(unguarded, path)
    check(unguarded)


@pytest.mark.parametrize("page", PAGES)
def test_links_of_someone_else(unguarded: Page, address: str, page: str) -> None:
    names = ("layers", "backbone", "pairs", "rule", "score_corpus", "retrieval", "study", "example")
    query = "&".join(
        f"{name}={quote(markup)}" for name, markup in zip(names, hostile.MARKUPS, strict=False)
    )
    unguarded.goto(f"{address}/{page}?{query}")
    settled(unguarded)
    check(unguarded)
