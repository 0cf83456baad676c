"""A text of one's own on the maps: its nearest texts by meaning in both spaces, and its star."""

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analysis.embedding.external import MissingVectorError
from analysis.errors import ExplorerError
from analysis.experiments import space as space_experiment
from analysis.experiments.space import Located
from analysis.figures import space_tables
from analysis.figures.stars import Star
from pages.shared import display, progress, space_pair, valid_values
from pages.shared.questions import SPACE
from pages.shared.space_pair import Sides


@dataclass(frozen=True, eq=False)
class Query:
    """A text, and where it is in each space; a side of vectors that lack it says so instead."""

    text: str
    left: Located | MissingVectorError
    right: Located | MissingVectorError


def star(query: Query | None, *, on_left: bool) -> Star | None:
    """The text on one map, and on the one beside."""
    if query is None:
        return None
    left, right = (
        side.point if isinstance(side, Located) else None for side in (query.left, query.right)
    )
    return Star(query.text, left, right) if on_left else Star(query.text, right, left)


def choose(sides: Sides, place: DeltaGenerator) -> Query | None:
    """Show the field in a place of the page, and find what stands in it in both spaces.

    What is refused leaves the last query that was not.
    """
    place.text_input(
        "Find by meaning",
        key="space_query",
        persist_state="session",
        placeholder="a text of yours",
        help="A text of your own: its nearest texts by cosine in each space are listed below the "
        "maps, and a star marks its place on both. It stays in this visit.",
    )
    found: dict[str, Query | None] = {}

    def find(text: str | None) -> None:
        text = text or ""
        found[text] = _found(sides, text) if text.strip() else None

    def counts(text: str) -> str:
        return f"Until then: {text}" if text else ""

    valid_values.check("space_query", find, "", at=place, named=counts)
    return found[valid_values.value("space_query") or ""]


def _found(sides: Sides, text: str) -> Query:
    def compute() -> Query:
        spec = SPACE.spec(answered=sides.answered)
        located: list[Located | MissingVectorError] = []
        with progress.working("Finding the text in both spaces"):
            for (backbone, method), space in zip(
                sides.made_by, (sides.left, sides.right), strict=True
            ):
                try:
                    located.append(
                        space_experiment.located(
                            *(backbone, text, method, space, sides.texts.texts),
                            neighbours=spec.neighbours,
                            min_dist=spec.min_dist,
                        )
                    )
                except MissingVectorError as error:
                    located.append(error)
        return Query(text, *located)

    return space_pair.remembered("space_query_found", (sides.identity, text), compute)


def show(query: Query | None, sides: Sides) -> None:
    """Show the nearest texts in both spaces next to each other."""
    if query is None:
        return
    st.header("Nearest to your text")
    st.text(query.text)
    texts, labels = sides.texts.texts, sides.texts.labels
    for column, side, title, here, there in zip(
        st.columns(2),
        ("left", "right"),
        sides.titles,
        (query.left, query.right),
        (query.right, query.left),
        strict=True,
    ):
        with column:
            st.text(title)
            if isinstance(here, ExplorerError):
                st.warning(display.escaped(str(here)))
                continue
            other = there.rows if isinstance(there, Located) else None
            table = space_tables.nearest_table(here.rows, here.cosines, other, texts, labels)
            st.dataframe(table, hide_index=True, key=f"query {side} {title}")
    how = {
        "umap": "placed by UMAP's transform, which leaves every dot where it is",
        "pca": "placed along the two directions of the map",
    }[sides.left.projection.how]
    st.caption(
        "Your text is encoded as the texts of the maps are: by each side's method, prompt and "
        "layers, and as a text (Context) where a prompt names what it reads, not as a query. "
        f"Cosines are those of the full space. The star is {how}; on the right map it is rotated, "
        "scaled and shifted as all dots are."
    )
