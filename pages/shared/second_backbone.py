"""A second backbone, for pages that compare it with the sidebar's."""

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.runtime import hosting
from pages.shared import session
from pages.shared.recipe_state import NONE

_LEASE = "second_lease"


def choose(key: str) -> Backbone | None:
    """Choose a second backbone, kept under ``key``, and load it.

    It runs in the same precision as the sidebar's, which stays loaded. None where none is chosen,
    or the sidebar's own, with a note.

    Raises:
        BackboneError: what was typed is no backbone that can be loaded.
    """
    own = st.session_state.backbone
    offered = [NONE, *(name for name in session.offered_backbones() if name != own)]
    name = st.selectbox(
        "Compare with another backbone",
        list(dict.fromkeys([*offered, st.session_state.get(key, NONE)])),
        key=key,
        accept_new_options=hosting.hosted() is None,
        bind="query-params",
        help="As in the sidebar. Both stay loaded.",
    )
    name = name or NONE
    if name in (NONE, own):
        st.session_state.pop(_LEASE, None)
    if name == NONE:
        return None
    if name == own:
        st.caption(
            f"{name} is already the backbone in the sidebar; choose another one to compare it with."
        )
        return None
    return session.lease_backbone(_LEASE, name, st.session_state.dtype)
