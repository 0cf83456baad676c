"""Scores of many plans -> Plotly figures and their tables.

Every point carries its plan as ``customdata``: first its layers and heads, then its bias. Plans
that are not scored yet have their place from the start, so that nothing moves as a figure fills in.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..experiments import ablation
from ..experiments.ablation import Walk
from ..rerouting.plan import Plan
from .heads import effect_map
from .plan_points import HOVER, MARKS, NONE, Along, custom, dots, marked, plan_rows
from .theme import DIVERGING, PLAIN, REROUTED, laid_out, tick


def search_chart(kind: str, walk: Walk, layers: int, automatic: Plan) -> go.Figure:
    """The figure of a search by its name in :data:`analysis.experiments.searches.SEARCHES`."""
    plans = [plan for step in walk.steps for plan in step]
    match kind:
        case "greedy search":
            return greedy_chart(walk, automatic)
        case "single heads":
            return effect_map(walk, plans)
        case "all windows":
            return window_map(walk, plans, layers, automatic)
    return change_chart(walk, plans, automatic, "bias" if kind == "bias" else "first layer")


def change_chart(walk: Walk, plans: Sequence[Plan], automatic: Plan, along: Along) -> go.Figure:
    """Change of the score against nothing re-routed, with intervals, by first layer or by bias."""

    def place(plan: Plan) -> float:
        return plan.bias if along == "bias" else plan.layers[0]

    figure = go.Figure()
    marks = marked(walk, automatic)
    unmarked = [plan for plan in plans if plan not in marks.values()]
    dots(figure, "plans", unmarked, walk, place, color=REROUTED, size=8)
    for name, plan in marks.items():
        colour, symbol, size = MARKS[name]
        dots(figure, name, [plan], walk, place, color=colour, symbol=symbol, size=size)
    figure.add_hline(y=0, line={"color": PLAIN, "dash": "dash"})
    places = [place(plan) for plan in plans] or [0.0]
    if along == "bias":
        off = min(places) - 1
        figure.add_scatter(
            x=[off],
            y=[0],
            mode="markers",
            name=NONE,
            marker={"color": PLAIN, "size": 9, "symbol": "x"},
            hovertemplate="nothing re-routed: a bias of minus infinity<extra></extra>",
        )
        integers = [place for place in sorted(set(places)) if place == int(place)]
        figure.update_xaxes(
            title="bias on the re-routed pair's attention logit",
            tickvals=[off, *integers],
            ticktext=["off", *(f"{place:g}" for place in integers)],
        )
    else:
        last = max((plan.layers[-1] for plan in plans), default=1)
        figure.update_xaxes(
            title="first re-routed layer", range=[-0.7, last + 0.7], dtick=tick(last)
        )
    figure.update_yaxes(title="change of Spearman x 100")
    return laid_out(figure, 420)


def window_map(walk: Walk, plans: Sequence[Plan], layers: int, automatic: Plan) -> go.Figure:
    """Change of the score of every window, by its first layer and its width.

    Colours end at the largest gain or at the median width of an interval, whichever is larger: what
    may be chance looks pale, and all larger losses have one colour.
    """
    scored = [plan for plan in plans if plan in walk.points]
    changes = {plan: walk.points[plan].change.delta for plan in scored}
    wide = [walk.points[plan].change.ci_high - walk.points[plan].change.ci_low for plan in scored]
    limit = max([0.1, *changes.values(), float(np.median(wide or [0.0]))])
    figure = go.Figure()
    axis: dict[str, Any] = {"x": list(range(layers)), "y": list(range(1, layers + 1))}
    for cells, style in (
        (
            {plan: 0.0 for plan in plans if plan not in changes},
            {"colorscale": [[0, "rgba(128,128,128,0.25)"], [1, "rgba(128,128,128,0.25)"]]}
            | {"showscale": False, "hovertemplate": "not scored yet<extra></extra>"},
        ),
        (
            changes,
            {"colorscale": DIVERGING, "zmin": -limit, "zmax": limit, "hoverinfo": "skip"}
            | {"colorbar": _bar(limit)},
        ),
    ):
        grid: list[list[float | None]] = [[None] * layers for _ in range(layers)]
        for plan, value in cells.items():
            grid[len(plan.layers) - 1][plan.layers[0]] = value
        figure.add_heatmap(z=grid, **axis, xgap=1, ygap=1, hoverongaps=False, **style)
    # Heatmap cells cannot be clicked, points can: an invisible one lies on each.
    figure.add_scatter(
        x=[plan.layers[0] for plan in scored],
        y=[len(plan.layers) for plan in scored],
        mode="markers",
        showlegend=False,
        marker={"size": 14, "symbol": "square", "color": "rgba(0,0,0,0)", "opacity": 0}
        | {"line": {"color": "black", "width": 3}},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0}},
        customdata=custom(scored, walk),
        hovertemplate=HOVER,
    )
    for name, plan in marked(walk, automatic).items():
        if plan in plans:
            _, symbol, size = MARKS[name]
            figure.add_scatter(
                x=[plan.layers[0]],
                y=[len(plan.layers)],
                mode="markers",
                name=name,
                marker={"color": "white", "symbol": symbol, "size": size}
                | {"line": {"color": "black", "width": 1.5}},
                unselected={"marker": {"opacity": 1}},
                customdata=custom([plan], walk),
                hovertemplate=HOVER,
            )
    figure.update_xaxes(
        title="first re-routed layer",
        range=[-0.7, layers - 0.3],
        dtick=tick(layers),
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(
        title="width of the window (layers)",
        range=[0.3, layers + 0.7],
        tick0=1,
        dtick=tick(layers),
        showgrid=False,
    )
    return laid_out(figure, 560)


def greedy_chart(walk: Walk, automatic: Plan) -> go.Figure:
    """Each step's candidates, and the path of the search through them."""
    path = ablation.path(walk)
    figure = go.Figure()
    candidates = [plan for step in walk.steps for plan in step]
    tried = [plan for plan in candidates if plan not in path]
    dots(figure, "tried", tried, walk, _count, bars=False, color=PLAIN, size=6, opacity=0.6)
    dots(figure, "path of the search", path, walk, _count, color=REROUTED, size=9)
    figure.data[-1].update(
        mode="lines+markers+text",
        line={"color": REROUTED, "width": 2},
        text=["", *(f"+ layer {layer}" for layer in ablation.added(path))],
        textposition="top right",
    )
    for name, plan in marked(walk, automatic).items():
        colour, symbol, size = MARKS[name]
        dots(figure, name, [plan], walk, _count, color=colour, symbol=symbol, size=size)
    figure.add_hline(y=0, line={"color": PLAIN, "dash": "dash"})
    last = max((len(plan.layers) for plan in (*candidates, automatic)), default=1)
    figure.update_xaxes(title="layers re-routed", range=[-0.4, last + 0.9], dtick=tick(last))
    figure.update_yaxes(title="change of Spearman x 100")
    return laid_out(figure, 420)


def plan_table(walk: Walk, plans: Iterable[Plan]) -> pd.DataFrame:
    """One row for each scored plan, best first: its score, its change and its rank."""
    scored = [plan for plan in dict.fromkeys(plans) if plan in walk.points]
    return plan_rows(sorted(scored, key=walk.rank), walk)


def _count(plan: Plan) -> int:
    return len(plan.layers)


def _bar(limit: float) -> dict[str, Any]:
    """A colour bar whose labels say that values go on where colours end."""
    return {
        "title": {"text": "change of\nSpearman x 100"},
        "thickness": 14,
        "tickvals": [-limit, 0, limit],
        "ticktext": [f"{-limit:.1f}\nor less", "0", f"{limit:+.1f}"],
    }
