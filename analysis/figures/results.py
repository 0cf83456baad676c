"""The default figure of any kind of result."""

from functools import singledispatch
from typing import Any

import plotly.graph_objects as go

from ..errors import PlanError
from ..experiments.dimension import Dimensions
from ..experiments.layer_scores import ByLayer
from ..experiments.score_result import Score
from ..experiments.words_result import Words
from . import dimension, output_layers, scores, words


@singledispatch
def figure(result: object) -> go.Figure:
    """The figure of a score, scores by layer, a list of scores or words, or a curve of dimensions.

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
def _(result: ByLayer) -> go.Figure:
    return output_layers.by_layer(result.to_rows())


@figure.register
def _(result: Score) -> go.Figure:
    return scores.measure_bars([result], result.first.name)


@figure.register
def _(result: list) -> go.Figure:  # type: ignore[type-arg]  # singledispatch ignores the items' type
    if result and all(isinstance(each, Words) for each in result):
        return words.layer_map([row for each in result for row in _of_first(each)])
    if not result or not isinstance(result[0], Score):
        raise PlanError("There is no figure for this list; plot what dimensions or score gives.")
    return scores.measure_bars(result, result[0].first.name)


def _of_first(result: Words) -> list[dict[str, Any]]:
    """The rows of its first text and prompt, or of its corpus."""
    return [row for row in result.to_rows() if row["prompt"] == 1 and row.get("number", 1) == 1]
