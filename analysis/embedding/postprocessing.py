"""Steps after encoding, fitted on calibration texts only.

The space of a frozen decoder is a narrow cone. Centring removes the direction that all texts share
(https://arxiv.org/abs/1702.01417); whitening also gives every direction the same variance
(https://arxiv.org/abs/2103.15316).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError
from ..runtime.lookup import by_name

PostprocessingName = Literal["none", "centre", "whiten"]
Vectors = NDArray[np.float32]
Fitted = Callable[[Vectors], Vectors]
"""Maps embeddings (N, D) to embeddings float32 (N, D) of unit length."""


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
    mean = _checked(calibration).astype(np.float64).mean(axis=0)
    return lambda vectors: _unit(vectors - mean)


def _whiten(calibration: Vectors) -> Fitted:
    from sklearn.covariance import ledoit_wolf  # takes a second, not needed to name the steps

    wide = _checked(calibration).astype(np.float64)
    mean = wide.mean(axis=0)
    # With fewer texts than directions most variances are 0, and whitening would divide by them. So
    # the covariance is shrunk towards a sphere (Ledoit & Wolf 2004,
    # https://doi.org/10.1016/S0047-259X(03)00096-4).
    covariance, _ = ledoit_wolf(wide)
    values, vectors = np.linalg.eigh(covariance)
    whitening = vectors / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny))
    return lambda embeddings: _unit((embeddings - mean) @ whitening)


def _checked(calibration: Vectors) -> Vectors:
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
    return by_name(POSTPROCESSINGS, name, "post-processing")
