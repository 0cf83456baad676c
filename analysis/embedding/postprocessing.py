"""What may be done to embeddings afterwards, fitted on calibration texts only.

The space of a frozen decoder is a narrow cone: centring removes the direction all texts share,
whitening also evens out how far the texts spread in each direction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError, PlanError

PostprocessingName = Literal["none", "centre", "whiten"]
Vectors = NDArray[np.float32]
Fitted = Callable[[Vectors], Vectors]
"""Embeddings (N, D) to embeddings float32 (N, D) of unit length."""


@dataclass(frozen=True)
class Postprocessing:
    """A named step after encoding; ``fit`` takes calibration embeddings (M, D)."""

    name: str
    summary: str
    fit: Callable[[Vectors], Fitted]


def _unit(vectors: NDArray[Any]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)


def _centre(calibration: Vectors) -> Fitted:
    mean = _enough(calibration).astype(np.float64).mean(axis=0)
    return lambda vectors: _unit(vectors - mean)


def _whiten(calibration: Vectors) -> Fitted:
    from sklearn.covariance import ledoit_wolf  # takes a second, not needed to name the steps

    wide = _enough(calibration).astype(np.float64)
    mean = wide.mean(axis=0)
    # Fewer texts than directions leave most variances at nothing, which whitening would blow up;
    # Ledoit and Wolf (2004) say how far to shrink the covariance towards a sphere.
    covariance, _ = ledoit_wolf(wide)
    values, vectors = np.linalg.eigh(covariance)
    turn = vectors / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny))
    return lambda found: _unit((found - mean) @ turn)


def _enough(calibration: Vectors) -> Vectors:
    if len(calibration) < 2 or (calibration == calibration[0]).all():
        raise CorpusError("A post-processing is fitted on 2 or more different calibration texts.")
    return calibration


POSTPROCESSINGS = {
    step.name: step
    for step in (
        Postprocessing("none", "the embeddings as they are", lambda _: lambda vectors: vectors),
        Postprocessing("centre", "the calibration texts' mean is subtracted", _centre),
        Postprocessing(
            "whiten",
            "centred, with the same variance in all directions (shrunk covariance)",
            _whiten,
        ),
    )
}


def postprocessing(name: str) -> Postprocessing:
    """The post-processing called ``name``.

    Raises:
        PlanError: there is none.
    """
    if name not in POSTPROCESSINGS:
        raise PlanError(
            f"There is no post-processing {name!r}; choose one of {', '.join(POSTPROCESSINGS)}."
        )
    return POSTPROCESSINGS[name]
