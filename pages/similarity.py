"""Does it score better?"""

from functools import partial

import streamlit as st

from analysis import (
    batches,
    geometry,
    measures,
    score_figures,
    scoring,
    space_figures,
    study,
)
from analysis.corpora import Pairs, Retrieval
from analysis.postprocessing import POSTPROCESSINGS
from pages import corpus, glossary, showing, visit

_KINDS = {
    "rated pairs": "Do cosines rank pairs as people do? Spearman correlation with the ratings.",
    "labelled texts": "Do texts of one label lie together? Nearest neighbours, and clusters.",
    "retrieval": "Does a query find its documents? The first ten of the ranking count.",
}

visit.opening(
    "Does it score better?",
    "Every method from the same weights, scored on the same texts. **Where intervals overlap "
    "widely, read the paired comparison below before believing a rank.**",
)
loaded, plan, methods = visit.backbone(), visit.plan(), visit.methods()
kind = st.segmented_control(
    "Scored on",
    list(_KINDS),
    default="rated pairs",
    key="scored_on",
    required=True,
    bind="query-params",
)
st.caption(_KINDS[kind])
scored: scoring.Corpus
match kind:
    case "labelled texts":
        corpus.choose("labelled", "Labelled texts", "Texts with one label each.")
        scored, spoken = corpus.chosen("labelled"), {"on": "labelled", **corpus.spoken("labelled")}
    case "retrieval":
        corpus.choose("retrieval", "Retrieval set", "Queries, documents, and which belong.")
        scored, spoken = (
            corpus.chosen("retrieval"),
            {"on": "retrieval", **corpus.spoken("retrieval")},
        )
    case _:
        scored, spoken = visit.pairs(), corpus.spoken("pairs")
a, b = st.columns([4, 1])
chosen = a.multiselect("Methods", list(methods), list(methods), key="methods", bind="query-params")
processing = b.selectbox(
    "Post-processing",
    list(POSTPROCESSINGS),
    key="processing",
    bind="query-params",
    help="; ".join(f"*{step.name}*: {step.summary}" for step in POSTPROCESSINGS.values())
    + f". Fitted on {scoring.FITTED_ON} calibration texts, never on those scored.",
)
if not chosen:
    st.info("Choose at least one method.")
    st.stop()

found: dict[str, scoring.Measured] = {}
for name in chosen:
    with showing.each(), showing.progress(f"Encoding with {name}") as show:
        (found[name],) = scoring.measured(
            loaded, scored, [(methods[name], plan)], processing=processing, progress=show
        )
if not found:
    st.stop()
chosen, results = list(found), list(found.values())
first = results[0].measures[0]
shown = [measure.name for measure in results[0].measures]
measure = st.radio("Measure", shown, horizontal=True, key=f"measure_{kind}")
showing.figure(
    score_figures.measure_bars(results, measure),
    score_figures.measure_table(results),
    "Scores by method",
)
part = f" of {results[0].of:,}" if results[0].of else ""
texts = f" of {len(scored.texts):,} texts" if isinstance(scored, Pairs) else ""
st.caption(
    f"{showing.plain(scored.name)}: {first.items:,}{part} {first.things}{texts}; 95% "
    f"intervals from {len(first.drawn):,} bootstrap draws of {first.resampled}. "
    f"{showing.plain(scored.source)} {showing.plain(getattr(scored, 'note', ''))} "
    f"{results[0].made.sentence}."
)
if cut := max(one.texts_cut for one in results):
    st.warning(f"{cut} texts were longer than the context of {loaded.facts.context} and were cut.")

st.subheader("Method against method")
base = st.selectbox("Compare with", chosen, key="base")
others = {name: one.measure(measure) for name, one in found.items() if name != base}
differences = measures.differences(others, found[base].measure(measure), base, results[0].of)
for difference in sorted(differences, key=lambda d: -d.delta):
    st.markdown(f"- {difference.sentence}")
showing.table_of("Comparisons", lambda: score_figures.difference_table(differences))
st.caption(
    f"{measure}. Paired: both methods are scored on the same bootstrap draws, which also give p. "
    "Two or more comparisons are corrected by Holm's method, so that the chance of one false "
    "finding among them stays below 5%."
)

if isinstance(scored, Pairs):
    st.subheader("Human against cosine")
    which = st.selectbox("Method", chosen, key="shown")
    showing.figure(
        score_figures.human_against_cosine(found[which], scored),
        score_figures.pair_table(found[which], scored),
        "Human rating and cosine, worst pairs first",
    )

if st.toggle("The shape of each space", key="shape", help="Encodes what is not kept yet."):
    scored_texts = scored.documents if isinstance(scored, Retrieval) else scored.texts
    with showing.progress("Encoding") as show:
        spaces = study.embedded(
            loaded, scored_texts, [(methods[name], plan) for name in chosen], progress=show
        )
    rated = scored if isinstance(scored, Pairs) else None
    shapes = [geometry.geometry(one.embeddings, rated) for one in spaces]
    st.dataframe(space_figures.geometry_table(shapes, chosen), hide_index=True)
    st.caption(
        "Before any post-processing. *Mean cosine* of two different texts: 0 if directions are "
        "used evenly, 1 in a narrow cone. *Uniformity*: the lower, the more even. *Isotropy*: 1 if "
        "no direction is preferred. *Alignment*, on rated pairs: the mean squared distance of the "
        "pairs in the top fifth of the ratings; low is good only where uniformity is low too, for "
        "a space that has collapsed aligns everything."
    )

st.subheader("Two texts of your own")
a, b = st.columns(2)
one_text = a.text_input("First", "A man is playing a guitar.", key="own_first")
other = b.text_input("Second", "Someone makes music.", key="own_second")
own = study.embedded(loaded, [one_text, other], [(methods[name], plan) for name in chosen])
st.dataframe(
    [
        {
            "method": name,
            "cosine": float(encoded.embeddings[0] @ encoded.embeddings[1]),
            **(
                {"mean of the rated pairs": float(found[name].cosines.mean())}  # type: ignore[union-attr]
                if isinstance(scored, Pairs) and processing == "none"
                else {}
            ),
        }
        for name, encoded in zip(chosen, own, strict=True)
    ],
    hide_index=True,
)
st.caption("A cosine means little by itself: compare it with the method's own mean.")

st.subheader("What the model is given")
for name in chosen:
    st.markdown(f"**{name}**: {methods[name].summary}")
    prompts = batches.shown(loaded, one_text or "...", methods[name])
    for prompt in prompts:
        st.html(score_figures.prompt_strip(prompt))
    title = f"Tokens of {name}"
    showing.table_of(
        title,
        partial(score_figures.prompt_table, prompts),
        lambda title=title, prompts=prompts: showing.sheet(  # type: ignore[misc]
            title,
            [
                (f"Prompt {number} of {len(prompts)}", score_figures.prompt_strip(prompt))
                for number, prompt in enumerate(prompts, 1)
            ],
        ),
    )
st.caption(
    "Exactly the tokens that the model reads for the first text above. Underlined: the text's own. "
    "Coloured: what is pooled, the stronger the more it counts. Dashed: a placeholder."
)
showing.reproduce(visit.recipe("score", **spoken, method=chosen, post_processing=processing))
glossary.explain(
    *("cosine", "Spearman", "nDCG@10", "interval", "paired comparison"),
    *("pooling", "embedding", "anisotropy", "re-routing"),
)
