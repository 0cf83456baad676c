"""Long names of rows are broken into lines on an axis, and shown as lines."""

from analysis.evaluation.comparison import Difference
from analysis.figures.two_backbones import change_plot


def test_a_long_name_is_broken_before_its_backbone() -> None:
    names = ("token-prepending \u00b7 gemma3-270m", "token-prepending")
    figure = change_plot([Difference(1.0, 0.5, 1.5, 9, *names)], "Spearman", "smollm2")
    assert list(figure.data[0].y) == ["token-prepending \u00b7 <br>gemma3-270m"]
    assert list(figure.layout.yaxis.categoryarray) == list(figure.data[0].y)
    assert figure.layout.shapes, "a line at 0"
