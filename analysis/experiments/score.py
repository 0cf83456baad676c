"""Scores of methods on corpora: embed, post-process, measure, and keep the result.

One function scores any methods on any kind of corpus: rated pairs, labelled texts, or queries with
documents. Methods share passes where they can; their measures rest on the same bootstrap draws, so
that any two are compared in pairs (:mod:`analysis.evaluation.comparison`). What was scored before
is read from the store and equals what would be computed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora import packaged, registry, sampling
from ..corpora.types import Pairs, Retrieval, Texts
from ..embedding import cached_encoder
from ..embedding.cached_encoder import CachedEncoder
from ..embedding.checks import check_method
from ..embedding.encoder import MethodEncoder
from ..embedding.methods import Method
from ..embedding.postprocessing import postprocessing
from ..embedding.prompts import Role
from ..errors import CorpusError
from ..evaluation import labelled, retrieval, similarity
from ..evaluation.bootstrap import DRAWS
from ..evaluation.measures import Measure
from ..rerouting.plan import Plan
from ..runtime import plotting
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import alone
from ..storage import provenance as stored_provenance
from ..storage import result_store
from ..storage.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Corpus = Pairs | Texts | Retrieval


class Vectors(NamedTuple):
    """Embeddings float32 (N, D) that are scored, and how many of their texts were cut."""

    rows: NDArray[np.float32]
    texts_cut: int


FITTED_ON = 500
"""Calibration texts that a post-processing is fitted on."""


@dataclass(frozen=True, eq=False)
class Score:
    """One method's measures on a corpus, and what they rest on.

    Attributes:
        method: what was scored, its plan included.
        corpus: the corpus's name.
        measures: the first is the one to look at.
        provenance: what made the result.
        of: the size of the total corpus, where it was scored on a part.
        texts_cut: texts that were too long and lost their end.
        cosines: float64 (P,), those of rated pairs; None on other corpora.
    """

    method: Method
    corpus: str
    measures: tuple[Measure, ...]
    provenance: Provenance
    of: int | None = None
    texts_cut: int = 0
    cosines: NDArray[np.float64] | None = None

    @property
    def name(self) -> str:
        """The method's name."""
        return self.method.name

    @property
    def plan(self) -> Plan:
        """The plan that the method was scored under."""
        return self.method.plan

    @property
    def first(self) -> Measure:
        """The measure to look at first."""
        return self.measures[0]

    @property
    def sentence(self) -> str:
        """The result in words."""
        return f"{self.name} on {self.corpus}: {self.first.sentence}"

    def measure(self, name: str) -> Measure:
        """The measure of a name, as "Spearman" or "nDCG@10"."""
        return next(measure for measure in self.measures if measure.name == name)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, without draws and cosines."""
        return {
            **described(self.method),
            "corpus": self.corpus,
            "of": self.of,
            "texts_cut": self.texts_cut,
            "measures": [measure.to_dict() for measure in self.measures],
            "provenance": self.provenance.facts["made"],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row a measure: its value and interval, and what decides them."""
        return [
            {
                **described(self.method),
                "corpus": self.corpus,
                "measure": measure.name,
                "value": measure.value,
                "ci_low": measure.ci_low,
                "ci_high": measure.ci_high,
                measure.things: measure.items,
                "texts_cut": self.texts_cut,
                "backbone": self.provenance.backbone,
                "dtype": self.provenance.dtype,
            }
            for measure in self.measures
        ]

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows of :meth:`to_rows` as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.to_rows())

    def plot(self) -> "go.Figure":
        """The first measure with its interval, see :func:`analysis.figures.results.figure`."""
        return plotting.plot(self)


