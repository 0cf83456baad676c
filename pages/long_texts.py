"""Does it hold on long texts?"""

import streamlit as st

from analysis.experiments import long_texts, specs
from analysis.experiments import score as scoring
from analysis.figures import scores
from pages.shared import corpus_picker, display, glossary, recipe_state, session

session.page_header(
    "Does it hold on long texts?",
    "One vector has to hold a whole document, and under causal attention early tokens know nothing "
    "of late ones. **Does a query still find its document when the answer moves to the end, and "
    "when more of the document is read?**",
)
loaded, plan, methods = session.backbone(), session.plan(), session.methods()
corpus_picker.choose("retrieval", "Retrieval set", "Queries, documents, and which belong together.")
chosen = st.multiselect(
    "Methods", list(methods), list(long_texts.LONG_METHODS), key="long_methods", bind="query-params"
)
if not chosen:
    st.info("Choose at least one method.")
    st.stop()
asked = [methods[name].under(plan) for name in chosen]
scored = corpus_picker.chosen("retrieval")

st.subheader("Where the answer stands")
variants = long_texts.places(scored)
along: list[tuple[str, scoring.Score]] = []
for place, variant in variants.items():
    with display.progress(f"Answer at the {place}") as show:
        measured = scoring.score(loaded, variant, asked, progress=show)
    along += [(place, one) for one in measured]
display.figure(
    scores.measures_along(along, "nDCG@10", "where the relevant passage stands"),
    scores.along_table(along, "place"),
    "Score by place of the answer",
)
one = along[0][1]
st.caption(
    f"{display.escaped(scored.name)}: {one.first.items:,} queries; each document is put first, "
    f"in the middle or last among {long_texts.AROUND} other passages, the same in all three, so that "
    f"only the place differs. nDCG@10 x 100, 95% intervals from bootstrap draws of "
    f"{one.first.resampled}. "
    f"{display.escaped(scored.source)} {one.provenance.sentence}."
)

st.subheader("How much of the document is read")
lengths = st.multiselect(
    "Tokens, prompt included",
    list(recipe_state.LENGTHS),
    list(long_texts.LENGTHS),
    key="lengths",
    bind="query-params",
)
if not lengths:
    st.info("Choose at least one length.")
    st.stop()
by_length: list[tuple[str, scoring.Score]] = []
for length in sorted(lengths):
    with display.errors_skip_section(), display.progress(f"Documents of {length:,} tokens") as show:
        measured = scoring.score(
            loaded, variants["middle"], asked, max_tokens=length, progress=show
        )
        by_length += [(f"{length:,}", found) for found in measured]
if not by_length:
    st.stop()
display.figure(
    scores.measures_along(by_length, "nDCG@10", "tokens read of each document"),
    scores.along_table(by_length, "tokens"),
    "Score by length read",
)
cut = {length: found.texts_cut for length, found in by_length}
st.caption(
    "The documents above with the answer in the middle, cut at their end to so many tokens, the "
    "prompt included. Cut: "
    + ", ".join(f"{n:,} at {length}" for length, n in cut.items())
    + f" of {len(variants['middle'].documents):,} documents and {one.first.items:,} queries."
)
display.reproduce(
    session.recipe(
        specs.LongTexts,
        **corpus_picker.spoken("retrieval"),
        method=chosen,
        tokens=sorted(lengths),
    )
)
glossary.explain("embedding", "causal attention", "re-routing", "nDCG@10", "interval")
