"""How far tokens move when the ending of a text changes -> figures and their tables."""

import html
import unicodedata
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import get_colorscale, sample_colorscale

from ..experiments.causal import Movement
from .theme import PLAIN, REROUTED, SELECTED, SEQUENTIAL, laid_out, luminance, token_names

LARGE = 20
"""Font size in pixels that can be read from the last row of a lecture hall."""
_AROUND = 150
"""Pixels above and below the rows of an enlarged figure."""
_SCALE = get_colorscale(SEQUENTIAL)
_EVEN = 0.179
"""The luminance at which black and white letters have the same contrast, 4.58 : 1."""
_CHIP = (
    "display:inline-flex;flex-direction:column;align-items:center;justify-content:center;"
    "min-width:2.6em;max-width:100%;margin:0.15em;padding:0.2em 0.5em;border-radius:0.3em;"
)


def movement_strip(result: Movement, *, rerouted: bool) -> str:
    """The shared tokens of one model as HTML, each with the distance that its final state moved.

    A token that did not move is an empty box with a 0; the others are coloured on one scale for
    both models. The two endings follow.
    """
    moved = (result.rerouted if rerouted else result.plain)[-1]
    largest = max(float(result.plain[-1].max()), float(result.rerouted[-1].max()), 1e-30)
    chips = []
    for token, distance in zip(result.tokens, moved, strict=True):
        style = f"border:2px solid {PLAIN};"
        if distance > 0:
            style = _filled(float(distance) / largest)
        chips.append(
            f'<span style="{_CHIP}{style}"><span>{_spaced(token)}</span>'
            f'<b style="font-size:1.15em">{moved_by(float(distance))}</b></span>'
        )
    ends = "".join(f"<span>\u2026{_spaced(end) or '(nothing)'}</span>" for end in result.endings)
    dashed = f"align-items:start;border:2px dashed {SELECTED};"
    chips.append(f'<span style="{_CHIP}{dashed}">{ends}</span>')
    side = "rtl" if _right_to_left(result.tokens) else "ltr"
    return f'<div dir="{side}" style="line-height:1.35">{"".join(chips)}</div>'


def moved_by(distance: float) -> str:
    """A distance as text: 0 only if it is exactly 0."""
    if distance == 0:
        return "0"
    return f"{distance:.3f}" if distance >= 0.0005 else f"{distance:.0e}"


def _filled(share: float) -> str:
    """The style of a box coloured by a share of the largest distance, with readable letters."""
    (colour,) = sample_colorscale(_SCALE, [share])
    ink = "#000" if luminance(colour) > _EVEN else "#fff"
    return f"border:2px solid {colour};background:{colour};color:{ink};"


def _spaced(text: str) -> str:
    return html.escape(text.strip()) or "\u2423" * (text != "")


def _right_to_left(tokens: Sequence[str]) -> bool:
    """Whether most letters are of a script that is read from the right."""
    kinds = [unicodedata.bidirectional(letter) for letter in "".join(tokens)]
    return sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")


def movement_table(result: Movement) -> pd.DataFrame:
    """One row for each shared token: how far its final state moved, plain and re-routed."""
    return pd.DataFrame(
        {
            "token": result.tokens,
            "control token": result.control,
            "plain": result.plain[-1],
            "re-routed": result.rerouted[-1],
        }
    )


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
            zmax=max(result.rerouted.max(), 1e-9),
            colorbar={"title": "moved by"},
            hovertemplate="token %{x}<br>entering layer %{y}<br>moved by %{z:.3g}<extra></extra>",
        )
    )
    for layer in result.plan.active[:1]:
        figure.add_hline(
            layer + 0.5,
            line={"color": SELECTED, "width": 3},
            annotation={
                "text": f"first re-routed: layer {layer}",
                "font": {"color": "white"},
                "bgcolor": SELECTED,
            },
            annotation_position="bottom right",
        )
    figure.update_xaxes(tickangle=-45, tickmode="array", tickvals=names, ticktext=tokens)
    figure.update_yaxes(title="state entering layer", type="category")
    return laid_out(figure, 420)


def movement_by_layer_table(result: Movement) -> pd.DataFrame:
    """One row for each shared token, one column for each layer's input: the distance moved."""
    last = len(result.rerouted) - 1
    names = [f"entering layer {i}" for i in range(last)] + ["final"]
    table = pd.DataFrame(result.rerouted.T, columns=names)
    table.insert(0, "token", result.tokens)
    return table


def ending_bars(cosines: Mapping[str, float]) -> go.Figure:
    """The cosine of the two texts' embeddings by each method."""
    methods = list(cosines)[::-1]
    values = [cosines[name] for name in methods]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=methods,
            orientation="h",
            marker={"color": [REROUTED if name == "kv-embedding" else PLAIN for name in methods]},
            text=[f"{value:.4f}" for value in values],
            textposition="auto",
            hovertemplate="%{y}: cosine %{x:.5f}<extra></extra>",
        )
    )
    figure.update_xaxes(title="cosine of the two texts", range=[min(0.0, *values), 1])
    return laid_out(figure, 120 + 36 * len(methods))


def ending_table(cosines: Mapping[str, float]) -> pd.DataFrame:
    """One row for each method: the cosine of the two texts' embeddings."""
    return pd.DataFrame({"method": list(cosines), "cosine": list(cosines.values())})


def enlarged(figure: go.Figure, height: int) -> go.Figure:
    """The same figure in letters that can be read from the last row of a lecture hall.

    Args:
        figure: the figure, which stays as it is.
        height: in pixels.
    """
    large = go.Figure(figure)
    letters = {"size": LARGE}
    large.update_layout(height=height, font=letters, hoverlabel={"font": letters})
    named = large.layout.yaxis.tickvals
    rows = 0 if named is None else len(named)
    fitting = {"size": min(LARGE, (height - _AROUND) // rows) if rows else LARGE}
    large.update_xaxes(tickfont=letters, title={"font": letters})
    large.update_yaxes(tickfont=fitting, title={"font": letters})
    bar = {"tickfont": letters, "title": {"font": letters}}
    large.update_traces(colorbar=bar, selector={"type": "heatmap", "coloraxis": None})
    for kind in ("bar", "heatmap"):
        large.update_traces(textfont=letters, selector={"type": kind})
    large.update_annotations(font=letters)
    if large.layout.coloraxis.colorbar.title.text:
        beside = {"orientation": "v", "x": 1, "xanchor": "left", "y": 0.5, "yanchor": "middle"}
        large.update_layout(coloraxis={"colorbar": bar | beside})
    return large
