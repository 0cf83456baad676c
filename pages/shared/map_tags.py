"""Tags that a visitor gives to selected texts: a colour on the maps, and a file with labels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from pages.shared import downloads

UNTAGGED = "untagged"
_KEY = "space_tags"


def forget() -> None:
    """Forget all tags, since the texts are others."""
    st.session_state[_KEY] = {}


def given() -> dict[int, str]:
    """The tags of the texts that have one, by row."""
    kept: dict[int, str] = st.session_state.setdefault(_KEY, {})
    return kept


def tags(count: int) -> NDArray[np.str_]:
    """The tag of each of ``count`` texts, :data:`UNTAGGED` for those that have none."""
    kept = given()
    return np.array([kept.get(row, UNTAGGED) for row in range(count)], dtype=np.str_)


def show(texts: Sequence[str], labels: Sequence[str] | None, rows: Sequence[int]) -> None:
    """Ask for a tag of the selected texts, and offer all texts with their tags as labels.

    Args:
        texts: the texts of the maps.
        labels: their labels in the corpus; a text without a tag keeps its own in the file.
        rows: the selected texts.
    """
    kept = given()
    if not rows and not kept:
        return
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    left.text_input(
        "Tag of the selected texts",
        key="space_tag",
        persist_state="session",
        max_chars=80,
        placeholder="a word of your own",
        help="Colour by *tag* shows it on both maps. An empty tag takes the tags away.",
    )
    middle.button("Tag them", on_click=_tag, args=(tuple(rows),), disabled=not rows)
    right.markdown(f"{len(kept):,} of {len(texts):,} texts have a tag.")
    if kept:
        own = labels or [UNTAGGED] * len(texts)
        downloads.buttons(
            "Texts with tags as labels",
            pd.DataFrame(
                {
                    "text": list(texts),
                    "label": [kept.get(row, label) for row, label in enumerate(own)],
                }
            ),
        )


def _tag(rows: tuple[int, ...]) -> None:
    tag = st.session_state.space_tag.strip()
    kept = given()
    for row in rows:
        if tag:
            kept[row] = tag
        else:
            kept.pop(row, None)
