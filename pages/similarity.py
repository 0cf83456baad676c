"""Does it score better?"""

from functools import partial

import streamlit as st

from analysis.corpora.types import Pairs, Retrieval
from analysis.embedding import batching, cached_encoder
from analysis.embedding.postprocessing import POSTPROCESSINGS
from analysis.evaluation import comparison, isotropy
from analysis.experiments import score as scoring
from analysis.experiments import specs
from analysis.figures import scores
from analysis.figures import spaces as space_figures
from pages.shared import corpus_picker, display, downloads, glossary, session

_KINDS = {
    "rated pairs": "Do cosines rank pairs as people do? Spearman correlation with the ratings.",
    "labelled texts": "Do texts of one label lie together? Nearest neighbours, and clusters.",
    "retrieval": "Does a query find its documents? The first ten of the ranking count.",
}

session.page_header(
    "Does it score better?",
    "Every method from the same weights, scored on the same texts. **Where intervals overlap "
    "widely, read the paired comparison below before believing a rank.**",
)
loaded, plan, methods = session.backbone(), session.plan(), session.methods()
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
        corpus_picker.choose("labelled", "Labelled texts", "Texts with one label each.")
        scored, spoken = (
            corpus_picker.chosen("labelled"),
            {"on": "labelled", **corpus_picker.spoken("labelled")},
        )
    case "retrieval":
        corpus_picker.choose("retrieval", "Retrieval set", "Queries, documents, and which belong.")
        scored, spoken = (
            corpus_picker.chosen("retrieval"),
            {"on": "retrieval", **corpus_picker.spoken("retrieval")},
        )
    case _:
        scored, spoken = session.pairs(), corpus_picker.spoken("pairs")
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

found: dict[str, scoring.Score] = {}
for name in chosen:
    with display.errors_skip_section(), display.progress(f"Encoding with {name}") as show:
        (found[name],) = scoring.score(
            loaded, scored, [methods[name].under(plan)], processing=processing, progress=show
        )
if not found:
    st.stop()
chosen, results = list(found), list(found.values())
first = results[0].first
shown = [measure.name for measure in results[0].measures]
measure = st.radio("Measure", shown, horizontal=True, key=f"measure_{kind}")
display.figure(
    scores.measure_bars(results, measure),
    scores.measure_table(results),
    "Scores by method",
)
part = f" of {results[0].of:,}" if results[0].of else ""
texts = f" of {len(scored.texts):,} texts" if isinstance(scored, Pairs) else ""
st.caption(
    f"{display.escaped(scored.name)}: {first.items:,}{part} {first.things}{texts}; 95% "
    f"intervals from {len(first.drawn):,} bootstrap draws of {first.resampled}. "
    f"{display.escaped(scored.source)} {display.escaped(getattr(scored, 'note', ''))} "
    f"{results[0].provenance.sentence}."
)
if cut := max(one.texts_cut for one in results):
    st.warning(f"{cut} texts were longer than the context of {loaded.facts.context} and were cut.")

st.subheader("Method against method")
base = st.selectbox("Compare with", chosen, key="base")
others = {name: one.measure(measure) for name, one in found.items() if name != base}
differences = comparison.differences(others, found[base].measure(measure), base, results[0].of)
for difference in sorted(differences, key=lambda d: -d.delta):
    st.markdown(f"- {difference.sentence}")
display.folded_table("Comparisons", lambda: scores.difference_table(differences))
st.caption(
    f"{measure}. Paired: both methods are scored on the same bootstrap draws, which also give p. "
    "Two or more comparisons are corrected by Holm's method, so that the chance of one false "
    "finding among them stays below 5%."
)

if isinstance(scored, Pairs):
    st.subheader("Human against cosine")
    which = st.selectbox("Method", chosen, key="shown")
    display.figure(
        scores.human_against_cosine(found[which], scored),
        scores.pair_table(found[which], scored),
        "Human rating and cosine, worst pairs first",
    )

if st.toggle("The shape of each space", key="shape", help="Encodes what is not kept yet."):
    scored_texts = scored.documents if isinstance(scored, Retrieval) else scored.texts
    with display.progress("Encoding") as show:
        spaces = cached_encoder.embedded(
            loaded, scored_texts, [methods[name].under(plan) for name in chosen], progress=show
        )
    rated = scored if isinstance(scored, Pairs) else None
    shapes = [isotropy.geometry(one.embeddings, rated) for one in spaces]
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
own = cached_encoder.embedded(
    loaded, [one_text, other], [methods[name].under(plan) for name in chosen]
)
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
    prompts = batching.shown(loaded, one_text or "...", methods[name])
    for prompt in prompts:
        st.html(scores.prompt_strip(prompt))
    title = f"Tokens of {name}"
    display.folded_table(
        title,
        partial(scores.prompt_table, prompts),
        lambda title=title, prompts=prompts: downloads.strips_page(  # type: ignore[misc]
            title,
            [
                (f"Prompt {number} of {len(prompts)}", scores.prompt_strip(prompt))
                for number, prompt in enumerate(prompts, 1)
            ],
        ),
    )
st.caption(
    "Exactly the tokens that the model reads for the first text above. Underlined: the text's own. "
    "Coloured: what is pooled, the stronger the more it counts. Dashed: a placeholder."
)
display.reproduce(session.recipe(specs.Score, **spoken, method=chosen, post_processing=processing))
glossary.explain(
    *("cosine", "Spearman", "nDCG@10", "interval", "paired comparison"),
    *("pooling", "embedding", "anisotropy", "re-routing"),
)
