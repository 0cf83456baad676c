"""Scores of methods by output layer, with the curve of dimensions below on the same axis."""

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.colors import hex_to_rgb
from plotly.subplots import make_subplots

from ..dimension.selection import skipped
from .theme import PALETTE, PLAIN, SELECTED, laid_out, tick

Row = Mapping[str, Any]
COLOURS = tuple(colour for colour in PALETTE if colour not in (SELECTED, PLAIN))


def by_layer(rows: Sequence[Row]) -> go.Figure:
    """Draw each method's scores with their band, and the intrinsic dimension of the layers.

    Layers of the first fifth are shaded, as no rule selects them; the lowest outside it is marked.

    Args:
        rows: one for each ``method`` and ``output_layer``, with ``value``, ``ci_low``,
            ``ci_high``, ``dimension``, ``dimension_low``, ``dimension_high``, ``lowest``.
    """
    methods: dict[str, list[Row]] = {}
    for row in rows:
        methods.setdefault(row["method"], []).append(row)
    first = next(iter(methods.values()))
    layers = [row["output_layer"] for row in first]
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.06)
    for number, (name, members) in enumerate(methods.items()):
        colour = COLOURS[number % len(COLOURS)]
        _curve(figure, members, ("value", "ci_low", "ci_high"), name, colour, at=1)
    dimension = ("dimension", "dimension_low", "dimension_high")
    _curve(figure, first, dimension, "intrinsic dimension", PLAIN, at=2)
    for layer in rows[0]["lowest"][:1]:
        figure.add_vline(layer, line={"color": SELECTED, "dash": "dash", "width": 1})
    edge = skipped(max(layers) + 1)
    if edge:
        figure.add_vrect(
            x0=-0.5, x1=edge - 0.5, fillcolor=PLAIN, opacity=0.16, line_width=0, row=2, col=1
        )
    figure.update_xaxes(range=[-0.5, max(layers) + 0.5], dtick=tick(len(layers)))
    figure.update_xaxes(title="output layer; the last one after the final norm", row=2, col=1)
    figure.update_yaxes(title=f"{rows[0]['measure']} x 100", row=1, col=1)
    figure.update_yaxes(title="dimension", rangemode="tozero", row=2, col=1)
    return laid_out(figure, 560)


def _curve(
    figure: go.Figure,
    rows: Sequence[Row],
    columns: tuple[str, str, str],
    name: str,
    colour: str,
    *,
    at: int,
) -> None:
    """A curve over layers with its band, in one of the two panels."""
    known = [row for row in rows if row[columns[0]] is not None]
    layers = [row["output_layer"] for row in known]
    value, low, high = ([row[column] for row in known] for column in columns)
    red, green, blue = hex_to_rgb(colour)
    figure.add_scatter(
        x=[*layers, *reversed(layers)],
        y=[*high, *reversed(low)],
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.18)",
        name=f"{name}, 95% band",
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
        row=at,
        col=1,
    )
    figure.add_scatter(
        x=layers,
        y=value,
        mode="lines+markers",
        name=name,
        legendgroup=name,
        line={"color": colour, "width": 2},
        customdata=list(zip(low, high, strict=True)),
        hovertemplate="layer %{x}: %{y:.1f} [%{customdata[0]:.1f}, %{customdata[1]:.1f}]"
        "<extra>%{fullData.name}</extra>",
        row=at,
        col=1,
    )
