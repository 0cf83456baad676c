"""The default figure of any kind of result."""

from functools import singledispatch

import plotly.graph_objects as go

from ..errors import PlanError
from ..experiments.dimension import Dimensions
from ..experiments.score_result import Score
from . import dimension, scores


@singledispatch
def figure(result: object) -> go.Figure:
    """The figure of a score, a list of scores or an intrinsic-dimension curve.

    Raises:
        PlanError: it is none of these.
    """
    raise PlanError(
        f"There is no figure for a {type(result).__name__}; plot what dimensions or score gives."
    )


@figure.register
def _(result: Dimensions) -> go.Figure:
    return dimension.dimension_curves([result], "paper", result.selected("paper"))


@figure.register
def _(result: Score) -> go.Figure:
    return scores.measure_bars([result], result.first.name)


@figure.register
def _(result: list) -> go.Figure:  # type: ignore[type-arg]  # singledispatch ignores the items' type
    if not result or not isinstance(result[0], Score):
        raise PlanError("There is no figure for this list; plot what dimensions or score gives.")
    return scores.measure_bars(result, result[0].first.name)
