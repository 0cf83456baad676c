"""The plans of a search as points of a figure: marks, labels, error bars, rows of a table.

Every point carries its plan as ``customdata``: first its layers and heads, then its bias.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go

from ..evaluation.similarity import SPEARMAN
from ..experiments.ablation import Walk
from ..experiments.searches import ALL, AUTOMATIC
from ..rerouting.head_lists import format_heads
from ..rerouting.layer_lists import format_layers
from ..rerouting.plan import Plan
from .theme import PALETTE, PLAIN, SELECTED

BEST, NONE = "best so far", "nothing re-routed"
MARKS = {AUTOMATIC: (SELECTED, "diamond", 15), BEST: (PALETTE[2], "star", 11)}
COLOURS = {**{name: mark[0] for name, mark in MARKS.items()}, NONE: PLAIN, ALL: PALETTE[6]}
HOVER = (
    "re-routed %{customdata[0]}, bias %{customdata[1]:~g}<br>change %{customdata[3]:+.1f}, "
    "interval %{customdata[4]:+.1f} to %{customdata[5]:+.1f}<br>Spearman %{customdata[2]:.1f}, "
    "rank %{customdata[6]}<extra></extra>"
)
Along = Literal["first layer", "bias"]


def marked(walk: Walk, automatic: Plan) -> dict[str, Plan]:
    """The plans that all figures mark, as far as they are scored."""
    marks = {AUTOMATIC: automatic} if automatic in walk.points else {}
    return marks if walk.best is None else marks | {BEST: walk.best}


def plan_rows(plans: Sequence[Plan], walk: Walk) -> pd.DataFrame:
    """One row for each plan, in the given order: its score, its change and its rank."""
    rows = [(walk.points[plan].score.measure(SPEARMAN), walk.points[plan].change) for plan in plans]
    return pd.DataFrame(
        {
            "re-routed": [layers_of(plan) for plan in plans],
            "bias": [plan.bias if plan.active else None for plan in plans],
            "rank": [walk.rank(plan) for plan in plans],
            "Spearman": [measure.value for measure, _ in rows],
            "low": [measure.ci_low for measure, _ in rows],
            "high": [measure.ci_high for measure, _ in rows],
            "change": [change.delta for _, change in rows],
            "change low": [change.ci_low for _, change in rows],
            "change high": [change.ci_high for _, change in rows],
        }
    )


def layers_of(plan: Plan) -> str:
    """Layers by number, even if they are all, and single heads."""
    return format_heads(plan.layers, plan.heads) if plan.heads else format_layers(plan.layers, 0)


def custom(plans: Sequence[Plan], walk: Walk) -> list[list[Any]]:
    """The ``customdata`` of points: the plan, then the numbers of its label."""
    rows = []
    for plan in plans:
        point = walk.points[plan]
        change = (point.change.delta, point.change.ci_low, point.change.ci_high)
        spearman = walk.spearman(plan)
        rows.append([layers_of(plan), plan.bias, spearman, *change, walk.rank(plan)])
    return rows


def error_bars(plans: Sequence[Plan], walk: Walk) -> dict[str, Any]:
    """The intervals of the plans' changes as error bars."""
    changes = [walk.points[plan].change for plan in plans]
    return {
        "type": "data",
        "symmetric": False,
        "array": [change.ci_high - change.delta for change in changes],
        "arrayminus": [change.delta - change.ci_low for change in changes],
        "width": 0,
        "thickness": 1.5,
    }


def dots(
    figure: go.Figure,
    name: str,
    plans: Sequence[Plan],
    walk: Walk,
    place: Callable[[Plan], float],
    *,
    bars: bool = True,
    **marker: Any,
) -> None:
    """Add the scored ones of some plans to a figure, by place and change."""
    scored = [plan for plan in plans if plan in walk.points]
    figure.add_scatter(
        x=[place(plan) for plan in scored],
        y=[walk.points[plan].change.delta for plan in scored],
        error_y=error_bars(scored, walk) if bars else None,
        mode="markers",
        name=name,
        marker=marker,
        customdata=custom(scored, walk),
        hovertemplate=HOVER,
    )
