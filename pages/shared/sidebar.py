"""The sidebar's backbone, which all pages share; its plan is in :mod:`pages.shared.plan_fields`."""

from functools import partial

import streamlit as st

from analysis.backbones import devices
from analysis.backbones.catalog import DEFAULT
from analysis.backbones.facts import Facts
from pages.shared import backbone_field, display, session, valid_values
from pages.shared.page_question import SIDEBAR


def choose_backbone() -> None:
    """Choose the backbone and its precision, load it, and show its facts."""
    backbone_field.choose(SIDEBAR.control("backbone"), session.offered_backbones(), _load)
    _show_facts(session.facts(valid_values.value("backbone")))
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
            "with a mask: no fast kernel here returns the log-sum-exp that the closed form needs"
            + (f" ({display.escaped(loaded.form_reason)})." if loaded.form_reason else ".")
        )
    if loaded.separate and not loaded.refusal and loaded.device.value == "cpu":
        why = display.escaped(loaded.separate)
        st.caption(f"Texts of different lengths are computed separately, which is slower: {why}.")


def _load() -> None:
    """Choose the precision and load the backbone; one that is refused leaves the last in use."""
    SIDEBAR.show("dtype")
    accepted = valid_values.check(
        ("backbone", "dtype"),
        partial(session.load, session.LEASE),
        *(DEFAULT, "auto"),
        named="Until then, {} in {} is used.".format,
    )
    if not accepted:
        if (refused := session.failed(session.LEASE)) and refused.facts:
            _show_facts(refused.facts)
        st.button("Try again", on_click=session.try_again, args=(session.LEASE,))


def _show_facts(facts: Facts) -> None:
    """Show what is known of a backbone before its weights load."""
    st.caption(
        f"{facts.parameters / 1e6:,.0f} million parameters, {facts.layers:,} layers, "
        f"{facts.heads:,} heads on {facts.kv_heads:,} key-value heads, a context of "
        f"{facts.context:,} tokens. Weights: {facts.memory('float32') / 1e9:.2f} GB in float32, "
        f"{facts.memory('bfloat16') / 1e9:.2f} GB in half precision."
        + (f" Licence: {display.escaped(facts.licence)}." if facts.licence else "")
    )
    if facts.needs:
        st.caption(display.escaped(facts.needs))
