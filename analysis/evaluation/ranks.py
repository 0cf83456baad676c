"""Ranks of methods: on one corpus with their intervals, and their means over several corpora.

One definition everywhere: the highest score has rank 1, and equal scores share the mean of their
ranks, so that the ranks of n methods sum to n (n + 1) / 2. Over corpora, ranks are compared by
Friedman's test and Nemenyi's critical difference (Demsar 2006,
https://www.jmlr.org/papers/v7/demsar06a.html).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError, listed
from .comparison import CLEAR, corrected, difference, p_in_words
from .measures import Measure

FEW_CORPORA = 10
"""Up to so many corpora, Friedman's chi-squared is a rough guide (Demsar 2006, section 3.2.2)."""
_INSIDE = (0.025, 0.975)


@dataclass(frozen=True)
class Rank:
    """The rank of one method among those that were measured on the same data.

    Attributes:
        name: the method.
        rank: 1 for the highest score; equal scores share the mean of their ranks.
        low: lower end of the interval that holds 95% of its ranks over bootstrap draws.
        high: upper end of the interval.
        of: number of methods that are ranked.
        level_with: its neighbours in the order of scores that it cannot be told apart from: at most
            one above and one below.
    """

    name: str
    rank: float
    low: float
    high: float
    of: int
    level_with: tuple[str, ...] = ()

    @property
    def interval(self) -> str:
        """The rank with its interval, such as ``2 [1, 4]``."""
        return f"{self.rank:g} [{self.low:g}, {self.high:g}]"

    @property
    def sentence(self) -> str:
        """The rank in words."""
        level = f", not told apart from {' and '.join(self.level_with)}" if self.level_with else ""
        return f"{self.name} ranks {self.interval} of {self.of}{level}."

    def to_dict(self) -> dict[str, Any]:
        """The rank as plain data."""
        return asdict(self)


def ranks(names: Sequence[str], measures: Sequence[Measure]) -> list[Rank]:
    """Rank methods by one measure on one corpus.

    In each bootstrap draw all methods are ranked again; the draws are those that paired comparisons
    use, and one in which a score is not defined does not count. Neighbours in the order of scores
    are told apart if their paired difference is clear after Holm's correction over the n - 1 pairs
    of neighbours (:attr:`analysis.evaluation.comparison.Difference.clear`).

    Args:
        names: of n methods, for :attr:`Rank.level_with`.
        measures: the same measure of each, on the same data.

    Returns:
        A rank for each method, in their order.

    Raises:
        CorpusError: the measures are of different data, or no draw is defined for all of them.
    """
    if len(measures) < 2:
        return [Rank(name, 1.0, 1.0, 1.0, 1) for name in names]
    order = sorted(range(len(measures)), key=lambda method: -measures[method].value)
    neighbours = [
        difference(measures[above], measures[below], (names[above], names[below]))
        for above, below in pairwise(order)
    ]
    level: dict[int, list[str]] = {method: [] for method in order}
    for (above, below), change in zip(pairwise(order), corrected(neighbours), strict=True):
        if not change.clear:
            level[above].append(names[below])
            level[below].append(names[above])
    drawn = np.stack([measure.drawn for measure in measures])
    drawn = drawn[:, np.isfinite(drawn).all(axis=0)]
    if not drawn.size:
        raise CorpusError("There is too little data to rank: no resample scores all methods.")
    lows, highs = np.quantile(_ranked(drawn), _INSIDE, axis=1, method="nearest")
    values = _ranked(np.array([[measure.value] for measure in measures]))[:, 0]
    return [
        Rank(
            *(name, float(values[method]), float(lows[method]), float(highs[method])),
            *(len(names), tuple(level[method])),
        )
        for method, name in enumerate(names)
    ]


