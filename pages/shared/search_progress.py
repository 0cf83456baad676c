"""A search on a page: started, watched while it runs, stopped and resumed.

A search runs at the end of the page's script, after known results are drawn. Whatever the visitor
does meanwhile ends that run of the script, and the next one resumes from the stored scores.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from analysis.backbones.backbone import Backbone
from analysis.corpora.types import Pairs
from analysis.embedding.encoder import MethodEncoder
from analysis.embedding.methods import Method
from analysis.experiments import ablation
from analysis.experiments.ablation import Point, Walk
from analysis.experiments.searches import Search
from analysis.rerouting.plan import Plan
from analysis.storage import result_store
from pages.shared import display, progress

PAUSE, OVERLAP = 1.5, 0.3
"""Seconds between two drawings of a running search, and for which the older one stays below."""
_OVER = "<style>[class*=st-key-swapped] {display: grid; grid-template-columns: 100%}" + (
    "[class*=st-key-swapped] > * {grid-area: 1 / 1}</style>"
)


class FigureSlot:
    """A place on the page where a figure is redrawn without flicker.

    Streamlit removes a chart before it draws the next one, so the next is drawn over it.
    """

    def __init__(self, name: str) -> None:
        self._box = st.container(key=f"swapped {name}")
        self._slots: list[Any] = []

    def next(self) -> Any:
        """An empty slot to draw the next figure in."""
        self._slots = self._slots[::-1] or [self._box.empty(), self._box.empty()]
        return self._slots[0]

    def remove_older(self) -> None:
        """Remove the older drawing."""
        self._slots[1].empty()


@dataclass
class SearchProgress:
    """A search that a page shows; ``walk`` holds the scores so far."""

    walk: Walk
    running: bool
    remaining: Iterator[Walk]
    slots: list[FigureSlot] = field(default_factory=list)

    def figure_slot(self, name: str) -> FigureSlot:
        """A new place for one of the search's figures."""
        self.slots.append(FigureSlot(name))
        return self.slots[-1]

    def run(self, draw: Callable[[int], Any]) -> None:
        """Run the search if the visitor started it, redraw at times, and rerun the page at its end.

        ``draw`` gets the number of the drawing, from 1; the first comes with the first score.
        """
        if not self.running:
            return
        number, drawn_at = 0, -math.inf
        for walk in self.remaining:
            self.walk = walk
            if time.monotonic() - drawn_at >= PAUSE:
                number += 1
                draw(number)
                time.sleep(OVERLAP)  # until the browser has drawn it
                for slot in self.slots:
                    slot.remove_older()
                drawn_at = time.monotonic()
        _set_running(None)
        st.rerun()


def start(
    backbone: Backbone,
    pairs: Pairs,
    method: Method,
    search: Search,
    references: Sequence[Plan],
    *settings: Any,
) -> SearchProgress:
    """Read the known scores and show the search's button and progress bar.

    ``references`` are plans scored beside the search's own; ``settings`` identify the search.
    """
    scored_on = result_store.digest(
        MethodEncoder(backbone, method).identity,
        pairs.texts,
        *(part.tolist() for part in (pairs.left, pairs.right, pairs.scores)),
    )
    name = result_store.digest(scored_on, settings)
    running = st.session_state.get("searching") == name
    st.html(_OVER)
    left, right = st.columns([1, 3], vertical_alignment="center")
    bar = right.empty()

    begun: dict[int, tuple[int, float]] = {}  # of each step: plans known before, and when it began

    def show_progress(done: int, total: int) -> None:
        """Show how many plans are scored, and how far the next one is."""
        walk = search_progress.walk
        if not walk.steps:
            bar.progress(done / total, f"Re-routing nothing: text {done:,} of {total:,}")
            return
        if walk.done:
            bar.caption(
                f"All {len(walk.plans)} plans are scored"
                + (", including the reference points." if walk.beside else ".")
            )
            return
        scored = len(walk.plans) - len(walk.missing)
        step = f"step {len(walk.steps)}, " if len(walk.steps) > 1 else ""
        known = begun.setdefault(len(walk.steps), (scored, time.monotonic()))
        part = done / total if total else 0.0
        left = progress.time_left(
            *(scored - known[0] + part, len(walk.plans) - known[0], time.monotonic() - known[1])
        )
        text = f"{scored} of {len(walk.plans)} plans scored{left}"
        now = f"; {step}next plan: text {done:,} of {total:,}" if total else ""
        bar.progress(scored / len(walk.plans), display.escaped(text + now))

    remaining = ablation.run(
        *(backbone, pairs, search, method),
        beside=references,
        at_hand=_known_points(scored_on),
        progress=show_progress,
    )
    search_progress = SearchProgress(Walk((), (), {}, done=False), running, remaining)
    with progress.working("Reading known scores"):
        search_progress.walk = next(remaining)
    show_progress(0, 0)
    if not search_progress.walk.done:
        left.button(
            "Stop" if running else f"Score the {len(search_progress.walk.missing)} missing plans",
            key="search",  # one key, so that the button changes instead of a second one appearing
            on_click=_set_running,
            args=(None if running else name,),
            type="primary",
            help="Every score is stored at once: you can stop and resume without losing any.",
        )
    return search_progress


def _set_running(name: str | None) -> None:
    st.session_state.searching = name


@st.cache_resource(show_spinner=False, max_entries=5)
def _known_points(scored_on: str) -> dict[Plan, Point]:
    """The scores read or computed so far for one backbone, method and set of pairs."""
    del scored_on  # the cache's key
    return {}
