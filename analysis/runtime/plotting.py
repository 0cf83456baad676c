"""The figure of a result, for results that lie below the figures.

A result's ``plot()`` asks here. Who draws is said once by the package that knows both,
``analysis/__init__.py``, so that results need not import figures, and figures are imported when
the first is drawn.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import ExplorerError

if TYPE_CHECKING:
    import plotly.graph_objects as go

Draw = Callable[[object], "go.Figure"]
_DRAWING: list[Draw] = []


def draw_with(draw: Draw) -> None:
    """Say what gives the figure of a result."""
    _DRAWING[:] = [draw]


def plot(result: object) -> "go.Figure":
    """The figure of a result.

    Raises:
        ExplorerError: nothing draws here, or there is no figure for such a result.
    """
    if not _DRAWING:
        raise ExplorerError("Figures are not installed here; use the result's data frame.")
    return _DRAWING[0](result)
