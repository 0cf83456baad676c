"""Results -> Plotly figures and the tables beside them.

A figure is a pure function of a result. Those of scores are in :mod:`analysis.score_figures`.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from analysis.causality import Gates, Movement
from analysis.geometry import Geometry
from analysis.rerouting import Plan
from analysis.selection import skipped
from analysis.significance import Difference
from analysis.study import Dimensions, Score, Space
from analysis.theme import (
    BAND,
    PALETTE,
    PLAIN,
    REROUTED,
    SELECTED,
    SEQUENTIAL,
    escaped,
    laid_out,
    shortened,
)


def dimension_curve(result: Dimensions, layers: Sequence[int]) -> go.Figure:
    """The curve with its 95% band, the skipped first fifth and the selected ``layers``."""
    curve = result.curve
    x = np.arange(len(curve.dims))
    figure = go.Figure()
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]),
        y=np.concatenate([curve.high, curve.low[::-1]]),
        fill="toself",
        fillcolor=BAND,
        line={"width": 0},
        name="95% band",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=x,
        y=curve.dims,
        mode="lines+markers",
        name="intrinsic dimension",
        line={"color": REROUTED, "width": 2},
        marker={
            "size": [11 if i in layers else 7 for i in x],
            "color": [SELECTED if i in layers else REROUTED for i in x],
        },
        customdata=np.column_stack([curve.low, curve.high]),
        hovertemplate="layer %{x}<br>dimension %{y:.2f}<br>"
        "band %{customdata[0]:.2f} to %{customdata[1]:.2f}<extra></extra>",
    )
    if skip := skipped(len(x)):
        figure.add_vrect(
            x0=-0.5,
            x1=skip - 0.5,
            fillcolor=PLAIN,
            opacity=0.18,
            line_width=0,
            annotation_text="skipped",
            annotation_position="top left",
        )
    for first, last in _runs(layers):
        figure.add_vrect(
            x0=first - 0.5, x1=last + 0.5, fillcolor=SELECTED, opacity=0.16, line_width=0
        )
    if len(layers):
        figure.add_annotation(
            x=layers[0],
            y=1,
            yref="paper",
            yanchor="bottom",
            text="re-routed",
            showarrow=False,
            font={"color": SELECTED},
        )
    figure.update_xaxes(title="layer (its output)", range=[-0.5, len(x) - 0.5], dtick=_tick(len(x)))
    figure.update_yaxes(title="intrinsic dimension", rangemode="tozero")
    return laid_out(figure, 400)


def dimension_table(result: Dimensions, layers: Sequence[int], rule: str) -> pd.DataFrame:
    """One row a layer: dimension, band, selected or not, how often over the resamples."""
    curve = result.curve
    return pd.DataFrame(
        {
            "layer": np.arange(len(curve.dims)),
            "dimension": curve.dims,
            "low": curve.low,
            "high": curve.high,
            "re-routed": [i in layers for i in range(len(curve.dims))],
            "selected in resamples (%)": 100 * result.frequency(rule),
        }
    )


def selection_frequency(result: Dimensions, rule: str) -> go.Figure:
    """How often ``rule`` selects each layer over the resampled curves, in %."""
    share = 100 * result.frequency(rule)
    chosen = result.selected(rule)
    figure = go.Figure(
        go.Bar(
            x=np.arange(len(share)),
            y=share,
            marker_color=[SELECTED if i in chosen else REROUTED for i in range(len(share))],
            hovertemplate="layer %{x}: selected in %{y:.0f}%<extra></extra>",
        )
    )
    figure.update_xaxes(title="layer", range=[-0.5, len(share) - 0.5], dtick=_tick(len(share)))
    figure.update_yaxes(title="selected (%)", range=[0, 100])
    return laid_out(figure, 220)


def movement_strips(result: Movement) -> go.Figure:
    """Two strips of tokens, plain and re-routed, coloured by how far each final state moved."""
    rows = np.stack([result.rerouted[-1], result.plain[-1]])
    text = [["0" if v == 0 else f"{v:.3f}" for v in row] for row in rows]
    names, tokens = _token_names(result.tokens)
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
    names, tokens = _token_names(result.tokens)
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


def gate_map(result: Gates) -> go.Figure:
    """Layers x tokens: the gate, averaged over heads."""
    names, tokens = _token_names(result.tokens)
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


def cone_by_layer(result: Dimensions) -> go.Figure:
    """Mean cosine of two different texts at each layer."""
    figure = go.Figure(
        go.Scatter(
            x=np.arange(len(result.anisotropy)),
            y=result.anisotropy,
            mode="lines+markers",
            line={"color": REROUTED, "width": 2},
            hovertemplate="layer %{x}: %{y:.2f}<extra></extra>",
        )
    )
    figure.update_xaxes(title="layer", dtick=_tick(len(result.anisotropy)))
    figure.update_yaxes(title="mean cosine of two texts", rangemode="tozero")
    return laid_out(figure, 300)


def cone_table(result: Dimensions) -> pd.DataFrame:
    """One row a layer."""
    return pd.DataFrame(
        {"layer": np.arange(len(result.anisotropy)), "mean cosine": result.anisotropy}
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
    figure.update_xaxes(title="first re-routed layer", range=[-0.7, last + 0.7], dtick=_tick(last))
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


def _runs(layers: Sequence[int]) -> list[tuple[int, int]]:
    """Adjacent layers as (first, last) runs."""
    runs: list[tuple[int, int]] = []
    for layer in layers:
        if runs and runs[-1][1] == layer - 1:
            runs[-1] = runs[-1][0], layer
        else:
            runs.append((layer, layer))
    return runs


def _tick(layers: int) -> int:
    return 1 if layers <= 16 else 2 if layers <= 32 else 4


def _token_names(tokens: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tokens as an axis has them, told apart by their number, and as it shows them."""
    safe = [escaped(token) for token in tokens]
    return [f"{i} {token}" for i, token in enumerate(safe)], safe
