"""Searches on a page: started, watched while they run, stopped and taken up again.

A search runs at the end of the page's script, when all that is known is drawn; whatever the
visitor does meanwhile ends that run of the script, and the next one goes on from what was stored.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs
from analysis.embedding import encoder
from analysis.embedding.methods import Method
from analysis.experiments import ablation
from analysis.experiments.ablation import Point, Walk
from analysis.experiments.searches import Search
from analysis.rerouting.plan import Plan
from analysis.storage import result_store

PAUSE, FADE = 1.5, 0.3
"""Seconds between two drawings of a search that runs, and for which the older one stays below."""
_OVER = "<style>[class*=st-key-swapped] {display: grid; grid-template-columns: 100%}" + (
    "[class*=st-key-swapped] > * {grid-area: 1 / 1}</style>"
)


class Place:
    """Where a figure stands on the page and is drawn again without a blank in between.

    Streamlit takes a chart away before it draws the next one, so the next is drawn over it.
    """

    def __init__(self, name: str) -> None:
        self._box = st.container(key=f"swapped {name}")
        self._slots: list[Any] = []

    def next(self) -> Any:
        """A context to draw in at once: it is empty."""
        self._slots = self._slots[::-1] or [self._box.empty(), self._box.empty()]
        return self._slots[0]

    def settle(self) -> None:
        """Take the older drawing away."""
        self._slots[1].empty()


@dataclass
class Following:
    """A search that is followed on a page: ``walk`` is how far it has come."""

    walk: Walk
    running: bool
    rest: Iterator[Walk]
    places: list[Place] = field(default_factory=list)

    def place(self, name: str) -> Place:
        """A new place for one of its figures."""
        self.places.append(Place(name))
        return self.places[-1]

    def watch(self, draw: Callable[[int], Any]) -> None:
        """Go on if the visitor started it, drawing at times, and show the page anew at its end.

        ``draw`` is given the number of the drawing, from 1; the first comes with the first score.
        """
        if not self.running:
            return
        number, drawn = 0, -math.inf
        for walk in self.rest:
            self.walk = walk
            if time.monotonic() - drawn >= PAUSE:
                number += 1
                draw(number)
                time.sleep(FADE)  # until the browser has drawn it
                for place in self.places:
                    place.settle()
                drawn = time.monotonic()
        _set(None)
        st.rerun()


def follow(
    loaded: Backbone,
    pairs: Pairs,
    method: Method,
    search: Search,
    beside: Sequence[Plan],
    *what: Any,
) -> Following:
    """The search as far as it is known, with its button and its bar; ``what`` tells it apart."""
    of = result_store.digest(
        encoder.identity(loaded, method),
        pairs.texts,
        *(part.tolist() for part in (pairs.left, pairs.right, pairs.scores)),
    )
    name = result_store.digest(of, what)
    running = st.session_state.get("searching") == name
    st.html(_OVER)
    left, right = st.columns([1, 3], vertical_alignment="center")
    bar = right.empty()

    def tell(done: int, whole: int) -> None:
        """How far the search is, and the pass that runs."""
        walk = found.walk
        if not walk.steps:
            bar.progress(done / whole, f"Re-routing nothing: text {done:,} of {whole:,}")
            return
        if walk.done:
            bar.caption(f"All {len(walk.plans)} plans are scored, reference points included.")
            return
        scored = len(walk.plans) - len(walk.missing)
        step = f"step {len(walk.steps)}, " if len(walk.steps) > 1 else ""
        text = f"{scored} of {len(walk.plans)} plans scored"
        now = f"; {step}text {done:,} of {whole:,} of the next" if whole else ""
        bar.progress(scored / len(walk.plans), text + now)

    rest = ablation.run(
        loaded, pairs, search, method, beside=beside, at_hand=_at_hand(of), progress=tell
    )
    found = Following(Walk((), (), {}, done=False), running, rest)
    with bar, st.spinner("Comparing what is scored"):
        found.walk = next(rest)
    tell(0, 0)
    if not found.walk.done:
        left.button(
            "Stop" if running else f"Score the {len(found.walk.missing)} missing plans",
            key="search",  # as one button it is changed, not left beside the other
            on_click=_set,
            args=(None if running else name,),
            type="primary",
            help="Scores are kept as they come: stopping loses nothing, starting again goes on.",
        )
    return found


def _set(name: str | None) -> None:
    st.session_state.searching = name


@st.cache_resource(show_spinner=False, max_entries=5)
def _at_hand(of: str) -> dict[Plan, Point]:
    """What was read or computed before of one backbone, method and pairs."""
    del of
    return {}
