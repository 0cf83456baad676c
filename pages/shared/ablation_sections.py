"""The sections of the page on layer ablation: figures redrawn as a search runs, held-out halves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from analysis.corpora.types import Pairs
from analysis.evaluation import comparison
from analysis.experiments import ablation
from analysis.experiments.ablation import Walk
from analysis.experiments.held_out import BEST, Range
from analysis.experiments.searches import AUTOMATIC, RANDOM
from analysis.figures import ablation as ablation_figures
from analysis.figures import standing
from analysis.rerouting import head_lists
from analysis.rerouting.plan import PLAIN, Plan
from pages.shared import display, progress, session
from pages.shared.display import Markdown
from pages.shared.search_progress import SearchProgress

PLANS, REFERENCES = "Change of the score by plan", "The automatic choice among others"
"""Names of the two figures."""


@dataclass(frozen=True)
class View:
    """What the page shows: the search's name, the automatic plan, and the reference plans.

    ``layers`` and ``heads`` are the backbone's, the latter of each layer.
    """

    search: str
    layers: int
    heads: int
    automatic: Plan
    references: Mapping[str, Sequence[Plan]]

    def plan_name(self, plan: Plan) -> Markdown:
        """A plan's layers in words, with its bias where a search varies it."""
        layers = head_lists.plan_in_words(plan, self.layers)
        varies = self.search == "bias" and (plan.layers or plan.heads)
        return f"{layers} at bias {plan.bias:g}" if varies else layers


class Results:
    """The two figures and the metrics, redrawn while a search runs, and their tables."""

    def __init__(self, view: View, progress: SearchProgress) -> None:
        self._view, self._progress = view, progress
        self._plans, self._tables = progress.figure_slot("plans"), st.container()
        self._metrics = [column.empty() for column in st.columns(3)]
        self.below_metrics = st.container()
        self._references = progress.figure_slot("references")

    def draw(self, number: int = 0) -> Any:
        """Draw the scores so far; returns the selection event of the first figure.

        ``number`` tells the drawings of one run apart.
        """
        walk, suffix = self._progress.walk, f" {number}" if number else ""
        view = self._view
        by_plan = ablation_figures.search_chart(view.search, walk, view.layers, view.automatic)
        with self._plans.next():
            event = display.chart(
                by_plan,
                PLANS,
                key=PLANS + suffix,
                on_select="ignore" if number else "rerun",
                selection_mode="points",
            )
        self._draw_metrics(walk)
        with self._references.next():
            display.chart(
                standing.standing_chart(walk, self._reference_rows()),
                REFERENCES,
                key=REFERENCES + suffix,
            )
        return event

    def tables(self) -> None:
        """Show the tables of both figures."""
        walk = self._progress.walk
        with self._tables:
            display.folded_table(PLANS, lambda: ablation_figures.plan_table(walk, walk.plans))
        display.folded_table(
            REFERENCES, lambda: standing.standing_table(walk, self._reference_rows())
        )

    def _reference_rows(self) -> list[tuple[str, Plan]]:
        view = self._view
        return standing.standing(self._progress.walk, view.automatic, view.references)

    def _draw_metrics(self, walk: Walk) -> None:
        plans = {
            "Nothing re-routed": PLAIN,
            "Automatic": self._view.automatic,
            "Best so far": walk.best,
        }
        for slot, (name, plan) in zip(self._metrics, plans.items(), strict=True):
            if plan is None or plan not in walk.points:
                slot.metric(display.escaped(name), "not scored yet")
                continue
            change = walk.points[plan].change
            layers = "" if plan == PLAIN else f" ({self._view.plan_name(plan)})"
            rank = f"rank {walk.rank(plan):,} of {len(walk.ranked):,}"
            interval = _with_interval(change.delta, change.ci_low, change.ci_high)
            slot.metric(
                f"{display.escaped(name)}{layers}, {rank}",
                f"{walk.spearman(plan):.1f}",
                None if plan == PLAIN else interval,
                delta_color="normal" if change.ci_low > 0 or change.ci_high < 0 else "off",
            )


