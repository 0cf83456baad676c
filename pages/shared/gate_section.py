"""The section on gates: how much attention each token of a text pays to the re-routed pair."""

from functools import partial

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.embedding.methods import Method
from analysis.experiments import causal
from analysis.figures import attention
from pages.shared import display, session, valid_values

TEXT = "The old bridge over the river was closed after the flood."
"""The text whose gates are shown until another is typed."""


def show(backbone: Backbone, method: Method) -> None:
    """Show the gates of a text of the visitor's own.

    Args:
        backbone: the loaded backbone.
        method: with its plan and prompt.
    """
    st.header("Attention to the re-routed pair")
    st.markdown(
        "The gate of each token of one text, averaged over heads. **The brighter, the more a token "
        "attends to the re-routed pair.**"
    )
    st.text_input("Text", TEXT, key="gate_text", persist_state="session")
    gates_of = partial(causal.gates, backbone, plan=method.plan, template=method.template)
    gates = valid_values.computed("gate_text", gates_of, TEXT)
    session.figures_of("one text")
    if method.plan.active:
        display.figure(attention.gate_map(gates), attention.gate_table(gates), "Gate by token")
    else:
        st.info("No layer is re-routed, so there is no gate. Switch on a layer above.")
