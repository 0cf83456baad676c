"""Where does the model compress?"""

from functools import partial

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry
from analysis.dimension import selection
from analysis.dimension.estimators import CLOUDS, ESTIMATORS
from analysis.experiments import dimension, specs
from analysis.experiments.dimension import Dimensions
from analysis.figures import dimension as dimension_figures
from analysis.rerouting import layer_lists
from pages.shared import (
    dimension_sections,
    display,
    glossary,
    recipe_state,
    second_backbone,
    session,
)

CURVES = "Intrinsic dimension by layer"

session.page_header(
    "Where does the model compress?",
    "Each point is a layer. Its height is the number of directions that the states really use, "
    "their *intrinsic dimension*. **Find the lowest point right of the grey area: the rule "
    "re-routes a few layers from there on.** Click a point to add its layer to the plan or "
    "remove it.",
)
backbone, rule, plan = session.backbone(), st.session_state.rule, session.plan()
a, b, c = st.columns([3, 3, 1])
corpora = a.multiselect(
    "Texts",
    registry.names("texts", offline=True),
    [packaged.CALIBRATION],
    key="id_corpus",
    bind="query-params",
)
estimators = b.multiselect(
    "Estimators",
    list(ESTIMATORS),
    [next(iter(ESTIMATORS))],
    key="estimator",
    bind="query-params",
    help="; ".join(f"*{name}*: {estimator.summary}" for name, estimator in ESTIMATORS.items()),
)
samples = c.number_input(
    "Sample", 20, 5000, dimension.SAMPLES, 100, key="id_samples", bind="query-params"
)
with st.container(horizontal=True):
    prompt = st.segmented_control(
        "Prompt",
        list(recipe_state.PROMPTS),
        default="on",
        required=True,
        key="id_prompt",
        bind="query-params",
        help="Whether each text is wrapped in the compression prompt.",
    )
    cloud = st.segmented_control(
        "States of",
        list(CLOUDS),
        default="last",
        required=True,
        key="cloud",
        bind="query-params",
        help="; ".join(f"*{name}*: {meaning}" for name, meaning in CLOUDS.items()),
    )
if not corpora or not estimators:
    st.info("Choose at least one corpus of texts and one estimator.")
    st.stop()


def measure(of: Backbone, corpus: str, names: list[str], prompted: bool) -> list[Dimensions]:
    """Measure the curves of one backbone on one corpus, one for each estimator named."""
    with display.progress(f"Encoding {corpus} with {of.facts.name}") as show_progress:
        return dimension.dimension_curves(
            *(of, session.texts(corpus), names),
            samples=int(samples),
            cloud=cloud,
            prompted=prompted,
            progress=show_progress,
        )


curves = [
    curve
    for corpus in corpora
    for prompted in recipe_state.PROMPTS[prompt]
    for curve in measure(backbone, corpus, estimators, prompted)
]
first = curves[0]
selected = first.selected(rule)
selected_text = layer_lists.format_layers(selected, backbone.layers)

left, middle, right = st.columns([2, 2, 3])
left.metric("Layers the rule selects", selected_text)
middle.metric("Same choice in resamples", f"{100 * first.choices(rule).get(selected, 0):.0f}%")
right.markdown(f"**{rule}**: {selection.RULES[rule].summary}")
right.button(
    f"Use these layers ({selected_text})",
    on_click=session.use_layers,
    args=(selected,),
    disabled=bool(backbone.refusal),
    help=backbone.refusal,
)
toggle_layers = partial(session.toggle_layers, CURVES, plan.layers)
display.figure(
    dimension_figures.dimension_curves(curves, rule, plan.layers),
    dimension_figures.dimension_table(curves, rule, plan.layers),
    CURVES,
    on_select="ignore" if backbone.refusal else toggle_layers,
    selection_mode="points",
)
dimension_sections.compare_with_plan(curves, rule, plan.layers, backbone.layers)
dimension_sections.explanations(first, rule, backbone)
st.caption(f"{first.provenance.sentence}.")

st.subheader("Is it the same in another backbone?")
with display.errors_skip_section():
    if other := second_backbone.choose("id_other"):
        measure_other = partial(measure, other, corpora[0], estimators[:1], first.prompted)
        dimension_sections.second_backbone(first, rule, measure_other)

st.subheader("How narrow is the cone?")
dimension_sections.mean_cosines(first)

other_name = st.session_state.id_other
compared = other_name not in (recipe_state.NONE, st.session_state.backbone)
grid = recipe_state.dimension_grid(
    recipe_state.curves(corpora, recipe_state.PROMPTS[prompt], estimators),
    other_name if compared else None,
)
display.reproduce(
    session.recipe(
        specs.Dimension,
        grid=grid,
        corpus=corpora[0],
        samples=int(samples),
        estimator=first.curve.estimator,
        cloud=cloud,
        bare=not first.prompted,
    )
)
glossary.explain("intrinsic dimension", "TwoNN", "band", "rule", "layer", "anisotropy")
