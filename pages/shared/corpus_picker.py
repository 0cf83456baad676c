"""Choosing what is scored: a corpus by name or by upload, its columns, and how much of it.

Names and numbers are bound to the address bar; uploaded texts stay in the session.
"""

from typing import Any, Literal, overload

import streamlit as st

from analysis.corpora import beir, columns, registry, sampling
from analysis.corpora.columns import Columns
from analysis.corpora.tables import short
from analysis.corpora.types import Kind, Pairs, Retrieval, Texts
from analysis.runtime import hosting
from pages.shared import display

Corpus = Texts | Pairs | Retrieval
_UPLOAD = "uploaded file"
_FILES = {"pairs": ["tsv", "csv", "jsonl"], "labelled": ["tsv", "csv", "jsonl"], "retrieval": "zip"}
_ROLES = {
    "pairs": {"text": "First text", "other": "Second text", "score": "Rating"},
    "labelled": {"text": "Text", "label": "Label"},
}
_THINGS = {"pairs": "pairs", "labelled": "texts", "retrieval": "queries"}
_MOST = {"pairs": 300, "labelled": sampling.LABELLED, "retrieval": sampling.QUERIES}


def choose(kind: Kind, label: str, explained: str) -> None:
    """The widgets of one kind of corpus; ``chosen`` gives what they say."""
    st.selectbox(
        label, [*registry.names(kind), _UPLOAD], key=kind, bind="query-params", help=explained
    )
    if st.session_state[kind] == _UPLOAD:
        st.session_state[f"{kind}_uploaded"] = found = _uploaded(kind)
        if found is None:
            st.info(f"Until a file is uploaded and read, scores are on {registry.USUAL[kind]}.")
    whole = _whole(kind)
    if (size := _size(whole)) > _usual(kind, whole):
        # A widget of its own for each corpus, so that a choice made for one is not another's.
        st.number_input(
            f"At most ({_THINGS[kind]})",
            min(3, size),
            size,
            _usual(kind, whole),
            key=f"{kind}_most_{whole.name}",
            bind=None if st.session_state[kind] == _UPLOAD else "query-params",
            help=f"A part of the {size:,} is drawn at random and marked as one; fewer is faster.",
        )


@overload
def chosen(kind: Literal["pairs"]) -> Pairs: ...
@overload
def chosen(kind: Literal["labelled"]) -> Texts: ...
@overload
def chosen(kind: Literal["retrieval"]) -> Retrieval: ...
def chosen(kind: Kind) -> Corpus:
    """The chosen corpus, or the part of it that was asked for."""
    whole = _whole(kind)
    most = int(st.session_state.get(f"{kind}_most_{whole.name}", _usual(kind, whole)))
    found: Corpus = sampling.part(whole, most)
    return found


def spoken(kind: Kind) -> dict[str, Any]:
    """The choice as a recipe says it: the corpus by name or file, and the part drawn of it."""
    whole = _whole(kind)
    most = int(st.session_state.get(f"{kind}_most_{whole.name}", _usual(kind, whole)))
    return {"corpus": whole.name, "part": most if most < _size(whole) else None}


def _whole(kind: Kind) -> Any:
    if st.session_state[kind] == _UPLOAD:
        uploaded = st.session_state.get(f"{kind}_uploaded")
        return uploaded if uploaded is not None else _named(kind, registry.USUAL[kind])
    return _named(kind, st.session_state[kind])


def _size(corpus: Corpus) -> int:
    match corpus:
        case Pairs():
            return len(corpus.scores)
        case Retrieval():
            return len(corpus.queries)
    return len(corpus.texts)


def _usual(kind: Kind, corpus: Corpus) -> int:
    """How much is taken unless more is asked for: all where there are few texts to encode."""
    few = isinstance(corpus, Pairs) and len(corpus.texts) <= 100
    return _size(corpus) if few else min(_size(corpus), _MOST[kind])


def _uploaded(kind: Kind) -> Corpus | None:
    """What was uploaded, read by the columns that the visitor confirmed; None if not yet."""
    what = "A ZIP in BEIR's layout" if kind == "retrieval" else "A TSV, CSV or JSONL file"
    limits = hosting.hosted()
    file = st.file_uploader(
        what,
        type=_FILES[kind],
        key=f"{kind}_file",
        max_upload_size=limits.megabytes if limits else None,
    )
    if file is None:
        return None
    data = file.getvalue()
    if kind == "retrieval":
        return beir.read_retrieval(file.name, data)
    guess = columns.guess_columns(file.name, data, kind)
    roles: dict[str, Any] = {}
    for role, label in _ROLES[kind].items():
        at = getattr(guess, role)
        roles[role] = st.selectbox(
            f"{label}: column",
            guess.available,
            None if at is None else guess.available.index(at),
            key=f"{kind}_{role}_{file.file_id}",
        )
    if guess.guessed:
        guessed = ", ".join(repr(short(name)) for name in guess.guessed)
        st.caption(f"Guessed: {display.escaped(guessed)}. Change what is wrong.")
    if None in roles.values():
        st.info("Choose a column for each part.")
        return None
    read = columns.read_pairs if kind == "pairs" else columns.read_labelled
    found = read(file.name, data, Columns(**roles, available=guess.available))
    st.caption(display.escaped(f"{found.name}: {_size(found):,} {_THINGS[kind]}. {found.source}"))
    return found


@st.cache_resource(show_spinner="Reading the corpus", max_entries=20)
def _named(kind: Kind, name: str) -> Any:
    return registry.load(kind, name)
