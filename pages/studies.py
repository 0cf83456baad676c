"""What did the studies find? Studies that ship, and recipes or results from a file."""

from pathlib import Path
from typing import Any

import streamlit as st

from analysis.errors import ExplorerError
from analysis.recipes import charts, files, results
from analysis.recipes.recipe import Recipe
from analysis.recipes.results import Results
from analysis.runtime.paths import ASSETS, program
from pages.shared import display, questions, session, uploads

FOLDER = ASSETS / "studies"
STUDIES = ("rules", "parts", "long-texts")

session.page_header(
    "What did the studies find?",
    "A study is a recipe with a grid: many backbones, corpora or methods in one run. **Choose one "
    "that ships with the project, or open your own recipe or results.**",
)


def show_results(study: Results, command: str) -> None:
    """Show findings, figures with their tables, provenance, and the ``command`` to run it again."""
    _show_title(study.recipe)
    drawings = study.charts()
    if sentences := study.sentences:
        st.markdown("**Findings**, with 95% intervals:")
        st.markdown("\n".join(f"- {display.escaped(sentence)}" for sentence in sentences))
    for drawing in drawings:
        st.markdown(f"**{display.escaped(drawing.name)}**")
        if drawing.figure is None:
            display.folded_table(drawing.name, drawing.table.copy)
        else:
            display.figure(drawing.figure, drawing.table, drawing.name)
    identities = charts.settings(study.rows)
    if len(identities.columns):
        display.folded_table("Provenance of the numbers", lambda: identities)
    provenance: dict[str, Any] = dict(study.provenance)
    versions = provenance.pop("versions").items()
    facts = ", ".join(f"{name} {value}" for name, value in (*versions, *provenance.items()))
    st.caption(display.escaped(f"Computed with {facts}."))
    st.markdown("**Run it again**, in the project's folder:")
    st.code(command, language=None, wrap_lines=True)
    with st.container(horizontal=True):
        for label, text, name in (
            ("Download recipe", files.write(study.recipe), "recipe.yaml"),
            ("Download results", study.to_json(), "results.json"),
        ):
            st.download_button(label, text, name, key=label, on_click="ignore")


def show_recipe(opened: Recipe) -> None:
    """Show a recipe: the page that shows it, or one of its points, and the command to run it."""
    _show_title(opened)
    chosen = opened
    try:
        questions.state(opened)
    except ExplorerError:
        if not opened.grid:
            raise
        points = opened.points()
        names = {
            ", ".join(f"{axis} {point.spec.values()[axis]}" for axis in opened.axes): point
            for point in points
        }
        st.markdown(f"A grid of {len(points):,} points. A page shows one of them.")
        chosen = names[st.selectbox("Point of the grid", list(names), key="point")]
        questions.state(chosen)
    page, _ = questions.state(chosen)
    st.button(
        f"Open the page {display.escaped(page.replace('_', ' '))}",
        on_click=questions.open_page,
        args=(chosen,),
        type="primary",
    )
    st.markdown("**Or run it**, in the project's folder:")
    st.code(f"{program()} run recipe.yaml --output results", language=None, wrap_lines=True)
    with st.expander("Show the recipe"):
        st.code(files.write(opened), language=None, wrap_lines=True)


def _show_title(titled: Recipe) -> None:
    if titled.title:
        st.subheader(display.escaped(titled.title))
    if titled.about:
        st.markdown(display.escaped(titled.about))


file = st.file_uploader(
    "Recipe (YAML) or results (JSON)",
    type=["yaml", "yml", "json"],
    key="opened_file",
    help=f"Each page offers its view as a recipe at its end; `{program()} run` with `--output` "
    "writes results.json.",
)
if file is not None:
    if Path(file.name).suffix == ".json":
        data = file.read(results.LARGEST + 1)
        opened = uploads.read_once("results", data, lambda: results.read(data, "The file"))
        show_results(opened, f"{program()} run recipe.yaml --compare results.json")
    else:
        show_recipe(files.read(file.read(files.LARGEST + 1), "The file"))
    st.stop()
uploads.forget("results")

titles = {
    name: display.escaped(files.read_file(str(FOLDER / f"{name}.yaml")).title) for name in STUDIES
}
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
path = f"assets/studies/{study}"
show_results(
    results.read_file(FOLDER / f"{study}.json"),
    f"{program()} run {path}.yaml --compare {path}.json",
)
