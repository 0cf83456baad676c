"""Where does the model compress?"""

from functools import partial

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.dimension import selection
from analysis.experiments import dimension
from analysis.experiments.dimension import Dimensions
from analysis.figures import dimension as dimension_figures
from analysis.rerouting import layer_lists
from pages.shared import (
    dimension_sections,
    display,
    glossary,
    header,
    output_layer_section,
    progress,
    second_backbone,
    session,
    valid_values,
)
from pages.shared.questions import DIMENSION

CURVES = "Intrinsic dimension by layer"
CLOUDS = {"last": "last token", "all": "all tokens"}
"""Whose states are measured, as the page names them."""

header.page_header(
    "Where does the model compress?",
    "Each point is a layer. Its height is the number of directions that the states really use, "
    "their *intrinsic dimension*. **Find the lowest point right of the grey area: the rule "
    "re-routes a few layers from there on.** Click a point to add its layer to the plan, the "
    "layers that are re-routed, or remove it.",
)
backbone, plan = session.backbone(), session.plan()
a, b, c = st.columns([3, 3, 1])
DIMENSION.show("corpus", a, door=st.container())
DIMENSION.show("estimator", b)
DIMENSION.show("samples", c)
with st.container(horizontal=True):
    DIMENSION.show("bare")
    DIMENSION.show("cloud", format_func=CLOUDS.__getitem__)
spec, axes = DIMENSION.spec(), DIMENSION.axes(valid_values.values())
rule = spec.rule


def measure(of: Backbone, corpus: str, names: list[str], bare: bool) -> list[Dimensions]:
    """Measure the curves of one backbone on one corpus, one for each estimator named."""
    with progress.progress(f"Encoding {corpus} with {of.facts.name}") as show_progress:
        return dimension.dimension_curves(
            *(of, session.texts(corpus), names),
            samples=spec.samples,
            seed=spec.seed,
            cloud=spec.cloud,
            prompted=not bare,
            progress=show_progress,
        )


curves = [
    curve
    for corpus in axes["corpus"]
    for bare in axes["bare"]
    for curve in measure(backbone, corpus, axes["estimator"], bare)
]
first = curves[0]
selected = first.selected(rule)
selected_text = layer_lists.layers_in_words(selected, backbone.layers)

left, middle, right = st.columns([2, 2, 3])
left.metric("The rule selects", f"{selected_text[:1].upper()}{selected_text[1:]}")
middle.metric("Same choice in resamples", f"{100 * first.choices(rule).get(selected, 0):.0f}%")
right.markdown(f"**{display.escaped(rule)}**: {selection.RULES[rule].summary}")
right.button(
    f"Use {selected_text}",
    on_click=session.use_layers,
    args=(selected,),
    disabled=bool(backbone.refusal),
    help=display.escaped(backbone.refusal),
)
corpora = ", ".join(axes["corpus"])
session.figures_of(f"{corpora}, n = {first.drawn:,} texts{' each' * (',' in corpora)}")
toggle_layers = partial(session.toggle_clicked, CURVES, plan)
display.figure(
    dimension_figures.dimension_curves(curves, rule, plan.layers),
    dimension_figures.dimension_table(curves, rule, plan.layers),
    CURVES,
    on_select="ignore" if backbone.refusal else toggle_layers,
    selection_mode="points",
)
dimension_sections.compare_with_plan(curves, rule, plan.layers, backbone.layers)
dimension_sections.explanations(first, rule, backbone)
st.caption(display.escaped(f"{first.provenance.sentence}."))

st.header("Comparison with another backbone")
with display.errors_skip_section():
    if other := second_backbone.choose(DIMENSION.control("backbone")):
        measure_other = partial(measure, other, spec.corpus, [spec.estimator], spec.bare)
        dimension_sections.second_backbone(first, rule, measure_other)

st.header("Mean cosine of two texts")
dimension_sections.mean_cosines(first)

display.reproduce(DIMENSION.recipe())

st.header("Does the layer of lowest dimension embed best?")
with display.errors_skip_section():
    output_layer_section.show(backbone, plan)
glossary.explain("intrinsic dimension", "TwoNN", "band", "rule", "layer", "anisotropy")
