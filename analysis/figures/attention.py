"""Attention weights and gates of one text -> Plotly figures and their tables."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from ..experiments.causal import Attention, Gates
from ..rerouting.plan import Head
from .theme import PLAIN, REROUTED, SELECTED, SEQUENTIAL, laid_out, token_names

_FORBIDDEN = "rgba(127,127,127,0.22)"
_TICKS = (0, 1, 5, 10, 25, 50, 100)


def attention_triangle(
    result: Attention, head: int | None = None, shared: int | None = None
) -> go.Figure:
    """Queries x keys: what each token attends to at one layer, by one head or all on average.

    Forbidden keys are grey and have no number. The re-routed pair, if there is one, is a separate
    framed column on the left. A dotted line after ``shared`` tokens marks the ending. Colours
    follow the square root, so that small shares show.
    """
    tokens = len(result.tokens)
    weights, prefix = 100 * _head_or_mean(result.weights, head), _prefix(result, head)
    at, (_, names) = np.arange(tokens), token_names(result.tokens)
    every = -(-tokens // 48)
    figure = go.Figure(
        [
            go.Heatmap(
                z=np.where(result.visible, np.nan, 1.0),
                x=at,
                y=at,
                colorscale=[[0, _FORBIDDEN], [1, _FORBIDDEN]],
                showscale=False,
                hovertemplate="%{y} may not attend to %{x}<extra></extra>",
            ),
            _shares(np.where(result.visible, weights, np.nan), at, at, "%{y} attends to %{x}: "),
        ]
    )
    if prefix is not None:
        figure.add_trace(
            _shares(
                prefix[:, None], np.array([-2.0, -1.0]), at, "%{y} attends to the re-routed pair: "
            )
        )
        frame = {"color": SELECTED, "width": 3}
        figure.add_shape(type="rect", x0=-2, x1=-1, y0=-0.5, y1=tokens - 0.5, line=frame)
    if shared is not None and 0 < shared < tokens:
        dotted = {"color": PLAIN, "width": 2, "dash": "dot"}
        edge, begin = shared - 0.5, -0.5 if prefix is None else -2
        figure.add_shape(type="line", x0=edge, x1=edge, y0=-0.5, y1=tokens - 0.5, line=dotted)
        figure.add_shape(type="line", x0=begin, x1=tokens - 0.5, y0=edge, y1=edge, line=dotted)
    if tokens > 4:
        figure.add_annotation(
            x=0.7 * tokens, y=0.25 * tokens, text="forbidden:\ncomes later", showarrow=False
        )
    front = ([-1.5], ["re-routed pair"]) if prefix is not None else ([], [])
    figure.update_xaxes(
        title="attended token (key)",
        side="top",
        tickangle=-90,
        tickmode="array",
        tickvals=[*front[0], *at[::every].tolist()],
        ticktext=[*front[1], *names[::every]],
        range=[-0.6 if prefix is None else -2.2, tokens - 0.4],
        showgrid=False,
        zeroline=False,
    )
    figure.update_yaxes(
        title="attending token (query)",
        tickmode="array",
        tickvals=at[::every],
        ticktext=names[::every],
        range=[tokens - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
    )
    figure.update_layout(
        coloraxis={
            "colorscale": SEQUENTIAL,
            "cmin": 0,
            "cmax": 10,
            "colorbar": {
                "title": {"text": "attention (%)", "side": "top"},
                "orientation": "h",
                "thickness": 14,
                "x": 0,
                "xanchor": "left",
                "y": 0,
                "yanchor": "top",
                "tickvals": [value**0.5 for value in _TICKS],
                "ticktext": [str(value) for value in _TICKS],
            },
        }
    )
    return laid_out(figure, 240 + 18 * min(tokens, 48))


def _shares(
    percent: NDArray[np.floating], x: NDArray[np.generic], y: NDArray[np.generic], label: str
) -> go.Heatmap:
    """Cells coloured by the square root of a share in percent."""
    return go.Heatmap(
        z=np.sqrt(percent),
        x=x,
        y=y,
        customdata=percent,
        coloraxis="coloraxis",
        hoverongaps=False,
        xgap=1,
        ygap=1,
        hovertemplate=label + "%{customdata:.2f}%<extra></extra>",
    )


def _head_or_mean(values: NDArray[np.float32], head: int | None) -> NDArray[np.float32]:
    """One head of (H, ...), or the mean over heads."""
    return np.asarray(values.mean(0) if head is None else values[head])


def _prefix(result: Attention, head: int | None) -> NDArray[np.float32] | None:
    return None if result.prefix is None else 100 * _head_or_mean(result.prefix, head)


def attention_table(result: Attention, head: int | None = None) -> pd.DataFrame:
    """One row for each query, one column for each key: the share in %, empty if forbidden."""
    shares = np.where(result.visible, 100 * _head_or_mean(result.weights, head), np.nan)
    names = [f"{i} {token}" for i, token in enumerate(result.tokens)]
    table = pd.DataFrame(shares, columns=names)
    if (prefix := _prefix(result, head)) is not None:
        table.insert(0, "re-routed pair", prefix)
    table.insert(0, "query", names)
    return table


def gates_of_heads(result: Gates, heads: Mapping[str, Head]) -> go.Figure:
    """The gate of each token in a head that helps and one that harms, one below the other.

    Args:
        result: the gates of a plan that re-routes the heads.
        heads: the two heads by their labels.
    """
    names, tokens = token_names(result.tokens)
    figure = make_subplots(
        rows=len(heads), cols=1, shared_xaxes=True, subplot_titles=[*heads], vertical_spacing=0.15
    )
    colours = (REROUTED, SELECTED)
    for row, ((label, head), colour) in enumerate(zip(heads.items(), colours, strict=True), 1):
        figure.add_bar(
            row=row,
            col=1,
            name=label,
            x=names,
            y=_gates_of(result, head),
            marker_color=colour,
            showlegend=False,
            hovertemplate="token %{x}<br>gate %{y:.1f}%<extra></extra>",
        )
    figure.update_yaxes(title="gate (%)", rangemode="tozero", matches="y")
    figure.update_xaxes(tickangle=-45, tickmode="array", tickvals=names, ticktext=tokens)
    return laid_out(figure, 180 + 140 * len(heads))


def gates_of_heads_table(result: Gates, heads: Mapping[str, Head]) -> pd.DataFrame:
    """One row for each token, one column for each head: the gate in %."""
    columns = {f"{label} (%)": _gates_of(result, head) for label, head in heads.items()}
    return pd.DataFrame({"token": result.tokens, **columns})


def _gates_of(result: Gates, head: Head) -> NDArray[np.floating]:
    shares: NDArray[np.floating] = result.values[result.layers.index(head.layer), head.head]
    return 100 * shares


def gate_map(result: Gates, head: int | None = None) -> go.Figure:
    """Layers x tokens: the gate of one head, or averaged over heads."""
    names, tokens = token_names(result.tokens)
    shares = 100 * _head_or_mean(result.values.swapaxes(0, 1), head)
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=[str(layer) for layer in result.layers],
            colorscale=SEQUENTIAL,
            zmin=0,
            zmax=max(shares.max(initial=0), 1e-9),  # without zmax, Plotly ignores zmin
            colorbar={"title": "gate (%)"},
            hovertemplate="layer %{y}<br>token %{x}<br>gate %{z:.1f}%<extra></extra>",
        )
    )
    figure.update_xaxes(tickangle=-45, tickmode="array", tickvals=names, ticktext=tokens)
    figure.update_yaxes(title="layer", type="category")
    return laid_out(figure, max(220, 120 + 24 * len(result.layers)))


def gate_table(result: Gates, head: int | None = None) -> pd.DataFrame:
    """One row for each token, one column for each layer: the gate in %, of one head or averaged."""
    table = pd.DataFrame(
        (100 * _head_or_mean(result.values.swapaxes(0, 1), head)).T,
        columns=[f"layer {i} (%)" for i in result.layers],
    )
    table.insert(0, "token", result.tokens)
    return table
