"""A second backbone, for pages that compare it with the sidebar's."""

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.runtime import hosting
from pages.shared import display, session
from pages.shared.controls import Control

_LEASE = "second_lease"


def choose(control: Control) -> Backbone | None:
    """Choose a second backbone with the widget of ``control``, and load it.

    It runs in the same precision as the sidebar's, which stays loaded. None where none is chosen,
    or the sidebar's own, with a note.

    Raises:
        BackboneError: what was typed is no backbone that can be loaded.
    """
    own, chosen = st.session_state.backbone, st.session_state.get(control.key)
    offered = [name for name in session.offered_backbones() if name != own]
    control.show(
        st,
        options=dict.fromkeys([*offered, *filter(None, [chosen])]),
        accept_new_options=hosting.hosted() is None,
        placeholder="none",
    )
    name = st.session_state[control.key]
    if name in (None, own):
        st.session_state.pop(_LEASE, None)
    if name == own:
        st.caption(
            display.escaped(
                f"{name} is already the backbone in the sidebar; choose another one to compare it "
                "with."
            )
        )
    if name in (None, own):
        return None
    return session.lease_backbone(_LEASE, name, st.session_state.dtype)
