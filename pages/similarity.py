"""Does it score better?"""

import streamlit as st

from analysis.corpora.types import Pairs
from analysis.embedding.postprocessing import POSTPROCESSINGS
from analysis.experiments import score as scoring
from analysis.experiments import specs
from analysis.figures import scores
from pages.shared import corpus_picker, display, glossary, session, similarity_sections

DESCRIPTIONS = {
    "rated pairs": "Do cosines rank pairs as people do? Spearman correlation with the ratings.",
    "labelled texts": "Do texts with the same label lie together? Nearest neighbours and clusters.",
    "retrieval": "Does a query find its documents? The first ten results count.",
}

session.page_header(
    "Does it score better?",
    "Every method on the same weights, scored on the same texts. **Where the intervals of two "
    "methods overlap widely, read the paired comparison below before you trust their order.**",
)
backbone, plan, methods = session.backbone(), session.plan(), session.methods()
kind = st.segmented_control(
    "Score on",
    list(DESCRIPTIONS),
    default="rated pairs",
    key="scored_on",
    required=True,
    bind="query-params",
)
st.caption(DESCRIPTIONS[kind])
corpus: scoring.Corpus
match kind:
    case "labelled texts":
        corpus_picker.choose("labelled", "Labelled texts", "Texts with one label each.")
        corpus = corpus_picker.chosen("labelled")
        corpus_options = {"on": "labelled", **corpus_picker.recipe_options("labelled")}
    case "retrieval":
        corpus_picker.choose("retrieval", "Retrieval set", "Queries, documents, and which belong.")
        corpus = corpus_picker.chosen("retrieval")
        corpus_options = {"on": "retrieval", **corpus_picker.recipe_options("retrieval")}
    case _:
        corpus, corpus_options = session.pairs(), corpus_picker.recipe_options("pairs")
left, right = st.columns([4, 1])
names = left.multiselect(
    "Methods", list(methods), list(methods), key="methods", bind="query-params"
)
processing = right.selectbox(
    "Post-processing",
    list(POSTPROCESSINGS),
    key="processing",
    bind="query-params",
    help="; ".join(f"*{step.name}*: {step.summary}" for step in POSTPROCESSINGS.values())
    + f". Fitted on {scoring.FITTED_ON} calibration texts, never on those scored.",
)
if not names:
    st.info("Choose at least one method.")
    st.stop()

results: dict[str, scoring.Score] = {}
for name in names:
    with display.errors_skip_section(), display.progress(f"Encoding with {name}") as show_progress:
        (results[name],) = scoring.score(
            backbone,
            corpus,
            [methods[name].under(plan)],
            processing=processing,
            progress=show_progress,
        )
if not results:
    st.stop()
scored = list(results.values())
first = scored[0].measures[0]
measure_names = [measure.name for measure in scored[0].measures]
measure = st.radio("Measure", measure_names, horizontal=True, key=f"measure_{kind}")
display.figure(
    scores.measure_bars(scored, measure),
    scores.measure_table(scored),
    "Scores by method",
)
total = f" of {scored[0].of:,}" if scored[0].of else ""
texts = f" of {len(corpus.texts):,} texts" if isinstance(corpus, Pairs) else ""
st.caption(
    f"{display.escaped(corpus.name)}: {first.items:,}{total} {first.things}{texts}; 95% "
    f"intervals from {len(first.drawn):,} bootstrap draws of {first.resampled}. "
    f"{display.escaped(corpus.source)} {display.escaped(getattr(corpus, 'note', ''))} "
    f"{scored[0].provenance.sentence}."
)
if texts_cut := max(result.texts_cut for result in scored):
    st.warning(
        f"{texts_cut} texts were longer than the context of {backbone.facts.context:,} tokens and "
        "were cut."
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
comparable = isinstance(corpus, Pairs) and processing == "none"
mean_cosines = {
    name: float(result.cosines.mean())
    for name, result in results.items()
    if comparable and result.cosines is not None
}
own_text = similarity_sections.own_texts(backbone, planned, mean_cosines)

st.subheader("Model input")
similarity_sections.prompts(backbone, planned, own_text)
display.reproduce(
    session.recipe(specs.Score, **corpus_options, method=list(results), post_processing=processing)
)
glossary.explain(
    *("cosine", "Spearman", "nDCG@10", "interval", "paired comparison"),
    *("pooling", "embedding", "anisotropy", "re-routing"),
)
