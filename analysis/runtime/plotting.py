"""The figure of a result, for results that may not import ``figures``.

A result's ``plot()`` calls this module. ``analysis/__init__.py`` registers the function that draws,
so ``figures`` is imported only when the first figure is drawn.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import ExplorerError

if TYPE_CHECKING:
    import plotly.graph_objects as go

Draw = Callable[[object], "go.Figure"]
_DRAWING: list[Draw] = []


def draw_with(draw: Draw) -> None:
    """Register the function that draws results."""
    _DRAWING[:] = [draw]


def plot(result: object) -> "go.Figure":
    """The figure of a result.

    Raises:
        ExplorerError: no function is registered, or there is no figure for such a result.
    """
    if not _DRAWING:
        raise ExplorerError("Figures are not installed here; use the result's data frame.")
    return _DRAWING[0](result)
