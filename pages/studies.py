"""What did the studies find? Studies that ship, and recipes or results from a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from analysis.errors import ExplorerError
from analysis.recipes import charts, files, results
from analysis.recipes.results import Results
from analysis.recipes.rows import ITEMS
from analysis.runtime.paths import ASSETS, program
from pages.shared import address, display, header, recipe_view, study_heads, uploads
from pages.shared.conclusions import CONCLUSIONS

FOLDER = ASSETS / "studies"
STUDIES = tuple(CONCLUSIONS)
header.page_header(
    "What did the studies find?",
    "A study is a recipe with a grid: many backbones, corpora or methods in one run. **Choose one "
    "that ships with the project, or open your own recipe or results.**",
)


def show_results(study: Results, command: str, conclusion: str = "") -> None:
    """Show a conclusion (or the first finding), figures, findings, and how to run it again."""
    if study.recipe.title:
        st.header(display.escaped(study.recipe.title))
    display.say_source(_source(study))
    drawings, sentences = study.charts(), study.sentences
    if conclusion := conclusion or next(iter(sentences), ""):
        st.markdown(f"**{display.escaped(conclusion)}**")
    for number, drawing in enumerate(drawings):
        st.subheader(display.escaped(drawing.name))
        if drawing.figure is None:
            display.folded_table(drawing.name, drawing.table.copy)
        else:
            display.figure(drawing.figure, drawing.table, drawing.name)
        if not number:
            _show_findings(study, sentences)
    if not drawings:
        _show_findings(study, sentences)
    study_heads.buttons(study)
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


def _source(study: Results) -> str:
    """The backbones with their dtypes, the corpora and their sizes, for the figures' pictures."""
    made = {
        f"{row['backbone']} in {row['dtype']}": 0
        for row in study.rows
        if {"backbone", "dtype"} <= row.keys()
    }
    sizes = {
        f"{row['corpus']}, n = {row[kind]:,} {kind}": 0
        for row in study.rows
        for kind in (*ITEMS, "items")
        if "corpus" in row and isinstance(row.get(kind), int)
    }
    return "; ".join((*made, *sizes))


def _show_findings(study: Results, sentences: Sequence[str]) -> None:
    """What was done, and all findings."""
    if study.recipe.about:
        st.subheader("What was done")
        st.markdown(display.escaped(study.recipe.about))
    if sentences:
        st.subheader("Findings, with 95% intervals")
        st.markdown("\n".join(f"- {display.escaped(sentence)}" for sentence in sentences))


def show_file(file: Any) -> None:
    """Show the results or the recipe of an uploaded file."""
    if Path(file.name).suffix == ".json":
        data = file.read(results.LARGEST + 1)
        opened = uploads.read_once("results", data, lambda: results.read(data, "The file"))
        show_results(opened, f"{program()} run recipe.yaml --compare results.json")
    else:
        recipe_view.show(files.read(file.read(files.LARGEST + 1), "The file"))


file = st.file_uploader(
    "Recipe (YAML) or results (JSON)",
    type=["yaml", "yml", "json"],
    key="opened_file",
    help=f"Each page offers its view as a recipe at its end; `{program()} run` with `--output` "
    "writes results.json.",
)
if file is not None:
    try:
        show_file(file)
    except ExplorerError as error:
        display.refusal(error, "Until then, the studies that ship are shown.")
    else:
        st.stop()
else:
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
address.note_label("study", titles[study])
path = f"assets/studies/{study}"
show_results(
    results.read_file(FOLDER / f"{study}.json"),
    f"{program()} run {path}.yaml --compare {path}.json",
    CONCLUSIONS[study],
)