def described(method: Method) -> dict[str, Any]:
    """What of a method and its plan decides numbers, as plain data for a table."""
    plan = method.plan
    bias = float(plan.bias) if math.isfinite(plan.bias) else None
    return {
        "method": method.name,
        "template": method.template,
        "pooling": method.pooling,
        "norm": method.norm,
        "layers": list(plan.layers),
        "bias": bias if method.reroutes else None,
        "key_position": plan.key_position if method.reroutes else None,
    }


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
    """Score methods on a corpus; what was scored before is read.

    Queries are prompted in the role Query, all other texts as Context.

    Args:
        backbone: what encodes.
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
    for method in methods:
        check_method(backbone, method)
    keys = _keys(backbone, corpus, methods, processing, max_tokens)
    known = _known(backbone, corpus, dict(zip(keys, methods, strict=True)))
    missing = {key: method for key, method in zip(keys, methods, strict=True) if key not in known}
    if missing:
        with alone(next(iter(missing)) if len(missing) == 1 else result_store.digest([*missing])):
            known |= _known(backbone, corpus, missing)  # another visit's
            missing = {key: method for key, method in missing.items() if key not in known}
            if missing:
                wanted = list(missing.values())
                traced = traced and processing == "none" and max_tokens is None
                if traced and isinstance(corpus, Pairs):
                    vectors = [_traced(backbone, corpus, each, progress) for each in wanted]
                else:
                    vectors = _vectors(backbone, corpus, wanted, processing, max_tokens, progress)
                for (key, method), parts in zip(missing.items(), vectors, strict=True):
                    known[key] = measured(backbone, corpus, method, parts)
                    _keep(key, known[key])
    return [known[key] for key in keys]


def known_score(backbone: Backbone, corpus: Corpus, method: Method) -> Score | None:
    """The stored score of a method, or None; computes nothing."""
    return known_scores(backbone, corpus, [method])[0]


def known_scores(
    backbone: Backbone, corpus: Corpus, methods: Sequence[Method]
) -> list[Score | None]:
    """The stored score of each method, None for those that have none; computes nothing."""
    keys = _keys(backbone, corpus, methods)
    known = _known(backbone, corpus, dict(zip(keys, methods, strict=True)))
    return [known.get(key) for key in keys]


def measured(backbone: Backbone, corpus: Corpus, method: Method, parts: Sequence[Vectors]) -> Score:
    """The measures of embeddings, by the kind of corpus; stores nothing.

    Args:
        backbone: what encoded.
        corpus: what was encoded.
        method: what it was encoded by.
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
            measures = retrieval.retrieval(vectors[1], vectors[0], corpus.relevance)
        case Texts():
            if corpus.labels is None:
                raise CorpusError(
                    f"{corpus.name} has no labels to measure against; choose another corpus."
                )
            measures = labelled.labelled(vectors[0], corpus.labels)
    cut = sum(part.texts_cut for part in parts)
    here = backbone.provenance()
    return Score(method, corpus.name, tuple(measures), here, corpus.total, cut, cosines)


def keep(backbone: Backbone, corpus: Corpus, score: Score) -> None:
    """Store a score where :func:`score` and :func:`known_score` look for it."""
    (key,) = _keys(backbone, corpus, [score.method])
    _keep(key, score)


def key_of(backbone: Backbone, corpus: Corpus, method: Method) -> str:
    """The key under which a score is stored."""
    return _keys(backbone, corpus, [method])[0]


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
    """For each method the vectors of the corpus's parts, post-processed."""
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


def _keys(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[Method],
    processing: str = "none",
    max_tokens: int | None = None,
) -> list[str]:
    """The key of each method's score: all that decides its numbers."""
    data, weights = _digest(corpus), backbone.identity
    return [
        result_store.key(
            "measured",
            **weights,
            **method.identity,
            data=data,
            processing=processing,
            max_tokens=max_tokens,
            resamples=DRAWS,
            # texts and queries were once drawn from another stream
            **({} if isinstance(corpus, Pairs) else {"stream": "counted"}),
        )
        for method in methods
    ]


def _known(backbone: Backbone, corpus: Corpus, methods: dict[str, Method]) -> dict[str, Score]:
    """The stored scores of methods by key."""
    known, here = {}, backbone.provenance()
    for key, method in methods.items():
        if (entry := result_store.get(key)) is None:
            continue
        facts, arrays = entry
        cosines = arrays.get("cosines")
        if isinstance(corpus, Pairs) and cosines is not None:
            measures = similarity.known(facts["measures"], cosines, corpus)
        else:
            measures = [
                Measure(**plain, source=arrays[f"drawn {number}"])
                for number, plain in enumerate(facts["measures"])
            ]
        by = stored_provenance.restored(facts, here)
        known[key] = Score(
            *(method, corpus.name, tuple(measures), by, corpus.total, facts["cut"], cosines)
        )
    return known


def _keep(key: str, score: Score) -> None:
    """Store a score; of rated pairs the cosines, from which the draws are computed again."""
    facts = score.provenance.facts | {
        "cut": score.texts_cut,
        "measures": [measure.to_dict() for measure in score.measures],
    }
    if score.cosines is None:
        arrays = {f"drawn {i}": measure.drawn for i, measure in enumerate(score.measures)}
        result_store.put(key, facts, arrays)
    else:
        result_store.put(key, facts, {"cosines": score.cosines})


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
