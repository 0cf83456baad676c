"""Choose the corpus that is scored: by name or by upload, with its columns and a sample size.

Names and numbers are bound to the address bar; uploaded texts stay in the session.
"""

from typing import Any, Literal, overload

import streamlit as st

from analysis.corpora import beir, columns, registry, sampling
from analysis.corpora.columns import Columns
from analysis.corpora.tables import shorten
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
_UNITS = {"pairs": "pairs", "labelled": "texts", "retrieval": "queries"}
_SAMPLE = {"pairs": 300, "labelled": sampling.LABELLED, "retrieval": sampling.QUERIES}


def choose(kind: Kind, label: str, help_text: str) -> None:
    """Choose a corpus of one kind; ``chosen`` returns it."""
    st.selectbox(
        label, [*registry.names(kind), _UPLOAD], key=kind, bind="query-params", help=help_text
    )
    if st.session_state[kind] == _UPLOAD:
        st.session_state[f"{kind}_uploaded"] = uploaded = _uploaded(kind)
        if uploaded is None:
            st.info(f"Until a file is uploaded, scores are on {registry.DEFAULTS[kind]}.")
    corpus = _corpus(kind)
    if (size := _size(corpus)) > _default_sample(kind, corpus):
        # Each corpus has its own widget, so that a number chosen for one is not used for another.
        st.number_input(
            f"Sample ({_UNITS[kind]})",
            min(3, size),
            size,
            _default_sample(kind, corpus),
            key=f"{kind}_most_{corpus.name}",
            bind=None if st.session_state[kind] == _UPLOAD else "query-params",
            help=f"So many of the {size:,} are drawn at random, and captions say so. Fewer is "
            "faster.",
        )


@overload
def chosen(kind: Literal["pairs"]) -> Pairs: ...
@overload
def chosen(kind: Literal["labelled"]) -> Texts: ...
@overload
def chosen(kind: Literal["retrieval"]) -> Retrieval: ...
def chosen(kind: Kind) -> Corpus:
    """The chosen corpus, or the chosen sample of it."""
    corpus = _corpus(kind)
    sample: Corpus = sampling.part(corpus, _sample_size(kind, corpus))
    return sample


def recipe_options(kind: Kind) -> dict[str, Any]:
    """The choice as a recipe has it: the corpus by name or file, and the size of its sample."""
    corpus = _corpus(kind)
    size = _sample_size(kind, corpus)
    return {"corpus": corpus.name, "part": size if size < _size(corpus) else None}


def _sample_size(kind: Kind, corpus: Corpus) -> int:
    """The chosen sample size, or the default one."""
    chosen = st.session_state.get(f"{kind}_most_{corpus.name}")
    return _default_sample(kind, corpus) if chosen is None else int(chosen)


def _corpus(kind: Kind) -> Any:
    """The chosen corpus, or the default one until a file is uploaded."""
    if st.session_state[kind] == _UPLOAD:
        uploaded = st.session_state.get(f"{kind}_uploaded")
        return uploaded if uploaded is not None else _named(kind, registry.DEFAULTS[kind])
    return _named(kind, st.session_state[kind])


def _size(corpus: Corpus) -> int:
    match corpus:
        case Pairs():
            return len(corpus.scores)
        case Retrieval():
            return len(corpus.queries)
    return len(corpus.texts)


def _default_sample(kind: Kind, corpus: Corpus) -> int:
    """The size of the sample unless another is chosen: everything where texts are few."""
    few = isinstance(corpus, Pairs) and len(corpus.texts) <= 100
    return _size(corpus) if few else min(_size(corpus), _SAMPLE[kind])


def _uploaded(kind: Kind) -> Corpus | None:
    """The uploaded corpus, read by the columns that the visitor confirmed; None until then."""
    formats = "A ZIP in BEIR's layout" if kind == "retrieval" else "A TSV, CSV or JSONL file"
    limits = hosting.hosted()
    file = st.file_uploader(
        formats,
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
        column = getattr(guess, role)
        roles[role] = st.selectbox(
            f"Column: {label.lower()}",
            guess.available,
            None if column is None else guess.available.index(column),
            key=f"{kind}_{role}_{file.file_id}",
        )
    if guess.guessed:
        guessed = ", ".join(repr(shorten(name)) for name in guess.guessed)
        st.caption(f"Guessed: {display.escaped(guessed)}. Please check.")
    if None in roles.values():
        st.info("Choose a column for each field.")
        return None
    read = columns.read_pairs if kind == "pairs" else columns.read_labelled
    corpus = read(file.name, data, Columns(**roles, available=guess.available))
    st.caption(display.escaped(f"{corpus.name}: {_size(corpus):,} {_UNITS[kind]}. {corpus.source}"))
    return corpus


@st.cache_resource(show_spinner="Reading the corpus", max_entries=20)
def _named(kind: Kind, name: str) -> Any:
    return registry.load(kind, name)
