"""Whole studies with what they found, and files of one's own: recipes and results."""

from pathlib import Path
from typing import Any

import streamlit as st

from analysis.errors import ExplorerError
from analysis.recipes import charts, files, results
from analysis.recipes.recipe import Recipe
from analysis.recipes.results import Results
from analysis.runtime.paths import ASSETS, program
from pages.shared import display, recipe_state, session

FOLDER = ASSETS / "studies"
STUDIES = ("rules", "parts", "long-texts")

session.page_header(
    "What did whole studies find?",
    "A study is a recipe with a grid: many backbones, corpora or methods, run at once. **Open one "
    "that ships with the project, or a recipe or results of your own.**",
)


def show(found: Results, again: str) -> None:
    """Results: what they say, figures with their tables, what made them, how to run them again."""
    if found.recipe.title:
        st.subheader(display.escaped(found.recipe.title))
    if found.recipe.about:
        st.markdown(display.escaped(found.recipe.about))
    drawn = found.charts()
    if said := found.sentences:
        st.markdown("**What the rows say**, with 95% intervals:")
        st.markdown("\n".join(f"- {display.escaped(sentence)}" for sentence in said))
    for one in drawn:
        st.markdown(f"**{display.escaped(one.name)}**")
        if one.figure is None:
            display.folded_table(one.name, one.table.copy)
        else:
            display.figure(one.figure, one.table, one.name)
    exact = charts.settings(found.rows)
    if len(exact.columns):
        display.folded_table("How the numbers were made", lambda: exact)
    made: dict[str, Any] = dict(found.provenance)
    versions = ", ".join(f"{name} {number}" for name, number in made.pop("versions").items())
    others = ", ".join(f"{name} {value}" for name, value in made.items())
    st.caption(display.escaped(f"Made with {versions}; {others}."))
    st.markdown("**Run it again**, in the project's folder:")
    st.code(again, language=None, wrap_lines=True)
    with st.container(horizontal=True):
        for label, text, name in (
            ("Recipe", files.write(found.recipe), "recipe.yaml"),
            ("Results", found.to_json(), "results.json"),
        ):
            st.download_button(label, text, name, key=f"take {label}", on_click="ignore")


def offer(recipe: Recipe) -> None:
    """A recipe: the page that shows it, or one of its points, and the command that runs it."""
    if recipe.title:
        st.subheader(display.escaped(recipe.title))
    if recipe.about:
        st.markdown(display.escaped(recipe.about))
    chosen = recipe
    try:
        recipe_state.state(recipe)
    except ExplorerError:
        if not recipe.grid:
            raise
        points = recipe.points()
        names = {", ".join(f"{a} {p.spec.values()[a]}" for a in recipe.axes): p for p in points}
        st.markdown(f"A grid of {len(points):,} points; a page shows one of them.")
        chosen = names[st.selectbox("Point", list(names), key="point")]
        recipe_state.state(chosen)
    page, _ = recipe_state.state(chosen)
    st.button(
        f"Open the page {page.replace('_', ' ')}",
        on_click=recipe_state.open_page,
        args=(chosen,),
        type="primary",
    )
    st.markdown("**Or run it**, in the project's folder:")
    st.code(f"{program()} run recipe.yaml --output results", language=None, wrap_lines=True)
    with st.expander("What it says"):
        st.code(files.write(recipe), language=None, wrap_lines=True)


file = st.file_uploader(
    "A recipe (YAML) or results (JSON)",
    type=["yaml", "yml", "json"],
    key="opened_file",
    help=f"Each page offers its view as a recipe at its end; results.json comes from {program()} run "
    "with --output.",
)
if file is not None:
    if Path(file.name).suffix == ".json":
        data = file.read(results.LARGEST + 1)
        show(results.read(data, "The file"), f"{program()} run recipe.yaml --compare results.json")
    else:
        offer(files.read(file.read(files.LARGEST + 1), "The file"))
    st.stop()

titles = {name: files.read_file(str(FOLDER / f"{name}.yaml")).title for name in STUDIES}
study = st.segmented_control(
    "Study",
    STUDIES,
    default=STUDIES[0],
    required=True,
    format_func=titles.__getitem__,
    key="study",
    bind="query-params",
    wrap=True,
)
named = f"assets/studies/{study}"
show(
    results.read_file(FOLDER / f"{study}.json"),
    f"{program()} run {named}.yaml --compare {named}.json",
)
