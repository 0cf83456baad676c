"""What a token knows and whom it listens to -> Plotly figures and the tables beside them."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.causality import Gates, Movement
from analysis.theme import (
    SEQUENTIAL,
    laid_out,
    token_names,
)


def movement_strips(result: Movement) -> go.Figure:
    """Two strips of tokens, plain and re-routed, coloured by how far each final state moved."""
    rows = np.stack([result.rerouted[-1], result.plain[-1]])
    text = [["0" if v == 0 else f"{v:.3f}" for v in row] for row in rows]
    names, tokens = token_names(result.tokens)
    figure = go.Figure(
        go.Heatmap(
            z=rows,
            x=names,
            y=["re-routed", "plain"],
            text=text,
            texttemplate="%{text}" if len(names) <= 24 else None,
            colorscale=SEQUENTIAL,
            zmin=0,
            zmax=max(float(rows.max()), 1e-9),
            xgap=2,
            ygap=6,
            colorbar={"title": "moved by"},
            hovertemplate="token %{x}<br>%{y}: moved by %{z:.3g} of its length<extra></extra>",
        )
    )
    figure.update_xaxes(tickangle=-45, tickmode="array", tickvals=names, ticktext=tokens)
    return laid_out(figure, 240)


def movement_by_layer(result: Movement) -> go.Figure:
    """Layers x shared tokens: how far the re-routed states moved; the plain ones never do."""
    names, tokens = token_names(result.tokens)
    last = len(result.rerouted) - 1
    figure = go.Figure(
        go.Heatmap(
            z=result.rerouted,
            x=names,
            y=[f"{i}" for i in range(last)] + ["final"],
            colorscale=SEQUENTIAL,
            zmin=0,
            colorbar={"title": "moved by"},
            hovertemplate="token %{x}<br>entering layer %{y}<br>moved by %{z:.3g}<extra></extra>",
        )
    )
    figure.update_xaxes(tickangle=-45, tickmode="array", tickvals=names, ticktext=tokens)
    figure.update_yaxes(title="state entering layer", type="category")
    return laid_out(figure, 420)


def movement_table(result: Movement) -> pd.DataFrame:
    """One row a shared token: how far its final state moved, plain and re-routed."""
    return pd.DataFrame(
        {
            "token": result.tokens,
            "plain": result.plain[-1],
            "re-routed": result.rerouted[-1],
        }
    )


def movement_by_layer_table(result: Movement) -> pd.DataFrame:
    """One row a shared token, one column a layer's input: how far the re-routed state moved."""
    last = len(result.rerouted) - 1
    names = [f"entering layer {i}" for i in range(last)] + ["final"]
    table = pd.DataFrame(result.rerouted.T, columns=names)
    table.insert(0, "token", result.tokens)
    return table


def gate_map(result: Gates) -> go.Figure:
    """Layers x tokens: the gate, averaged over heads."""
    names, tokens = token_names(result.tokens)
    figure = go.Figure(
        go.Heatmap(
            z=100 * result.values.mean(1),
            x=names,
            y=[str(layer) for layer in result.layers],
            colorscale=SEQUENTIAL,
            zmin=0,
            colorbar={"title": "gate (%)"},
            hovertemplate="layer %{y}<br>token %{x}<br>gate %{z:.1f}%<extra></extra>",
        )
    )
    figure.update_xaxes(tickangle=-45, tickmode="array", tickvals=names, ticktext=tokens)
    figure.update_yaxes(title="layer", type="category")
    return laid_out(figure, max(220, 120 + 24 * len(result.layers)))


def gate_table(result: Gates) -> pd.DataFrame:
    """One row a token, one column a layer: the gate in %, averaged over heads."""
    table = pd.DataFrame(
        (100 * result.values.mean(1)).T, columns=[f"layer {i} (%)" for i in result.layers]
    )
    table.insert(0, "token", result.tokens)
    return table
