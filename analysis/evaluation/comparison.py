"""Differences between methods on the same data: paired intervals, p-values, and their correction.

Methods that are measured on the same corpus share their bootstrap draws, so the differences are
paired draw by draw. Several simultaneous comparisons are corrected by Holm's step-down method
(Holm 1979, https://www.jstor.org/stable/4615733).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..errors import CorpusError
from .bootstrap import interval, p_value
from .measures import Measure

NOTHING = "re-routing nothing"
"""Name of the plan without layers, which plans are compared with."""
CLEAR = 0.05
"""Corrected p-value below which a difference is called clear."""
CLEAR_MEANS = (
    "Clear means that the paired 95% interval lies wholly on one side of 0, and still does so "
    f"after Holm's correction (p < {CLEAR:g}) where several differences are compared."
)
"""What :attr:`Difference.clear` says, in words: the one definition."""


@dataclass(frozen=True)
class Difference:
    """Score of one method minus that of another, times 100, with a 95% interval.

    Attributes:
        delta: the difference.
        ci_low: lower end of the interval.
        ci_high: upper end of the interval.
        items: number of ``things`` that were scored.
        first: the method whose score it is.
        second: the method whose score is subtracted.
        things: name of the scored items, such as "pairs".
        of: number of them in the full corpus, if they are a part of it.
        p: two-sided p-value.
        p_holm: the p-value corrected for simultaneous comparisons; None for a single one.
    """

    delta: float
    ci_low: float
    ci_high: float
    items: int
    first: str
    second: str
    things: str = "pairs"
    of: int | None = None
    p: float = float("nan")
    p_holm: float | None = None

    @property
    def sentence(self) -> str:
        """The result in words: what the first does, read against the second.

        They say higher or lower only if the interval excludes 0.
        """
        total = "" if self.of is None else f" of {self.of:,}"
        corpus = f"on {self.items:,}{total} {self.things}{self._chance}."
        higher, lower = min(self.delta, self.ci_low) > 0, max(self.delta, self.ci_high) < 0
        if not (higher or lower):
            numbers = f"{self.delta:+z.1f} [{self.ci_low:+z.1f}, {self.ci_high:+z.1f}]"
            return f"No clear difference between {self.first} and {self.second}: {numbers} {corpus}"
        low, high = sorted((abs(self.ci_low), abs(self.ci_high)))
        numbers = f"{abs(self.delta):.1f} [{low:.1f}, {high:.1f}]"
        if self.second == NOTHING:
            verb = "raises" if higher else "lowers"
            return f"{self.first} {verb} the score by {numbers} {corpus}"
        where = "higher" if higher else "lower"
        return f"{self.first} scores {numbers} {where} than {self.second} {corpus}"

    @property
    def clear(self) -> bool:
        """Whether the interval excludes 0 and the corrected p-value, if any, is below 0.05.

        :data:`CLEAR_MEANS` says it in words.
        """
        inside = self.ci_low <= 0 <= self.ci_high
        return not inside and (self.p_holm is None or self.p_holm < CLEAR)

    def to_dict(self) -> dict[str, Any]:
        """The difference as plain data."""
        return asdict(self)

    @property
    def _chance(self) -> str:
        if self.p_holm is None:
            return "" if np.isnan(self.p) else f" ({p_in_words(self.p)})"
        if not self.clear and not self.ci_low <= 0 <= self.ci_high:
            return f" ({p_in_words(self.p_holm)}, not significant after Holm correction)"
        return f" ({p_in_words(self.p_holm)} after Holm correction)"


def p_in_words(p: float) -> str:
    """A p-value to three decimals, as "p = 0.012" or "p < 0.001"."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def difference(
    measure: Measure, base: Measure, names: tuple[str, str], of: int | None = None
) -> Difference:
    """One measure minus another, paired draw by draw.

    Args:
        measure: the score.
        base: the same measure of another method on the same corpus.
        names: names of the two methods.
        of: size of the full corpus, if both were measured on a part of it.

    Raises:
        CorpusError: the two are different measures, or of different data.
    """
    identity = (measure.name, measure.items, measure.resampled, len(measure.drawn))
    if identity != (base.name, base.items, base.resampled, len(base.drawn)):
        raise CorpusError(
            f"{names[0]} and {names[1]} were not measured alike ({measure.name} on "
            f"{measure.items:,} {measure.things}, {base.name} on {base.items:,})."
        )
    drawn = (measure.drawn - base.drawn).astype(np.float64)
    delta = measure.value - base.value
    return Difference(
        *(delta, *interval(drawn), measure.items, *names, measure.things, of, p_value(drawn))
    )


def differences(
    measures: Mapping[str, Measure], base: Measure, base_name: str, of: int | None = None
) -> list[Difference]:
    """Each measure minus ``base``, paired draw by draw, corrected by Holm's method.

    Args:
        measures: by the name of the method, the same measure on the same corpus.
        base: the measure that all are compared with.
        base_name: name of its method.
        of: size of the full corpus, if all were measured on a part of it.

    Raises:
        CorpusError: the two are different measures, or of different data.
    """
    return corrected(
        [difference(measure, base, (name, base_name), of) for name, measure in measures.items()]
    )


def columns(change: Difference | None) -> dict[str, Any]:
    """The columns of a paired difference in a table, empty without one."""
    if change is None:
        return dict.fromkeys(("against", "change", "change_low", "change_high", "p", "p_holm"))
    return {
        "against": change.second,
        "change": change.delta,
        "change_low": change.ci_low,
        "change_high": change.ci_high,
        "p": change.p if math.isfinite(change.p) else None,
        "p_holm": change.p_holm,
    }


def holm(p: Sequence[float]) -> list[float]:
    """Holm's corrected p-values (https://www.jstor.org/stable/4615733).

    Args:
        p: raw p-values of simultaneous tests.

    Returns:
        Corrected p-values in the same order, never below the raw ones and never above 1.
    """
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, dtype=np.float64)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(value) for value in adjusted]


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The differences with ``p_holm`` set, if there are two or more."""
    if len(differences) < 2:
        return list(differences)
    values = holm([difference.p for difference in differences])
    return [replace(d, p_holm=p) for d, p in zip(differences, values, strict=True)]
