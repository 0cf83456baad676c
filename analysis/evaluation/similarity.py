"""How well embeddings agree with human ratings of pairs of texts.

The score is the rank correlation (Spearman) of cosine and rating; the linear correlation (Pearson)
comes with it. Which units the bootstrap draws depends on which pairs share texts, see
:func:`analysis.evaluation.bootstrap.of_pairs`.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from ..corpora.types import Pairs
from ..errors import CorpusError
from . import bootstrap, correlation
from .bootstrap import DRAWS
from .correlation import Weighted
from .measures import Draws, Measure, measure
from .vectors import check

Floats = NDArray[np.float64]

SPEARMAN, PEARSON = "Spearman", "Pearson"
_BLOCK = 1024  # pairs handled at a time, since all would fill the memory
_DRAWN = 64  # draws handled at a time: few enough for the processor's cache
_CACHED = 100 * 1024**2  # bytes of ranked draws of one corpus that are kept for the next method


def cosines(embeddings: NDArray[np.floating], pairs: Pairs) -> Floats:
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
    out = np.empty(len(pairs.left))
    for start in range(0, len(out), _BLOCK):
        block = slice(start, start + _BLOCK)
        a = embeddings[pairs.left[block]].astype(np.float64)
        b = embeddings[pairs.right[block]].astype(np.float64)
        ab, aa, bb = (np.einsum("pd,pd->p", x, y) for x, y in ((a, b), (a, a), (b, b)))
        out[block] = ab / np.sqrt(aa * bb)  # unit vectors would add rounding errors
    return out


def check_ranks(values: Floats, kind: str, name: str) -> None:
    """Refuse values of pairs that have no order.

    Args:
        values: shape (P,), one for each pair.
        kind: what they are, for the error.
        name: of the pairs.

    Raises:
        CorpusError: there are fewer than 3, or all are the same.
    """
    if len(values) < 3 or (values == values[0]).all():
        raise CorpusError(
            f"The {len(values):,} pairs of {name} cannot be ranked: it takes 3 or more, not all "
            f"of the same {kind}."
        )


def agreement(cosines: Floats, pairs: Pairs, *, draws: int = DRAWS, seed: int = 0) -> list[Measure]:
    """Spearman and Pearson correlation of cosines with the pairs' human ratings.

    Args:
        cosines: shape (P,), as :func:`cosines` gives them.
        pairs: the P rated pairs.
        draws: number of bootstrap draws, at least 1.
        seed: seed of the draws; the same seed gives the same interval.

    Raises:
        CorpusError: cosines or ratings that are all the same, or pairs too few for an interval.
    """
    check_ranks(cosines, "cosine", pairs.name)
    check_ranks(pairs.scores, "rating", pairs.name)
    resampled = bootstrap.of_pairs(pairs).things
    ranks: list[Floats] = []
    linear: list[Floats] = []
    for block in _blocks(pairs, draws, seed):
        ranks.append(block.spearman(cosines))
        linear.append(block.pearson(cosines))
    data = len(cosines), "pairs", resampled
    return [
        measure(name, point(cosines, pairs.scores), np.concatenate(drawn), *data)
        for name, point, drawn in (
            (SPEARMAN, correlation.spearman, ranks),
            (PEARSON, correlation.pearson, linear),
        )
    ]


def restored(stored: Iterable[dict[str, object]], cosines: Floats, pairs: Pairs) -> list[Measure]:
    """Measures as :func:`agreement` gave them, from their plain data; draws when needed.

    Draws are computed again from the cosines, to the same numbers: they take more memory than the
    cosines, and a search over hundreds of plans reads few of them.

    Args:
        stored: :meth:`analysis.evaluation.measures.Measure.to_dict` of each.
        cosines: shape (P,), the cosines that were measured.
        pairs: the P rated pairs.
    """
    return [
        Measure(**fields, source=partial(_drawn, str(fields["name"]), cosines, pairs))  # type: ignore[arg-type]
        for fields in stored
    ]


def _drawn(name: str, cosines: Floats, pairs: Pairs) -> Draws:
    """The draws of one of the two measures."""
    blocks = _blocks(pairs, DRAWS, 0)
    correlate = Weighted.spearman if name == SPEARMAN else Weighted.pearson
    return np.concatenate([correlate(block, cosines) for block in blocks]).astype(np.float32)


def _blocks(pairs: Pairs, draws: int, seed: int) -> Iterable[Weighted]:
    """The ratings ranked in every draw; small results are kept for the next call."""
    if 2 * 4 * len(pairs.scores) * draws > _CACHED:
        return _ranked(pairs, draws, seed)
    sides = (pairs.left.tobytes(), pairs.right.tobytes(), pairs.scores.tobytes())
    return _cached(*sides, len(pairs.texts), draws, seed)


@lru_cache(maxsize=2)
def _cached(
    left: bytes, right: bytes, scores: bytes, texts: int, draws: int, seed: int
) -> tuple[Weighted, ...]:
    """The same for pairs given by their contents, so that equal pairs share it."""
    first, second = (np.frombuffer(side, np.int64) for side in (left, right))
    bare = Pairs("", ("",) * texts, first, second, np.frombuffer(scores), "")
    return tuple(_ranked(bare, draws, seed))


def _ranked(pairs: Pairs, draws: int, seed: int) -> Iterator[Weighted]:
    for weights in bootstrap.of_pairs(pairs).weights(draws, seed, at_once=_DRAWN):
        yield Weighted(pairs.scores, weights, np.float32)
