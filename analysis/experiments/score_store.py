"""Stored scores, each under a key of all that decides its numbers."""

from collections.abc import Sequence

from ..backbones.backbone import Backbone
from ..corpora.types import Pairs, Retrieval
from ..embedding.external import External, MethodOrVectors
from ..embedding.methods import Method
from ..evaluation import similarity
from ..evaluation.bootstrap import DRAWS
from ..evaluation.measures import Measure
from ..storage import provenance, result_store
from ..storage.provenance import Provenance
from .score_result import Corpus, Score, note_of


def known_score(backbone: Backbone, corpus: Corpus, method: MethodOrVectors) -> Score | None:
    """The stored score of a method, or None; computes nothing."""
    return known_scores(backbone, corpus, [method])[0]


def known_scores(
    backbone: Backbone, corpus: Corpus, methods: Sequence[MethodOrVectors]
) -> list[Score | None]:
    """The stored score of each method, None for those that have none; computes nothing."""
    keys = keys_of(backbone, corpus, methods)
    known = stored(backbone, corpus, dict(zip(keys, methods, strict=True)))
    return [known.get(key) for key in keys]


def store_score(backbone: Backbone, corpus: Corpus, score: Score) -> None:
    """Store a score where ``score`` and :func:`known_score` read it."""
    (key,) = keys_of(backbone, corpus, [score.method])
    store(key, score)


def key_of(backbone: Backbone, corpus: Corpus, method: MethodOrVectors) -> str:
    """The key under which a score is stored."""
    return keys_of(backbone, corpus, [method])[0]


def keys_of(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[MethodOrVectors],
    max_tokens: int | None = None,
) -> list[str]:
    """The key of each method's score: all that decides its numbers.

    Args:
        backbone: the decoder.
        corpus: the corpus that is scored.
        methods: the methods, with their plans.
        max_tokens: maximum tokens of a prompt.
    """
    data, weights = digest_of(corpus), backbone.identity
    return [
        result_store.key(
            "measured",
            **(weights if isinstance(method, Method) else {}),
            **{**method.identity, "processing": method.processing},
            data=data,
            max_tokens=max_tokens,
            resamples=DRAWS,
            # the draws of texts and queries changed once, after results had been stored
            **({} if isinstance(corpus, Pairs) else {"stream": "counted"}),
        )
        for method in methods
    ]


def stored(
    backbone: Backbone, corpus: Corpus, methods: dict[str, MethodOrVectors]
) -> dict[str, Score]:
    """The stored scores of methods by key."""
    scores = {}
    for key, method in methods.items():
        if (entry := result_store.get(key)) is None:
            continue
        facts, arrays = entry
        cosines = arrays.get("cosines")
        if isinstance(corpus, Pairs) and cosines is not None:
            measures = similarity.restored(facts["measures"], cosines, corpus)
        else:
            measures = [
                Measure(**plain, source=arrays[f"drawn {number}"])
                for number, plain in enumerate(facts["measures"])
            ]
        computed_by = provenance.restored(facts, provenance_of(backbone, method))
        scores[key] = Score(
            *(
                method,
                corpus.name,
                tuple(measures),
                computed_by,
                corpus.total,
                facts["cut"],
                cosines,
                note_of(corpus),
            )
        )
    return scores


def provenance_of(backbone: Backbone, method: MethodOrVectors) -> Provenance:
    """The provenance of what a method gives now: the backbone's, or that of vectors."""
    return method.provenance if isinstance(method, External) else backbone.provenance()


def store(key: str, score: Score) -> None:
    """Store a score; for rated pairs the cosines, from which the draws are computed again."""
    facts = score.provenance.facts | {
        "cut": score.texts_cut,
        "measures": [measure.to_dict() for measure in score.measures],
    }
    if score.cosines is None:
        arrays = {f"drawn {i}": measure.drawn for i, measure in enumerate(score.measures)}
        result_store.put(key, facts, arrays)
    else:
        result_store.put(key, facts, {"cosines": score.cosines})


def digest_of(corpus: Corpus) -> str:
    """A digest of all in a corpus that decides numbers."""
    match corpus:
        case Pairs():
            rated = (corpus.left.tolist(), corpus.right.tolist(), corpus.scores.tolist())
            return result_store.digest("pairs", corpus.texts, *rated)
        case Retrieval():
            judged = [sorted(row.items()) for row in corpus.relevance]
            own, distinct = sorted(corpus.own_documents.items()), len(set(corpus.documents))
            # own documents and equal ones were ranked by their order in the file once
            ranking = [own, distinct] if own or distinct < len(corpus.documents) else []
            return result_store.digest(
                "retrieval", corpus.queries, corpus.documents, judged, *ranking
            )
    return result_store.digest("labelled", corpus.texts, corpus.labels)
