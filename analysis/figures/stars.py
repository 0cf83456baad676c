"""A text of one's own on a map: a star with an entry in the legend."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from .theme import SELECTED, shortened

STAR = "your text"
"""What the legend calls a text of one's own."""


@dataclass(frozen=True, eq=False)
class Star:
    """A text of one's own on a map.

    Attributes:
        text: the text.
        point: (2,) its place on the map; None where it has none.
        beside: (2,) its place on the map beside, which shows the same part of the plane.
    """

    text: str
    point: NDArray[np.float64] | None
    beside: NDArray[np.float64] | None = None


def trace(star: Star, point: NDArray[np.float64] | None) -> go.Scatter:
    """A text of one's own as a trace, which a selection neither takes nor fades."""
    x, y = ([], []) if point is None else ([point[0]], [point[1]])
    return go.Scatter(
        x=x,
        y=y,
        mode="markers",
        name=STAR,
        legendgroup=STAR,
        showlegend=True,
        text=[shortened(star.text)] * len(x),
        hovertemplate="%{text}<extra>%{fullData.name}</extra>",
        marker={
            "symbol": "star",
            "size": 18,
            "color": SELECTED,
            "line": {"width": 1.5, "color": "#ffffff"},
        },
        unselected={"marker": {"opacity": 1}},
    )
