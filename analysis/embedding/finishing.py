"""The last part of a method: the step after encoding, with what it is fitted on.

What is fitted is kept in memory, so that embeddings of a few texts at a time cost one fit.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..corpora import packaged, registry, sampling
from ..runtime.fair_lock import lock_for
from .encoder import Encoding, MethodEncoder
from .methods import Method
from .postprocessing import Fitted, Needs, postprocessing
from .unembedding_directions import directions

FITTED_ON = 500
"""Calibration texts that a post-processing is fitted on."""
Raw = Callable[[MethodEncoder, tuple[str, ...], bool], Encoding]
"""Encodes the calibration texts by an encoder without a post-processing, with norms if needed."""


def finished(encoder: MethodEncoder, encoding: Encoding, embed: Raw) -> Encoding:
    """Embeddings after their method's post-processing; unchanged where it has none.

    Args:
        encoder: the method's encoder.
        encoding: what its method gives without post-processing.
        embed: embeds the calibration texts where nothing is fitted yet.

    Returns:
        Rows of unit length, which is also the norm of each.

    Raises:
        CorpusError, BackboneError, OutOfMemory: what embedding the calibration texts raises, or
            reaching the unembedding.
    """
    if encoder.method.processing == "none":
        return encoding
    rows = _fitted(_Fit(encoder, embed))(_taken(encoder.method, encoding))
    return replace(encoding, embeddings=rows, norms=np.ones(len(rows), np.float32))


def calibration_texts() -> tuple[str, ...]:
    """The texts that post-processings are fitted on."""
    return sampling.sample(registry.load_texts(packaged.CALIBRATION), FITTED_ON, 0).texts


def _taken(method: Method, encoding: Encoding) -> NDArray[np.float32]:
    """The vectors (N, D) that a method's post-processing takes."""
    unit = postprocessing(method.processing).unit
    return encoding.embeddings if unit else encoding.pooled


def _calibration(encoder: MethodEncoder, embed: Raw) -> NDArray[np.float32]:
    """The vectors of the calibration texts."""
    norms = not postprocessing(encoder.method.processing).unit
    return _taken(encoder.method, embed(encoder.raw, calibration_texts(), norms))


_GIVEN: dict[Needs, Callable[[MethodEncoder, Raw], NDArray[np.float32]]] = {
    "calibration": _calibration,
    "unembedding": lambda encoder, _: directions(encoder.backbone),
}
"""What a step is fitted on, by what it needs."""


class _Fit:
    """A fit that equals those of encoders with the same identity."""

    def __init__(self, encoder: MethodEncoder, embed: Raw) -> None:
        self.encoder, self.embed = encoder, embed
        self.identity = f"{encoder.identity} {FITTED_ON}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Fit) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __call__(self) -> Fitted:
        with lock_for(f"fit {self.identity}"):
            step = postprocessing(self.encoder.method.processing)
            return step.fit(_GIVEN[step.needs](self.encoder, self.embed))


@lru_cache(maxsize=8)
def _fitted(fit: _Fit) -> Fitted:
    return fit()
