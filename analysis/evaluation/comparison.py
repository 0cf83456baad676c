"""Differences between methods on the same data: paired intervals, p-values, and their correction.

All methods are scored on the same bootstrap draws, so that the draws' differences are paired. The
p-value is that of the same draws: the smallest level at which the percentile interval leaves out
0, two-sided, with one added to numerator and denominator (Davison & Hinkley 1997, section 4.2.5).
Several comparisons made at once are corrected by Holm's step-down method (Holm 1979).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Score of ``first`` minus that of ``second``, times 100, with a 95% interval.

    ``items`` counts the ``things`` that were scored, ``of`` how many the whole corpus has where
    they are a part; ``p`` is two-sided, ``p_holm`` corrected for the comparisons made at once.
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
        """The finding in words, which name a winner only if the interval leaves out 0."""
        whole = "" if self.of is None else f" of {self.of:,}"
        on = f"on {self.items:,}{whole} {self.things}{self._chance}."
        if min(self.delta, self.ci_low) > 0:
            interval = f"{self.delta:.1f} [{self.ci_low:.1f}, {self.ci_high:.1f}]"
            return f"{self.first} is ahead of {self.second} by {interval} {on}"
        if max(self.delta, self.ci_high) < 0:
            interval = f"{-self.delta:.1f} [{-self.ci_high:.1f}, {-self.ci_low:.1f}]"
            return f"{self.second} is ahead of {self.first} by {interval} {on}"
        interval = f"{self.delta:+z.1f} [{self.ci_low:z.1f}, {self.ci_high:z.1f}]"
        return f"No clear difference between {self.first} and {self.second}: {interval} {on}"

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0 and the corrected p-value, if any, is below 0.05."""
        inside = self.ci_low <= 0 <= self.ci_high
        return not inside and (self.p_holm is None or self.p_holm < 0.05)

    @property
    def _chance(self) -> str:
        if self.p_holm is None:
            return "" if np.isnan(self.p) else f" (p = {_spoken(self.p)})"
        doubt = not self.clear and not self.ci_low <= 0 <= self.ci_high
        rest = ", so not clear among as many comparisons" if doubt else ""
        return f" (Holm-corrected p = {_spoken(self.p_holm)}{rest})"


def _spoken(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "less than 0.001"


def interval(drawn: Floats, confidence: float = 0.95) -> tuple[float, float]:
    """The central interval of the draws that are defined, times 100.

    Raises:
        CorpusError: no draw is defined.
    """
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        raise CorpusError("There is too little data for an interval: no resample can be scored.")
    low, high = 100 * np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def p_value(drawn: Floats) -> float:
    """Two-sided p of draws (B,) of a difference whose true value is 0; at most 1."""
    defined = drawn[np.isfinite(drawn)]
    beyond = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (beyond + 1) / (len(defined) + 1))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's corrected p-values, in the given order: never below the raw ones, never above 1."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, dtype=np.float64)[order] * np.arange(len(order), 0, -1)
    found = np.empty(len(order))
    found[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [float(value) for value in found]


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The same with ``p_holm`` set, where there are two or more to correct for."""
    if len(differences) < 2:
        return list(differences)
    values = holm([difference.p for difference in differences])
    return [replace(d, p_holm=p) for d, p in zip(differences, values, strict=True)]
