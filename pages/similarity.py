"""Does it score better?"""

import streamlit as st

from analysis.corpora.types import Pairs
from analysis.experiments import score as scoring
from analysis.experiments.score_result import Corpus, Score
from analysis.figures import scores
from pages.shared import corpus_picker, display, glossary, session, similarity_sections
from pages.shared.questions import KINDS, SIMILARITY

DESCRIPTIONS = {
    "pairs": "Do cosines rank pairs as people do? Spearman correlation with the ratings.",
    "labelled": "Do texts with the same label lie together? Nearest neighbours and clusters.",
    "retrieval": "Does a query find its documents? The first ten results count.",
}

session.page_header(
    "Does it score better?",
    "Methods on the same weights, scored on the same texts. **Where the intervals of two "
    "methods overlap widely, read the paired comparison below before you trust their order.**",
)
backbone, plan, methods = session.backbone(), session.plan(), session.methods()
SIMILARITY.show("on", format_func=KINDS.__getitem__)
on = st.session_state.score_on
st.caption(DESCRIPTIONS[on])
if on != "pairs":
    SIMILARITY.show("corpus")
left, right = st.columns([4, 1])
SIMILARITY.show("method", left)
SIMILARITY.show("post-processing", right)
spec = SIMILARITY.spec()
corpus: Corpus = corpus_picker.chosen(spec.on)

results: dict[str, Score] = {}
for name in spec.method:
    with display.errors_skip_section(), display.progress(f"Encoding with {name}") as show_progress:
        (results[name],) = scoring.score(
            backbone,
            corpus,
            [methods[name].under(plan)],
            processing=spec.post_processing,
            progress=show_progress,
        )
if not results:
    st.stop()
scored = list(results.values())
first = scored[0].measures[0]
measure_names = [measure.name for measure in scored[0].measures]
measure = st.radio(
    "Measure", measure_names, horizontal=True, key=f"measure_{spec.on}", format_func=display.escaped
)
display.figure(
    scores.measure_bars(scored, measure),
    scores.measure_table(scored),
    "Scores by method",
)
total = f" of {scored[0].of:,}" if scored[0].of else ""
texts = f" of {len(corpus.texts):,} texts" if isinstance(corpus, Pairs) else ""
st.caption(
    display.escaped(
        f"{corpus.name}: {first.items:,}{total} {first.things}{texts}; 95% intervals from "
        f"{len(first.drawn):,} bootstrap draws of {first.resampled}. {corpus.source} "
        f"{getattr(corpus, 'note', '')} {scored[0].provenance.sentence}."
    )
)
if texts_cut := max(result.texts_cut for result in scored):
    st.warning(
        f"{texts_cut:,} texts were longer than the context of {backbone.facts.context:,} tokens "
        "and were cut."
    )

st.subheader("Paired comparison")
similarity_sections.paired_comparison(results, measure)

if isinstance(corpus, Pairs):
    st.subheader("Human ratings and cosines")
    similarity_sections.ratings_and_cosines(results, corpus)

planned = {name: methods[name].under(plan) for name in results}
if st.toggle("Show the geometry of each space", key="shape", help="Encodes texts if needed."):
    similarity_sections.geometry(backbone, corpus, planned)

st.subheader("Your own two texts")
comparable = isinstance(corpus, Pairs) and spec.post_processing == "none"
mean_cosines = {
    name: float(result.cosines.mean())
    for name, result in results.items()
    if comparable and result.cosines is not None
}
own_text = similarity_sections.own_texts(backbone, planned, mean_cosines)

st.subheader("Model input")
similarity_sections.prompts(backbone, planned, own_text)
display.reproduce(SIMILARITY.recipe(method=list(results)))
glossary.explain(
    *("cosine", "Spearman", "nDCG@10", "interval", "paired comparison"),
    *("pooling", "embedding", "anisotropy", "re-routing"),
)
