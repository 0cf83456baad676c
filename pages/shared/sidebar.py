"""The sidebar, which all pages share: the backbone, the plan, the options and the rated pairs."""

import streamlit as st

from analysis.backbones import devices
from analysis.backbones.catalog import DEFAULT
from analysis.rerouting import head_lists, layer_lists
from analysis.runtime import hosting
from pages.shared import display, plan_history, session
from pages.shared.page_question import SIDEBAR

ANY_BACKBONE = (
    "Choose a packaged model or one of the paper's, or type a Hugging Face id (owner/name or "
    "owner/name@revision), a folder, or a .gguf file."
)
"""Help on the backbone's field where any may be loaded."""


def choose_backbone() -> None:
    """Choose the backbone and its precision, load it, and show its facts."""
    offered = [*session.offered_backbones(), st.session_state.get("backbone", DEFAULT)]
    SIDEBAR.show(
        "backbone",
        options=dict.fromkeys(offered),
        accept_new_options=hosting.hosted() is None,
        help=ANY_BACKBONE if hosting.hosted() is None else "This server offers these backbones.",
    )
    SIDEBAR.show("dtype")
    facts = session.facts(st.session_state.backbone)
    st.caption(
        f"{facts.parameters / 1e6:,.0f} million parameters, {facts.layers:,} layers, "
        f"{facts.heads:,} heads on {facts.kv_heads:,} key-value heads, a context of "
        f"{facts.context:,} tokens. Weights: {facts.memory('float32') / 1e9:.2f} GB in float32, "
        f"{facts.memory('bfloat16') / 1e9:.2f} GB in half precision."
        + (f" Licence: {display.escaped(facts.licence)}." if facts.licence else "")
    )
    if facts.needs:
        st.caption(display.escaped(facts.needs))
    loaded = session.backbone()
    if loaded.note:
        st.warning(display.escaped(loaded.note))
    st.caption(display.escaped(f"Running in {loaded.dtype.value}: {loaded.dtype.reason}."))
    if loaded.device.value == devices.SPREAD:
        st.caption(display.escaped(f"Spread over several devices, {loaded.device.reason}."))
    if loaded.refusal:
        st.warning(display.escaped(loaded.refusal))
    elif loaded.slow_form:
        st.caption(
            "Re-routed layers use the slower form, which puts the pair in front of the others "
            "with a mask: no fast kernel here returns the log-sum-exp that the closed form needs."
        )


def choose_plan() -> None:
    """Choose the plan: layers or heads as text, the bias, and the rule behind ``auto``."""
    SIDEBAR.show("layers", on_change=session.leave_out, args=("heads",))
    SIDEBAR.show("heads", on_change=session.leave_out, args=("layers",))
    for option in ("bias", "rule"):
        SIDEBAR.show(option)
    plan, layers = session.plan(), session.backbone().layers
    chosen = head_lists.plan_in_words(plan, layers)
    if not plan.heads:
        chosen = layer_lists.format_layers(plan.layers, layers)
    st.caption(f"Re-routed now: {chosen}.")


def choose_method_options() -> None:
    """Choose what else KV-Embedding leaves open: key position, prompt, pooling and token states.

    These are the last widgets of the plan, so its state is recorded here for undo and redo.
    """
    with st.expander("KV-Embedding options"):
        SIDEBAR.show("key-position", options=session.backbone().key_positions or ("own",))
        for option in ("prompt", "pooling", "norm"):
            SIDEBAR.show(option)
        st.caption(
            "These apply to kv-embedding and prompt-only. The other methods stay as their names "
            "say."
        )
    plan_history.record(st.session_state.backbone)
