"""What all figures share: colours with one meaning each, a layout, and plain texts.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart, with a lighter
blue that also shows on a dark page.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

SELECTED, REROUTED, PLAIN, BAND = "#D55E00", "#1F83C6", "#7A7A7A", "rgba(31,131,198,0.25)"
PALETTE = ("#1F83C6", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D1F", "#7A7A7A")
SEQUENTIAL = "Cividis"
DIVERGING = "RdBu"
"""For changes, 0 in the middle: losses red, gains blue."""
_SHORT = 90
_DRAWN = 1500
"""Maximum number of dots drawn as SVG, which starts sooner and exports crisply."""


def laid_out(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    r"""Finish a figure: common margins, legend and labels, and texts as they are written.

    The one door of figures: Plotly would read tags in names, titles, ticks and labels as HTML,
    links and styles among them. Only hover templates, which are written in the code, keep theirs.

    Args:
        figure: has all its texts, escapes none, and writes a line break as ``"\n"``.
        height: in pixels.
        layout: further settings.
    """
    figure.update_layout(
        {
            "height": height,
            "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            "hoverlabel": {"align": "left"},
        }
    )
    figure.update_layout(layout)
    drawn = figure.to_plotly_json()
    drawn["layout"].pop("template", None)
    for path, text in _texts(drawn, ""):
        figure[path] = escaped(text)
    return figure


def _texts(part: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The texts and lists of texts in a figure that need escaping, by their paths."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name != "hovertemplate":
                yield from _texts(value, f"{path}.{name}" if path else name)
    elif isinstance(part, list | tuple) and part and isinstance(part[0], dict):
        for number, value in enumerate(part):
            yield from _texts(value, f"{path}[{number}]")
    elif escaped(part) is not part:
        yield path, part


def escaped(value: Any) -> Any:
    """A value with the texts in it escaped; the same object where nothing changes."""
    if isinstance(value, str):
        text = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        text = text.replace("\n", "<br>")
        return value if text == value else text
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "UO":
            return value
        value = value.tolist()
    if not isinstance(value, list | tuple):
        return value
    items = [escaped(item) for item in value]
    same = all(new is old for new, old in zip(items, value, strict=True))
    return value if same else items


def scatter(dots: int) -> Any:
    """The kind of trace for this number of dots: WebGL for many."""
    return go.Scatter if dots <= _DRAWN else go.Scattergl


def shortened(text: str) -> str:
    """A text for a hover label: one line, not too long."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else line[: _SHORT - 1] + "\u2026"


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1, of "rgb(r, g, b)" with parts of 0 to 255 (WCAG 2.2)."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (float(number) / 255 for number in re.findall(r"[\d.]+", colour)[:3])
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def tick(layers: int) -> int:
    """The distance of ticks on an axis of layers."""
    return 1 if layers <= 16 else 2 if layers <= 32 else 4


def token_names(tokens: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tokens as unique names on an axis, with their number, and as its labels."""
    return [f"{i} {token}" for i, token in enumerate(tokens)], list(tokens)