def plan_buttons(view: View, walk: Walk, event: Any, key_position: Any) -> None:
    """Show buttons that use the best plan, or the one clicked in the figure."""
    plans = {"best": walk.best}
    for point in event.selection.points:
        text, bias = point["customdata"][:2]
        layers, heads = head_lists.parse_heads(text, view.layers, view.heads)
        plans["selected"] = Plan(layers, float(bias), key_position, heads)
    with st.container(horizontal=True):
        for name, plan in plans.items():
            if plan is not None and plan in walk.points:
                label = f"Use the {display.escaped(name)} plan ({view.plan_name(plan)})"
                st.button(label, on_click=_use_plan, args=(plan,))


def counts(view: View, walk: Walk) -> None:
    """Say how many plans are better or worse, and how random sets of layers do."""
    changes = walk.changes
    better = sum(change.clear and change.delta > 0 for change in changes)
    worse = sum(change.clear and change.delta < 0 for change in changes)
    above = sum(change.ci_low > 0 for change in changes)
    text = (
        f"Of {len(changes):,} plans of the search, {better:,} score clearly better than re-routing "
        f"nothing, {worse:,} clearly worse, and {len(changes) - better - worse:,} neither. "
        f"{display.escaped(comparison.CLEAR_MEANS)} Without the correction {above:,} intervals lie "
        "above 0."
    )
    plans = [plan for plan in view.references[RANDOM] if plan in walk.points]
    if gains := [walk.points[plan].change.delta for plan in plans]:
        text += (
            f" {len(gains)} random sets with as many layers as the automatic choice change the "
            f"score by {np.mean(gains):+z.1f} on average, from {min(gains):+z.1f} to "
            f"{max(gains):+z.1f}."
        )
    st.markdown(text)


def held_out(view: View, walk: Walk, pairs: Pairs) -> None:
    """Say what is left of the best plan's gain on texts that it was not picked on."""
    with progress.working("Splitting the texts"):
        results = _held_out(
            (view.automatic, walk.tried, tuple(walk.points)),
            pairs.scores,
            (pairs.left, pairs.right),
            [point.score.cosines for point in walk.points.values()],
            _walk=walk,
            _pairs=pairs,
        )
    plan, best = results[BEST]
    text = (
        f"The best of {best.windows:,} plans looks better than it is, because it was picked on the "
        "same pairs that it is scored on. So the texts are split at random: the plan that is best "
        f"on one half gains **{_mean(best.seen)}** there and **{_mean(best.gain)}** on the other "
        f"half, where its rank is {best.rank.mean:.0f} of {best.windows:,} on average. Most often "
        f"({100 * best.share:.0f}%) it is {view.plan_name(plan)}."
    )
    if AUTOMATIC in results:
        automatic = results[AUTOMATIC][1]
        text += (
            f" The automatic choice, made on other texts, gains {_mean(automatic.gain)} on such "
            f"halves, at rank {automatic.rank.mean:.0f}."
        )
    if view.search == "greedy search":
        text += (
            " The greedy search chose its steps on all texts, so even this estimate flatters it."
        )
    st.markdown(text)
    st.caption(
        f"Means over {2 * ablation.SPLITS} halves: {ablation.SPLITS} random splits of the texts, "
        "each used both ways, without the pairs across the halves. The brackets hold 95% of the "
        "halves. They show how much depends on the split; new texts would vary more."
    )


@st.cache_resource(show_spinner=False, max_entries=20)
def _held_out(
    plans: Any, ratings: Any, sides: Any, cosines: Any, *, _walk: Walk, _pairs: Pairs
) -> Any:
    del ratings, sides, cosines  # the cache's key, with the plans: all that decides the result
    return ablation.held_out(_walk, _pairs, plans[0])


def _use_plan(plan: Plan) -> None:
    session.use_plan(plan)
    st.session_state.bias = plan.bias


def _with_interval(value: float, low: float, high: float) -> Markdown:
    return f"{value:+z.1f} [{low:+z.1f}, {high:+z.1f}]"


def _mean(values: Range) -> Markdown:
    return _with_interval(values.mean, values.low, values.high)
