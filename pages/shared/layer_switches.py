"""All layers as one row of switches: presets, undo and redo, the picture, and its keyboard form."""

from functools import partial

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged
from analysis.dimension import selection
from analysis.dimension.curve import Curve
from analysis.embedding.methods import Method
from analysis.errors import PlanError
from analysis.experiments import dimension
from analysis.experiments import gates as listening
from analysis.experiments.gates import Listening
from analysis.figures import rerouting
from analysis.rerouting import layer_lists
from pages.shared import display, plan_history, session

NAME = "Layers of the plan"
_ASKED = "measured_for"
"""Kept for the visit: the backbone whose dimension was asked for."""


def presets(loaded: Backbone) -> Curve | None:
    """Undo, redo and ready-made plans; the rules' curve, where it is known or asked for."""
    chosen = st.session_state.backbone
    known = dimension.known_dimensions(loaded, session.texts(packaged.CALIBRATION))
    if st.session_state.layers.strip().lower() == "auto" or st.session_state.get(_ASKED) == chosen:
        known = session.calibration_dimensions()
    curve = known.curve if known else None
    third, rule = loaded.layers // 3, st.session_state.rule
    with st.container(horizontal=True):
        plan_history.buttons()
        for name, text in {
            "Automatic": "auto",
            "None": "none",
            "All": "all",
            "First third": f"0-{third - 1}",
            "Middle third": f"{third}-{2 * third - 1}",
            "Last third": f"{2 * third}-{loaded.layers - 1}",
        }.items():
            st.button(name, on_click=_preset, args=(text, rule))
        with st.popover("By rule"):
            for one in selection.RULES.values():
                st.button(
                    f"{one.name}{_window(curve, one.name)}",
                    on_click=_preset,
                    args=("auto", one.name),
                )
                st.caption(one.summary)
    if curve is None:
        st.button(
            "Measure the intrinsic dimension",
            on_click=st.session_state.update,
            kwargs={_ASKED: chosen},
            help="It is drawn with the layers once it is known; it takes a while.",
        )
    return curve


def row(loaded: Backbone, curve: Curve | None, texts: tuple[str, ...], method: Method) -> Listening:
    """The row of switches, as a picture to click and as buttons; the mean gates over ``texts``."""
    plan = method.plan
    with st.spinner("Measuring the gates"):
        gates = listening.listening(loaded, texts, method)
    dims = None if curve is None else curve.dims
    strip = loaded.layers, plan.active, loaded.reroutable, dims, gates
    display.figure(
        rerouting.layer_strip(*strip),
        rerouting.strip_table(*strip),
        NAME,
        on_select=partial(session.toggle_layers, NAME, plan.layers),
        selection_mode="points",
    )
    st.session_state.switches = list(plan.layers)
    st.pills(
        "Layers",
        range(loaded.layers),
        selection_mode="multi",
        key="switches",
        on_change=_switched,
        help="The same switches for the keyboard. Layer 0 is next to the input. Layers that this "
        "family cannot re-route are refused.",
    )
    return gates


def _window(curve: Curve | None, rule: str) -> str:
    """What a rule selects, in brackets, where that is known."""
    if curve is None:
        return ""
    try:
        return (
            f" ({layer_lists.format_layers(selection.select(curve.dims, rule), len(curve.dims))})"
        )
    except PlanError:  # no layer has a dimension; said where the rule is used
        return ""


def _preset(text: str, rule: str) -> None:
    st.session_state.update(layers=text, rule=rule)


def _switched() -> None:
    session.use_layers(tuple(sorted(st.session_state.switches)))
