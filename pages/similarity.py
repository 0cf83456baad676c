"""Does it score better?"""

import streamlit as st

from analysis.corpora.types import Pairs
from analysis.embedding.external import MethodOrVectors
from analysis.embedding.methods import Method
from analysis.experiments import score as scoring
from analysis.experiments.score_result import Corpus, Score
from analysis.figures import scores
from pages.shared import (
    beside_section,
    corpus_picker,
    display,
    glossary,
    header,
    method_bench,
    progress,
    prompt_section,
    session,
    similarity_sections,
    vector_uploads,
    word_sections,
)
from pages.shared.questions import KINDS, SIMILARITY

DESCRIPTIONS = {
    "pairs": "Do cosines rank pairs as people do? Spearman correlation with the ratings.",
    "labelled": "Do texts with the same label lie together? Nearest neighbours and clusters.",
    "retrieval": "Does a query find its documents? The first ten results count.",
}

TABS = ("Scores", "Comparisons", "Pairs", "Own texts", "Prompts")
"""What is shown of the scores; only the one that is open is computed."""

header.page_header(
    "Does it score better?",
    "Methods on the same weights, scored on the same texts. **Where the intervals of two "
    "methods overlap widely, read *Comparisons* before you trust their order.**",
)
backbone, plan = session.backbone(), session.plan()
SIMILARITY.show("on", format_func=KINDS.__getitem__)
on = st.session_state.score_on
st.caption(DESCRIPTIONS[on])
with st.sidebar:
    SIMILARITY.show("corpus")
left, right = st.columns([4, 1])
SIMILARITY.show("method", left)
SIMILARITY.show("post-processing", right)
other = beside_section.choose()
spec = SIMILARITY.spec(answered={"beside": beside_section.name(other)})
methods = session.methods(spec.post_processing)
corpus: Corpus = corpus_picker.chosen(spec.on)
given = vector_uploads.choose()

results: dict[str, Score] = {}
for name in [*spec.method, *given]:
    with display.errors_skip_section(), progress.progress(f"Encoding with {name}") as show_progress:
        if name in given:
            bound = scoring.bound(given[name], corpus_picker.full(spec.on))
            asked: MethodOrVectors = bound.processed(spec.post_processing)
        else:
            asked = methods[name].planned(plan)
        (results[asked.name],) = scoring.score(backbone, corpus, [asked], progress=show_progress)
if not results:
    st.stop()
own = dict(results)
results |= beside_section.score(other, spec, corpus, methods)
scored = list(results.values())
similarity_sections.figures_of(corpus, scored)
measure = similarity_sections.choose_measure(scored, f"measure_{spec.on}")
every = {name: result.method for name, result in own.items()}
planned = {name: method for name, method in every.items() if isinstance(method, Method)}
tabs = st.tabs(TABS, key="similarity_tab", bind="query-params")
by_score, by_comparison, by_pair, by_own_text, by_prompt = tabs
with by_score:
    if by_score.open:
        display.figure(
            scores.measure_bars(scored, measure),
            scores.measure_table(scored, measure),
            "Scores by method",
        )
        similarity_sections.ranks(results, measure)
        beside_section.warn(scored)
        similarity_sections.source(corpus, scored, list(given))
        with display.folded("Compose a method", key="compose") as is_open:
            if is_open:
                method_bench.show(backbone, plan, corpus, own, measure)
        if st.toggle(
            "Show the geometry of each space",
            key="shape",
            bind="query-params",
            help="Encodes texts if needed.",
        ):
            similarity_sections.geometry(backbone, corpus, every)
with by_comparison:
    if by_comparison.open:
        st.header("Paired comparison")
        similarity_sections.paired_comparison(results, measure)
        beside_section.changes(scored, measure, backbone)
with by_pair:
    if by_pair.open:
        st.header("Human ratings and cosines")
        if isinstance(corpus, Pairs):
            similarity_sections.ratings_and_cosines(results, corpus)
        else:
            st.info("Only rated pairs have a rating for each pair. Score on rated pairs above.")
with by_own_text:
    if by_own_text.open:
        st.header("Your own two texts")
        mean_cosines = {
            name: float(result.cosines.mean())
            for name, result in own.items()
            if result.cosines is not None
        }
        similarity_sections.own_texts(backbone, planned, mean_cosines)
with by_prompt:
    if by_prompt.open:
        text = similarity_sections.own_first(st)
        st.header("Model input")
        similarity_sections.prompts(backbone, planned, text)
        st.header("What word did it think of?")
        asked_as = {methods[name].name: name for name in spec.method}
        word_sections.of_text(
            backbone, plan, {asked_as[name]: method for name, method in planned.items()}, text
        )
        with display.folded("Compare prompts", key="prompts") as is_open:
            if is_open:
                prompt_section.show(backbone, plan, corpus)
display.reproduce(
    SIMILARITY.recipe(
        method=[name for name in spec.method if methods[name].name in own],
        beside=spec.beside,
        **vector_uploads.options([name for name in given if name in results]),
    )
)
glossary.explain(
    *("cosine", "Spearman", "nDCG@10", "interval", "paired comparison", "rank"),
    *(
        "lee50",
        "pooling",
        "hybrid",
        "compression prompt",
        "embedding",
        "anisotropy",
        "re-routing",
        "logit lens",
    ),
)
