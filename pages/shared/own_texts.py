"""Texts of a visit's own, uploaded or pasted: one door for every place that takes a list of texts.

They are read once, stay in the visit until others take their place, and enter neither the address
nor what is stored. What is refused is named beside the fields, and the last texts stay in use.
"""

import streamlit as st

from analysis.corpora import parsing
from analysis.corpora.columns import Columns
from analysis.corpora.tables import shorten
from analysis.corpora.types import Texts
from analysis.errors import CorpusError, ExplorerError
from analysis.runtime import hosting
from pages.shared import display, own_text_files
from pages.shared.display import Markdown
from pages.shared.own_text_files import Given, Own

OWN = "own texts"
"""What menus of texts call them, and what the address says of them."""
PASTED = "own-texts.txt"
"""The name of a pasted list, and of the file that it is saved as."""
LONGEST = 1_000_000
"""Most characters of a pasted list; the server takes no longer messages than of 5 MB."""
CHOICE = "calibration"
"""Key of the sidebar's menu, whose door is the one of a page where both choose own texts."""
_KEY, _REFUSED = "own texts of the visit", "own texts that were refused"
_GIVEN, _READ = "own texts as they were given", "own texts by columns"
_NONE = "none"


def current() -> Texts | None:
    """The visit's own texts, or None before any were given."""
    own: Own | None = st.session_state.get(_KEY)
    return own.texts if own else None


def check_enough(least: int, what: Markdown) -> None:
    """Refuse own texts that are too few for what they are to be used for; none are not refused.

    Args:
        least: how many distinct texts it needs.
        what: what it is, with a capital and without a stop.

    Raises:
        CorpusError: they are fewer.
    """
    own: Own | None = st.session_state.get(_KEY)
    if own is not None and own.distinct < least:
        raise CorpusError(
            f"{what} needs at least {least} distinct texts, and {own.texts.name} has "
            f"{own.distinct}; give more."
        )


def about(*names: str | None) -> str:
    """What to do to ask the same with a command, if one of the ``names`` is of own texts."""
    own: Own | None = st.session_state.get(_KEY)
    if own is None or own.texts.name not in names:
        return ""
    name = own.texts.name
    if own.file is None:
        return f"{name} is a file of your own: run this in the folder that holds it."
    return (
        f"{name} stands for texts of your own, which no link or recipe holds: save them as {name} "
        "by the button below their fields, and run this in the folder that holds the file."
    )


def show(place: str, instead: str) -> None:
    """Show the fields for own texts: a file, or a list to paste; read what was given.

    Args:
        place: where they stand, a word for the keys of the fields.
        instead: the corpora that count until texts are given.
    """
    state = st.session_state
    elsewhere = place != CHOICE and state.get(CHOICE) == OWN
    if elsewhere:
        st.caption("The fields for your own texts are in the sidebar, below *Calibration texts*.")
    else:
        _show_fields(place)
        if given := state.get(_GIVEN):
            _read_by_columns(given, place)
        if error := state.get(_REFUSED):
            _refuse(error)
    own: Own | None = state.get(_KEY)
    if own is None:
        st.info(display.escaped(f"Until texts are given, those of {instead} are used."))
        return
    _describe(own)
    if own.file is not None and not elsewhere:
        st.download_button(
            display.escaped(f"Save the texts as {own.texts.name}"),
            own.file,
            own.texts.name,
            "text/plain",
            key=f"own_save_{place}",
            on_click="ignore",
            help="Commands and recipes of this view read this file.",
        )


def _show_fields(place: str) -> None:
    limits = hosting.hosted()
    columns_of_page = st.columns(2) if place != CHOICE else (st, st)
    columns_of_page[0].file_uploader(
        "A file: one text a line (.txt), or a table with a column of texts",
        type=["txt", "txt.gz", *(suffix.removeprefix(".") for suffix in parsing.UPLOADS)],
        key=f"own_file_{place}",
        max_upload_size=limits.megabytes if limits else None,
        on_change=_take_file,
        args=(f"own_file_{place}",),
        help="TSV, CSV, JSON, Excel, Parquet or Arrow. A column of labels colours the map. The "
        "texts stay in this visit.",
    )
    columns_of_page[1].text_area(
        "Or a list, one text a line",
        key=f"own_list_{place}",
        height=140,
        max_chars=LONGEST,
        on_change=_take_list,
        args=(f"own_list_{place}",),
        persist_state="session",
        help=f"Paste it, and click outside the field. Blank lines are left out. A list of more "
        f"than {LONGEST:,} characters is uploaded as a file. The texts stay in this visit.",
    )


