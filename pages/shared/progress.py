"""The one place of a page that says what is computed, for how long still, and that can cancel it.

It stays in sight at the foot of the window, and is seen once a computation takes over a second.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import StopException

from analysis.runtime.events import listening
from pages.shared.display import escaped

_PLACE, _CANCELLED = "place of the progress", "view that was cancelled"
LINGERS = 2.0
"""Seconds for which the place in a queue is still shown when the turn has come."""
_STYLE = """<style>
.st-key-progress {
    position: fixed; bottom: 0; z-index: 1000; padding: 0.75rem 1rem 1rem; left: auto;
    width: min(46rem, 100vw - 2rem); border-radius: 0.5rem 0.5rem 0 0;
    background: light-dark(#f0f2f6, #262730); animation: kve-appear 0s 1s both;
}
@keyframes kve-appear { from { visibility: hidden; } to { visibility: visible; } }
</style>"""


class Place:
    """The place in one run of a page; what it holds is made when something is computed first."""

    def __init__(self) -> None:
        self.notes, self._box = st.container(), st.empty()
        self._line: Any = None
        self._queue: Any = None
        self._waited = 0.0

    def _open(self) -> None:
        if self._line is None:
            with self._box.container(key="progress"):
                st.html(_STYLE)
                left, right = st.columns([5, 1], vertical_alignment="center")
                self._line, self._queue = left.empty(), st.empty()
                right.button("Cancel", key="cancel", on_click=_cancel)

    def tell(self, share: float | None, text: str) -> None:
        """Say what is computed, and show the ``share`` that is done where it is known."""
        self._open()
        if self._waited and time.monotonic() - self._waited > LINGERS:
            self._queue.empty()
            self._waited = 0.0
        if share is None:
            self._line.markdown(escaped(text))
        else:
            self._line.progress(min(max(share, 0.0), 1.0), escaped(text))

    def wait(self, place: int, what: str) -> None:
        """Say the place in a queue; it lingers, as one often waits again at the next batch."""
        if place:
            stop_if_cancelled()
            self._open()
            self._waited = time.monotonic()
            self._queue.caption(escaped(f"Waiting for {what}: place {place} in the queue."))

    def close(self) -> None:
        """Take it away at the end of the page."""
        self._box.empty()
        self._line = None


def open_place() -> None:
    """Make the place of this run, below the title."""
    st.session_state[_PLACE] = Place()


@contextmanager
def closed_at_its_end() -> Iterator[None]:
    """Take the place away at the end of the page."""
    try:
        yield
    except StopException:
        _close()
        raise
    _close()


def _close() -> None:
    if place := st.session_state.pop(_PLACE, None):
        place.close()


@contextmanager
def notices() -> Iterator[None]:
    """Show what the library reports while it works: a place in a queue, a batch cut in halves."""
    with listening(
        lambda message: st.warning(escaped(message)),
        lambda *at: _place().wait(*at),
        stop_if_cancelled,
    ):
        yield


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show what is computed, how much of it is done, and the time left."""
    place, began, first, last_total = _place(), time.monotonic(), 0, 0
    place.tell(0.0, label)

    def show(done: int, total: int) -> None:
        nonlocal began, first, last_total
        if done < total:  # what is known is shown also in a view that was cancelled
            stop_if_cancelled()
        if last_total and (total != last_total or done < first):  # something else is counted now
            began, first = time.monotonic(), done
        last_total = total
        left = time_left(done - first, total - first, time.monotonic() - began)
        counted = f"{label}: {done:,} of {total:,}{left}"
        place.tell(done / total if total else 0.0, counted)

    yield show


@contextmanager
def working(label: str) -> Iterator[None]:
    """Show what is computed where nothing counts how much of it is done."""
    _place().tell(None, f"{label} ...")
    yield


def time_left(done: float, total: int, seconds: float) -> str:
    """The time left in words, after a comma; empty in the first two seconds and at the end.

    Args:
        done: how much is done.
        total: how much there is.
        seconds: since it began.
    """
    if seconds < 2 or not 0 < done < total:
        return ""
    left = seconds / done * (total - done)
    if left < 90:
        return f", about {max(round(left), 1):,} s left"
    if left < 5400:
        return f", about {left / 60:.0f} min left"
    return f", about {left / 3600:.1f} h left"


def _place() -> Place:
    place: Place | None = st.session_state.get(_PLACE)
    if place is None:
        place = st.session_state[_PLACE] = Place()
    return place


def _view() -> tuple[Any, ...]:
    """What the page shows: its address, and the texts of widgets."""
    texts = {key: value for key, value in st.session_state.items() if isinstance(value, str)}
    query = {name: tuple(st.query_params.get_all(name)) for name in st.query_params}
    return st.context.url, tuple(sorted(query.items())), tuple(sorted(texts.items(), key=str))


def _cancel() -> None:
    st.session_state[_CANCELLED] = True


def stop_if_cancelled() -> None:
    """Stop where the visitor cancelled this view; a change of it computes again.

    Reading the state also ends a run that Streamlit has a newer one for, as after a click on
    *Cancel*.
    """
    state = st.session_state
    cancelled = state.get(_CANCELLED)
    if cancelled is None:
        return
    if cancelled is True:
        cancelled = state[_CANCELLED] = _view()
    if cancelled != _view():
        state[_CANCELLED] = None
        return
    with _place().notes:
        st.info("Cancelled. Change a choice, or go on.")
        st.button("Go on", key="continue", on_click=state.update, kwargs={_CANCELLED: None})
    st.stop()
