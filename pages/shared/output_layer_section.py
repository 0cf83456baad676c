"""The section on output layers: methods scored at every layer, beside the curve of dimensions."""

from collections.abc import Sequence

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs
from analysis.embedding.methods import Method
from analysis.experiments import output_layers
from analysis.experiments.layer_scores import ByLayer, LayerScores
from analysis.figures.output_layers import by_layer
from analysis.recipes import findings
from analysis.recipes.chart import table
from analysis.recipes.workspace import method
from analysis.rerouting.plan import Plan
from pages.shared import display, progress, session
from pages.shared.questions import OUTPUT_LAYERS

NAME, SCORE = "Score by output layer", "score_layers"
"""The figure's name, and the key of the switch."""


def show(backbone: Backbone, plan: Plan) -> None:
    """Score the chosen methods at every layer of the sidebar's rated pairs, if it is asked for.

    What is stored, or ships with the project, is shown at once.
    """
    st.markdown(
        "Each point is a method that reads the output of one layer, scored on the rated pairs of "
        "the sidebar. **See whether a curve peaks where the dimension, below, is lowest.** All "
        "layers but the last are read as they are, the last one after the final norm."
    )
    left, right = st.columns([3, 1])
    OUTPUT_LAYERS.show("method", left)
    OUTPUT_LAYERS.show("post-processing", right)
    spec, pairs = OUTPUT_LAYERS.spec(), session.pairs()
    methods = [method(spec, name).planned(plan) for name in spec.method]
    scored = output_layers.known_layers(backbone, pairs, methods) or _scored_on_demand(
        backbone, pairs, methods
    )
    if scored:
        session.figures_of(f"{pairs.name}, n = {len(pairs.scores):,} pairs")
        _draw(ByLayer(tuple(scored), session.calibration_dimensions()))
    display.reproduce(OUTPUT_LAYERS.recipe(), "Reproduce this score by layer")


def _scored_on_demand(
    backbone: Backbone, pairs: Pairs, methods: Sequence[Method]
) -> list[LayerScores] | None:
    """The scores where the switch is on: a pass for each prompt and plan is needed."""
    prompts = sum(len(each.templates) for each in methods)
    if not st.toggle(
        "Score every layer",
        key=SCORE,
        bind="query-params",
        help=f"Up to {prompts * len(pairs.texts):,} prompts are encoded once each, for all layers "
        "together.",
    ):
        st.info("Not scored yet with these choices.")
        return None
    with progress.progress("Encoding for all layers") as show_progress:
        return output_layers.score_layers(backbone, pairs, methods, progress=show_progress)


def _draw(found: ByLayer) -> None:
    rows = found.to_rows()
    for sentence in findings.sentences("output-layers", rows):
        st.markdown(f"- {display.escaped(sentence)}")
    display.figure(by_layer(rows), table(rows), NAME)
    first = found.scores[0]
    st.caption(
        "Bands are 95% intervals: of scores from bootstrap draws of "
        f"{display.escaped(first.resampled)}, of the dimension, measured on "
        f"{display.escaped(found.dimensions.corpus)}, from halves of its texts. Changes are paired "
        f"with the last layer. {display.escaped(first.provenance.sentence)}."
    )
