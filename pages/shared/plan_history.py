"""Undo and redo of the plan during a visit, however it was changed.

A step holds the values of the sidebar's widgets. The history itself is a plain value, independent
of the screen.
"""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from pages.shared import valid_values

PLAN = ("layers", "heads", "bias", "rule", "calibration", "key_position")
"""Keys of the widgets that make a plan."""
_KEY = "plan_history"
Values = dict[str, Any]


@dataclass(frozen=True)
class History:
    """The present plan, past and undone ones; ``backbone`` is the one that they are for."""

    backbone: str
    now: Values
    past: tuple[Values, ...] = ()
    future: tuple[Values, ...] = ()

    def changed(self, now: Values) -> "History":
        """The history after a change to ``now``; it forgets undone plans. No change, no step."""
        if now == self.now:
            return self
        return History(self.backbone, now, (*self.past, self.now))

    def undone(self) -> "History":
        """One step back, if there is one."""
        if not self.past:
            return self
        return History(self.backbone, self.past[-1], self.past[:-1], (self.now, *self.future))

    def redone(self) -> "History":
        """One step forward again, if there is one."""
        if not self.future:
            return self
        return History(self.backbone, self.future[0], (*self.past, self.now), self.future[1:])


def record(backbone: str) -> None:
    """Record the present plan; another ``backbone`` begins a new history."""
    now = {key: valid_values.value(key) for key in PLAN}
    history = st.session_state.get(_KEY)
    if history is None or history.backbone != backbone:
        history = History(backbone, now)
    st.session_state[_KEY] = history.changed(now)


def buttons() -> None:
    """Show the buttons for undo and redo, each enabled while there is a step to take."""
    history: History = st.session_state[_KEY]
    st.button(
        "Undo", key="undo", on_click=_restore, args=(history.undone(),), disabled=not history.past
    )
    st.button(
        "Redo", key="redo", on_click=_restore, args=(history.redone(),), disabled=not history.future
    )


def _restore(history: History) -> None:
    st.session_state.update(history.now)
    st.session_state[_KEY] = history
