"""Values with intervals as dots along an axis of names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import plotly.graph_objects as go

from .theme import PALETTE, PLAIN, laid_out

_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up", "star", "pentagon")
Row = TypeVar("Row", bound=Mapping[str, Any])


def dots(
    rows: Sequence[Row],
    *,
    place: Callable[[Row], str],
    group: Callable[[Row], str],
    columns: tuple[str, str, str],
    title: str,
    joined: bool = False,
    sideways: bool = True,
    zero: bool = False,
) -> go.Figure:
    """Draw a dot with its interval for each row that has a value.

    Args:
        rows: plain values by column.
        place: a row's name on the axis of names, which keeps the rows' order.
        group: which rows share a colour and an entry in the legend.
        columns: names of the value, the lower and the upper end of its interval.
        title: title of the axis of numbers.
        joined: whether a line joins the dots of a group.
        sideways: whether numbers are on x and names on y.
        zero: whether a dashed line marks 0.
    """
    figure = go.Figure()
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(group(row), []).append(row)
    places = list(dict.fromkeys(map(place, rows)))
    for number, (name, members) in enumerate(groups.items()):
        drawn = [row for row in members if row[columns[0]] is not None]
        _add_group(figure, number, name, drawn, place, columns, joined, sideways)
    figure.update_traces(showlegend=len(groups) > 1)
    axis = {"type": "category", "categoryarray": places}
    if sideways:
        figure.update_layout(scattermode="group", scattergap=0.3)
        figure.update_xaxes(title=title)
        figure.update_yaxes(**axis, autorange="reversed")
        height = 110 + len(places) * max(26, 16 * len(groups))
    else:
        figure.update_xaxes(**axis)
        figure.update_yaxes(title=title)
        height = 420
    if zero:
        line = {"color": PLAIN, "dash": "dash"}
        (figure.add_vline if sideways else figure.add_hline)(0, line=line)
    return laid_out(figure, height)


def _add_group(
    figure: go.Figure,
    number: int,
    name: str,
    rows: Sequence[Row],
    place: Callable[[Row], str],
    columns: tuple[str, str, str],
    joined: bool,
    sideways: bool,
) -> None:
    value, low, high = columns
    words = list(map(place, rows))
    numbers = [float(row[value]) for row in rows]
    interval = {
        "type": "data",
        "symmetric": False,
        "array": [float(row[high]) - row[value] for row in rows],
        "arrayminus": [row[value] - float(row[low]) for row in rows],
        "thickness": 1.2,
        "width": 0,
    }
    colour = PALETTE[number % len(PALETTE)]
    symbol = _SYMBOLS[number // len(PALETTE) % len(_SYMBOLS)]
    across, along = ("x", "y") if sideways else ("y", "x")
    figure.add_scatter(
        **{across: numbers, along: words, f"error_{across}": interval},
        mode="lines+markers" if joined else "markers",
        orientation="h" if sideways else None,
        name=name,
        line={"color": colour},
        marker={"color": colour, "size": 9, "symbol": symbol},
        hovertemplate="%{fullData.name}, "
        + ("%{y}: %{x:.1f}" if sideways else "%{x}: %{y:.1f}")
        + "<extra></extra>",
    )
