"""Curves of intrinsic dimension with their bands, from rows of ``dimension``."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from .theme import BAND, PALETTE, SELECTED, laid_out


def curves(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> go.Figure:
    """Draw the curve of each row; selected layers are larger and in their own colour.

    Args:
        rows: the name of each curve, and its row: ``curve``, ``band``, ``selected``.
    """
    figure = go.Figure()
    for number, (name, row) in enumerate(rows):
        layers, colour = list(range(len(row["curve"]))), PALETTE[number % len(PALETTE)]
        for edge, fill in ((0, None), (1, "tonexty")):
            figure.add_scatter(
                x=layers,
                y=[band[edge] for band in row["band"]],
                mode="lines",
                line={"width": 0},
                fill=fill,
                fillcolor=BAND,
                hoverinfo="skip",
                showlegend=False,
            )
        figure.add_scatter(
            x=layers,
            y=row["curve"],
            mode="lines+markers",
            name=name,
            line={"color": colour},
            marker={
                "size": [11 if layer in row["selected"] else 6 for layer in layers],
                "color": [SELECTED if layer in row["selected"] else colour for layer in layers],
            },
            hovertemplate="layer %{x}: %{y:.1f}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(title="layer")
    figure.update_yaxes(title="intrinsic dimension, 95% band")
    return laid_out(figure, 420)
