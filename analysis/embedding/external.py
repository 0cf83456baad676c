"""Embeddings that no backbone computes: vectors made elsewhere stand beside the methods.

An :class:`External` has what scores, maps and tables ask of a method: a name, an identity that keys
caches, and vectors of texts. :class:`Precomputed` looks them up by the text.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..corpora import packaged
from ..corpora.text_lists import as_texts
from ..errors import CorpusError, PlanError, quoted
from ..rerouting.plan import PLAIN, Plan
from ..runtime.events import Progress, quiet
from ..runtime.lookup import by_name
from ..storage import provenance, result_store
from ..storage.provenance import Provenance
from . import finishing
from .encoder import Encoding
from .external_names import check_name
from .methods import Method
from .postprocessing import POSTPROCESSINGS, PostprocessingName, postprocessing
from .prompts import Role
from .vector_rows import as_rows, unit_rows

ALIKE = 1e-3
"""How far the unit vectors of one text given twice may differ, number by number."""
_BLOCK = 4096  # rows handled at a time


class MissingVectorError(CorpusError):
    """Texts have no vectors among those that were made elsewhere."""


class External(ABC):
    """Vectors of texts that a backbone does not compute; no plan changes them.

    Attributes:
        name: what it is called beside the methods.
        summary: what it is, in a sentence.
    """

    name: str
    summary: str
    plan: Plan = PLAIN
    reroutes = False
    has_plan = False
    processing: PostprocessingName

    def under(self, plan: Plan) -> "External":
        """Itself: there is nothing to re-route."""
        del plan
        return self

    def planned(self, plan: Plan) -> "External":
        """Itself, as :meth:`under`."""
        return self.under(plan)

    @abstractmethod
    def processed(self, processing: PostprocessingName) -> "External":
        """Itself with a step after encoding, where it has none."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """A digest of all that decides the vectors."""

    @property
    @abstractmethod
    def source(self) -> str:
        """Where the vectors are from, in words that stand in place of a backbone's name."""

    @property
    def identity(self) -> dict[str, Any]:
        """What decides a number, as plain data, in place of the backbone's and a method's."""
        return {"external": self.digest}

    @property
    def provenance(self) -> Provenance:
        """The provenance of what is computed from the vectors now."""
        return provenance.now(backbone=self.source, weights=self.digest, dtype="float32", device="")

    @abstractmethod
    def raw(
        self, texts: Sequence[str], progress: Progress = quiet
    ) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        """The vectors (N, D) of N texts before any step after encoding, and tokens cut off each."""

    def encode(
        self, texts: Iterable[str], *, role: Role = "Context", progress: Progress = quiet
    ) -> Encoding:
        """The vectors of N texts, after the step that is fitted on the calibration texts.

        Args:
            texts: N texts, in any collection that ``as_texts`` reads.
            role: makes no difference.
            progress: counts texts where they are computed.

        Raises:
            CorpusError: there is no text.
            MissingVectorError: a text has no vector, or a calibration text where there is a step.
        """
        del role
        wanted = as_texts(texts)
        if not wanted:
            raise CorpusError("There is no text to encode; give at least one.")
        rows, cut = self.raw(wanted, progress)
        if self.processing != "none":
            _check_step(self)
            try:
                calibration, _ = self.raw(finishing.calibration_texts(), progress)
            except MissingVectorError as error:
                raise MissingVectorError(
                    f"The step {self.processing} is fitted on {finishing.FITTED_ON} texts of "
                    f"{packaged.CALIBRATION}, and {error}"
                ) from None
            rows = postprocessing(self.processing).fit(calibration)(rows)
        return Encoding(rows, None, cut, self.provenance)

    def bound(self, corpus: str, texts: Sequence[str] | None) -> "External":
        """Itself, with the rows of vectors without texts taken as those of ``texts``.

        Args:
            corpus: name of the corpus, for an error.
            texts: the texts in the corpus's own order; None where they are no single list.
        """
        del corpus, texts
        return self


def _check_step(vectors: External) -> None:
    """Refuse a step that needs more than vectors.

    Raises:
        PlanError: it needs a backbone.
    """
    if postprocessing(vectors.processing).needs != "calibration":
        raise PlanError(
            f"The step {vectors.processing} needs a backbone's unembedding, and {vectors.name} are "
            "vectors made elsewhere; choose centre or whiten."
        )


MethodOrVectors: TypeAlias = Method | External
"""A way from texts to vectors that can be scored and mapped."""


