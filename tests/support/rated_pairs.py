"""Rated pairs whose structure or truth is known."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.corpora.types import Pairs
from analysis.evaluation.similarity import cosines


def pairs_of(left: Any, right: Any, scores: Any) -> Pairs:
    """Pairs of as many made-up texts as are named."""
    left, right = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
    texts = tuple(f"text {i}" for i in range(max(left.max(), right.max()) + 1))
    return Pairs("made", texts, left, right, np.asarray(scores, dtype=np.float64), "made up")


def disjoint(scores: NDArray[Any]) -> Pairs:
    """Pairs that share no text."""
    count = len(scores)
    return pairs_of(np.arange(count), np.arange(count, 2 * count), scores)


def fan(angles: NDArray[Any]) -> NDArray[np.float64]:
    """Embeddings whose i-th disjoint pair is ``angles[i]`` (radians) apart."""
    turned = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([np.tile([1.0, 0.0], (len(angles), 1)), turned])


def world(texts: int, seed: int) -> tuple[NDArray[np.float64], Pairs]:
    """All pairs of texts whose embeddings hold their meaning, which is rated, and noise."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(texts, 3))
    left, right = np.triu_indices(texts, 1)
    unrated = pairs_of(left, right, np.zeros(len(left)))
    embeddings = np.hstack([meaning, 0.7 * rng.normal(size=(texts, 3))])
    return embeddings, replace(unrated, scores=cosines(meaning, unrated))
