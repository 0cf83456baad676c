"""A second backbone beside the visit's own, for pages that compare the two."""

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.runtime import hosting
from pages.shared import session
from pages.shared.recipe_state import NONE

_LEASE = "second_lease"


def second_backbone(key: str) -> Backbone | None:
    """The widget that asks for another backbone, kept under ``key``; what is chosen, loaded.

    It runs in the same number format as the visit's own and does not displace it. None where
    nothing is chosen, or the visit's own backbone again, which is then said.

    Raises:
        BackboneError: what is typed in is no backbone that can be loaded.
    """
    own = st.session_state.backbone
    offered = [NONE, *(name for name in session.offered_backbones() if name != own)]
    chosen = st.selectbox(
        "Compare with another backbone",
        list(dict.fromkeys([*offered, st.session_state.get(key, NONE)])),
        key=key,
        accept_new_options=hosting.hosted() is None,
        bind="query-params",
        help="As in the sidebar. It is loaded beside the first.",
    )
    name = chosen or NONE
    if name in (NONE, own):
        st.session_state.pop(_LEASE, None)
    if name == NONE:
        return None
    if name == own:
        st.caption(f"{name} is the sidebar's backbone already; choose another to compare it with.")
        return None
    return session.lease_backbone(_LEASE, name, st.session_state.dtype)
