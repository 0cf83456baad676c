"""One score with its interval, and the bootstrap draws that intervals and comparisons use."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bootstrap import interval

Draws = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Measure:
    """One score with its 95% bootstrap interval, all times 100.

    Attributes:
        name: name of the measure, such as "Spearman".
        value: the score.
        ci_low: lower end of the interval.
        ci_high: upper end of the interval.
        items: number of ``things`` that were scored.
        things: name of the scored items: pairs, texts or queries.
        resampled: name of the units that the bootstrap drew, see
            :class:`analysis.evaluation.bootstrap.Resampling`.
        source: the draws, or a function that computes them when they are needed.
    """

    name: str
    value: float
    ci_low: float
    ci_high: float
    items: int
    things: str
    resampled: str
    source: Draws | Callable[[], Draws] = field(repr=False)

    @cached_property
    def drawn(self) -> Draws:
        """The score in each bootstrap draw, as a share of 1, shape (B,); NaN if not defined.

        The same measure of two methods on one corpus uses the same draws, so they are compared draw
        by draw.
        """
        return self.source() if callable(self.source) else self.source

    @property
    def sentence(self) -> str:
        """The score in words."""
        return (
            f"{self.name} {self.value:.1f} [{self.ci_low:.1f}, {self.ci_high:.1f}] on "
            f"{self.items:,} {self.things}."
        )

    def to_dict(self) -> dict[str, Any]:
        """The measure as plain data, without its draws."""
        names = ("name", "value", "ci_low", "ci_high", "items", "things", "resampled")
        return {name: getattr(self, name) for name in names}


def measure(
    name: str, value: float, drawn: NDArray[np.floating], items: int, things: str, resampled: str
) -> Measure:
    """Build a measure with the interval of its draws.

    Args:
        name: name of the measure.
        value: the score as a share of 1.
        drawn: shape (B,), the score in each draw as a share of 1.
        items: number of ``things`` that were scored.
        things: name of the scored items.
        resampled: name of the units that were drawn.

    Raises:
        CorpusError: no draw is defined.
    """
    draws = drawn.astype(np.float32)
    return Measure(name, 100 * value, *interval(drawn), items, things, resampled, draws)
