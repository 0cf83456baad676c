"""Scores of many plans -> Plotly figures and the tables beside them."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from analysis.rerouting import Plan
from analysis.significance import Difference
from analysis.study import Score
from analysis.theme import (
    PLAIN,
    REROUTED,
    SELECTED,
    laid_out,
    tick,
)


def sweep_chart(
    scores: Sequence[Score], changes: Sequence[Difference], automatic: Plan
) -> go.Figure:
    """Change of the score against nothing re-routed, by first layer, with paired intervals."""
    shown = sorted(zip(scores, changes, strict=True), key=lambda pair: pair[0].plan.layers)
    width = max((len(s.plan.layers) for s, _ in shown), default=1)
    figure = go.Figure()
    for name, colour, symbol, size, rows in (
        (
            f"windows of {width} layers" if width > 1 else "single layers",
            REROUTED,
            "circle",
            8,
            [(s, d) for s, d in shown if s.plan != automatic],
        ),
        (
            "automatic choice",
            SELECTED,
            "diamond",
            14,
            [(s, d) for s, d in shown if s.plan == automatic],
        ),
    ):
        figure.add_scatter(
            x=[s.plan.layers[0] for s, _ in rows],
            y=[d.delta for _, d in rows],
            mode="markers",
            name=name,
            marker={"size": size, "color": colour, "symbol": symbol},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [d.ci_high - d.delta for _, d in rows],
                "arrayminus": [d.delta - d.ci_low for _, d in rows],
                "width": 0,
                "thickness": 1.5,
            },
            customdata=[[s.sts.spearman, d.ci_low, d.ci_high] for s, d in rows],
            text=[", ".join(map(str, s.plan.layers)) for s, _ in rows],
            hovertemplate="layers %{text}<br>change %{y:+.1f}, interval %{customdata[1]:+.1f} to "
            "%{customdata[2]:+.1f}<br>Spearman %{customdata[0]:.1f}<extra></extra>",
        )
    figure.add_hline(y=0, line={"color": PLAIN, "dash": "dash"})
    last = max((s.plan.layers[-1] for s, _ in shown), default=1)
    figure.update_xaxes(title="first re-routed layer", range=[-0.7, last + 0.7], dtick=tick(last))
    figure.update_yaxes(title="change of Spearman x 100")
    return laid_out(figure, 400)


def sweep_table(scores: Sequence[Score], changes: Sequence[Difference]) -> pd.DataFrame:
    """One row a plan, best first: its score, and its change against nothing re-routed."""
    return pd.DataFrame(
        [
            {
                "layers": ", ".join(map(str, s.plan.layers)),
                "Spearman": s.sts.spearman,
                "low": s.sts.ci_low,
                "high": s.sts.ci_high,
                "change": d.delta,
                "change low": d.ci_low,
                "change high": d.ci_high,
            }
            for s, d in sorted(zip(scores, changes, strict=True), key=lambda pair: -pair[1].delta)
        ]
    )
