"""Scores of methods on corpora: encode, post-process, measure, and store the result.

One function scores any methods on any kind of corpus: rated pairs, labelled texts, or queries with
documents. Methods share passes where they can; their measures use the same bootstrap draws, so that
any two are compared in pairs (:mod:`analysis.evaluation.comparison`). Stored scores are read, and
equal those that would be computed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora import packaged, registry, sampling
from ..corpora.types import Pairs, Retrieval, Texts
from ..embedding import cached_encoder
from ..embedding.cached_encoder import CachedEncoder
from ..embedding.checks import check_method
from ..embedding.encoder import MethodEncoder
from ..embedding.methods import METHODS, Method
from ..embedding.postprocessing import postprocessing
from ..embedding.prompts import Role
from ..errors import CorpusError
from ..evaluation import labelled, retrieval, similarity
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import result_store
from .score_result import Corpus, Score, note_of
from .score_store import keys_of, store, stored


class Vectors(NamedTuple):
    """Embeddings float32 (N, D) to be scored, and how many of their texts were cut."""

    rows: NDArray[np.float32]
    texts_cut: int


FITTED_ON = 500
"""Calibration texts that a post-processing is fitted on."""
OPENING_METHODS = tuple(name for name in METHODS if name != "meta-eol")
"""What the page opens with: all but the one whose eight long prompts take longer than the rest."""


def score(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[Method],
    *,
    processing: str = "none",
    max_tokens: int | None = None,
    traced: bool = False,
    progress: Progress = quiet,
) -> list[Score]:
    """Score methods on a corpus; stored scores are read.

    Queries are prompted in the role Query, all other texts as Context.

    Args:
        backbone: the decoder.
        corpus: rated pairs, labelled texts, or queries with documents.
        methods: each with its plan.
        processing: a post-processing of
            :data:`analysis.embedding.postprocessing.POSTPROCESSINGS`, fitted for each method on
            :data:`FITTED_ON` calibration texts.
        max_tokens: texts are cut so that no prompt is longer.
        traced: keep one plain pass over rated pairs in memory, so that the next plan costs only
            the layers from its first one on: right for a page, wasteful for a single score.
        progress: counts texts.

    Returns:
        One for each method, in their order.

    Raises:
        CorpusError: texts without labels, or too few to measure.
        PlanError: a plan that does not fit the backbone, or no such post-processing.
        BackboneError: what encoding raises.
    """
    check_corpus(corpus)
    for method in methods:
        check_method(backbone, method)
    keys = keys_of(backbone, corpus, methods, processing, max_tokens)
    known = stored(backbone, corpus, dict(zip(keys, methods, strict=True)))
    missing = {key: method for key, method in zip(keys, methods, strict=True) if key not in known}
    if missing:
        request = next(iter(missing)) if len(missing) == 1 else result_store.digest([*missing])
        with lock_for(request):
            known |= stored(backbone, corpus, missing)  # scored by another visit meanwhile
            missing = {key: method for key, method in missing.items() if key not in known}
            if missing:
                new_methods = list(missing.values())
                traced = traced and processing == "none" and max_tokens is None
                if traced and isinstance(corpus, Pairs):
                    vectors = [_traced(backbone, corpus, each, progress) for each in new_methods]
                else:
                    vectors = _vectors(
                        backbone, corpus, new_methods, processing, max_tokens, progress
                    )
                for (key, method), texts_vectors in zip(missing.items(), vectors, strict=True):
                    known[key] = measured(backbone, corpus, method, texts_vectors)
                    store(key, known[key])
    return [known[key] for key in keys]


def check_corpus(corpus: Corpus) -> None:
    """Refuse a corpus that no method can be scored on, before anything is encoded.

    Raises:
        CorpusError: ratings that are all the same, texts without labels, or too few to measure.
    """
    match corpus:
        case Pairs():
            similarity.check_ranks(corpus.scores, "rating", corpus.name)
        case Texts():
            labelled.codes(_labels(corpus))


def _labels(corpus: Texts) -> tuple[str, ...]:
    if corpus.labels is None:
        raise CorpusError(f"{corpus.name} has no labels to measure against; choose another corpus.")
    return corpus.labels


def measured(backbone: Backbone, corpus: Corpus, method: Method, parts: Sequence[Vectors]) -> Score:
    """The measures of embeddings, by the kind of corpus; stores nothing.

    Args:
        backbone: the decoder that encoded.
        corpus: the corpus that was encoded.
        method: the method that encoded it.
        parts: the vectors of the corpus's texts, or of its documents and its queries.

    Raises:
        CorpusError: texts without labels, or too few to measure.
    """
    vectors = [part.rows for part in parts]
    cosines = None
    match corpus:
        case Pairs():
            cosines = similarity.cosines(vectors[0], corpus)
            measures = similarity.agreement(cosines, corpus)
        case Retrieval():
            measures = retrieval.retrieval(
                vectors[1], vectors[0], corpus.relevance, own_documents=corpus.own_documents
            )
        case Texts():
            measures = labelled.labelled(vectors[0], _labels(corpus))
    cut = sum(part.texts_cut for part in parts)
    computed_by = backbone.provenance()
    return Score(
        *(method, corpus.name, tuple(measures), computed_by),
        *(corpus.total, cut, cosines, note_of(corpus)),
    )


def _traced(backbone: Backbone, pairs: Pairs, method: Method, progress: Progress) -> list[Vectors]:
    """The vectors of rated pairs, from a pass that is kept in memory for the next plan."""
    encoder = CachedEncoder(MethodEncoder(backbone, method), traced=True)
    encoding = encoder.encode(pairs.texts, progress=progress)
    return [Vectors(encoding.embeddings, encoding.texts_cut)]


def _vectors(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[Method],
    processing: str,
    max_tokens: int | None,
    progress: Progress,
) -> list[list[Vectors]]:
    """For each method the post-processed vectors of the texts, or of documents and queries."""
    parts: list[tuple[Sequence[str], Role]] = (
        [(corpus.texts, "Context")]
        if not isinstance(corpus, Retrieval)
        else [(corpus.documents, "Context"), (corpus.queries, "Query")]
    )
    fit = postprocessing(processing).fit
    if processing != "none":
        calibration = sampling.sample(registry.load_texts(packaged.CALIBRATION), FITTED_ON, 0).texts
        parts.append((calibration, "Context"))
    by_part = [
        cached_encoder.encode_methods(
            backbone, texts, methods, role=role, max_tokens=max_tokens, progress=progress
        )
        for texts, role in parts
    ]
    by_method = []
    for encodings in zip(*by_part, strict=True):
        vectors = [Vectors(encoding.embeddings, encoding.texts_cut) for encoding in encodings]
        if processing != "none":
            *vectors, calibration_vectors = vectors
            process = fit(calibration_vectors.rows)
            vectors = [Vectors(process(part.rows), part.texts_cut) for part in vectors]
        by_method.append(vectors)
    return by_method
