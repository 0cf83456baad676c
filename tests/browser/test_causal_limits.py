"""The page on causal limits in a real browser: steps, hover labels, large letters, phones."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support import serving
from tests.support.serving import settled

pytestmark = [pytest.mark.browser, pytest.mark.weights]


def pixels(result: Locator) -> float:
    """The size of an element's letters."""
    size = result.evaluate("element => getComputedStyle(element).fontSize")
    return float(str(size).removesuffix("px"))


def colours(result: Locator, *names: str) -> list[tuple[float, ...]]:
    """An element's colours by their CSS names, as red, green and blue."""
    styles = result.evaluate(
        "(element, names) => names.map(name => getComputedStyle(element)[name])", list(names)
    )
    return [tuple(float(part) for part in re.findall(r"[\d.]+", style)[:3]) for style in styles]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """The contrast of two colours as the WCAG measure it, from 1 to 21."""

    def light(colour: tuple[float, ...]) -> float:
        linear = [
            part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
            for part in colour
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05

    high, low = sorted((light(one), light(other)), reverse=True)
    return high / low


@pytest.mark.slow
def test_a_lecture(visit: Page, address: str, complaints: list[str]) -> None:
    """Type an ending, walk on, look at one box, and go on in large letters."""
    visit.goto(f"{address}/?layers=10-13")
    settled(visit)
    first_strip = visit.locator("[data-testid=stHtml] [dir=ltr]").first
    assert set(first_strip.locator("b").all_inner_texts()) == {"0"}
    typed = visit.get_by_role("textbox", name="Sentence B")
    typed.fill("She walked to the bank to rob it.")
    typed.press("Enter")
    expect(first_strip).to_contain_text("\u2026rob it.")
    settled(visit)
    assert set(first_strip.locator("b").all_inner_texts()) == {"0"}

    visit.get_by_role("button", name="Next").click()
    expect(visit).to_have_url(re.compile("step=2"))
    expect(visit.get_by_text("The grey half is not just small, it is forbidden")).to_be_visible()
    settled(visit)
    chart = visit.get_by_test_id("stPlotlyChart")
    box = chart.locator(".nsewdrag").first.bounding_box()
    assert box is not None
    visit.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.1)
    expect(visit.locator(".hoverlayer")).to_contain_text("may not attend to")
    visit.mouse.move(box["x"] + box["width"] * 0.03, box["y"] + box["height"] * 0.5)
    expect(visit.locator(".hoverlayer")).to_contain_text(re.compile(r"attends to Context: [\d.]+%"))

    visit.get_by_role("button", name="Next").click()
    expect(visit).to_have_url(re.compile("step=3"))
    settled(visit)
    expect(chart.locator(".xtick text").filter(has_text="re-routed pair")).to_have_count(1)
    expect(visit.locator("[data-testid=stHtml] [dir=ltr]")).to_contain_text("\u2026rob it.")
    assert "rob" not in visit.url

    sentence = visit.get_by_text("Every token may attend to this one column")
    tick = chart.locator(".xtick text").first
    before = pixels(sentence), pixels(tick)
    visit.get_by_text("Presenter view").click()
    expect(visit).to_have_url(re.compile("presenter=true"))
    expect(visit.get_by_test_id("stSidebar")).to_be_hidden()
    settled(visit)
    assert pixels(sentence) >= 1.4 * before[0]
    assert pixels(tick) >= 20 > before[1]
    visit.reload()
    settled(visit)
    expect(visit.get_by_test_id("stSidebar")).to_be_hidden()
    visit.get_by_role("button", name="Edit").click()
    visit.get_by_text("Presenter view").click()
    expect(visit.get_by_test_id("stSidebar")).to_be_visible()
    settled(visit)
    assert pixels(sentence) == before[0]
    assert not [message for message in complaints if "_stcore" not in message]


@pytest.mark.slow
def test_a_lecture_fits_the_screen_and_is_walked_by_keys(visit: Page, address: str) -> None:
    """Each step on a projector's 1280 x 720: one row, the figure below it, nothing to scroll to."""
    visit.set_viewport_size({"width": 1280, "height": 720})
    visit.goto(f"{address}/?presenter=true")
    settled(visit)
    pressed = ["PageDown", "ArrowRight", "PageDown", "PageDown", "ArrowRight", "PageDown"]
    for number, key in enumerate([*pressed, ""], 1):
        expect(visit.locator("[data-testid=stButtonGroup] [aria-checked=true]")).to_contain_text(
            str(number)
        )
        settled(visit)
        main = visit.get_by_test_id("stMain")
        assert main.evaluate("main => main.scrollHeight - main.clientHeight") <= 0
        rows = [visit.locator("h1"), visit.get_by_text("7 The heads"), visit.get_by_text("Edit")]
        if key:
            rows.append(visit.get_by_role("button", name="Next"))
        middles = []
        for part in rows:
            box = part.first.bounding_box()
            assert box is not None
            middles.append(box["y"] + box["height"] / 2)
        assert max(middles) - min(middles) < 12, "one row"
        for chart in visit.get_by_test_id("stPlotlyChart").all():
            box = chart.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 720
        expect(visit.get_by_text("Take a short tour")).to_be_hidden()
        if key:
            visit.keyboard.press(key)
    visit.keyboard.press("ArrowLeft")
    expect(visit).to_have_url(re.compile("step=6"))
    visit.keyboard.press("PageUp")
    expect(visit).to_have_url(re.compile("step=5"))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_lecture_is_legible_in_any_light(browser: Browser, address: str, scheme: str) -> None:
    context = browser.new_context(
        viewport={"width": 1440, "height": 1000},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    context.set_default_timeout(120_000)
    try:
        visit = context.new_page()
        visit.goto(f"{address}/?layers=10-13&presenter=true&step=3+The+way+out")
        settled(visit)
        (page,) = colours(visit.get_by_test_id("stApp"), "backgroundColor")
        for tick in visit.locator(".xtick text, .ytick text, .infolayer text").all():
            (ink,) = colours(tick, "fill")
            assert contrast(ink, page) > 7, tick.text_content()
        visit.goto(f"{address}/?layers=10-13&presenter=true")
        settled(visit)
        chips = visit.locator("[data-testid=stHtml] [dir=ltr] > span:has(b)").all()
        assert chips
        for chip in chips:
            ink, paper = colours(chip, "color", "backgroundColor")
            paper = page if paper == (0, 0, 0) else paper  # a box that is not filled
            assert contrast(ink, paper) > 4.5, chip.text_content()
    finally:
        context.close()


@pytest.mark.slow
@pytest.mark.parametrize(  # in large letters all that fits in small ones
    "presenter", [pytest.param("false", marks=pytest.mark.nightly), "true"]
)
@pytest.mark.parametrize(
    "step",
    ["2 Why", "3 The way out", "4 Layer by layer", "5 What it costs", "6 The word", "7 The heads"],
)
def test_no_step_scrolls_sideways(telephone: Page, address: str, step: str, presenter: str) -> None:
    telephone.goto(f"{address}/?layers=10-13&step={step}&presenter={presenter}")
    settled(telephone)
    expect(telephone.get_by_test_id("stPlotlyChart").first).to_be_visible()
    assert serving.sideways(telephone) <= 0
