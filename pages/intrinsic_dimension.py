"""Where does the model compress?"""

from functools import partial

import streamlit as st

from analysis.corpora import packaged, registry
from analysis.dimension import estimators as dimension
from analysis.dimension import estimators as estimators_dimension
from analysis.dimension import selection
from analysis.experiments import dimension as dimension_experiment
from analysis.experiments import specs
from analysis.figures import dimension as dimension_figures
from analysis.rerouting import layer_lists
from pages.shared import display, glossary, recipe_state, second_backbone, session

CURVES = "Intrinsic dimension by layer"

session.page_header(
    "Where does the model compress?",
    "Each point is a layer: how many directions its last-token states really use (their "
    "*intrinsic dimension*). **Look for the lowest point outside the grey fifth: the rule "
    "re-routes from there on.** Click a point to add its layer to the plan or take it out.",
)
loaded, rule, plan = session.backbone(), st.session_state.rule, session.plan()
a, b, c = st.columns([3, 3, 1])
corpus_names = a.multiselect(
    "Texts",
    registry.names("texts", at_hand=True),
    [packaged.CALIBRATION],
    key="id_corpus",
    bind="query-params",
)
estimators = b.multiselect(
    "Estimators",
    list(dimension.ESTIMATORS),
    [next(iter(dimension.ESTIMATORS))],
    key="estimator",
    bind="query-params",
    help="; ".join(f"*{one.name}*: {one.summary}" for one in dimension.ESTIMATORS.values()),
)
samples = c.number_input(
    "Sample", 20, 5000, dimension_experiment.SAMPLES, 100, key="id_samples", bind="query-params"
)
with st.container(horizontal=True):
    prompt = st.segmented_control(
        "Prompt",
        list(recipe_state.PROMPTS),
        default="on",
        required=True,
        key="id_prompt",
        bind="query-params",
        help="Whether each text stands in the prompt.",
    )
    cloud = st.segmented_control(
        "Whose states",
        list(estimators_dimension.CLOUDS),
        default="last",
        required=True,
        key="cloud",
        bind="query-params",
        help="; ".join(
            f"*{name}*: {meaning}" for name, meaning in estimators_dimension.CLOUDS.items()
        ),
    )
if not corpus_names or not estimators:
    st.info("Choose at least one corpus of texts and one estimator.")
    st.stop()

measure = partial(dimension_experiment.dimension_curves, samples=int(samples), cloud=cloud)
found = []
with display.progress("Encoding texts, then measuring layers") as show:
    for name in corpus_names:
        for prompted in recipe_state.PROMPTS[prompt]:
            found += measure(
                loaded, session.texts(name), estimators, prompted=prompted, progress=show
            )
first = found[0]
chosen, choices = first.selected(rule), first.choices(rule)
shown = layer_lists.format_layers(chosen, loaded.layers)

left, middle, right = st.columns([2, 2, 3])
left.metric("Layers the rule selects", shown)
middle.metric("Same choice over resamples", f"{100 * choices.get(chosen, 0):.0f}%")
right.markdown(f"**{rule}**: {selection.RULES[rule].summary}")
right.button(
    f"Use these layers ({shown})",
    on_click=session.use_layers,
    args=(chosen,),
    disabled=bool(loaded.refusal),
    help=loaded.refusal,
)
display.figure(
    dimension_figures.dimension_curves(found, rule, plan.layers),
    dimension_figures.dimension_table(found, rule, plan.layers),
    CURVES,
    on_select="ignore" if loaded.refusal else partial(session.toggle_layers, CURVES, plan.layers),
    selection_mode="points",
)
if plan.layers == chosen:
    st.markdown(
        f"The plan is what the rule selects: {layer_lists.spoken_layers(chosen, loaded.layers)}."
    )
else:
    st.markdown(
        f"The plan re-routes {layer_lists.spoken_layers(plan.layers, loaded.layers)}; the rule "
        f"selects {layer_lists.spoken_layers(chosen, loaded.layers)} from this curve."
    )
if len(found) > 1:
    st.markdown(
        f"The rule and the bars read the first curve, {dimension_figures.curve_names(found)[0]}. "
        "What it would select from each:"
    )
    st.dataframe(dimension_figures.choice_table(found, rule), hide_index=True, key="choices")

meaning, sure, dropped = st.columns(3)
meaning.markdown(
    f"**What the number means.** States have {loaded.facts.hidden:,} coordinates but lie near a "
    "thinner, curved surface; the intrinsic dimension is how many independent directions one can "
    f"move in on it. {first.curve.estimator}: {dimension.ESTIMATORS[first.curve.estimator].summary}"
)
resamples = len(first.curve.resampled)
others = [layers for layers in choices if layers != chosen]
sure.markdown(
    f"**How sure it is.** The curve is redrawn {resamples} times from random halves of the texts: "
    "the band holds 95% of what comes out, for each layer, and errs on the wide side; the bars say "
    f"how often the rule then takes each layer. It takes exactly {shown} in "
    f"{100 * choices.get(chosen, 0):.0f}%"
    + (
        f", and most often otherwise {layer_lists.format_layers(others[0], loaded.layers)} "
        f"({100 * choices[others[0]]:.0f}%)."
        if others
        else "."
    )
)
dropped.markdown(
    "**What was dropped.** Duplicates would falsify the estimate, since a text and its copy have "
    f"no distance: {first.duplicates_dropped} were left out of {first.corpus}. "
    f"{first.drawn:,} distinct texts were drawn"
    + (f", {first.curve.samples:,} tokens of them measured." if first.cloud == "all" else ".")
)
st.caption(f"{first.provenance.sentence}.")

st.subheader("Is it the same in another backbone?")
with display.errors_skip_section():
    if other := second_backbone.second_backbone("id_other"):
        with display.progress(f"Encoding texts with {other.facts.name}") as show:
            beside = measure(
                other,
                session.texts(corpus_names[0]),
                estimators[:1],
                prompted=first.prompted,
                progress=show,
            )
        both = [first, *beside]
        display.figure(
            dimension_figures.depth_curves(both, rule),
            dimension_figures.depth_table(both, rule),
            "Intrinsic dimension by relative depth",
        )
        st.markdown(
            "**Compare where the curves fall and rise, not how high they are**: each is divided by "
            "its own mean. The level depends on how wide a backbone's states are and how its "
            "tokenizer cuts texts, and an estimate from so few texts falls short of the truth by "
            "more the higher that is. Shaded in each colour: what the rule selects there."
        )

st.subheader("How narrow is the cone?")
st.markdown(
    "The mean cosine of two different texts at each layer, from the same states: near 1 all texts "
    "point the same way, at 0 directions are used evenly."
)
display.figure(
    dimension_figures.cone_by_layer(first),
    dimension_figures.cone_table(first),
    "Mean cosine by layer",
)
other = st.session_state.id_other
grid = recipe_state.dimension_grid(
    recipe_state.curves(corpus_names, recipe_state.PROMPTS[prompt], estimators),
    other if other not in (recipe_state.NONE, st.session_state.backbone) else None,
)
display.reproduce(
    session.recipe(
        specs.Dimension,
        grid=grid,
        corpus=corpus_names[0],
        samples=int(samples),
        estimator=first.curve.estimator,
        cloud=cloud,
        bare=not first.prompted,
    )
)
glossary.explain("intrinsic dimension", "TwoNN", "band", "rule", "layer", "anisotropy")
