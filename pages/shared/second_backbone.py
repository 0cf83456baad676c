"""A second backbone, for pages that compare it with the sidebar's."""

from typing import Any

import streamlit as st

from analysis.backbones.backbone import Backbone
from pages.shared import backbone_field, display, session, valid_values
from pages.shared.controls import Control

_LEASE = "second_lease"


def choose(control: Control, at: Any = st) -> Backbone | None:
    """Choose a second backbone with the widget of ``control``, and load it.

    It runs in the same precision as the sidebar's, which stays loaded. None where none is chosen,
    or the sidebar's own, with a note. What cannot be loaded is named ``at`` a place, by default
    beside the widget, and the one before it stays.
    """
    own, dtype = valid_values.value("backbone"), valid_values.value("dtype")

    def load(name: str | None) -> None:
        if name in (None, own):
            st.session_state.pop(_LEASE, None)
        else:
            session.load(_LEASE, name, dtype)

    def check() -> None:
        valid_values.check(control.key, load, None, at=at)

    offered = [name for name in session.offered_backbones() if name != own]
    backbone_field.choose(control, offered, check, placeholder="none")
    name = valid_values.value(control.key)
    if name == own:
        at.caption(
            display.escaped(
                f"{name} is already the backbone in the sidebar; choose another one to compare it "
                "with."
            )
        )
    if name in (None, own):
        return None
    return session.lease_backbone(_LEASE, name, dtype)
