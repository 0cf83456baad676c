"""Test of a selection on held-out texts: where do a rule's layers rank among all windows?

The texts are halved many times. On one half every window is scored and the best is picked; on the
other half that pick, each rule's layers and all others are scored, so the best of many has no
advantage. An interval over halvings of one sample shows how much depends on the halving, not on the
sample: halvings overlap, and it is narrower than an interval over new texts would be.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..corpora.types import Pairs
from ..dimension import selection
from ..errors import CorpusError, PlanError
from ..evaluation import bootstrap
from ..evaluation.correlation import Weighted
from ..rerouting.layer_lists import Layers

Floats = NDArray[np.float64]
BEST = "best on the other half"


@dataclass(frozen=True)
class Range:
    """A mean and the 2.5% and 97.5% points around it."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Tested:
    """One choice of layers on held-out halves.

    ``score`` is Spearman x 100, ``gain`` that over re-routing nothing, ``rank`` 1 for the best of
    the ``windows`` (mid-ranks for ties). ``layers`` are, for the best of a half, those picked
    most often, and ``share`` how often. ``seen`` is the gain on the half that the layers were
    picked on.
    """

    name: str
    layers: Layers
    share: float
    windows: int
    score: Range
    gain: Range
    rank: Range
    seen: Range


@dataclass(frozen=True)
class Variability:
    """A rule over resampled calibration texts: its scores, and how often it makes each choice.

    ``unscored`` is the share of choices whose score was not computed.
    """

    score: Range
    shares: tuple[tuple[Layers, float], ...]
    unscored: float


def held_out(
    cosines: Mapping[Layers, Floats],
    pairs: Pairs,
    chosen: Mapping[str, Layers],
    *,
    splits: int = 200,
    seed: int = 0,
) -> list[Tested]:
    """Score each rule's layers, and the best window of the other half, on held-out halves.

    Args:
        cosines: shape (P,) by layers: all windows, re-routing nothing ``()``, and every choice.
        pairs: the P rated pairs.
        chosen: layers by the rule's name.
        splits: number of random halvings; each half is held out once.
        seed: seed of the halvings.

    Returns:
        One result for each rule, and last that of :data:`BEST`.

    Raises:
        PlanError: re-routing nothing, or a rule's choice, is not in ``cosines``.
        CorpusError: a half cannot be ranked.
    """
    for name, layers in {**chosen, "re-routing nothing": ()}.items():
        if layers not in cosines:
            raise PlanError(f"The layers {layers} of {name} were not scored; score them too.")
    plans = list(cosines)
    plain = plans.index(())
    windows = [i for i, plan in enumerate(plans) if i != plain]
    halves = Weighted(pairs.scores, _halves(pairs, splits, seed))
    scores = 100 * np.stack([halves.spearman(cosines[plan]) for plan in plans], axis=1)
    picked_on, drawn = scores, np.flip(scores.reshape(splits, 2, -1), axis=1).reshape(scores.shape)
    best = np.array(windows)[np.argmax(picked_on[:, windows], axis=1)]
    ranks = rankdata(-drawn[:, windows], axis=1)
    place = {index: column for column, index in enumerate(windows)}

    def tested(name: str, at: NDArray[np.int64], layers: Layers, share: float) -> Tested:
        rows = np.arange(len(drawn))
        score = drawn[rows, at]
        rank = np.array(
            [ranks[row, place[i]] if i in place else np.nan for row, i in enumerate(at)]
        )
        gain, seen = (half[rows, at] - half[:, plain] for half in (drawn, picked_on))
        return Tested(
            *(name, layers, share, len(windows)),
            *(_range(values) for values in (score, gain, rank, seen)),
        )

    results = [
        tested(name, np.full(len(drawn), plans.index(layers)), layers, 1.0)
        for name, layers in chosen.items()
    ]
    picked = np.bincount(best, minlength=len(plans))
    most_picked = int(picked.argmax())
    results.append(tested(BEST, best, plans[most_picked], float(picked[most_picked] / len(best))))
    return results


def variability(curves: Floats, rule: str, scores: Mapping[Layers, float]) -> Variability:
    """How a rule's choice and its score vary over resampled calibration curves (B, L).

    Args:
        curves: (B, L) float64, curves of resampled texts.
        rule: a key of :data:`analysis.dimension.selection.RULES`.
        scores: the score of each choice of layers that was computed.

    Raises:
        PlanError: there is no such rule, or none of its choices has a score.
    """
    counts: dict[Layers, int] = {}
    for curve in curves:
        layers = selection.select(curve, rule)
        counts[layers] = counts.get(layers, 0) + 1
    scored = {layers: count for layers, count in counts.items() if layers in scores}
    if not scored:
        raise PlanError(f"None of the layers that {rule} chooses was scored; score them first.")
    drawn = np.repeat([scores[layers] for layers in scored], list(scored.values()))
    shares = sorted(((k, n / len(curves)) for k, n in counts.items()), key=lambda kn: -kn[1])
    return Variability(
        _range(drawn.astype(np.float64)), tuple(shares), 1 - sum(scored.values()) / len(curves)
    )


def _range(values: Floats) -> Range:
    if not np.isfinite(values).any():
        return Range(float("nan"), float("nan"), float("nan"))
    low, high = np.nanquantile(values, [0.025, 0.975])
    return Range(float(np.nanmean(values)), float(low), float(high))


def _halves(pairs: Pairs, splits: int, seed: int) -> Floats:
    """Which pairs lie in either half of the texts, 0 or 1; groups that share texts stay together.

    Returns:
        Shape (2 * splits, P), the two halves of each split in sequence.

    Raises:
        CorpusError: a half cannot be ranked.
    """
    texts = len(pairs.texts)
    of_text = bootstrap.components(pairs.left, pairs.right, texts)
    groups = int(of_text.max()) + 1
    if (
        groups < bootstrap.FEW_GROUPS
    ):  # all texts are connected: pairs across the halves are left out
        groups, of_text = texts, np.arange(texts)
    rng = np.random.default_rng(seed)
    halves = []
    for _ in range(splits):
        side = np.zeros(groups, bool)
        side[rng.permutation(groups)[: groups // 2]] = True
        left, right = side[of_text[pairs.left]], side[of_text[pairs.right]]
        for half in (left & right, ~left & ~right):
            if half.sum() < 3 or np.ptp(pairs.scores[half]) == 0:
                raise CorpusError(
                    f"{pairs.name} has too few pairs to halve; score the windows on more."
                )
            halves.append(half)
    return np.array(halves, dtype=np.float64)
