"""How well embeddings agree with human ratings, with intervals that admit what is shared.

The score is the Spearman correlation of cosine and rating, times 100. Its interval is a
percentile bootstrap. Pairs that share a text are not independent, so resampling pairs would
claim too much: the 1,225 pairs of lee50 hold 50 texts, and the sample is 50. What is drawn
therefore follows from the pairs themselves, see :func:`_resamples`. Comparisons are paired:
both methods are scored on the same draws, see :mod:`analysis.evaluation.comparison`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.stats import spearmanr

from ..corpora.types import Pairs
from ..errors import CorpusError
from .comparison import Difference, Floats, corrected, interval, p_value
from .isotropy import check

Unit = Literal["texts", "groups", "pairs"]
"""What a bootstrap draws: single texts, groups of pairs that share texts, or single pairs."""

_BLOCK = 1024  # rows handled at a time where all of them would fill the memory


@dataclass(frozen=True, eq=False)
class StsScore:
    """Agreement of cosines with ratings; correlations and their interval are times 100."""

    spearman: float
    ci_low: float
    ci_high: float
    pearson: float
    pairs: int
    texts: int
    resampled: Unit
    resamples: int
    """Draws the interval rests on: those asked for, less any that left nothing to rank."""
    cosines: Floats
    """Shape (P,), in the order of the pairs."""


def cosines(embeddings: NDArray[Any], pairs: Pairs) -> Floats:
    """Cosine of each pair's two embeddings, in float64; exactly 1 for a text and itself.

    Args:
        embeddings: shape (N, D), one row for each of ``pairs.texts``, any real dtype.
        pairs: P pairs of those rows.

    Returns:
        Shape (P,).

    Raises:
        CorpusError: another shape, or a row that is all zero or not finite.
    """
    check(embeddings)
    if len(embeddings) != len(pairs.texts):
        raise CorpusError(
            f"{len(embeddings):,} embeddings were given for the {len(pairs.texts):,} texts of "
            f"{pairs.name}."
        )
    found = np.empty(len(pairs.left))
    for start in range(0, len(found), _BLOCK):
        block = slice(start, start + _BLOCK)
        a = embeddings[pairs.left[block]].astype(np.float64)
        b = embeddings[pairs.right[block]].astype(np.float64)
        ab, aa, bb = (np.einsum("pd,pd->p", x, y) for x, y in ((a, b), (a, a), (b, b)))
        found[block] = ab / np.sqrt(aa * bb)
    return found


def sts(
    found: Floats,
    pairs: Pairs,
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> StsScore:
    """Spearman correlation of cosine and human rating, with a bootstrap interval.

    Args:
        found: shape (P,), the pairs' cosines as :func:`cosines` gives them.
        pairs: the P rated pairs.
        resamples: bootstrap draws, at least 1.
        seed: of the draws; the same seed gives the same interval.
        confidence: share of draws within the interval.

    Raises:
        CorpusError: cosines or ratings that are all the same, or pairs too few for an interval.
    """
    _ranked(found, pairs)
    unit, draws = _resamples(pairs, resamples, seed)
    drawn = np.concatenate([_spearman(found, pairs.scores, weights) for weights in draws])
    low, high = interval(drawn, confidence)
    return StsScore(
        spearman=100 * float(spearmanr(found, pairs.scores).statistic),
        ci_low=low,
        ci_high=high,
        pearson=100 * float(np.corrcoef(found, pairs.scores)[0, 1]),
        pairs=len(found),
        texts=len(pairs.texts),
        resampled=unit,
        resamples=int(np.isfinite(drawn).sum()),
        cosines=found,
    )


def correlations(
    found: Floats, pairs: Pairs, resamples: int = 1000, seed: int = 0
) -> tuple[Unit, Floats, Floats]:
    """What is drawn, and of each draw the Spearman and the Pearson correlation, both (B,).

    Raises:
        CorpusError: cosines or ratings that are all the same.
    """
    _ranked(found, pairs)
    unit, draws = _resamples(pairs, resamples, seed)
    ranks, values = [], []
    for weights in draws:
        ranks.append(_spearman(found, pairs.scores, weights))
        whole = weights.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore"):  # a draw that holds no pair has no correlation
            a, b = (x - (weights @ x)[:, None] / whole for x in (found, pairs.scores))
        values.append(_correlation(a, b, weights))
    return unit, np.concatenate(ranks), np.concatenate(values)


def compare(
    first: Floats,
    second: Floats,
    pairs: Pairs,
    *,
    names: tuple[str, str] = ("first", "second"),
    resamples: int = 1000,
    seed: int = 0,
) -> Difference:
    """Difference of two methods' scores on the same pairs, bootstrapped on the same draws.

    Args:
        first, second: shape (P,), the pairs' cosines under either, as :func:`cosines` gives them.
        pairs: the P rated pairs.
        names: what to call the two in a sentence.
        resamples: bootstrap draws, at least 1.
        seed: of the draws.

    Raises:
        CorpusError: as :func:`sts`, for either of the two.
    """
    (found,) = changes({names[0]: first}, second, pairs, names[1], resamples=resamples, seed=seed)
    return found


def changes(
    found: Mapping[str, Floats],
    base: Floats,
    pairs: Pairs,
    base_name: str,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Difference]:
    """Differences of many methods' scores to one's, all bootstrapped on the same draws.

    Where there are two or more, their p-values are corrected by Holm's method.

    Args:
        found: shape (P,) cosines by name.
        base: shape (P,), the cosines of the one that all are compared with.
        pairs: the P rated pairs.
        base_name: what to call it in a sentence.
        resamples: bootstrap draws, at least 1.
        seed: of the draws.

    Raises:
        CorpusError: as :func:`sts`, for any of them.
    """
    scores = pairs.scores
    for values in (base, *found.values()):
        _ranked(values, pairs)
    _, draws = _resamples(pairs, resamples, seed)
    drawn: dict[str, list[Floats]] = {name: [] for name in found}
    for weights in draws:
        human = _midranks(scores, weights)
        at_base = _correlation(_midranks(base, weights), human, weights)
        for name, values in found.items():
            correlation = _correlation(_midranks(values, weights), human, weights)
            drawn[name].append(correlation - at_base)
    plain = spearmanr(base, scores).statistic
    return corrected(
        [
            Difference(
                100 * float(spearmanr(values, scores).statistic - plain),
                *interval(np.concatenate(drawn[name])),
                len(scores),
                name,
                base_name,
                of=pairs.of,
                p=p_value(np.concatenate(drawn[name])),
            )
            for name, values in found.items()
        ]
    )


def _ranked(found: Floats, pairs: Pairs) -> Floats:
    """The cosines, if they and the ratings can be ranked at all."""
    for values, what in ((found, "cosine"), (pairs.scores, "rating")):
        if len(values) < 3 or (values == values[0]).all():
            raise CorpusError(
                f"The {len(values):,} pairs of {pairs.name} cannot be ranked: it takes 3 or more, "
                f"not all of the same {what}."
            )
    return found


def _resamples(pairs: Pairs, resamples: int, seed: int) -> tuple[Unit, Iterator[Floats]]:
    """What is drawn, and each pair's weight in each draw, in blocks of shape (b, P).

    Groups are the connected components of the graph of texts and pairs. If each is one pair,
    pairs are drawn; if there are at least 30 and the largest holds at most a tenth of the
    pairs, whole groups (the cluster bootstrap). Otherwise texts are drawn, and a pair counts
    the product of its texts' multiplicities: Owen 2007, "The pigeonhole bootstrap", whose
    variance errs on the large side.
    """
    n = len(pairs.texts)
    edges = coo_array((np.ones(len(pairs.left)), (pairs.left, pairs.right)), shape=(n, n))
    component = connected_components(edges, directed=False)[1][pairs.left]
    _, group, sizes = np.unique(component, return_inverse=True, return_counts=True)
    if sizes.max() == 1:
        return "pairs", _weights(len(sizes), (group,), resamples, seed)
    if len(sizes) >= 30 and sizes.max() <= 0.1 * len(group):
        return "groups", _weights(len(sizes), (group,), resamples, seed)
    return "texts", _weights(n, (pairs.left, pairs.right), resamples, seed)


def _weights(
    units: int, members: tuple[NDArray[np.int64], ...], resamples: int, seed: int
) -> Iterator[Floats]:
    """Draw ``units`` of ``units`` with replacement; multiply the counts of a pair's members."""
    rng = np.random.default_rng(seed)
    at_once = max(1, 1_000_000 // max(units, len(members[0])))
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        drawn = rng.integers(units, size=(rows, units)) + units * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units)
        yield np.prod([counts[:, member] for member in members], axis=0, dtype=np.float64)


def _spearman(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Spearman correlation, ties at their mean rank, of pairs repeated ``weights`` times.

    Args:
        x, y: shape (P,).
        weights: shape (b, P), whole numbers from 0.

    Returns:
        Shape (b,), NaN where a draw leaves only one value of ``x`` or ``y``.
    """
    return _correlation(_midranks(x, weights), _midranks(y, weights), weights)


def _correlation(a: Floats, b: Floats, weights: Floats) -> Floats:
    """Weighted correlation of centred ranks, each of shape (b, P): shape (b,)."""
    ab, aa, bb = (np.einsum("bp,bp,bp->b", weights, u, v) for u, v in ((a, b), (a, a), (b, b)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(ab / np.sqrt(aa * bb))


def _midranks(values: Floats, weights: Floats) -> Floats:
    """Mean ranks of values repeated ``weights`` times, less the mean of them all; (b, P)."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))
    totals = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.cumsum(totals, axis=1) - totals / 2
    ranks -= weights.sum(axis=1, keepdims=True) / 2
    return ranks[:, np.unique(values, return_inverse=True)[1]]
