"""The words of prompts, layer by layer, and the most frequent ones of a corpus -> figures."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .theme import PLAIN, SELECTED, laid_out

Row = Mapping[str, Any]
COLOURS = {"plain": PLAIN, "re-routed": SELECTED}
_SCALE = [[0, "#ffffff"], [1, "#56B4E9"]]
"""Pale, so that the letters in it can be read everywhere."""
_CELL = 9
"""Letters of a word in a cell; the label of the cell has all."""
_FREQUENT = 12
"""Words with a bar."""


def layer_map(rows: Sequence[Row], every: int = 1) -> go.Figure:
    """Layers x most probable words of one text or corpus, a panel for each side.

    The first layer is at the bottom. Re-routed layers are framed.

    Args:
        rows: rows of the question ``words`` with one prompt and one text or corpus.
        every: of so many layers one is drawn, the last among them.
    """
    sides = list(dict.fromkeys(row["model"] for row in rows))
    last = max(row["layer"] for row in rows)
    rows = [row for row in rows if (last - row["layer"]) % every == 0]
    figure = make_subplots(
        cols=len(sides), shared_yaxes=True, subplot_titles=sides, horizontal_spacing=0.02
    )
    for column, side in enumerate(sides, 1):
        members = [row for row in rows if row["model"] == side]
        by_layer = [list(each) for _, each in groupby(members, lambda row: row["layer"])]
        most = max(map(len, by_layer))
        filled = [[*each, *[None] * (most - len(each))] for each in by_layer]
        figure.add_heatmap(
            z=[[row and _share(row) for row in each] for each in filled],
            x=[str(rank) for rank in range(1, most + 1)],
            y=[str(each[0]["layer"]) for each in by_layer],
            text=[[_cell(row) if row else "" for row in each] for each in filled],
            customdata=[[_label(row) if row else "" for row in each] for each in filled],
            texttemplate="%{text}",
            textfont={"size": 11, "color": "#111111"},
            hovertemplate="layer %{y}, word %{x}: %{customdata}<extra></extra>",
            zmin=0,
            zmax=1,
            colorscale=_SCALE,
            showscale=False,
            row=1,
            col=column,
        )
        _frame(figure, members[0], column, last % every, every)
    figure.update_xaxes(title=_shown(rows[0]), type="category")
    figure.update_yaxes(type="category")
    figure.update_yaxes(title="output of layer", col=1)
    return laid_out(figure, 130 + 21 * len(by_layer))


def frequent_words(rows: Sequence[Row]) -> go.Figure:
    """How many texts think of each word first, at the layer that is read; a bar for each side.

    Args:
        rows: rows of the question ``words`` with one prompt and one corpus.
    """
    read = [row for row in rows if row["read"]]
    names = list(dict.fromkeys(row["word"] for row in read))[:_FREQUENT]
    figure = go.Figure()
    for side, colour in COLOURS.items():
        by_word = {row["word"]: row for row in read if row["model"] == side}
        if by_word:
            others = _at_most(list(by_word.values()))
            figure.add_bar(
                x=[by_word[name]["count"] if name in by_word else 0 for name in names],
                y=names,
                orientation="h",
                name=side,
                marker={"color": colour},
                text=[
                    f"{by_word[name]['probability']:.0%}" if name in by_word else others
                    for name in names
                ],
                textposition="outside",
                hovertemplate="%{fullData.name}, %{y}: %{x} texts, %{text}<extra></extra>",
            )
    figure.update_layout(barmode="group")
    figure.update_xaxes(title="texts whose first word it is; its mean probability there")
    figure.update_yaxes(type="category", categoryarray=names, autorange="reversed")
    return laid_out(figure, 120 + 44 * len(names))


def entropy_by_layer(rows: Sequence[Row]) -> go.Figure:
    """The mean entropy of a text's distribution by layer with its 95% interval, for each side.

    Args:
        rows: rows of the question ``words`` with one prompt and one corpus.
    """
    figure = go.Figure()
    for side, colour in COLOURS.items():
        points = [row for row in rows if row["model"] == side and row["rank"] == 1]
        if points:
            figure.add_scatter(
                x=[row["layer"] for row in points],
                y=[row["entropy"] for row in points],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [row["entropy_high"] - row["entropy"] for row in points],
                    "arrayminus": [row["entropy"] - row["entropy_low"] for row in points],
                    "thickness": 1.2,
                    "width": 0,
                },
                mode="lines+markers",
                name=side,
                line={"color": colour},
                hovertemplate="%{fullData.name}, layer %{x}: %{y:.2f} bits<extra></extra>",
            )
    figure.update_xaxes(title="output of layer")
    figure.update_yaxes(title="entropy in bits", rangemode="tozero")
    return laid_out(figure, 340)


def _at_most(listed: Sequence[Row]) -> str:
    """What is known of the count of a word that a side does not list."""
    if len(listed) == listed[0]["different"]:
        return "none"
    least = min(row["count"] for row in listed)
    return f"{least} text{'s' * (least > 1)} at most"


def _share(row: Row) -> float:
    """What colours a cell: the probability, or the share of a corpus's texts."""
    return float(row["count"] / row["texts"] if row.get("count") else row["probability"])


def _shown(row: Row) -> str:
    share = "the texts whose first word it is" if row.get("count") else "its probability"
    return f"rank of the word, with {share}"


def _label(row: Row) -> str:
    texts = f"{row['count']} of {row['texts']} texts, mean " if row.get("count") else ""
    return f"{row['word']}, {texts}probability {row['probability']:.3f}"


def _cell(row: Row) -> str:
    word = row["word"]
    short = word if len(word) <= _CELL else f"{word[: _CELL - 1]}\u2026"
    return f"{short}  {_share(row):.0%}"


def _frame(figure: go.Figure, row: Row, column: int, lowest: int, every: int) -> None:
    """Frame the re-routed layers of a panel whose rows are every so many layers."""
    of_heads = map(int, re.findall(r"(?:^|,)(\d{1,4})\.", row.get("heads", "")))
    layers = sorted({*row["layers"], *of_heads})
    for _, run in groupby(enumerate(layers), lambda item: item[1] - item[0]):
        first, *others = (layer for _, layer in run)
        figure.add_hrect(
            y0=(first - 0.5 - lowest) / every,
            y1=([first, *others][-1] + 0.5 - lowest) / every,
            line={"color": SELECTED, "width": 3},
            row=1,
            col=column,
        )
