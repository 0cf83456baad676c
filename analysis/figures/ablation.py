"""Scores of many plans -> Plotly figures and the tables beside them.

Every point carries its plan as ``customdata``: first its layers, then its bias. What is still to be
scored has its place from the start, so that nothing moves as a figure fills in.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from ..evaluation.similarity import SPEARMAN
from ..experiments import ablation
from ..experiments.ablation import Walk
from ..experiments.searches import ALL, AUTOMATIC, RANDOM
from ..rerouting.layer_lists import format_layers
from ..rerouting.plan import PLAIN as NOTHING
from ..rerouting.plan import Plan
from .theme import DIVERGING, PALETTE, PLAIN, REROUTED, SELECTED, laid_out, tick

BEST, NONE = "best so far", "nothing re-routed"
_MARKS = {AUTOMATIC: (SELECTED, "diamond", 15), BEST: (PALETTE[2], "star", 11)}
_COLOURS = {**{name: mark[0] for name, mark in _MARKS.items()}, NONE: PLAIN, ALL: PALETTE[6]}
_HOVER = (
    "layers %{customdata[0]}, bias %{customdata[1]:~g}<br>change %{customdata[3]:+.1f}, interval "
    "%{customdata[4]:+.1f} to %{customdata[5]:+.1f}<br>Spearman %{customdata[2]:.1f}, rank "
    "%{customdata[6]}<extra></extra>"
)
Along = Literal["first layer", "bias"]


def marked(walk: Walk, automatic: Plan) -> dict[str, Plan]:
    """The plans that all figures mark, as far as they are known."""
    found = {AUTOMATIC: automatic} if automatic in walk.points else {}
    return found if walk.best is None else found | {BEST: walk.best}


def standing(
    walk: Walk, automatic: Plan, references: Mapping[str, Sequence[Plan]]
) -> list[tuple[str, Plan]]:
    """The reference points by name, known or not, from the best to all layers."""
    best = [] if walk.best is None else [(BEST, walk.best)]
    others = [(AUTOMATIC, automatic)] if references[AUTOMATIC] else []
    drawn = [(RANDOM, plan) for plan in references[RANDOM]]
    return [*best, *others, (NONE, NOTHING), *drawn, *((ALL, plan) for plan in references[ALL])]


def search_chart(kind: str, walk: Walk, layers: int, automatic: Plan) -> go.Figure:
    """The figure of a search by its name in :data:`analysis.experiments.searches.SEARCHES`."""
    plans = [plan for step in walk.steps for plan in step]
    match kind:
        case "greedy search":
            return greedy_chart(walk, automatic)
        case "all windows":
            return window_map(walk, plans, layers, automatic)
    return change_chart(walk, plans, automatic, "bias" if kind == "bias" else "first layer")


def change_chart(walk: Walk, plans: Sequence[Plan], automatic: Plan, along: Along) -> go.Figure:
    """Change of the score against nothing re-routed, with intervals, by first layer or by bias."""

    def place(plan: Plan) -> float:
        return plan.bias if along == "bias" else plan.layers[0]

    figure = go.Figure()
    marks = marked(walk, automatic)
    rest = [plan for plan in plans if plan not in marks.values()]
    _dots(figure, "plans", rest, walk, place, color=REROUTED, size=8)
    for name, plan in marks.items():
        colour, symbol, size = _MARKS[name]
        _dots(figure, name, [plan], walk, place, color=colour, symbol=symbol, size=size)
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
        whole = [place for place in sorted(set(places)) if place == int(place)]
        figure.update_xaxes(
            title="bias on the re-routed pair's attention logit",
            tickvals=[off, *whole],
            ticktext=["off", *(f"{place:g}" for place in whole)],
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

    Colours end at the largest gain or at twice the usual half-width of an interval, whichever is
    more: what may be chance looks pale, and losses beyond look alike.
    """
    known = [plan for plan in plans if plan in walk.points]
    changes = {plan: walk.points[plan].change.delta for plan in known}
    wide = [walk.points[plan].change.ci_high - walk.points[plan].change.ci_low for plan in known]
    most = max([0.1, *changes.values(), float(np.median(wide or [0.0]))])
    figure = go.Figure()
    axis: dict[str, Any] = {"x": list(range(layers)), "y": list(range(1, layers + 1))}
    for cells, look in (
        (
            {plan: 0.0 for plan in plans if plan not in changes},
            {"colorscale": [[0, "rgba(128,128,128,0.25)"], [1, "rgba(128,128,128,0.25)"]]}
            | {"showscale": False, "hovertemplate": "not scored yet<extra></extra>"},
        ),
        (
            changes,
            {"colorscale": DIVERGING, "zmin": -most, "zmax": most, "hoverinfo": "skip"}
            | {"colorbar": _bar(most)},
        ),
    ):
        grid: list[list[float | None]] = [[None] * layers for _ in range(layers)]
        for plan, value in cells.items():
            grid[len(plan.layers) - 1][plan.layers[0]] = value
        figure.add_heatmap(z=grid, **axis, xgap=1, ygap=1, hoverongaps=False, **look)
    # Cells cannot be clicked, points can: one that is not seen lies on each.
    figure.add_scatter(
        x=[plan.layers[0] for plan in known],
        y=[len(plan.layers) for plan in known],
        mode="markers",
        showlegend=False,
        marker={"size": 14, "symbol": "square", "color": "rgba(0,0,0,0)", "opacity": 0}
        | {"line": {"color": "black", "width": 3}},
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 0}},
        customdata=_custom(known, walk),
        hovertemplate=_HOVER,
    )
    for name, plan in marked(walk, automatic).items():
        if plan in plans:
            _, symbol, size = _MARKS[name]
            figure.add_scatter(
                x=[plan.layers[0]],
                y=[len(plan.layers)],
                mode="markers",
                name=name,
                marker={"color": "white", "symbol": symbol, "size": size}
                | {"line": {"color": "black", "width": 1.5}},
                unselected={"marker": {"opacity": 1}},
                customdata=_custom([plan], walk),
                hovertemplate=_HOVER,
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
    """Each step's candidates, and the way the search took through them."""
    way = ablation.path(walk)
    figure = go.Figure()
    every = [plan for step in walk.steps for plan in step]
    tried = [plan for plan in every if plan not in way]
    _dots(figure, "tried", tried, walk, _count, bars=False, color=PLAIN, size=6, opacity=0.6)
    _dots(figure, "path of the search", way, walk, _count, color=REROUTED, size=9)
    figure.data[-1].update(
        mode="lines+markers+text",
        line={"color": REROUTED, "width": 2},
        text=["", *(f"+ layer {layer}" for layer in ablation.added(way))],
        textposition="top right",
    )
    for name, plan in marked(walk, automatic).items():
        colour, symbol, size = _MARKS[name]
        _dots(figure, name, [plan], walk, _count, color=colour, symbol=symbol, size=size)
    figure.add_hline(y=0, line={"color": PLAIN, "dash": "dash"})
    last = max((len(plan.layers) for plan in (*every, automatic)), default=1)
    figure.update_xaxes(title="layers re-routed", range=[-0.4, last + 0.9], dtick=tick(last))
    figure.update_yaxes(title="change of Spearman x 100")
    return laid_out(figure, 420)


def standing_chart(walk: Walk, rows: Sequence[tuple[str, Plan]]) -> go.Figure:
    """The reference points' changes with their intervals, one line each."""
    figure = go.Figure()
    names = list(dict.fromkeys(name for name, _ in rows))
    for name in names:
        known = [plan for named, plan in rows if named == name and plan in walk.points]
        _, symbol, size = _MARKS.get(name, ("", "circle", 9))
        spread = np.linspace(0.3, -0.3, len(known)) if len(known) > 1 else [0.0] * len(known)
        heights = [len(names) - names.index(name) + offset for offset in spread]
        figure.add_scatter(
            x=[walk.points[plan].change.delta for plan in known],
            y=heights,
            error_x=_bars(known, walk),
            mode="markers",
            name=name,
            showlegend=False,
            marker={"color": _COLOURS.get(name, REROUTED), "symbol": symbol, "size": size},
            customdata=_custom(known, walk),
            hovertemplate=_HOVER,
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


def plan_table(walk: Walk, plans: Iterable[Plan]) -> pd.DataFrame:
    """One row a known plan, best first: its score, its change and its rank among all known."""
    known = [plan for plan in dict.fromkeys(plans) if plan in walk.points]
    return _table(sorted(known, key=walk.rank), walk)


def standing_table(walk: Walk, rows: Sequence[tuple[str, Plan]]) -> pd.DataFrame:
    """The same of the known reference points, with their names."""
    known = [(name, plan) for name, plan in rows if plan in walk.points]
    table = _table([plan for _, plan in known], walk)
    table.insert(0, "reference", [name for name, _ in known])
    return table


def _table(plans: Sequence[Plan], walk: Walk) -> pd.DataFrame:
    rows = [(walk.points[plan].score.measure(SPEARMAN), walk.points[plan].change) for plan in plans]
    return pd.DataFrame(
        {
            "layers": [_layers(plan) for plan in plans],
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


def _layers(plan: Plan) -> str:
    """Layers by number, even where they are all."""
    return format_layers(plan.layers, 0)


def _count(plan: Plan) -> int:
    return len(plan.layers)


def _custom(plans: Sequence[Plan], walk: Walk) -> list[list[Any]]:
    """What points carry: the plan, then what its label says."""
    found = []
    for plan in plans:
        point = walk.points[plan]
        change = (point.change.delta, point.change.ci_low, point.change.ci_high)
        spearman = walk.spearman(plan)
        found.append([_layers(plan), plan.bias, spearman, *change, walk.rank(plan)])
    return found


def _bars(plans: Sequence[Plan], walk: Walk) -> dict[str, Any]:
    changes = [walk.points[plan].change for plan in plans]
    return {
        "type": "data",
        "symmetric": False,
        "array": [change.ci_high - change.delta for change in changes],
        "arrayminus": [change.delta - change.ci_low for change in changes],
        "width": 0,
        "thickness": 1.5,
    }


def _dots(
    figure: go.Figure,
    name: str,
    plans: Sequence[Plan],
    walk: Walk,
    place: Callable[[Plan], float],
    *,
    bars: bool = True,
    **marker: Any,
) -> None:
    """The known ones of some plans, at their places and changes."""
    known = [plan for plan in plans if plan in walk.points]
    figure.add_scatter(
        x=[place(plan) for plan in known],
        y=[walk.points[plan].change.delta for plan in known],
        error_y=_bars(known, walk) if bars else None,
        mode="markers",
        name=name,
        marker=marker,
        customdata=_custom(known, walk),
        hovertemplate=_HOVER,
    )


def _bar(most: float) -> dict[str, Any]:
    """A colour bar that says that colours end where values go on."""
    return {
        "title": {"text": "change of<br>Spearman x 100"},
        "thickness": 14,
        "tickvals": [-most, 0, most],
        "ticktext": [f"{-most:.1f}<br>or less", "0", f"{most:+.1f}"],
    }
