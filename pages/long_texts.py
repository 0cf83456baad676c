"""Does it hold up on long texts?"""

import streamlit as st

from analysis.corpora.types import Retrieval
from analysis.experiments import long_texts
from analysis.experiments import score as scoring
from analysis.experiments.score_result import Score
from analysis.figures import scores
from pages.shared import corpus_picker, display, glossary, header, progress, session
from pages.shared.questions import LONG_TEXTS

MEASURE = "nDCG@10"

header.page_header(
    "Does it hold up on long texts?",
    "One vector has to represent a document, and under causal attention early tokens know "
    "nothing about later ones. **Does a query still find its document when the answer moves to the "
    "end, and when more of the document is read?**",
)
backbone, plan, methods = session.backbone(), session.plan(), session.methods()
LONG_TEXTS.show("corpus")
left, right = st.columns(2)
LONG_TEXTS.show("method", left)
LONG_TEXTS.show("tokens", right)
spec = LONG_TEXTS.spec()
chosen_methods = [methods[name].planned(plan) for name in spec.method]
corpus: Retrieval = corpus_picker.full("retrieval")

st.header("Position of the answer")
variants = long_texts.places(corpus, spec.part)
by_position: list[tuple[str, Score]] = []
for position, variant in variants.items():
    with progress.progress(f"Answer at the {position}") as show_progress:
        results = scoring.score(backbone, variant, chosen_methods, progress=show_progress)
    by_position += [(position, result) for result in results]
first = by_position[0][1]
queries = first.measures[0].items
session.figures_of(f"{corpus.name}, n = {queries:,} queries")
display.figure(
    scores.measures_along(by_position, MEASURE, "position of the relevant passage"),
    scores.along_table(by_position, "position"),
    "Score by position of the answer",
)
st.caption(
    f"{display.escaped(corpus.name)}: {queries:,} of {len(corpus.queries):,} queries. "
    f"{display.escaped(first.note)} In the other two cases it is in the middle or at the end, "
    f"among the same passages, so that only the position differs. {MEASURE} x 100, with 95% "
    f"intervals from bootstrap draws of {display.escaped(first.measures[0].resampled)}. "
    f"{display.escaped(corpus.source)} {display.escaped(first.provenance.sentence)}."
)

st.header("Tokens read")
by_length: list[tuple[str, Score]] = []
lengths: list[int] = []  # those that leave room for the prompt
for length in sorted(spec.tokens):
    label = f"Documents of {length:,} tokens"
    with display.errors_skip_section(), progress.progress(label) as show_progress:
        results = scoring.score(
            *(backbone, variants["middle"], chosen_methods),
            max_tokens=length,
            progress=show_progress,
        )
        by_length += [(f"{length:,}", result) for result in results]
        lengths.append(length)
if not by_length:
    st.stop()
display.figure(
    scores.measures_along(by_length, MEASURE, "tokens read of each document"),
    scores.along_table(by_length, "tokens"),
    "Score by tokens read",
)
texts_cut = {length: result.texts_cut for length, result in by_length}
st.caption(
    "The documents from above with the answer in the middle, cut at the end so that text and "
    "prompt have at most so many tokens. Texts cut: "
    + ", ".join(f"{count:,} at {display.escaped(length)}" for length, count in texts_cut.items())
    + f", of {len(variants['middle'].documents):,} documents and {queries:,} queries."
)
display.reproduce(LONG_TEXTS.recipe(tokens=lengths))
glossary.explain("embedding", "causal attention", "re-routing", "nDCG@10", "interval")
