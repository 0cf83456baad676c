"""Undo and redo of the plan during a visit, by whatever means it was changed.

The plan is what the sidebar's widgets hold, so a step is their values; the history itself is a
value that knows nothing of the screen.
"""

from dataclasses import dataclass
from typing import Any

import streamlit as st

PLAN = ("layers", "bias", "rule", "key_position")
"""Keys of the widgets that make a plan."""
_KEY = "plan_history"
Values = dict[str, Any]


@dataclass(frozen=True)
class History:
    """Where one is and what lies before and behind; ``of`` is what it is the history of."""

    of: str
    now: Values
    past: tuple[Values, ...] = ()
    future: tuple[Values, ...] = ()

    def at(self, now: Values) -> "History":
        """The history after a change to ``now``: what was undone is gone; no change, no step."""
        if now == self.now:
            return self
        return History(self.of, now, (*self.past, self.now))

    def undone(self) -> "History":
        """One step back, if there is one."""
        if not self.past:
            return self
        return History(self.of, self.past[-1], self.past[:-1], (self.now, *self.future))

    def redone(self) -> "History":
        """One step forward again, if there is one."""
        if not self.future:
            return self
        return History(self.of, self.future[0], (*self.past, self.now), self.future[1:])


def record(of: str) -> None:
    """Note the plan as it is now; with another backbone, ``of``, a new history begins."""
    now = {key: st.session_state[key] for key in PLAN}
    known = st.session_state.get(_KEY)
    st.session_state[_KEY] = known.at(now) if known and known.of == of else History(of, now)


def buttons() -> None:
    """Undo and redo, each as long as there is a step to take."""
    known: History = st.session_state[_KEY]
    st.button("Undo", key="undo", on_click=_go, args=(known.undone(),), disabled=not known.past)
    st.button("Redo", key="redo", on_click=_go, args=(known.redone(),), disabled=not known.future)


def _go(to: History) -> None:
    st.session_state.update(to.now)
    st.session_state[_KEY] = to
