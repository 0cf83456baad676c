"""The chosen heads of a study's results, each set opened on the re-routing page by one click."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from analysis.errors import ExplorerError
from analysis.experiments.specs import Score
from analysis.recipes.recipe import Recipe
from analysis.recipes.results import Results
from analysis.recipes.rows import Row
from pages.shared import display, questions


def buttons(study: Results) -> None:
    """A button for each set of heads that results of ``transfer`` chose for kv-embedding."""
    if study.recipe.command != "transfer":
        return
    recipes = {_label(row): _recipe(row) for row in _sets(study.rows)}
    if not any(recipes.values()):
        return
    st.markdown("**Open the heads on the re-routing page**, to see them and switch them:")
    with st.container(horizontal=True):
        for label, recipe in recipes.items():
            if recipe is not None:
                st.button(display.escaped(label), on_click=questions.open_page, args=(recipe,))


def _sets(rows: Sequence[Row]) -> list[Row]:
    """The first row of each set of heads."""
    chosen = [row for row in rows if row.get("heads") and row["method"] == "kv-embedding"]
    return list({(row["backbone"], row["heads"]): row for row in reversed(chosen)}.values())[::-1]


def _label(row: Row) -> str:
    by = "by judgements" if row["objective"] == "judgements" else "without labels"
    return f"{row['backbone']}, chosen {by}"


def _recipe(row: Row) -> Recipe | None:
    """The re-routing page with the heads of a row; None where no page here shows it."""
    values: dict[str, Any] = {name: row[name] for name in ("backbone", "dtype", "heads", "bias")}
    values |= {"method": ["prompt-only", "kv-embedding"], "key-position": row["key_position"]}
    try:
        recipe = Recipe(Score.read(values), view={"page": questions.REROUTING.name})
        questions.state(recipe)
    except ExplorerError:
        return None
    return recipe
