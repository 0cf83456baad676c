"""Two spaces of the same texts, compared text by text through neighbourhoods alone.

Neighbourhoods can be compared between any spaces: of two methods, two plans, or two backbones whose
embeddings have different sizes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..corpora.types import Pairs
from ..errors import CorpusError
from ..evaluation import comparison, isotropy, labelled
from ..evaluation.comparison import Difference
from ..evaluation.isotropy import Geometry
from ..evaluation.measures import Measure
from ..runtime.events import Progress, quiet
from . import neighbours
from .neighbours import Nearest

Floats = NDArray[np.float64]
NEAREST, WIDER, VOTES = 10, 50, 5
"""Neighbours that are compared, those that break ties, and those that vote for a label."""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the spaces: its neighbourhoods, its shape, and the trustworthiness of its map.

    ``accuracy`` is None without labels, or where they cannot be measured.
    """

    nearest: Nearest
    coordinates: int
    shape: Geometry
    trust: float
    accuracy: Measure | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """Both spaces, and how much of each text's neighbourhood is the same in both.

    ``kept`` (N,) is the share of each text's nearest neighbours that stay, ``chance`` its expected
    value between unrelated spaces, ``kept_wider`` (N,) the share among the ``wider`` nearest, which
    are at most half of the texts. ``difference`` is right minus left in label accuracy; where
    labels cannot be measured, ``refusal`` says why.
    """

    left: Side
    right: Side
    kept: Floats
    chance: float
    kept_wider: Floats
    wider: int
    difference: Difference | None
    refusal: str

    @property
    def most_moved(self) -> NDArray[np.intp]:
        """Rows of the texts, fewest kept neighbours first, ties broken by the wider ones, (N,)."""
        return np.lexsort((self.kept_wider, self.kept))


def compare(
    left: NDArray[np.floating],
    right: NDArray[np.floating],
    maps: tuple[Floats, Floats],
    labels: Sequence[str] | None = None,
    *,
    of: int | None = None,
    progress: Progress = quiet,
) -> Comparison:
    """Compare the embeddings (N, D) and (N, E) of the same texts in the same order.

    Args:
        left: (N, D) embeddings, any float type.
        right: (N, E) embeddings of the same texts.
        maps: their projections, (N, 2) each.
        labels: one for each text, if there are any.
        of: size of the full corpus, if the texts are a part of it.
        progress: counts steps.

    Raises:
        CorpusError: fewer than three texts, or embeddings that are not finite or all zero.
        ValueError: the spaces do not hold the same number of texts.
    """
    if len(left) != len(right):
        raise ValueError(f"{len(left)} and {len(right)} texts cannot be compared one to one")
    k = min(NEAREST, len(left) - 1)
    wider = max(k, min(WIDER, len(left) // 2))
    accuracies: list[Measure] = []
    refusal = ""
    wide: list[Nearest] = []
    sides: list[Side] = []
    for number, (embeddings, points) in enumerate(zip((left, right), maps, strict=True)):
        progress(3 * number, 6)
        wide.append(neighbours.nearest(embeddings, wider))
        near = Nearest(wide[-1].rows[:, :k], wide[-1].cosines[:, :k])
        progress(3 * number + 1, 6)
        shape = isotropy.geometry(embeddings)
        progress(3 * number + 2, 6)
        trust = neighbours.trust(embeddings, points, NEAREST)
        accuracy = None
        if labels:
            try:
                accuracy = _accuracy(embeddings, labels)
                accuracies.append(accuracy)
            except CorpusError as error:
                refusal = str(error)
        sides.append(Side(near, embeddings.shape[1], shape, trust, accuracy))
    difference = None
    if len(accuracies) == 2:
        left_accuracy, right_accuracy = accuracies
        names = "the right", "the left"
        difference = comparison.difference(right_accuracy, left_accuracy, names, of)
    return Comparison(
        sides[0],
        sides[1],
        neighbours.shared(sides[0].nearest.rows, sides[1].nearest.rows),
        k / (len(left) - 1),
        neighbours.shared(wide[0].rows, wide[1].rows),
        wider,
        difference,
        refusal,
    )


def _accuracy(embeddings: NDArray[Any], labels: Sequence[str]) -> Measure:
    from sklearn import config_context

    with config_context(working_memory=neighbours.MEGABYTES):
        return labelled.neighbours(embeddings, labels, k=VOTES)


def mean_ratings(pairs: Pairs, texts: Sequence[str]) -> Floats:
    """The mean rating of the pairs that contain each text.

    Args:
        pairs: rated pairs.
        texts: N texts of them.

    Returns:
        Shape (N,), float64, on the scale of the ratings.

    Raises:
        CorpusError: a text is in no pair.
    """
    place = {text: i for i, text in enumerate(pairs.texts)}
    if any(text not in place for text in texts):
        raise CorpusError(f"Some of these texts are in no rated pair of {pairs.name}.")
    ends = np.concatenate([pairs.left, pairs.right])
    sums = np.bincount(ends, np.tile(pairs.scores, 2), len(pairs.texts))
    means = sums / np.bincount(ends, minlength=len(pairs.texts))
    return np.asarray(means[[place[text] for text in texts]])
