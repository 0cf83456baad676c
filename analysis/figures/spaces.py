"""Embedding spaces -> Plotly figures and their tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ..evaluation.isotropy import Geometry
from ..experiments.space import Space
from ..spaces.comparison import VOTES, Comparison, Side
from .theme import PALETTE, PLAIN, SEQUENTIAL, laid_out, scatter, shortened

DRAGGING = {"box": "select", "lasso": "lasso", "move": "pan"}
"""Modes of dragging on a map, by the page's name and Plotly's."""
_SYMBOLS = 8
_LEGEND = 40  # groups; a longer legend would leave no room, and a dot's label names its group
_TICKS = np.array([1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000])


@dataclass(frozen=True, eq=False)
class Colours:
    """Values (N,) that colour the dots: strings for groups, or numbers for a scale.

    ``logarithmic`` is for positive numbers.
    """

    name: str
    values: NDArray[np.str_] | NDArray[np.float64]
    logarithmic: bool = False

    @property
    def grouped(self) -> bool:
        """Whether the values are groups."""
        return self.values.dtype.kind == "U"


def by_label(labels: Sequence[str] | None) -> Colours | None:
    """Colours by label, where there are labels."""
    return Colours("label", np.array(labels, dtype=np.str_)) if labels else None


def space_map(
    space: Space,
    texts: Sequence[str],
    colours: Colours | None = None,
    *,
    title: str = "",
    selected: Sequence[int] = (),
    dragging: str = "box",
    beside: Space | None = None,
) -> go.Figure:
    """One map, row ids in ``customdata``; where rows are ``selected``, the others are faded.

    It shows as much of the plane as the map ``beside`` it, so that equal points are in equal
    places.
    """
    figure = go.Figure(_dots(space, _hover(texts, colours), colours, selected))
    return _finished(
        figure,
        colours,
        [space, beside or space],
        title={"text": title, "font": {"size": 14}, "x": 0, "y": 0.99, "yanchor": "top"},
        margin_t=44,
        dragmode=DRAGGING[dragging],
    )


def two_maps(
    first: Space,
    second: Space,
    texts: Sequence[str],
    labels: Sequence[str] | None = None,
    titles: tuple[str, str] = ("first", "second"),
    *,
    colours: Colours | None = None,
) -> go.Figure:
    """Both maps in one figure, row ids in ``customdata``; coloured by label, or by ``colours``."""
    colours = colours or by_label(labels)
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.03)
    hover = _hover(texts, colours)
    for column, space in enumerate((first, second), 1):
        for trace in _dots(space, hover, colours, ()):
            figure.add_trace(trace.update(showlegend=trace.showlegend and column == 1), 1, column)
    return _finished(figure, colours, [first, second])


def _hover(texts: Sequence[str], colours: Colours | None) -> NDArray[np.str_]:
    """The hover label of each text."""
    lines = [shortened(text) for text in texts]
    if colours is not None and not colours.grouped:
        pairs = zip(lines, colours.values.tolist(), strict=True)
        lines = [f"{line}\n{colours.name}: {value:.4g}" for line, value in pairs]
    return np.array(lines, dtype=np.str_)


def _dots(
    space: Space, hover: NDArray[np.str_], colours: Colours | None, selected: Sequence[int]
) -> list[go.Scatter | go.Scattergl]:
    """The dots of one map: a trace a group, or one for all."""
    count = len(hover)
    size = 8 if count < 400 else 5 if count < 3000 else 4
    if colours is None or not colours.grouped:
        paint = {"color": PALETTE[0]} if colours is None else _scaled(colours)
        groups = [("", np.arange(count), paint)]
    else:
        names, codes = np.unique(colours.values, return_inverse=True)
        groups = [
            (
                str(name),
                np.flatnonzero(codes == i),
                {"color": PALETTE[i % len(PALETTE)], "symbol": i // len(PALETTE) % _SYMBOLS},
            )
            for i, name in enumerate(names)
        ]
    points = space.projection.points
    is_selected = np.zeros(count, dtype=bool)
    is_selected[list(selected)] = True
    return [
        scatter(count)(
            x=points[rows, 0],
            y=points[rows, 1],
            mode="markers",
            name=shortened(name),
            legendgroup=name,
            showlegend=bool(name) and len(groups) <= _LEGEND,
            text=hover[rows],
            customdata=rows,
            marker={"size": size, "opacity": 0.8, **paint},
            selectedpoints=np.flatnonzero(is_selected[rows]).tolist() if len(selected) else None,
            selected={"marker": {"opacity": 1, "size": size + 2}},
            unselected={"marker": {"opacity": 0.15}},
            hovertemplate="%{text}<extra>%{fullData.name}</extra>"
            if name
            else "%{text}<extra></extra>",
        )
        for name, rows, paint in groups
    ]


def _scaled(colours: Colours) -> dict[str, object]:
    values = np.log10(colours.values) if colours.logarithmic else colours.values
    line = 0.7 if len(values) < 400 else 0.3
    # The scale's ends are near black and near white: a line shows both on any page.
    return {"color": values, "coloraxis": "coloraxis", "line": {"width": line, "color": PLAIN}}


def _finished(
    figure: go.Figure, colours: Colours | None, spaces: Sequence[Space], **layout: Any
) -> go.Figure:
    """The figure with equally scaled axes that hold all ``spaces``."""
    points = np.concatenate([space.projection.points for space in spaces])
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.05 * max(*(high - low), 1e-9)
    bare = {"showticklabels": False, "zeroline": False, "showgrid": False}
    figure.update_xaxes(range=[low[0] - room, high[0] + room], **bare)
    figure.update_yaxes(range=[low[1] - room, high[1] + room], **bare)
    for axis in figure.select_yaxes():
        axis.scaleanchor = axis.plotly_name.replace("yaxis", "x")
    layout |= {"legend": {"orientation": "h", "y": -0.03, "yanchor": "top"}}
    if colours is not None and not colours.grouped:
        bar = {
            "orientation": "h",
            "thickness": 10,
            "y": -0.02,
            "yanchor": "top",
            "title": {"text": colours.name, "side": "bottom"},
            "outlinewidth": 0,
        }
        if colours.logarithmic:
            within = np.searchsorted(_TICKS, [colours.values.min(), colours.values.max()])
            ticks = _TICKS[slice(*within)]
            bar |= {"tickvals": np.log10(ticks), "ticktext": [f"{tick:,}" for tick in ticks]}
        layout |= {"coloraxis": {"colorscale": SEQUENTIAL, "colorbar": bar}}
    return laid_out(figure, 520, **layout)


def numbers_table(comparison: Comparison) -> pd.DataFrame:
    """Both spaces in numbers: one row for each measure, with its meaning."""
    left, right = _numbers(comparison.left), _numbers(comparison.right)
    rows = [
        {"measure": name, "left": left[name], "right": right[name], "meaning": meaning}
        for name, meaning in _MEANINGS.items()
        if name in left
    ]
    return pd.DataFrame(rows)


_MEANINGS = {
    "coordinates": "number of values of an embedding",
    "mean cosine": "of two different texts; near 1: a narrow cone",
    "isotropy": "1: no direction is preferred; near 0.14: all point one way",
    "uniformity": "the lower, the more evenly spread over the sphere",
    "trustworthiness of the map": "1: neighbours on the map are neighbours in the space",
    "label accuracy (%)": f"texts whose {VOTES} nearest neighbours vote for their label",
}


def _numbers(side: Side) -> dict[str, float]:
    numbers = {
        "coordinates": side.coordinates,
        "mean cosine": side.shape.anisotropy,
        "isotropy": side.shape.isotropy,
        "uniformity": side.shape.uniformity,
        "trustworthiness of the map": side.trust,
    }
    return numbers | ({"label accuracy (%)": side.accuracy.value} if side.accuracy else {})


def geometry_table(shapes: Sequence[Geometry], names: Sequence[str]) -> pd.DataFrame:
    """One row for each space, with its measures."""
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
    first: Space,
    second: Space,
    texts: Sequence[str],
    kept: NDArray[np.float64],
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """One row for each text, indexed by row id: share of neighbours kept, and both positions.

    Texts that kept the fewest come first.
    """
    a, b = first.projection.points, second.projection.points
    return pd.DataFrame(
        {
            "text": list(texts),
            **({"label": list(labels)} if labels else {}),
            "neighbours kept (%)": 100 * kept,
            "left x": a[:, 0],
            "left y": a[:, 1],
            "right x": b[:, 0],
            "right y": b[:, 1],
        }
    ).sort_values("neighbours kept (%)", kind="stable")


def moved_table(
    comparison: Comparison, texts: Sequence[str], labels: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row for each text, indexed by row id, fewest neighbours kept first."""
    order = comparison.most_moved
    k = comparison.left.nearest.rows.shape[1]
    return pd.DataFrame(
        {
            "text": list(texts),
            **({"label": list(labels)} if labels else {}),
            f"kept of {k} nearest (%)": 100 * comparison.kept,
            f"of {comparison.wider} nearest (%)": 100 * comparison.kept_wider,
        }
    ).iloc[order]


def neighbour_tables(
    comparison: Comparison, row: int, texts: Sequence[str], labels: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A text's nearest neighbours in the left and in the right space, those in both marked."""
    left, right = (side.nearest.rows[row] for side in (comparison.left, comparison.right))
    return tuple(  # type: ignore[return-value]
        pd.DataFrame(
            {
                "cosine": side.nearest.cosines[row],
                "in both": ["yes" if i in other_rows else "" for i in side.nearest.rows[row]],
                "text": [texts[i] for i in side.nearest.rows[row]],
                **({"label": [labels[i] for i in side.nearest.rows[row]]} if labels else {}),
            }
        )
        for side, other_rows in ((comparison.left, set(right)), (comparison.right, set(left)))
    )