@dataclass(frozen=True, eq=False)
class Precomputed(External):
    """Vectors made elsewhere, one for each of some texts, which are matched by the text itself.

    Rows are scaled to unit length, as those of every method are. A text that is given more than
    once has the vector of its first row.

    Attributes:
        name: what they are called beside the methods.
        vectors: float32 (N, D), unit length. Any array of real numbers is taken, and a column of
            Arrow, datasets, pandas or polars.
        texts: their N texts; None for those of a corpus in its own order, see :meth:`bound`.
        origin: where they are from, such as the name of a file.
        processing: the step after encoding, fitted on calibration texts, which need vectors then.

    Raises:
        CorpusError: the vectors are not N rows of as many numbers, one has no direction, there are
            not as many texts, or one text has different vectors.
    """

    name: str
    vectors: NDArray[np.float32]
    texts: tuple[str, ...] | None = None
    origin: str = "an array"
    processing: PostprocessingName = "none"

    def __post_init__(self) -> None:
        check_name(self.name)
        by_name(POSTPROCESSINGS, self.processing, "post-processing")
        rows = unit_rows(self.name, as_rows(self.name, self.vectors))
        object.__setattr__(self, "vectors", rows)
        if self.texts is None:
            return
        object.__setattr__(self, "texts", as_texts(self.texts))
        if len(self.texts) != len(rows):
            raise CorpusError(
                f"{self.name} has {len(rows):,} vectors and {len(self.texts):,} texts; give one "
                "text for each vector."
            )
        first = np.array([self._places[text] for text in self.texts])
        apart = np.flatnonzero(first != np.arange(len(rows)))
        for start in range(0, len(apart), _BLOCK):
            again = apart[start : start + _BLOCK]
            unlike = (np.abs(rows[again] - rows[first[again]]) > ALIKE).any(axis=1)
            if unlike.any():
                row = int(again[np.argmax(unlike)])
                raise CorpusError(
                    f"{self.name} has different vectors for one text, in rows {first[row] + 1:,} "
                    f"and {row + 1:,}: {quoted(self.texts[row])}; keep one of them."
                )

    @property
    def summary(self) -> str:  # type: ignore[override]
        """What they are, in a sentence."""
        return f"{self.source[:1].upper()}{self.source[1:]}."

    @cached_property
    def digest(self) -> str:
        """A digest of the vectors and their texts."""
        vectors = hashlib.sha256(np.ascontiguousarray(self.vectors).data).hexdigest()
        return result_store.digest(self.vectors.shape, vectors, list(self.texts or ()))

    @property
    def source(self) -> str:
        """The file, the dimension and the digest, such as ``vectors from e5.npy, ...``."""
        return (
            f"vectors from {self.origin}, dimension {self.vectors.shape[1]:,}, digest "
            f"{self.digest[:12]}"
        )

    @cached_property
    def _places(self) -> dict[str, int]:
        """The first row of each text."""
        texts = self.texts or ()
        return {text: len(texts) - 1 - row for row, text in enumerate(reversed(texts))}

    def bound(self, corpus: str, texts: Sequence[str] | None) -> "Precomputed":
        """The vectors with ``texts`` if they have none.

        Args:
            corpus: name of the corpus, for an error.
            texts: the texts in the corpus's own order; None where they are no single list.

        Raises:
            CorpusError: there are more or fewer of them, or they are no single list.
        """
        if self.texts is not None:
            return self
        if texts is None:
            raise CorpusError(
                f"{self.name} needs the texts of its vectors: {corpus} has queries and documents, "
                "which have no order together."
            )
        if len(texts) != len(self.vectors):
            raise CorpusError(
                f"{self.name} has {len(self.vectors):,} vectors without texts, and {corpus} has "
                f"{len(texts):,} texts: give a file of their texts, or one vector for each text "
                "of the corpus in its own order."
            )
        return replace(self, texts=tuple(texts))

    def processed(self, processing: PostprocessingName) -> "Precomputed":
        """The vectors with a step after encoding, where they have none."""
        return replace(self, processing=processing) if self.processing == "none" else self

    def raw(
        self, texts: Sequence[str], progress: Progress = quiet
    ) -> tuple[NDArray[np.float32], tuple[int, ...]]:
        """The vectors (N, D) of N texts, found by the text itself; nothing is cut.

        Raises:
            MissingVectorError: a text has no vector.
        """
        del progress
        lacking = [text for text in dict.fromkeys(texts) if text not in self._places]
        if lacking:
            raise MissingVectorError(
                f"{self.name} has no vector for {len(lacking):,} of {len(set(texts)):,} texts, "
                f"the first of them {quoted(lacking[0])}; texts are matched character by character."
            )
        return self.vectors[[self._places[text] for text in texts]], (0,) * len(texts)


def check_names(methods: Iterable[MethodOrVectors]) -> None:
    """Refuse two vectors of one name.

    Raises:
        CorpusError: two have the same.
    """
    names = [each.name for each in methods if isinstance(each, External)]
    for name in names:
        if names.count(name) > 1:
            raise CorpusError(f"Two vectors are called {quoted(name)}; give each another name.")
