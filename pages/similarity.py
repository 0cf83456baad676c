"""Does it score better?"""

import streamlit as st

from analysis import batches, encoder, evaluation, figures, study
from analysis.rerouting import PLAIN
from pages import visit

visit.opening(
    "Does it score better?",
    "How well each method's cosines rank pairs as people do (Spearman correlation x 100). "
    "**Where intervals overlap widely, read the paired comparison below before believing a rank.**",
)
loaded, plan, pairs = visit.backbone(), visit.plan(), visit.pairs()
methods = visit.methods()
chosen = st.multiselect("Methods", list(methods), list(methods), key="methods", bind="query-params")
if not chosen:
    st.info("Choose at least one method.")
    st.stop()

scores = {}
for name in chosen:
    with visit.each(), visit.progress(f"Encoding with {name}") as show:
        scores[name] = study.score(loaded, pairs, methods[name], plan, progress=show)
if not scores:
    st.stop()
chosen, found = list(scores), list(scores.values())
visit.figure(figures.score_bars(found), figures.score_table(found), "Scores by method")
one = found[0]
st.caption(
    f"{pairs.name}: {one.sts.pairs:,} pairs of {one.sts.texts:,} texts; 95% intervals from "
    f"{one.sts.resamples:,} bootstrap draws of {one.sts.resampled}. {pairs.source} "
    f"{one.made.sentence}."
)
if cut := max(score.texts_cut for score in found):
    st.warning(f"{cut} texts were longer than the context of {loaded.facts.context} and were cut.")

st.subheader("Method against method")
base = st.selectbox("Compare with", chosen, key="base")
others = {name: scores[name].sts.cosines for name in chosen if name != base}
for change in evaluation.changes(others, scores[base].sts.cosines, pairs, base):
    st.markdown(f"- {change.sentence}")
st.caption(
    "Paired: both methods are scored on the same draws. The intervals are not corrected for "
    "making several comparisons."
)

st.subheader("Human against cosine")
shown = st.selectbox("Method", chosen, key="shown")
visit.figure(
    figures.human_against_cosine(scores[shown], pairs),
    figures.pair_table(scores[shown], pairs),
    "Human rating and cosine, worst pairs first",
)

st.subheader("Two texts of your own")
a, b = st.columns(2)
one_text = a.text_input("First", "A man is playing a guitar.", key="own_first")
other = b.text_input("Second", "Someone makes music.", key="own_second")
rows = [
    {
        "method": name,
        "cosine": float(u @ v),
        "mean of the rated pairs": float(scores[name].sts.cosines.mean()),
    }
    for name in chosen
    for u, v in [
        encoder.encode(
            loaded,
            [one_text, other],
            methods[name],
            plan if methods[name].reroutes else PLAIN,
        ).embeddings
    ]
]
st.dataframe(rows, hide_index=True)
st.caption("A cosine means little by itself: compare it with the method's own mean.")

st.subheader("What the model is given")
for name in chosen:
    st.markdown(f"**{name}**: {methods[name].summary}")
    with visit.each():
        prompts = batches.shown(loaded, one_text or "...", methods[name])
        for prompt in prompts:
            st.html(figures.prompt_strip(prompt))
        with st.expander(f"Table: tokens of {name}"):
            st.dataframe(figures.prompt_table(prompts), hide_index=True, key=f"tokens {name}")
st.caption(
    "Exactly the tokens that the model reads for the first text above. Underlined: the text's own. "
    "Coloured: what is pooled, the stronger the more it counts. Dashed: a placeholder."
)
