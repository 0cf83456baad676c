"""Embedding spaces -> Plotly figures and the tables beside them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from analysis.geometry import Geometry
from analysis.study import Space
from analysis.theme import (
    PALETTE,
    laid_out,
    shortened,
)


def two_maps(
    first: Space,
    second: Space,
    texts: Sequence[str],
    labels: Sequence[str] | None = None,
    titles: tuple[str, str] = ("first", "second"),
) -> go.Figure:
    """The same texts in two spaces side by side; colours are labels, row ids in ``customdata``."""
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.03)
    groups: list[str] = sorted(set(labels)) if labels else [""]
    names = np.array(labels if labels else [""] * len(texts))
    hover = np.array([shortened(text) for text in texts])
    for column, found in enumerate((first, second), 1):
        for index, group in enumerate(groups):
            rows = np.flatnonzero(names == group)
            figure.add_trace(
                go.Scattergl(
                    x=found.projection.points[rows, 0],
                    y=found.projection.points[rows, 1],
                    mode="markers",
                    name=shortened(group),
                    legendgroup=group,
                    showlegend=bool(labels) and column == 1,
                    text=hover[rows],
                    customdata=rows,
                    marker={
                        "size": 8 if len(texts) < 400 else 5,
                        "opacity": 0.8,
                        "color": PALETTE[index % len(PALETTE)],
                        "symbol": index // len(PALETTE) % 8,
                    },
                    hovertemplate="%{text}<extra>%{fullData.name}</extra>",
                ),
                1,
                column,
            )
    figure.update_xaxes(showticklabels=False, zeroline=False)
    figure.update_yaxes(showticklabels=False, zeroline=False)
    laid_out(figure, 520)
    figure.update_layout(legend={"orientation": "h", "y": -0.03, "yanchor": "top"})
    return figure


def geometry_table(shapes: Sequence[Geometry], names: Sequence[str]) -> pd.DataFrame:
    """One row a space, with its measures."""
    return pd.DataFrame(
        [
            {
                "space": name,
                "mean cosine": shape.anisotropy,
                "uniformity": shape.uniformity,
                "isotropy": shape.isotropy,
                **({} if shape.alignment is None else {"alignment": shape.alignment}),
                "texts": shape.texts,
            }
            for name, shape in zip(names, shapes, strict=True)
        ]
    )


def space_table(
    first: Space, second: Space, texts: Sequence[str], kept: NDArray[np.float64]
) -> pd.DataFrame:
    """One row a text: where it lies on both maps, and the share of its neighbours that stayed."""
    a, b = first.projection.points, second.projection.points
    return pd.DataFrame(
        {
            "text": list(texts),
            "neighbours kept (%)": 100 * kept,
            "A x": a[:, 0],
            "A y": a[:, 1],
            "B x": b[:, 0],
            "B y": b[:, 1],
        }
    ).sort_values("neighbours kept (%)")
