"""Embedding spaces -> Plotly figures and their tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ..experiments.space import Space
from . import stars
from .stars import Star
from .theme import PALETTE, PLAIN, SEQUENTIAL, laid_out, scatter, shortened

DRAGGING = {"box": "select", "lasso": "lasso", "move": "pan"}
"""Modes of dragging on a map, by the page's name and Plotly's."""
_SYMBOLS = 8
_LEGEND = 40  # groups; a longer legend would leave no room, and a dot's label names its group
_NAMED = range(9, _LEGEND + 1)  # groups that have their names on the map, not symbols to look up
MOST_DOTS = 10_000
"""Dots that a map of more texts draws, over the density of all."""
_CELLS = 120
_HEIGHT, _LINE = 580, 440
"""Pixels of a map's height with its title and legend, and of a line of the legend."""
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
    scale: bool = True,
    star: Star | None = None,
) -> go.Figure:
    """One map, row ids in ``customdata``; where rows are ``selected``, the others are faded.

    It shows as much of the plane as the map ``beside`` it, so that equal points are in equal
    places. One ``scale`` of colours serves both; the room for it is left on either. A text of one's
    own is a ``star`` without a row id.
    """
    figure = go.Figure([*_density(space), *_dots(space, _hover(texts, colours), colours, selected)])
    _name_groups(figure, space, colours)
    if star is not None:
        figure.add_trace(stars.trace(star, star.point))
    if beside is None:
        room = {"t": 44}
    else:
        names = [trace.name for trace in figure.data if trace.showlegend]
        across = max(1, _LINE // (7 * max(map(len, names), default=0) + 45))
        lines = -(-len(names) // across)
        scaled = colours is not None and not colours.grouped
        room = {"t": 44, "b": 8 + 20 * lines + 60 * scaled, "autoexpand": False}
    return _finished(
        figure,
        colours,
        [space, beside or space],
        star,
        title={"text": title, "font": {"size": 14}, "x": 0, "y": 0.99, "yanchor": "top"},
        margin={"l": 8, "r": 8, **room},
        scale=scale,
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
    star: Star | None = None,
) -> go.Figure:
    """Both maps in one figure, row ids in ``customdata``; coloured by label, or by ``colours``.

    A text of one's own is a ``star``, ``beside`` on the second map.
    """
    colours = colours or by_label(labels)
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.03)
    hover = _hover(texts, colours)
    for column, space in enumerate((first, second), 1):
        for trace in _dots(space, hover, colours, ()):
            figure.add_trace(trace.update(showlegend=trace.showlegend and column == 1), 1, column)
    if star is not None:
        for column, point in enumerate((star.point, star.beside), 1):
            figure.add_trace(stars.trace(star, point).update(showlegend=column == 1), 1, column)
    return _finished(figure, colours, [first, second], star)


def _density(space: Space) -> list[go.Contour]:
    """How many texts lie where, on a grid, for a map that does not draw a dot for each."""
    points = space.projection.points
    if len(points) <= MOST_DOTS:
        return []
    counts, x, y = np.histogram2d(points[:, 0], points[:, 1], bins=_CELLS)
    return [
        go.Contour(
            x=(x[1:] + x[:-1]) / 2,
            y=(y[1:] + y[:-1]) / 2,
            z=np.log1p(counts.T),
            colorscale="Greys",
            opacity=0.35,
            showscale=False,
            hoverinfo="skip",
            contours={"coloring": "fill"},
            line={"width": 0},
        )
    ]


def _drawn(count: int, selected: Sequence[int]) -> NDArray[np.bool_]:
    """Which of the texts have a dot: all, or a random part with all that are selected."""
    if count <= MOST_DOTS:
        return np.ones(count, dtype=bool)
    drawn = np.zeros(count, dtype=bool)
    drawn[np.random.default_rng(0).choice(count, MOST_DOTS, replace=False)] = True
    drawn[list(selected)] = True
    return drawn


def _name_groups(figure: go.Figure, space: Space, colours: Colours | None) -> None:
    """Write the name of each group at the middle of its dots, where there are more than a few."""
    if colours is None or not colours.grouped:
        return
    names = np.unique(colours.values)
    if len(names) not in _NAMED:
        return
    for name in names:
        x, y = np.median(space.projection.points[colours.values == name], axis=0)
        figure.add_annotation(
            x=x, y=y, text=shortened(str(name)), showarrow=False, font={"size": 11}, opacity=0.9
        )
    figure.update_traces(showlegend=False)


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
    drawn = _drawn(count, selected)
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
    shown = [(name, rows[drawn[rows]], paint) for name, rows, paint in groups]
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
            marker={"size": size, "opacity": 0.8, **_part(paint, rows)},
            selectedpoints=np.flatnonzero(is_selected[rows]).tolist() if len(selected) else None,
            selected={"marker": {"opacity": 1, "size": size + 2}},
            unselected={"marker": {"opacity": 0.15}},
            hovertemplate="%{text}<extra>%{fullData.name}</extra>"
            if name
            else "%{text}<extra></extra>",
        )
        for name, rows, paint in shown
    ]


def _part(paint: dict[str, Any], rows: NDArray[np.intp]) -> dict[str, Any]:
    """The paint of some rows only."""
    colour = paint["color"]
    return paint | {"color": colour[rows]} if isinstance(colour, np.ndarray) else paint


def _scaled(colours: Colours) -> dict[str, object]:
    values = np.log10(colours.values) if colours.logarithmic else colours.values
    line = 0.7 if len(values) < 400 else 0.3
    # The scale's ends are near black and near white: a line shows both on any page.
    return {"color": values, "coloraxis": "coloraxis", "line": {"width": line, "color": PLAIN}}


def _finished(
    figure: go.Figure,
    colours: Colours | None,
    spaces: Sequence[Space],
    star: Star | None = None,
    *,
    scale: bool = True,
    **layout: Any,
) -> go.Figure:
    """The figure with equally scaled axes that hold all ``spaces`` and the star."""
    beside = [] if star is None else [p for p in (star.point, star.beside) if p is not None]
    points = np.concatenate(
        [*(space.projection.points for space in spaces), *(p[None] for p in beside)]
    )
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.05 * max(*(high - low), 1e-9)
    bare = {"showticklabels": False, "zeroline": False, "showgrid": False}
    figure.update_xaxes(range=[low[0] - room, high[0] + room], **bare)
    figure.update_yaxes(range=[low[1] - room, high[1] + room], **bare)
    for axis in figure.select_yaxes():
        axis.scaleanchor = axis.plotly_name.replace("yaxis", "x")
    below = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"}
    # what was hidden by the legend stays hidden where dots are drawn again
    layout |= {"legend": {**below, "uirevision": "kept"}, "showlegend": True}
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
        layout |= {"coloraxis": {"colorscale": SEQUENTIAL, "colorbar": bar, "showscale": scale}}
    return laid_out(figure, _HEIGHT, **layout)