def _ranked(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """The ranks of methods, values (n, B) -> (n, B); the highest of a column has rank 1."""
    from scipy import stats  # takes half a second, not needed by what only names ranks

    return np.asarray(stats.rankdata(-values, axis=0), dtype=np.float64)


@dataclass(frozen=True)
class MeanRanks:
    """The mean rank of each method over corpora, with the tests of their differences.

    Attributes:
        names: n methods, the best mean rank first.
        means: the mean rank of each.
        corpora: number of corpora, N.
        statistic: Friedman's chi-squared, corrected for ties.
        p: its p-value, with n - 1 degrees of freedom; NaN if all methods are equal everywhere.
        critical_difference: Nemenyi's: two mean ranks that are closer are not told apart at 5%.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    corpora: int
    statistic: float
    p: float
    critical_difference: float

    def level_with(self, name: str) -> tuple[str, ...]:
        """The methods that ``name`` is not told apart from, by Nemenyi's critical difference."""
        by_name = dict(zip(self.names, self.means, strict=True))
        return tuple(
            other
            for other, mean in by_name.items()
            if other != name and abs(mean - by_name[name]) < self.critical_difference
        )

    @property
    def sentence(self) -> str:
        """The mean ranks and their tests in words."""
        means = [f"{name} {mean:.1f}" for name, mean in zip(self.names, self.means, strict=True)]
        return f"Mean ranks: {', '.join(means)}. {self.verdict}"

    @property
    def verdict(self) -> str:
        """What the tests say, in words."""
        few = "; a rough guide for so few corpora" if self.corpora <= FEW_CORPORA else ""
        friedman = (
            f"Friedman's test over {self.corpora} corpora, taken as independent, gives a "
            f"chi-squared of {self.statistic:.1f} ({_p_in_words(self.p)}{few})"
        )
        if not self.p < CLEAR:
            return f"{friedman}, so no order of the methods is claimed."
        level = self.level_with(self.names[0])
        apart = f"not told apart from {', '.join(level)}" if level else "ahead of all others"
        return (
            f"{friedman}; by Nemenyi's critical difference of {self.critical_difference:.1f} "
            f"{self.names[0]} is {apart}."
        )

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain data."""
        return asdict(self)


def _p_in_words(p: float) -> str:
    return "p undefined" if math.isnan(p) else p_in_words(p)


def over_corpora(values: Mapping[str, Mapping[str, float]]) -> MeanRanks:
    """The mean ranks of methods over corpora, Friedman's test, and Nemenyi's critical difference.

    The critical difference is q sqrt(n (n + 1) / 6 N), with q the quantile of the studentised range
    of n methods at 5%, divided by sqrt(2) (Demsar 2006, section 3.2.2).

    Args:
        values: by the name of the corpus, the score of each method by its name; higher is better.

    Raises:
        CorpusError: there are fewer than two corpora or three methods, or a method has no score on
            one of the corpora.
    """
    methods = list(dict.fromkeys(name for scores in values.values() for name in scores))
    if len(values) < 2 or len(methods) < 3:
        raise CorpusError(
            "Mean ranks take two corpora and three methods at least, not "
            f"{len(values)} and {len(methods)}."
        )
    for corpus, scores in values.items():
        if lacking := [name for name in methods if name not in scores]:
            raise CorpusError(
                f"There is no score of {listed(lacking)} on {corpus}; mean ranks take methods "
                "that are scored on all corpora."
            )
    table = np.array([[scores[name] for scores in values.values()] for name in methods])
    means = _ranked(table).mean(axis=1)
    tied = (table == table[0]).all()
    from scipy import stats

    statistic, p = (0.0, math.nan) if tied else stats.friedmanchisquare(*table)
    count, corpora = table.shape
    quantile = float(stats.studentized_range.ppf(1 - CLEAR, count, np.inf)) / math.sqrt(2)
    order = np.argsort(means, kind="stable")
    return MeanRanks(
        tuple(methods[number] for number in order),
        tuple(float(means[number]) for number in order),
        corpora,
        float(statistic),
        float(p),
        quantile * math.sqrt(count * (count + 1) / (6 * corpora)),
    )
