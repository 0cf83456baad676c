"""Steps after encoding, fitted on calibration texts only, or taken from the unembedding.

The space of a frozen decoder is a narrow cone. Centring removes the direction that all texts share
(https://arxiv.org/abs/1702.01417); whitening also gives every direction the same variance
(https://arxiv.org/abs/2103.15316). The filter keeps the middle directions of the unembedding and
drops those that the vocabulary uses most and least (EmbFilter, https://arxiv.org/abs/2606.07502).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import CorpusError, PlanError, quoted
from ..runtime.lookup import by_name

PostprocessingName = Literal[
    "none",
    "centre",
    "whiten",
    "standardise",
    "unembedding-filter",
    "unembedding-filter-quarter",
    "unembedding-filter-eighth",
]
Needs = Literal["calibration", "unembedding"]
Vectors = NDArray[np.float32]
Fitted = Callable[[Vectors], Vectors]
"""Maps embeddings (N, D) to embeddings float32 (N, D) of unit length, or of fewer channels."""


@dataclass(frozen=True)
class Postprocessing:
    """A named step after encoding.

    Attributes:
        name: its name.
        summary: what it does, in a few words.
        fit: takes what it needs: calibration embeddings (M, D), or the directions of the
            unembedding, rows (D, D) by falling singular value.
        needs: which of the two.
        ratio: the channels of an embedding before it for each one after it.
        unit: whether it takes embeddings of unit length; else vectors as they were pooled.
    """

    name: str
    summary: str
    fit: Callable[[Vectors], Fitted]
    needs: Needs = "calibration"
    ratio: int = 1
    unit: bool = True


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


def _standardise(calibration: Vectors) -> Fitted:
    wide = _checked(calibration).astype(np.float64)
    mean, deviation = wide.mean(axis=0), wide.std(axis=0, ddof=1)
    varies = deviation > 1e-5 * np.abs(wide).max(axis=0)  # more than rounding
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=varies)
    return lambda vectors: _unit((vectors - mean) * scale)


def _checked(calibration: Vectors) -> Vectors:
    if len(calibration) < 2 or (calibration == calibration[0]).all():
        raise CorpusError("A post-processing is fitted on 2 or more different calibration texts.")
    return calibration


def unembedding_filter(ratio: int) -> Callable[[Vectors], Fitted]:
    """The filter of the unembedding that keeps one channel of ``ratio``.

    Of D directions by falling singular value, k = D // ratio are kept from the (D - k) // 2-th on,
    as in the authors' code (EmbFilter, https://arxiv.org/abs/2606.07502). The map is linear, so
    token states that are filtered and then pooled give the same.

    Args:
        ratio: at least 1.

    Returns:
        Takes the directions float32 (D, D), see :func:`.unembedding_directions.directions`.

    Raises:
        PlanError: the ratio is no whole number of at least 1; when it is fitted, nothing is left.
    """
    if type(ratio) is not int or ratio < 1:
        raise PlanError(
            f"A filter keeps one channel of a whole number of at least 1, not {quoted(ratio)}."
        )

    def fit(directions: Vectors) -> Fitted:
        channels = len(directions)
        kept = channels // ratio
        if not kept:
            raise PlanError(f"One channel of {ratio} of {channels} is none; take a lower ratio.")
        first = (channels - kept) // 2
        middle = directions[first : first + kept].astype(np.float64)
        return lambda vectors: _unit(vectors.astype(np.float64) @ middle.T)

    return fit


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
        Postprocessing(
            "standardise",
            "each channel, before vectors get unit length, less its mean and over its deviation",
            _standardise,
            unit=False,
        ),
        *(
            Postprocessing(
                f"unembedding-filter{suffix}",
                f"the middle {share} of the unembedding's directions is kept, the others dropped",
                unembedding_filter(ratio),
                "unembedding",
                ratio,
            )
            for suffix, share, ratio in (
                ("", "half", 2),
                ("-quarter", "quarter", 4),
                ("-eighth", "eighth", 8),
            )
        ),
    )
}


def postprocessing(name: str) -> Postprocessing:
    """The post-processing called ``name``.

    Raises:
        PlanError: there is none.
    """
    return by_name(POSTPROCESSINGS, name, "post-processing")
