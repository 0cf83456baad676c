"""Scores of methods on corpora: encode, measure, and store the result.

One function scores any methods on any kind of corpus: rated pairs, labelled texts, or queries with
documents. Methods share passes where they can; their measures use the same bootstrap draws, so that
any two are compared in pairs (:mod:`analysis.evaluation.comparison`). Stored scores are read, and
equal those that would be computed.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs, Retrieval, Texts
from ..embedding import cached_encoder
from ..embedding.cached_encoder import CachedEncoder
from ..embedding.checks import check_limit, check_method
from ..embedding.encoder import MethodEncoder
from ..embedding.external import External, MethodOrVectors, check_names
from ..embedding.methods import METHODS, Method
from ..embedding.prompts import Role
from ..errors import CorpusError
from ..evaluation import labelled, retrieval, similarity
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import result_store
from .score_result import Corpus, Score, note_of, texts_of
from .score_store import keys_of, provenance_of, store, stored


class Vectors(NamedTuple):
    """Embeddings float32 (N, D) to be scored, and how many of their texts were cut."""

    rows: NDArray[np.float32]
    texts_cut: int


OPENING_METHODS = tuple(name for name in METHODS if name != "meta-eol")
"""What the page opens with: all but the one whose eight long prompts take longer than the rest."""


def score(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[MethodOrVectors],
    *,
    max_tokens: int | None = None,
    traced: bool = False,
    progress: Progress = quiet,
) -> list[Score]:
    """Score methods on a corpus; stored scores are read.

    Queries are prompted in the role Query, all other texts as Context.

    Args:
        backbone: the decoder.
        corpus: rated pairs, labelled texts, or queries with documents.
        methods: each with its plan and its post-processing; vectors made elsewhere among them.
        max_tokens: texts are cut so that no prompt is longer.
        traced: keep one plain pass over rated pairs in memory, so that the next plan costs only
            the layers from its first one on: right for a page, wasteful for a single score.
        progress: counts texts.

    Returns:
        One for each method, in their order.

    Raises:
        CorpusError: texts without labels, or too few to measure.
        PlanError: a plan that does not fit the backbone.
        BackboneError: what encoding raises.
    """
    check_corpus(corpus)
    max_tokens = check_limit(max_tokens)
    methods = [
        method if isinstance(method, Method) else bound(method, corpus) for method in methods
    ]
    check_names(methods)
    for method in methods:
        if isinstance(method, Method):
            check_method(backbone, method)
    keys = keys_of(backbone, corpus, methods, max_tokens)
    known = stored(backbone, corpus, dict(zip(keys, methods, strict=True)))
    missing = {key: method for key, method in zip(keys, methods, strict=True) if key not in known}
    if missing:
        request = next(iter(missing)) if len(missing) == 1 else result_store.digest([*missing])
        with lock_for(request):
            known |= stored(backbone, corpus, missing)  # scored by another visit meanwhile
            missing = {key: method for key, method in missing.items() if key not in known}
            if missing:
                new_methods = list(missing.values())
                traced = traced and max_tokens is None
                own = [method for method in new_methods if isinstance(method, Method)]
                if traced and isinstance(corpus, Pairs) and len(own) == len(new_methods):
                    vectors = [_traced(backbone, corpus, each, progress) for each in own]
                else:
                    vectors = vectors_of(backbone, corpus, new_methods, max_tokens, progress)
                for (key, method), texts_vectors in zip(missing.items(), vectors, strict=True):
                    known[key] = measured(backbone, corpus, method, texts_vectors)
                    store(key, known[key])
    # methods that act alike share a result, each under its own name and plan
    return [_named(known[key], method) for key, method in zip(keys, methods, strict=True)]


def _named(result: Score, method: MethodOrVectors) -> Score:
    """A result under a method's own name and plan; of vectors, with where they are from."""
    made = result.provenance
    if isinstance(method, External):
        made = replace(made, backbone=method.source)
    return replace(result, method=method, provenance=made)


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


def bound(vectors: External, corpus: Corpus) -> External:
    """Vectors made elsewhere; those without texts are taken in the order of the corpus's.

    Raises:
        CorpusError: they are not as many, or the corpus has queries and documents.
    """
    return vectors.bound(corpus.name, None if isinstance(corpus, Retrieval) else corpus.texts)


def _labels(corpus: Texts) -> tuple[str, ...]:
    if corpus.labels is None:
        raise CorpusError(f"{corpus.name} has no labels to measure against; choose another corpus.")
    return corpus.labels


def measured(
    backbone: Backbone, corpus: Corpus, method: MethodOrVectors, parts: Sequence[Vectors]
) -> Score:
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
    return Score(
        *(method, corpus.name, tuple(measures), provenance_of(backbone, method)),
        *(corpus.total, cut, cosines, note_of(corpus)),
    )


def _traced(backbone: Backbone, pairs: Pairs, method: Method, progress: Progress) -> list[Vectors]:
    """The vectors of rated pairs, from a pass that is kept in memory for the next plan."""
    encoder = CachedEncoder(MethodEncoder(backbone, method), traced=True)
    encoding = encoder.encode(pairs.texts, progress=progress)
    return [Vectors(encoding.embeddings, encoding.texts_cut)]


def vectors_of(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[MethodOrVectors],
    max_tokens: int | None,
    progress: Progress,
) -> list[list[Vectors]]:
    """For each method the vectors of the texts, or of documents and queries.

    Args:
        backbone: the decoder.
        corpus: the corpus to encode.
        methods: each with its plan and its post-processing.
        max_tokens: texts are cut so that no prompt is longer.
        progress: counts texts.
    """
    roles: tuple[Role, ...] = ("Context", "Query")
    parts = zip(texts_of(corpus), roles, strict=False)
    by_part = [
        cached_encoder.encode_methods(
            backbone, texts, methods, role=role, max_tokens=max_tokens, progress=progress
        )
        for texts, role in parts
    ]
    return [
        [Vectors(encoding.embeddings, encoding.texts_cut) for encoding in encodings]
        for encodings in zip(*by_part, strict=True)
    ]
