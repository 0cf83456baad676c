"""The sections of the page on intrinsic dimension: what a curve means, and a second backbone."""

from collections.abc import Callable, Sequence

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.dimension import estimators
from analysis.experiments.dimension import Dimensions
from analysis.figures import dimension as dimension_figures
from analysis.rerouting import layer_lists
from pages.shared import display, session


def compare_with_plan(
    curves: Sequence[Dimensions], rule: str, layers: Sequence[int], total: int
) -> None:
    """Say whether the re-routed ``layers``, of ``total``, are those that the rule selects."""
    selected = curves[0].selected(rule)
    if tuple(layers) == selected:
        st.markdown(
            f"The plan is what the rule selects: {layer_lists.layers_in_words(selected, total)}."
        )
    else:
        st.markdown(
            f"The plan re-routes {layer_lists.layers_in_words(layers, total)}; the rule selects "
            f"{layer_lists.layers_in_words(selected, total)} from this curve."
        )
    if len(curves) > 1:
        st.markdown(
            "The rule and the bars use the first curve, "
            f"{display.escaped(dimension_figures.curve_names(curves)[0])}. From each "
            "curve it would select:"
        )
        table = dimension_figures.choice_table(curves, rule)
        st.dataframe(table, hide_index=True, key="choices")


def explanations(curve: Dimensions, rule: str, backbone: Backbone) -> None:
    """Explain in three columns what the number means, how certain it is, and what is left out."""
    meaning, certainty, left_out = st.columns(3)
    estimator = estimators.ESTIMATORS[curve.curve.estimator]
    meaning.markdown(
        f"**What the number means.** States have {backbone.facts.hidden:,} coordinates, but lie "
        "close to a curved surface of fewer dimensions. The intrinsic dimension is the number of "
        "independent directions on that surface. "
        + display.escaped(f"{curve.curve.estimator}: {estimator.summary}")
    )
    selected, choices = curve.selected(rule), curve.choices(rule)
    others = [other for other in choices if other != selected]
    frequency = curve.frequency(rule)
    each = ", ".join(f"layer {layer} in {100 * frequency[layer]:.0f}%" for layer in selected)
    text = (
        f"**How certain it is.** The curve is recomputed {len(curve.curve.resampled)} times from "
        "random halves of the texts. The band holds 95% of these curves at each layer and is, if "
        "anything, too wide. The bars show how often the rule then selects each "
        f"layer: exactly this set in {100 * choices.get(selected, 0):.0f}% of resamples, "
        + display.escaped(each)
    )
    if others:
        text += (
            f"; next most often {layer_lists.format_layers(others[0], backbone.layers)} "
            f"({100 * choices[others[0]]:.0f}%)"
        )
    certainty.markdown(f"{text}.")
    tokens = f", and {curve.curve.samples:,} of their tokens measured" * (curve.cloud == "all")
    left_out.markdown(
        "**What is left out.** Duplicates would falsify the estimate, because a text and its copy "
        f"have distance 0: {curve.duplicates_dropped:,} were left out of "
        f"{display.escaped(curve.corpus)}. {curve.drawn:,} distinct texts were drawn{tokens}."
    )


def second_backbone(
    curve: Dimensions, rule: str, measure: Callable[[], Sequence[Dimensions]]
) -> None:
    """Compare ``curve`` with the one that ``measure`` gives, on relative depth."""
    curves = [curve, *measure()]
    session.figures_of(
        f"{curve.corpus}, n = {curve.drawn:,} texts", *(each.provenance for each in curves)
    )
    display.figure(
        dimension_figures.depth_curves(curves, rule),
        dimension_figures.depth_table(curves, rule),
        "Intrinsic dimension by relative depth",
    )
    st.markdown(
        "**Compare where the curves fall and rise, not how high they are**: each is divided by its "
        "own mean. The level depends on the width of a backbone's states and on its tokenizer. "
        "Moreover, so few texts give an estimate that is too low, the more so the higher the true "
        "dimension is. The shaded areas show the layers that the rule selects in each backbone."
    )


def mean_cosines(curve: Dimensions) -> None:
    """Show the mean cosine of two different texts at each layer."""
    session.figures_of(f"{curve.corpus}, n = {curve.drawn:,} texts", curve.provenance)
    st.markdown(
        "The mean cosine of two different texts at each layer, from the same states. **Near 1, all "
        "texts point the same way; near 0, all directions are used evenly.**"
    )
    display.figure(
        dimension_figures.cone_by_layer(curve),
        dimension_figures.cone_table(curve),
        "Mean cosine by layer",
    )