def _take_file(key: str) -> None:
    """Read an uploaded file; forget the texts of one that was taken away. For callbacks."""
    file = st.session_state[key]
    if file is None:
        _forget(pasted=False)
    else:
        _take(file.name, file.getvalue(), pasted=False)


def _take_list(key: str) -> None:
    """Read a pasted list; forget the texts of one that was emptied. For callbacks."""
    pasted = st.session_state[key]
    if pasted.strip():
        _take(PASTED, pasted.encode("utf-8", "surrogatepass"), pasted=True)
    else:
        _forget(pasted=True)


def _forget(*, pasted: bool) -> None:
    """Forget a refusal, and the texts if they are those of the field that was emptied."""
    state = st.session_state
    state.pop(_REFUSED, None)
    given: Given | None = state.get(_GIVEN)
    if given is not None and given.pasted == pasted:
        for key in (_KEY, _GIVEN, _READ):
            state.pop(key, None)


def _take(name: str, data: bytes, *, pasted: bool) -> None:
    """Keep the table of a file or a list, or why it is refused."""
    state = st.session_state
    last: Given | None = state.get(_GIVEN)
    try:
        number = last.number + 1 if last else 0
        state[_GIVEN] = own_text_files.parse(name, data, number, pasted=pasted)
    except ExplorerError as error:
        state[_REFUSED] = error
    else:
        state.pop(_REFUSED, None)


def _read_by_columns(given: Given, place: str) -> None:
    """Put the texts in the columns that are confirmed into use; those of a list have no choice."""
    chosen = _choose_columns(given, place) if len(given.guess.available) > 1 else given.guess
    if chosen is None:
        st.info("Choose the column of the texts.")
        return
    state = st.session_state
    how = (given.number, chosen)
    if state.get(_READ, (None,))[0] != how:
        try:
            state[_READ] = how, own_text_files.read(given, chosen)
        except ExplorerError as error:
            state[_READ] = how, error
    outcome: Own | ExplorerError = state[_READ][1]
    if isinstance(outcome, ExplorerError):
        _refuse(outcome)
    else:
        state[_KEY] = outcome


def _refuse(error: ExplorerError) -> None:
    kept = current()
    display.refusal(error, f"{kept.name} stays in use." if kept else "")


def _choose_columns(given: Given, place: str) -> Columns | None:
    """The columns of texts and labels, as they are proposed or chosen; None without texts."""
    guess, number = given.guess, given.number
    pair = None
    if guess.text is not None and guess.other is not None:
        pair = f"{guess.text} and {guess.other}"
    offered = [*filter(None, [pair]), *guess.available]
    a, b = st.columns(2) if place != CHOICE else (st, st)
    first = pair or guess.text
    text = a.selectbox(
        "Column of texts",
        offered,
        None if first is None else offered.index(first),
        key=f"own_text_{number}_{place}",
        persist_state="session",
    )
    label = b.selectbox(
        "Column of labels",
        [_NONE, *guess.available],
        0 if guess.label is None else 1 + guess.available.index(guess.label),
        key=f"own_label_{number}_{place}",
        persist_state="session",
    )
    if guess.guessed:
        guessed = ", ".join(repr(shorten(name)) for name in guess.guessed)
        st.caption(f"Guessed: {display.escaped(guessed)}. Please check.")
    if text is None:
        return None
    labels = None if label == _NONE else label
    if text == pair and labels is None:
        return guess
    chosen = guess.text if text == pair else text
    proposed = (chosen, labels) == (guess.text, guess.label) and guess.other is None
    return guess if proposed else Columns(chosen, label=labels, available=guess.available)


def _describe(own: Own) -> None:
    """Say in a sentence which texts are in use."""
    texts, total = own.texts, len(own.texts.texts)
    parts = [f"{total:,} {'text' if total == 1 else 'texts'}"]
    if own.distinct < total:
        parts.append(f"{own.distinct:,} of them distinct")
    if texts.labels:
        kinds = len(set(texts.labels))
        parts.append(f"{kinds:,} {'label' if kinds == 1 else 'labels'}")
    st.caption(display.escaped(f"{texts.name}: {', '.join(parts)}. {texts.source}"))
