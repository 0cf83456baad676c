"""Choose the corpus that is scored: by name or by upload, with its columns and a sample size.

Names and numbers are bound to the address bar; uploaded texts stay in the session.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, overload

import streamlit as st

from analysis.corpora import beir, columns, parsing, registry, sampling
from analysis.corpora.columns import Columns
from analysis.corpora.tables import shorten
from analysis.corpora.types import Kind, Pairs, Retrieval, Texts
from analysis.errors import CorpusError, RecipeError, quoted
from analysis.experiments.spec import Spec
from analysis.runtime import hosting
from pages.shared import display, progress, uploads, valid_values
from pages.shared.controls import Control, Values

Corpus = Texts | Pairs | Retrieval
_UPLOAD = "uploaded file"
_TABLES = [suffix.removeprefix(".") for suffix in parsing.UPLOADS]
_FILES = {"pairs": _TABLES, "labelled": _TABLES, "retrieval": "zip"}
_ROLES = {
    "pairs": {"text": "First text", "other": "Second text", "score": "Rating"},
    "labelled": {"text": "Text", "label": "Label"},
}
_LABELS = {
    "pairs": (
        "Rated pairs",
        "Pairs of texts with a human similarity rating. Scores are rank correlations with it.",
    ),
    "labelled": ("Labelled texts", "Texts with one label each."),
    "retrieval": ("Retrieval set", "Queries, documents, and which belong together."),
}
_UNITS = {"pairs": "pairs", "labelled": "texts", "retrieval": "queries"}
_SAMPLE = {"pairs": 300, "labelled": sampling.LABELLED, "retrieval": sampling.QUERIES}


@overload
def chosen(kind: Literal["pairs"]) -> Pairs: ...
@overload
def chosen(kind: Literal["labelled"]) -> Texts: ...
@overload
def chosen(kind: Literal["retrieval"]) -> Retrieval: ...
def chosen(kind: Kind) -> Corpus:
    """The chosen corpus, or the chosen sample of it."""
    size = CorpusControl(kind=kind).read(valid_values.values())["part"]
    sample: Corpus = sampling.scored_part(full(kind), size)
    return sample


def full(kind: Kind, values: Values | None = None) -> Any:
    """All of the chosen corpus, or of the default one until a file is uploaded.

    Args:
        kind: the corpus's.
        values: of widgets, by key; those of this visit, where none are given.
    """
    values = valid_values.values() if values is None else values
    name = values.get(kind, registry.DEFAULTS[kind])
    if name == _UPLOAD:
        uploaded = values.get(f"{kind}_uploaded")
        return _named(kind, registry.DEFAULTS[kind]) if uploaded is None else uploaded
    return _named(kind, name)


def _size(corpus: Corpus) -> int:
    match corpus:
        case Pairs():
            return len(corpus.scores)
        case Retrieval():
            return len(corpus.queries)
    return len(corpus.texts)


def _uploaded(kind: Kind) -> Corpus | None:
    """The uploaded corpus, read by the columns that the visitor confirmed; None until then."""
    formats = (
        "A ZIP in BEIR's layout"
        if kind == "retrieval"
        else "A table: TSV, CSV, JSON, Excel, Parquet or Arrow"
    )
    limits = hosting.hosted()
    file = st.file_uploader(
        formats,
        type=_FILES[kind],
        key=f"{kind}_file",
        max_upload_size=limits.megabytes if limits else None,
        on_change=_forget_removed,
        args=(kind,),
    )
    if file is None:
        # Streamlit forgets the file where its field is not shown; what was read of it stays.
        kept: Corpus | None = st.session_state.get(f"{kind}_uploaded")
        if kept is None:
            uploads.forget(kind)
        else:
            st.caption(display.escaped(f"Kept from before: {kept.name}."))
        return kept
    name, data = file.name, file.getvalue()
    if kind == "retrieval":
        return uploads.read_once(kind, data, lambda: beir.read_retrieval(name, data), name)
    table = uploads.read_once(kind, data, lambda: parsing.read_table(name, data), name)
    guess = columns.guess_columns(name, table, kind)
    roles: dict[str, Any] = {}
    for role, label in _ROLES[kind].items():
        column = getattr(guess, role)
        roles[role] = st.selectbox(
            f"Column: {label.lower()}",
            guess.available,
            None if column is None else guess.available.index(column),
            key=f"{kind}_{role}_{file.file_id}",
            persist_state="session",
        )
    if guess.guessed:
        guessed = ", ".join(repr(shorten(name)) for name in guess.guessed)
        st.caption(f"Guessed: {display.escaped(guessed)}. Please check.")
    if None in roles.values():
        st.info("Choose a column for each field.")
        return None
    read = columns.read_pairs if kind == "pairs" else columns.read_labelled
    chosen = Columns(**roles, available=guess.available)
    corpus: Corpus = uploads.read_once(
        f"{kind} by columns", data, lambda: read(name, table, chosen), name, chosen
    )
    st.caption(display.escaped(f"{corpus.name}: {_size(corpus):,} {_UNITS[kind]}. {corpus.source}"))
    return corpus


def _show_upload(kind: Kind) -> None:
    """Show the upload; while a file is refused, what counted before it stays."""
    key = f"{kind}_uploaded"
    try:
        st.session_state[key] = _uploaded(kind)
    except CorpusError as error:
        st.session_state.setdefault(key, None)
        display.refusal(error, _instead(full(kind).name))
    else:
        if st.session_state[key] is None:
            st.info(f"Until a file is uploaded, scores are on {registry.DEFAULTS[kind]}.")


def _instead(name: str) -> str:
    return f"Until then, scores are on {name}."


def _forget_removed(kind: Kind) -> None:
    """Forget an upload that its visitor has taken away."""
    if st.session_state[f"{kind}_file"] is None:
        st.session_state[f"{kind}_uploaded"] = None


@dataclass(frozen=True)
class CorpusControl(Control):
    """A corpus that is scored and the size of its sample.

    Attributes:
        kind: of the corpus; the question's own kind if None.
        sample: the question's default size, where it has one. It then has a widget of its own.
    """

    option: str = "corpus"
    label: str = ""
    kind: Kind | None = None
    sample: int | None = None

    def bound(self, question: type[Spec]) -> "CorpusControl":
        key = question.command.replace("-", "_")
        return replace(self, key=key, sample=question.options()["part"].default)

    @property
    def options(self) -> tuple[str, ...]:
        return ("corpus", "part")

    def read(self, values: Values) -> dict[str, Any]:
        kind = self._kind(values)
        chosen = full(kind, values)
        size = values.get(self._key(kind, chosen.name))
        size = self._default(kind, chosen) if size is None else int(size)
        everything = size >= _size(chosen) and self.sample is None
        return {"corpus": chosen.name, "part": None if everything else size}

    def write(self, points: Sequence[Any]) -> dict[str, Any]:
        """The widgets' values by key, for a question.

        Raises:
            CorpusError: the corpus is not offered here.
            RecipeError: the part is too small.
        """
        spec = points[0]
        kind: Kind = self.kind or spec.on
        name, part = spec.corpus or registry.DEFAULTS[kind], spec.part
        sizes = {entry.name: entry.size for entry in registry.list_corpora() if entry.kind == kind}
        if name not in sizes:
            raise CorpusError(
                f"The corpus {quoted(name)} is not among the {kind} offered here, such as "
                f"{', '.join(list(sizes)[:4])}; upload a file on the page itself."
            )
        size = sizes[name] or part or 0
        least = min(3, size)
        if part is not None and part < least:
            raise RecipeError(f"The page takes a part of {least} at least, not {part}.")
        return {kind: name, self._key(kind, name): size if part is None else min(part, size)}

    def show(self, at: Any, **more: Any) -> None:
        del at, more
        kind = self._kind(valid_values.values())
        label, help_text = _LABELS[kind]
        st.selectbox(
            label, [*registry.names(kind), _UPLOAD], key=kind, bind="query-params", help=help_text
        )
        if st.session_state[kind] == _UPLOAD:
            _show_upload(kind)
        else:
            with progress.working("Reading the corpus"):
                load = partial(_named, kind)
                valid_values.check(kind, load, registry.DEFAULTS[kind], named=_instead)
        chosen = full(kind)
        st.caption(display.escaped(f"{chosen.name}: {chosen.source}"))
        if note := getattr(chosen, "note", ""):
            st.caption(display.escaped(note))
        # Each corpus has its own widget, so that a number chosen for one is not used for another.
        key, state = self._key(kind, chosen.name), st.session_state
        if state.get(key, 0) > _size(chosen):  # of a longer file with the same name
            state[key] = _size(chosen)
        st.number_input(
            f"Sample ({_UNITS[kind]})",
            min(3, _size(chosen)),
            _size(chosen),
            self._default(kind, chosen),
            key=key,
            bind=None if state[kind] == _UPLOAD else "query-params",
            help=f"So many of the {_size(chosen):,} are drawn at random, and captions say so. "
            "Fewer is faster.",
        )

    def _kind(self, values: Values) -> Kind:
        kind: Kind = self.kind or values.get("score_on", "pairs")
        return kind

    def _key(self, kind: Kind, name: str) -> str:
        return f"{kind if self.sample is None else self.key}_most_{name}"

    def _default(self, kind: Kind, chosen: Corpus) -> int:
        """The size unless another is chosen: everything where texts are few."""
        few = isinstance(chosen, Pairs) and len(chosen.texts) <= 100
        return _size(chosen) if few else min(_size(chosen), self.sample or _SAMPLE[kind])


@st.cache_resource(show_spinner=False, max_entries=20)
def _named(kind: Kind, name: str) -> Any:
    return registry.load(kind, name)
