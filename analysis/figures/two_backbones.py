"""What a second backbone changes in the score of each method -> a figure and its table."""

from collections.abc import Sequence

import plotly.graph_objects as go

from ..evaluation.comparison import Difference
from .dots import dots
from .scores import broken


def change_plot(differences: Sequence[Difference], measure: str, backbone: str) -> go.Figure:
    """One dot for each method with its interval, and a dashed line at 0.

    Args:
        differences: of each method on the second backbone from itself on the first.
        measure: the name of the measure.
        backbone: the first backbone.
    """
    return dots(
        [difference.to_dict() for difference in sorted(differences, key=lambda each: -each.delta)],
        place=lambda row: broken(row["first"]),
        group=lambda _: "",
        columns=("delta", "ci_low", "ci_high"),
        title=f"{measure} x 100 minus that of the same method on {backbone}, 95% interval",
        zero=True,
    )
