"""The sidebar's fields of the plan: layers or heads, bias, rule, and KV-Embedding's options.

What is refused is named beside its field, and the last valid plan stays.
"""

from typing import Any

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora import sampling
from analysis.corpora.packaged import CALIBRATION
from analysis.embedding.checks import check_output_layer, check_plan
from analysis.errors import ExplorerError
from analysis.experiments import dimension
from analysis.rerouting import head_lists, layer_lists
from analysis.rerouting.plan import Plan
from pages.shared import display, plan_history, session, valid_values
from pages.shared.controls import Control
from pages.shared.page_question import SIDEBAR

_PLAN_OF, _NOTICE = "backbone of the plan", "what the backbone lacks"
"""Kept for the visit: the last backbone, and what a new one lacks with the values in its place."""


def choose_plan() -> None:
    """Choose the plan: layers or heads as text, the bias, and the rule behind ``auto``."""
    loaded = session.backbone()
    _leave_what_it_lacks(loaded)
    for option in ("layers", "heads"):
        SIDEBAR.show(option, on_change=_leave_out_other, args=(option,))
        _check(option, loaded)
    for option in ("bias", "rule"):
        SIDEBAR.show(option)
    SIDEBAR.show("calibration", accept=_check_calibration)
    plan, layers = session.plan(), loaded.layers
    chosen = head_lists.plan_in_words(plan, layers)
    if not plan.heads:
        chosen = layer_lists.format_layers(plan.layers, layers)
    st.caption(f"Re-routed now: {chosen}{_selected_on()}.")


def _check_calibration(name: str) -> None:
    """Refuse calibration texts on which no layers can be selected, where ``auto`` is to.

    Raises:
        ExplorerError: the curve cannot be measured, or the rule selects nothing from it.
    """
    if name != CALIBRATION and _is_automatic():
        measured = session.calibration_dimensions(session.texts(name))
        measured.selected(valid_values.value("rule"))


def _selected_on() -> display.Markdown:
    """Which texts the layers were selected on, where they are not the usual ones."""
    calibration = session.calibration()
    if calibration.name == CALIBRATION or not _is_automatic():
        return ""
    drawn = min(dimension.SAMPLES, len(sampling.first_places(calibration.texts)))
    return f", selected on {drawn:,} texts of {display.escaped(calibration.name)}"


def _is_automatic() -> bool:
    """Whether the rule selects the layers that re-route."""
    layers, heads = valid_values.value("layers"), valid_values.value("heads")
    return not (heads or session.backbone().refusal) and layers.strip().lower() == "auto"


def choose_method_options() -> None:
    """Choose what else is open: key position, prompt, pooling, token states, output layer.

    These are the last widgets of the plan, so its state is recorded here for undo and redo.
    """
    loaded = session.backbone()
    with st.expander("Method options"):
        SIDEBAR.show("key-position", options=loaded.key_positions or ("own",))
        for option in ("prompt", "pooling", "norm"):
            SIDEBAR.show(option)
        st.caption(
            "These apply to kv-embedding and prompt-only. The other methods stay as their names "
            "say."
        )
        SIDEBAR.show("output-layer", placeholder="Each method's own")
        _check("output-layer", loaded)
    plan_history.record(valid_values.value("backbone"))


def check_layers(control: Control, loaded: Backbone, at: Any) -> None:
    """Say in a place what another field of layers refuses; an empty one means the sidebar's."""

    def accept(value: str) -> None:
        if value:
            _accept("layers", value, loaded)

    def named(kept: str) -> str:
        return f"{control.label}, until then: {kept or 'as in the sidebar'}."

    valid_values.check(control.key, accept, "", at=at, named=named)


def lacking(loaded: Backbone) -> str:
    """What of the sidebar's plan a second backbone lacks, in a sentence; empty where it has all."""
    try:
        for option in ("layers", "heads"):
            _accept(option, valid_values.value(option), loaded)
    except ExplorerError as error:
        return str(error)
    return ""


def _check(option: str, loaded: Backbone) -> None:
    """Say beside the field of an option what is refused."""
    control = SIDEBAR.control(option)

    def accept(value: Any) -> None:
        _accept(option, value, loaded)
        if option == "heads" and value:
            head_lists.check_one_choice(valid_values.value("layers"), value)

    def named(kept: Any) -> str:
        return f"Until then: {_INSTEAD[option] if kept in ('', None) else kept}."

    valid_values.check(control.key, accept, control.initial, named=named)


_INSTEAD = {"heads": "no single heads", "output-layer": "each method's own"}
"""What counts where a field is empty."""


def _accept(option: str, value: Any, loaded: Backbone) -> None:
    """Refuse layers, heads or an output layer that a backbone does not have.

    Raises:
        ExplorerError: it does not have them, or the text names none.
    """
    layers, heads = loaded.layers, loaded.facts.heads
    match option:
        case "layers":
            plan = Plan(layer_lists.parse_layers(value, layers, ()))
        case "heads" if value:
            whole, single = head_lists.parse_heads(value, layers, heads)
            plan = Plan(whole, heads=single)
        case "output-layer" if value is not None:
            check_output_layer(value, loaded.facts)
            return
        case _:
            return
    if not loaded.refusal:  # of a family that cannot be re-routed, each method says so
        check_plan(loaded, plan)


def _leave_what_it_lacks(loaded: Backbone) -> None:
    """Take back layers and heads that the last backbone had and this one lacks, with a notice."""
    state, name = st.session_state, valid_values.value("backbone")
    before, state[_PLAN_OF] = state.get(_PLAN_OF, name), name
    controls = [SIDEBAR.control(option) for option in ("layers", "heads", "output-layer")]
    if before != name:
        sentences = []
        for control in controls:
            try:
                _accept(control.option, state.get(control.key, control.initial), loaded)
            except ExplorerError as error:
                if not valid_values.is_refused(control.key):
                    state[control.key] = control.initial
                    sentences.append(f"{error} Now: {control.initial or _INSTEAD[control.option]}.")
        state[_NOTICE] = sentences, [state.get(control.key) for control in controls]
    sentences, values = state.get(_NOTICE, ([], []))
    if sentences and values == [state.get(control.key) for control in controls]:
        st.info(display.escaped(" ".join(sentences)))


def _leave_out_other(option: str) -> None:
    """Take back the choice of layers or heads when the other was made. For callbacks."""
    state = st.session_state
    try:
        _accept(option, state[option], session.backbone())
    except ExplorerError:
        return  # the plan stays as it is; the page says why
    if option == "layers":
        state.heads = ""
    elif state.heads:
        state.layers = "auto"
