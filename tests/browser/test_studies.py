"""Studies, recipes and results in a real browser: what is taken along on one page opens again."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from analysis.recipes import files
from analysis.recipes.recipe import Recipe
from tests.support.checks import unexpected
from tests.support.serving import settled
from tests.support.visits import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.weights]


@pytest.mark.slow
def test_a_study_and_a_recipe_are_opened(
    visit: Page, address: str, complaints: list[str], tmp_path: Path
) -> None:
    visit.goto(f"{address}/studies")
    settled(visit)
    visit.get_by_test_id("stButtonGroup").get_by_text("What each part brings").click()
    expect(visit).to_have_url(re.compile("study=What"))
    expect(visit.get_by_text("All parts together changes the score by")).to_be_visible()
    expect(visit.get_by_test_id("stPlotlyChart").first).to_be_visible()

    upload = visit.locator("input[type=file]")
    upload.set_input_files(ROOT / "assets" / "studies" / "rules.json")
    expect(visit.get_by_role("heading", name="Does the ID rule pick well?")).to_be_visible()

    recipe = Recipe.of(
        "dimension",
        {"rule": "lowest", "backbone": "smollm2"},
        view={"page": "intrinsic_dimension", "layers": "10-12"},
    )
    (tmp_path / "view.yaml").write_text(files.write(recipe), encoding="utf-8")
    visit.get_by_test_id("stFileUploader").get_by_role("button").last.click()
    settled(visit)
    upload.set_input_files(tmp_path / "view.yaml")
    visit.get_by_role("button", name="Open the page intrinsic dimension").click()
    expect(visit.locator("h1")).to_have_text("Where does the model compress?")
    settled(visit)
    expect(visit).to_have_url(re.compile("rule=lowest"))
    expect(visit.get_by_role("textbox", name="Re-routed layers")).to_have_value("10-12")
    assert not unexpected(complaints)


@pytest.mark.slow
def test_a_recipe_that_was_opened_is_in_the_address_and_survives_a_reload(
    visit: Page, address: str, folder_of: Callable[[str], str], tmp_path: Path
) -> None:
    options = {"backbone": folder_of("llama"), "layers": "2-3", "method": ["echo", "mean"]}
    recipe = Recipe.of("score", {**options, "corpus": "lee50", "post-processing": "centre"})
    visit.goto(f"{address}/studies")
    settled(visit)
    (tmp_path / "view.yaml").write_text(files.write(recipe), encoding="utf-8")
    visit.locator("input[type=file]").set_input_files(tmp_path / "view.yaml")
    settled(visit)
    visit.get_by_role("button", name="Open the page").click()
    # The address has the values a moment before it has the page.
    expect(visit).to_have_url(re.compile("/similarity[?].*score_method=echo&score_method=mean"))
    expect(visit.locator("h1")).to_have_text("Does it score better?")
    settled(visit)
    visit.reload()
    settled(visit)
    methods = visit.get_by_test_id("stMultiSelect").filter(has_text="Methods")
    expect(methods).to_contain_text("echo")
    expect(methods).not_to_contain_text("kv-embedding")
    expect(visit).to_have_url(re.compile("post_processing=centre"))
