"""The switches of the re-routing page: presets, undo and redo, and every layer in one row."""

from functools import partial
from typing import Any

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.dimension import selection
from analysis.dimension.curve import Curve
from analysis.embedding.methods import Method
from analysis.errors import PlanError
from analysis.experiments import dimension
from analysis.experiments import gates as gates_experiment
from analysis.experiments.gates import MeanGates
from analysis.figures import rerouting
from analysis.figures.html_page import figure_page
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import Plan
from pages.shared import display, plan_history, progress, session, valid_values
from pages.shared.display import Markdown

NAME = "Layers of the plan"
_MEASURED = "measured_for"
"""Kept for the visit: the backbone whose intrinsic dimension was requested."""


def presets(backbone: Backbone) -> Curve | None:
    """Show undo, redo and preset plans; return the curve that rules read, if it is known."""
    name, chosen = valid_values.value("backbone"), valid_values.value("layers")
    known = dimension.known_dimensions(backbone, session.calibration())
    if chosen.strip().lower() == "auto" or st.session_state.get(_MEASURED) == name:
        known = session.calibration_dimensions()
    curve = known.curve if known else None
    third, rule = backbone.layers // 3, st.session_state.rule
    with st.container(horizontal=True):
        plan_history.buttons()
        for preset, layers in {
            "Automatic": "auto",
            "None": "none",
            "All": "all",
            "First third": f"0-{third - 1}",
            "Middle third": f"{third}-{2 * third - 1}",
            "Last third": f"{2 * third}-{backbone.layers - 1}",
        }.items():
            st.button(display.escaped(preset), on_click=_set_plan, args=(layers, rule))
        with st.popover("Select by rule"):
            for choice in selection.RULES.values():
                st.button(
                    f"{display.escaped(choice.name)}{_selected(curve, choice.name)}",
                    on_click=_set_plan,
                    args=("auto", choice.name),
                )
                st.caption(display.escaped(choice.summary))
    if curve is None:
        st.button(
            "Measure the intrinsic dimension",
            on_click=st.session_state.update,
            kwargs={_MEASURED: name},
            help="Shows the curve above the switches. This takes a while.",
        )
    return curve


def strip(
    backbone: Backbone, curve: Curve | None, texts: tuple[str, ...], method: Method
) -> MeanGates:
    """Show the switches as a figure to click; return the texts' mean gates."""
    plan = method.plan
    with progress.working("Measuring the gates"):
        gates = gates_experiment.mean_gates(backbone, texts, method)
    display.chart(
        rerouting.layer_strip(*_drawn(backbone, plan, curve, gates)),
        NAME,
        on_select=partial(session.toggle_clicked, NAME, plan),
        selection_mode="points",
    )
    return gates


def buttons(backbone: Backbone, plan: Plan, curve: Curve | None, gates: MeanGates) -> None:
    """Show the same switches as buttons, and the table of the figure."""
    st.session_state.switches = list(plan.active)
    st.pills(
        "Layers",
        range(backbone.layers),
        selection_mode="multi",
        key="switches",
        on_change=_use_switches,
        args=(plan,),
        help="The same switches, for the keyboard. Layer 0 is next to the input. Layers that this "
        "model family cannot re-route are refused.",
    )
    drawn = _drawn(backbone, plan, curve, gates)
    display.folded_table(
        NAME,
        lambda: rerouting.strip_table(*drawn),
        lambda: figure_page(rerouting.layer_strip(*drawn), NAME),
    )


def _drawn(backbone: Backbone, plan: Plan, curve: Curve | None, gates: MeanGates) -> Any:
    """What the strip and its table show."""
    dims = None if curve is None else curve.dims
    return backbone.layers, plan.active, backbone.reroutable, dims, gates


def _selected(curve: Curve | None, rule: str) -> Markdown:
    """The layers that a rule selects, in brackets, if they are known."""
    if curve is None:
        return ""
    try:
        return (
            f" ({layer_lists.format_layers(selection.select(curve.dims, rule), len(curve.dims))})"
        )
    except PlanError:  # no layer has a dimension; shown where the rule is used
        return ""


def _set_plan(layers: str, rule: str) -> None:
    st.session_state.update(layers=layers, heads="", rule=rule)


def _use_switches(plan: Plan) -> None:
    session.toggle_layers({*st.session_state.switches} ^ {*plan.active}, plan)
