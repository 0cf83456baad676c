"""Methods on corpora: embed, post-process, measure, and keep what was found.

One call scores any methods on any kind of corpus: rated pairs, labelled texts, or queries with
documents. The methods share passes where they can, and measures keep their draws, so that any two
are compared in pairs afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora import packaged, registry, sampling
from ..corpora.types import Pairs, Retrieval, Texts
from ..embedding import cached_encoder
from ..embedding.methods import Method
from ..embedding.postprocessing import postprocessing
from ..embedding.prompts import Role
from ..errors import CorpusError
from ..evaluation import measures, similarity
from ..evaluation.measures import Measure
from ..rerouting.plan import Plan
from ..runtime.events import Progress, quiet
from ..storage import provenance as stored
from ..storage import result_store
from ..storage.provenance import Provenance

Corpus = Pairs | Texts | Retrieval
FITTED_ON = 500
"""Calibration texts that a post-processing is fitted on."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One method's measures on a corpus, the first the one to look at; ``of`` marks a part.

    ``cosines`` float64 (P,) are those of rated pairs, None on other corpora.
    """

    method: str
    corpus: str
    plan: Plan
    measures: tuple[Measure, ...]
    provenance: Provenance
    of: int | None = None
    texts_cut: int = 0
    cosines: NDArray[np.float64] | None = None

    def measure(self, name: str) -> Measure:
        """The measure called ``name``."""
        return next(measure for measure in self.measures if measure.name == name)


def measured(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[Method],
    *,
    processing: str = "none",
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> list[Measured]:
    """Measure each method on ``corpus``.

    Queries are prompted in the role Query, all other texts as Context; ``max_tokens`` cuts texts
    so that no prompt is longer. ``processing`` names a post-processing of
    :data:`analysis.embedding.postprocessing.POSTPROCESSINGS`, fitted for each method on
    :data:`FITTED_ON` calibration texts.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding and measuring raise; or texts without
            labels.
    """
    keys = [
        result_store.key(
            "measured",
            **backbone.identity,
            **method.identity,
            data=_digest(corpus),
            processing=processing,
            max_tokens=max_tokens,
            resamples=measures.RESAMPLES,
        )
        for method in methods
    ]
    here = backbone.provenance()
    found = {key: known for key in keys if (known := result_store.get(key)) is not None}
    missing = {key: method for key, method in zip(keys, methods, strict=True) if key not in found}
    if missing:
        parts = _vectors(backbone, corpus, list(missing.values()), processing, max_tokens, progress)
        for key, (vectors, cut) in zip(missing, parts, strict=True):
            of_corpus, arrays = _measures(corpus, vectors)
            facts = here.facts | {"cut": cut, "measures": _plain(of_corpus)}
            arrays |= {f"drawn {i}": m.drawn for i, m in enumerate(of_corpus)}
            result_store.put(key, facts, arrays)
            found[key] = facts | {"shipped": False}, arrays
    return [
        Measured(
            method.name,
            corpus.name,
            method.plan,
            tuple(
                Measure(**plain, drawn=found[key][1][f"drawn {i}"])
                for i, plain in enumerate(found[key][0]["measures"])
            ),
            stored.restored(found[key][0], here),
            corpus.of,
            found[key][0]["cut"],
            found[key][1].get("cosines"),
        )
        for key, method in zip(keys, methods, strict=True)
    ]


def _vectors(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[Method],
    processing: str,
    max_tokens: int | None,
    progress: Progress,
) -> list[tuple[list[NDArray[np.float32]], int]]:
    """For each request the embeddings of the corpus's parts, post-processed, and texts cut."""
    parts: list[tuple[Sequence[str], Role]] = (
        [(corpus.texts, "Context")]
        if not isinstance(corpus, Retrieval)
        else [(corpus.documents, "Context"), (corpus.queries, "Query")]
    )
    fit = postprocessing(processing).fit
    if processing != "none":
        calibration = sampling.sample(registry.load_texts(packaged.CALIBRATION), FITTED_ON, 0).texts
        parts.append((calibration, "Context"))
    embedded = [
        cached_encoder.embedded(
            backbone, texts, methods, role=role, max_tokens=max_tokens, progress=progress
        )
        for texts, role in parts
    ]
    out = []
    for of_request in zip(*embedded, strict=True):
        vectors = [part.embeddings for part in of_request]
        if processing != "none":
            process = fit(vectors.pop())
            vectors = [process(part) for part in vectors]
        cut = sum(part.texts_cut for part in of_request[: len(vectors)])
        out.append((vectors, cut))
    return out


def _measures(
    corpus: Corpus, vectors: Sequence[NDArray[np.float32]]
) -> tuple[list[Measure], dict[str, NDArray[Any]]]:
    """The measures that this kind of corpus has, and what else is kept."""
    match corpus:
        case Pairs():
            cosines = similarity.cosines(vectors[0], corpus)
            return measures.agreement(cosines, corpus), {"cosines": cosines}
        case Retrieval():
            return measures.retrieval(vectors[1], vectors[0], corpus.relevance), {}
    if corpus.labels is None:
        raise CorpusError(f"{corpus.name} has no labels to measure against; choose another corpus.")
    return measures.labelled(vectors[0], corpus.labels), {}


def _plain(found: Sequence[Measure]) -> list[dict[str, Any]]:
    """Measures without their draws, for JSON."""
    return [
        {name: value for name, value in vars(measure).items() if name != "drawn"}
        for measure in found
    ]


def _digest(corpus: Corpus) -> str:
    """What of a corpus decides numbers."""
    match corpus:
        case Pairs():
            rated = (corpus.left.tolist(), corpus.right.tolist(), corpus.scores.tolist())
            return result_store.digest("pairs", corpus.texts, *rated)
        case Retrieval():
            judged = [sorted(row.items()) for row in corpus.relevance]
            return result_store.digest("retrieval", corpus.queries, corpus.documents, judged)
    return result_store.digest("labelled", corpus.texts, corpus.labels)
