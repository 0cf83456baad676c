"""What all figures share: colours with one meaning each, a layout, and escaping.

The colours are those of Okabe and Ito, which colour-blind readers can tell apart, with a lighter
blue that also shows on a dark page.
"""

import re
from collections.abc import Sequence
from typing import Any

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
    """Apply the common margins, legend and labels to a figure; ``height`` in pixels."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hoverlabel={"align": "left"},
        **layout,
    )
    return figure


def scatter(dots: int) -> Any:
    """The kind of trace for this number of dots: WebGL for many."""
    return go.Scatter if dots <= _DRAWN else go.Scattergl


def shortened(text: str) -> str:
    """A text for a hover label: one line, safe as Plotly's HTML, not too long."""
    line = " ".join(text.split())
    return escaped(line if len(line) <= _SHORT else line[: _SHORT - 1] + "\u2026")


def escaped(text: str) -> str:
    """A text escaped for Plotly, which reads labels as HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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
    safe = [escaped(token) for token in tokens]
    return [f"{i} {token}" for i, token in enumerate(safe)], safe
