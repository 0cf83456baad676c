"""The automatic choice among the reference plans: the figure and its table."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..experiments.ablation import Walk
from ..experiments.searches import ALL, AUTOMATIC, RANDOM
from ..rerouting.plan import PLAIN as NOTHING
from ..rerouting.plan import Plan
from .plan_points import BEST, COLOURS, HOVER, MARKS, NONE, custom, error_bars, plan_rows
from .theme import PLAIN, REROUTED, laid_out


def standing(
    walk: Walk, automatic: Plan, references: Mapping[str, Sequence[Plan]]
) -> list[tuple[str, Plan]]:
    """The reference plans by name, scored or not, from the best to all layers."""
    best = [] if walk.best is None else [(BEST, walk.best)]
    automatic_choice = [(AUTOMATIC, automatic)] if references[AUTOMATIC] else []
    random_sets = [(RANDOM, plan) for plan in references[RANDOM]]
    return [
        *best,
        *automatic_choice,
        (NONE, NOTHING),
        *random_sets,
        *((ALL, plan) for plan in references[ALL]),
    ]


def standing_chart(walk: Walk, rows: Sequence[tuple[str, Plan]]) -> go.Figure:
    """The reference plans' changes with their intervals, one line each."""
    figure = go.Figure()
    names = list(dict.fromkeys(name for name, _ in rows))
    for name in names:
        scored = [plan for row_name, plan in rows if row_name == name and plan in walk.points]
        _, symbol, size = MARKS.get(name, ("", "circle", 9))
        spread = np.linspace(0.3, -0.3, len(scored)) if len(scored) > 1 else [0.0] * len(scored)
        heights = [len(names) - names.index(name) + offset for offset in spread]
        figure.add_scatter(
            x=[walk.points[plan].change.delta for plan in scored],
            y=heights,
            error_x=error_bars(scored, walk),
            mode="markers",
            name=name,
            showlegend=False,
            marker={"color": COLOURS.get(name, REROUTED), "symbol": symbol, "size": size},
            customdata=custom(scored, walk),
            hovertemplate=HOVER,
        )
    figure.add_vline(x=0, line={"color": PLAIN, "dash": "dash"})
    ends = [
        (change.ci_low, change.ci_high)
        for name, plan in rows
        if name != ALL and plan in walk.points
        for change in [walk.points[plan].change]
    ]
    low, high = min([-0.5, *(low for low, _ in ends)]), max([0.5, *(high for _, high in ends)])
    low, high = low - 0.3 * (high - low), high + 0.1 * (high - low)
    for name, plan in rows:
        if name == ALL and plan in walk.points and walk.points[plan].change.ci_low < low:
            change = walk.points[plan].change
            figure.add_annotation(
                x=0,
                xref="x domain",
                y=1,
                text=f"\u2190 {change.delta:+.1f} [{change.ci_low:+.1f}, {change.ci_high:+.1f}]",
                showarrow=False,
                xanchor="left",
            )
    figure.update_xaxes(title="change of Spearman x 100", range=[low, high])
    figure.update_yaxes(
        tickvals=[len(names) - place for place in range(len(names))],
        ticktext=names,
        range=[0.4, len(names) + 0.6],
        showgrid=False,
    )
    return laid_out(figure, 250)


def standing_table(walk: Walk, rows: Sequence[tuple[str, Plan]]) -> pd.DataFrame:
    """The scored reference plans as a table, with their names."""
    scored = [(name, plan) for name, plan in rows if plan in walk.points]
    table = plan_rows([plan for _, plan in scored], walk)
    table.insert(0, "reference", [name for name, _ in scored])
    return table
