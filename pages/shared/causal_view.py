"""What every step of the page on causal limits shows, also to an audience."""

import re
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from analysis.backbones.backbone import Backbone
from analysis.embedding.methods import Method
from analysis.experiments.causal import Movement
from analysis.figures import causal
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import Plan
from pages.shared import display, downloads

TALL, BELOW_NUMBERS = 540, 420
"""Pixels of a figure's height on a screen of 720: alone, and below a row of numbers."""
STYLE = """<style>
    html { font-size: 24px; }
    h1 { font-size: 1rem !important; padding: 0 !important; white-space: nowrap; }
    [data-testid=stMainBlockContainer] { padding: 0.75rem 1.5rem 0; }
    [data-testid=stMainBlockContainer] > [data-testid=stVerticalBlock] { gap: 0.5rem; }
    [data-testid=stMainBlockContainer] p { line-height: 1.35; }
    .st-key-steps { gap: 0.6rem; }
    .st-key-steps button { min-height: 1.6rem; padding: 0 0.3rem; }
    .st-key-steps button [data-testid=stMarkdownContainer] { font-size: 0.68rem; }
    .st-key-steps kbd { display: none; }
    :is(.st-key-step_back, .st-key-step_left, .st-key-step_right) { display: none; }
    [data-testid=stHtml] > div[dir] { zoom: 1.12; }
    [data-testid=stPlotlyChart] :is(.xtick, .ytick, .infolayer) text {
        fill: currentColor !important;
    }
    [data-testid=stSidebar], [data-testid=stHeader], .st-key-about, .st-key-tour_box {
        display: none;
    }
</style>"""
"""Large type on a page of title, steps and figure. Streamlit measures all by the root's size."""


@dataclass(frozen=True)
class View:
    """What every step shows: the two texts and how far the states of their shared tokens moved.

    ``choices`` is the place of a step's own choices. ``asked`` are options of the question that
    the page answers in another way than the sidebar says.
    """

    backbone: Backbone
    plan: Plan
    methods: dict[str, Method]
    texts: tuple[str, str]
    template: str
    movement: Movement
    presenting: bool
    choices: DeltaGenerator
    asked: dict[str, Any]

    @property
    def rerouted_layers(self) -> str:
        """The re-routed layers in words."""
        return layer_lists.layers_in_words(self.plan.active, self.backbone.layers)

    def say(self, text: display.Markdown) -> None:
        """Say what to look at; to an audience only the sentence in bold."""
        if self.presenting:
            text = " ".join(re.findall(r"\*\*.*?\*\*", text))
        st.markdown(text)

    def show(self, figure: go.Figure, table: pd.DataFrame, name: str, height: int = TALL) -> None:
        """Show a figure with its table; to an audience enlarged, ``height`` pixels high, alone."""
        if self.presenting:
            display.chart(causal.enlarged(figure, height), name)
        else:
            display.figure(figure, table, name)

    def small_print(self, text: str) -> None:
        """Show small print, except in the presenter view."""
        if not self.presenting:
            st.caption(display.escaped(text))

    def strips(self, *models: bool) -> None:
        """Show the shared tokens of the plain (False) and the re-routed (True) model, a table."""
        plain, rerouted = self.movement.plain[-1], self.movement.rerouted[-1]
        drawn = {}
        for rerouting in models:
            if rerouting and not self.plan.active:
                st.info(
                    "No layer is re-routed, so there is only the plain model. Choose layers in "
                    "the sidebar."
                )
                continue
            name = f"Re-routed at {self.rerouted_layers}" if rerouting else "Plain model"
            label = f"{name}: {'mean' if rerouting else 'largest'} move"
            moved = causal.moved_by(float(rerouted.mean() if rerouting else plain.max()))
            movement_strip = causal.movement_strip(self.movement, rerouted=rerouting)
            drawn[name] = movement_strip
            if self.presenting:
                st.markdown(f"{display.escaped(label)} **{display.escaped(moved)}**")
                st.html(movement_strip)
            else:
                a, b = st.columns([1, 3], vertical_alignment="center")
                a.metric(display.escaped(label), moved)
                b.html(movement_strip)
        if not self.presenting:
            title = "How far each shared token moved"
            display.folded_table(
                title,
                lambda: causal.movement_table(self.movement),
                lambda: downloads.strips_page(title, drawn.items()),
            )
