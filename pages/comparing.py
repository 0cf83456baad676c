"""A second backbone beside the visit's own, for pages that compare the two."""

import streamlit as st

from analysis import backbone as backbones
from analysis import hosting
from analysis.backbone import Backbone
from pages import visit

NONE = "none"
"""What the menu says where nothing is compared."""


def second_backbone(key: str) -> Backbone | None:
    """The widget that asks for another backbone, kept under ``key``; what is chosen, loaded.

    It runs in the same number format as the visit's own and does not displace it. None where
    nothing is chosen, or the visit's own backbone again, which is then said.

    Raises:
        BackboneError: what is typed in is no backbone that can be loaded.
    """
    own = st.session_state.backbone
    offered = [NONE, *(name for name in visit.offered() if name != own)]
    name = st.selectbox(
        "Compare with another backbone",
        list(dict.fromkeys([*offered, st.session_state.get(key, NONE)])),
        key=key,
        accept_new_options=hosting.hosted() is None,
        bind="query-params",
        help="As in the sidebar. It is loaded beside the first.",
    )
    if name is None or name == NONE:
        return None
    if name == own:
        st.caption(f"{name} is the sidebar's backbone already; choose another to compare it with.")
        return None
    return _load(name, st.session_state.dtype)


@st.cache_resource(show_spinner=False, max_entries=1)
def _load(name: str, dtype: str) -> Backbone:
    with st.spinner("Loading the second backbone; the first time its weights are converted"):
        return backbones.load(name, dtype=dtype)
