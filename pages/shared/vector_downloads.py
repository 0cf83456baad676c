"""The vectors behind both maps as files, made when they are asked for."""

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from analysis.embedding.external import MethodOrVectors
from analysis.experiments.space import Space
from analysis.experiments.vector_exports import VectorExport, exported
from pages.shared import display, downloads, map_tags
from pages.shared.space_pair import Sides

_KINDS: tuple[tuple[str, str, str, Callable[[VectorExport], bytes], str], ...] = (
    (
        "Parquet",
        ".parquet",
        "application/vnd.apache.parquet",
        VectorExport.parquet,
        "Texts, labels, tags and vectors in a table, and what made them in its metadata. "
        "*Vectors from elsewhere* reads it back to the same bits.",
    ),
    (
        "NPY",
        ".npy",
        "application/octet-stream",
        VectorExport.npy,
        "The array alone, float32, a row for each text in the order of the maps' texts.",
    ),
    (
        "TensorBoard",
        ".zip",
        "application/zip",
        VectorExport.projector,
        "vectors.tsv and metadata.tsv for TensorBoard's projector, and README.txt.",
    ),
)
"""Each kind of file: its button, ending and type, what writes it, and what it is."""


def show(sides: Sides, rows: Sequence[int]) -> None:
    """Offer the vectors of each map, of all texts and of the selected ``rows``."""
    with display.folded("Vectors") as opened:
        if not opened:
            return
        st.markdown(
            "The vectors in the full space, float32 of unit length, with their texts and what made "
            "them. The command `space --export` writes the same Parquet."
        )
        for column, side, title, space, (_, method) in zip(
            st.columns(2),
            ("left", "right"),
            sides.titles,
            (sides.left, sides.right),
            sides.made_by,
            strict=True,
        ):
            export = partial(_export, sides, space, method)
            with column:
                st.text(title)
                _buttons(
                    f"{side} vectors",
                    f"All {len(sides.texts.texts):,} texts",
                    partial(export, None),
                )
                if rows:
                    chosen = f"The {len(rows):,} selected"
                    _buttons(f"{side} vectors selected", chosen, partial(export, rows))


def _export(
    sides: Sides, space: Space, method: MethodOrVectors, rows: Sequence[int] | None
) -> VectorExport:
    """The vectors of one map, of some rows or of all."""
    given = map_tags.given()
    tags = [given.get(row, "") for row in range(len(sides.texts.texts))]
    every = exported(space, sides.texts, method, of=sides.size, tags=tags)
    return every if rows is None else every.part(rows)


def _buttons(name: str, label: str, export: Callable[[], VectorExport]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(display.escaped(label))
        for kind, ending, media, write, explained in _KINDS:
            st.download_button(
                kind,
                partial(_written, export, write),
                f"{downloads.file_name(name)}{ending}",
                media,
                key=f"{kind} {name}",
                on_click="ignore",
                help=explained,
            )


def _written(export: Callable[[], VectorExport], write: Callable[[VectorExport], bytes]) -> bytes:
    return write(export())
