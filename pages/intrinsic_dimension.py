"""Where does the model compress?"""

import streamlit as st

from analysis import corpora, dimension, dimension_figures, selection, study
from pages import showing, visit

visit.opening(
    "Where does the model compress?",
    "Each point is a layer: how many directions its last-token states really use (their "
    "*intrinsic dimension*). **Look for the lowest point outside the grey fifth: the rule "
    "re-routes from there on.** The band says how sure the curve is.",
)
loaded, rule = visit.backbone(), st.session_state.rule
named = corpora.names("texts", at_hand=True)
a, b, c, d = st.columns([2, 1, 2, 1])
corpus = a.selectbox("Texts", named, key="id_corpus", bind="query-params")
samples = b.number_input("Sample", 20, 5000, study.SAMPLES, 100, key="id_samples")
estimator = c.selectbox(
    "Estimator", list(dimension.ESTIMATORS), key="estimator", bind="query-params"
)
prompted = d.toggle("Prompt", True, key="id_prompt", help="Wrap each text in the prompt.")
cloud = st.segmented_control(
    "Whose states",
    list(study.CLOUDS),
    default="last",
    required=True,
    key="cloud",
    bind="query-params",
    help="; ".join(f"*{name}*: {meaning}" for name, meaning in study.CLOUDS.items()),
)
st.caption(dimension.ESTIMATORS[estimator].summary)

with showing.progress("Encoding texts") as show:
    found = study.dimensions(
        loaded,
        visit.texts(corpus),
        samples=int(samples),
        estimator=estimator,
        prompted=prompted,
        cloud=cloud,
        progress=show,
    )
chosen = found.selected(rule)
shown = selection.format_layers(chosen, loaded.layers)
often = sum(selection.select(curve, rule) == chosen for curve in found.curve.resampled) / len(
    found.curve.resampled
)

left, middle, right = st.columns([2, 2, 3])
left.metric("Layers the rule selects", shown)
middle.metric("Same choice over resamples", f"{100 * often:.0f}%")
right.markdown(f"**{rule}**: {selection.RULES[rule].summary}")
right.button(
    f"Use these layers ({shown})",
    on_click=visit.use_layers,
    args=(chosen,),
    disabled=bool(loaded.refusal),
    help=loaded.refusal,
)
showing.figure(
    dimension_figures.dimension_curve(found, chosen),
    dimension_figures.dimension_table(found, chosen, rule),
    "Intrinsic dimension by layer",
)
st.subheader("How often is each layer selected?")
st.markdown(
    f"The curve was redrawn {len(found.curve.resampled)} times from random halves of the texts and "
    "the rule applied to each. A choice that rests on the curve, not on the sample, stands at 100%."
)
showing.picture(dimension_figures.selection_frequency(found, rule), "Selection frequency")
st.caption(
    (f"{found.curve.samples:,} tokens of " if found.cloud == "all" else "")
    + f"{found.drawn:,} distinct texts of {found.corpus}; {found.duplicates_dropped} "
    f"duplicates left out, since they would falsify the estimate. {found.made.sentence}."
)
st.subheader("How narrow is the cone?")
st.markdown(
    "The mean cosine of two different texts at each layer, from the same states: near 1 all texts "
    "point the same way, at 0 directions are used evenly."
)
showing.figure(
    dimension_figures.cone_by_layer(found),
    dimension_figures.cone_table(found),
    "Mean cosine by layer",
)
with st.expander("What the number means"):
    st.markdown(
        "A layer's states live in a space of "
        f"{loaded.facts.hidden} coordinates, but lie near a much thinner, curved surface. Its "
        "intrinsic dimension is how many independent directions one can move in on that surface. "
        "TwoNN reads it from each state's two nearest neighbours: the faster the second is "
        "farther than the first, the lower the dimension. The number grows slowly with the sample "
        "and is compared between layers of one backbone, not between backbones."
    )
