"""Which layer embeds best? Methods scored at the output of every layer, from the same passes.

Layer l from 0 to L - 2 is read as the decoder layer leaves it; layer L - 1 is read after the final
norm, as every method reads it by default. So each point is the score of the method with that output
layer. All layers' pooled states come out of one pass for each prompt and plan.

The best of many layers looks better than it is, so it is also chosen on one half of the items and
judged on the other.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import psutil

from ..backbones.backbone import Backbone
from ..embedding.checks import check_limit, check_method
from ..embedding.encoder import prompts_of
from ..embedding.external import External, MethodOrVectors
from ..embedding.methods import Method
from ..errors import CorpusError, OutOfMemory, PlanError
from ..evaluation import comparison
from ..evaluation.bootstrap import DRAWS, interval
from ..evaluation.comparison import Difference
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import provenance, result_store
from ..storage.result_store import Stored
from . import score as scores
from .item_parts import parts_of
from .layer_scores import LAST, HeldOut, LayerScores
from .score import Vectors
from .score_result import Corpus, texts_of
from .score_store import digest_of

COPIES = 3
"""Times that the vectors of all layers are in memory while they are put together."""
_CURVES = ("values", "low", "high", "change", "change_low", "change_high", "p")


def score_layers(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[MethodOrVectors],
    *,
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> list[LayerScores]:
    """Score methods at every output layer; what is stored is read.

    Args:
        backbone: the decoder.
        corpus: rated pairs, labelled texts, or queries with documents.
        methods: each with its plan; the layer that each reads by itself is not used. A
            post-processing is fitted for each layer.
        max_tokens: texts are cut so that no prompt is longer.
        progress: counts texts.

    Returns:
        One for each method, in their order.

    Raises:
        PlanError: a method that reads sums of attention, and vectors made elsewhere, have no
            output layer.
        CorpusError, PlanError, BackboneError: what scoring raises.
        OutOfMemory: the vectors of all layers do not fit into memory.
    """
    scores.check_corpus(corpus)
    max_tokens = check_limit(max_tokens)
    asked = [_at(method, -1) for method in methods]
    for method in asked:
        check_method(backbone, method)
    keys = [_key(backbone, corpus, method, max_tokens) for method in asked]
    found = {key: stored for key in keys if (stored := result_store.get(key)) is not None}
    sharing: dict[Any, dict[str, Method]] = {}
    for key, method in zip(keys, asked, strict=True):
        if key not in found:
            sharing.setdefault(prompts_of(method), {})[key] = method
    for missing in sharing.values():
        with lock_for(result_store.digest(*missing)):
            found |= {key: stored for key in missing if (stored := result_store.get(key))}
            new = {key: method for key, method in missing.items() if key not in found}
            if new:
                stored_each = _score(*(backbone, corpus, list(new.values()), max_tokens, progress))
                for key, stored in zip(new, stored_each, strict=True):
                    result_store.put(key, *stored)
                    found[key] = stored
    return [
        _restored(backbone, corpus, method, found[key])
        for key, method in zip(keys, asked, strict=True)
    ]


def known_layers(
    backbone: Backbone, corpus: Corpus, methods: Sequence[Method]
) -> list[LayerScores] | None:
    """What :func:`score_layers` gives where all of it is stored, else None; computes nothing."""
    found = []
    for method in (_at(each, -1) for each in methods):
        stored = result_store.get(_key(backbone, corpus, method, None))
        if stored is None:
            return None
        found.append(_restored(backbone, corpus, method, stored))
    return found


def _at(method: MethodOrVectors, layer: int) -> Method:
    if isinstance(method, External):
        raise PlanError(
            f"{method.name} are vectors made elsewhere and have no output layer; choose methods."
        )
    return replace(method, reading=method.reading.at(layer))


def _key(backbone: Backbone, corpus: Corpus, method: Method, max_tokens: int | None) -> str:
    return result_store.key(
        "output-layers",
        **backbone.identity,
        **{**method.identity, "processing": method.processing},
        data=digest_of(corpus),
        max_tokens=max_tokens,
        resamples=DRAWS,
    )


def _score(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[Method],
    max_tokens: int | None,
    progress: Progress,
) -> list[Stored]:
    """Curves of methods of the same prompts, to be stored."""
    layers = backbone.layers
    _check_room(backbone, corpus, len(methods) * layers)
    read = [_at(m, layer if layer < layers - 1 else -1) for m in methods for layer in range(layers)]
    vectors = scores.vectors_of(backbone, corpus, read, max_tokens, progress)
    try:
        parts = parts_of(corpus)
    except CorpusError:
        parts = None
    return [
        _curves(backbone, corpus, method, vectors[first : first + layers], parts)
        for first, method in zip(range(0, len(read), layers), methods, strict=True)
    ]


def _curves(
    backbone: Backbone,
    corpus: Corpus,
    method: Method,
    vectors: Sequence[Sequence[Vectors]],
    parts: tuple[Corpus, ...] | None,
) -> Stored:
    """The curve of one method from its vectors at each layer."""
    by_layer = [scores.measured(backbone, corpus, method, each).first for each in vectors]
    last = by_layer[-1]
    changes = [comparison.difference(each, last, ("", LAST)) for each in by_layer[:-1]]
    columns = {
        "values": [each.value for each in by_layer],
        "low": [each.ci_low for each in by_layer],
        "high": [each.ci_high for each in by_layer],
        "change": [change.delta for change in changes],
        "change_low": [change.ci_low for change in changes],
        "change_high": [change.ci_high for change in changes],
        "p": [change.p for change in changes],
    }
    facts = {
        "measure": last.name,
        "items": last.items,
        "things": last.things,
        "resampled": last.resampled,
        "cut": sum(part.texts_cut for part in vectors[-1]),
        "held_out": None if parts is None else _held_out(backbone, corpus, method, vectors, parts),
    }
    arrays = {name: np.array(column, np.float64) for name, column in columns.items()}
    return facts | backbone.provenance().facts | {"shipped": False}, arrays


def _held_out(
    backbone: Backbone,
    corpus: Corpus,
    method: Method,
    vectors: Sequence[Sequence[Vectors]],
    parts: tuple[Corpus, ...],
) -> dict[str, Any] | None:
    """The fields of a :class:`HeldOut`; None where a half cannot be measured."""
    try:
        measures = [
            [
                scores.measured(backbone, part, method, _rows_of(corpus, part, each)).first
                for each in vectors
            ]
            for part in parts
        ]
    except CorpusError:
        return None
    layers, deltas, drawn = [], [], []
    for seed, (chooser, judge) in enumerate((measures, measures[::-1])):
        layer = int(np.argmax([measure.value for measure in chooser]))
        layers.append(layer)
        deltas.append(judge[layer].value - judge[-1].value)
        draws = (judge[layer].drawn - judge[-1].drawn).astype(np.float64)
        drawn.append(np.random.default_rng(seed).permutation(draws))  # the halves are independent
    low, high = interval(np.mean(drawn, axis=0))
    items = sum(measure[-1].items for measure in measures)
    return {
        "layers": layers,
        "change": float(np.mean(deltas)),
        "low": low,
        "high": high,
        "items": items,
    }


def _rows_of(corpus: Corpus, part: Corpus, vectors: Sequence[Vectors]) -> list[Vectors]:
    """The vectors of a part's texts among those of the corpus."""
    rows = []
    for texts, wanted, each in zip(texts_of(corpus), texts_of(part), vectors, strict=True):
        place = {text: number for number, text in enumerate(texts)}
        rows.append(Vectors(each.rows[[place[text] for text in wanted]], each.texts_cut))
    return rows


def _check_room(backbone: Backbone, corpus: Corpus, vectors: int) -> None:
    """Refuse vectors of all layers that do not fit into memory."""
    texts = sum(len(set(part)) for part in texts_of(corpus))
    size = COPIES * 4 * vectors * texts * backbone.facts.hidden
    room = psutil.virtual_memory().available
    if size > room:
        raise OutOfMemory(
            f"The vectors of {texts:,} texts at the {backbone.layers} layers of "
            f"{backbone.facts.name} take {size / 1e9:.1f} GB while they are put together, and "
            f"{room / 1e9:.1f} GB are free; score a smaller part."
        )


def _restored(backbone: Backbone, corpus: Corpus, method: Method, stored: Stored) -> LayerScores:
    facts, arrays = stored
    curves = {name: arrays[name] for name in _CURVES}
    counts = facts["items"], facts["things"]
    rows = zip(*(curves[name] for name in _CURVES[3:]), strict=True)
    changes = comparison.corrected(
        [
            Difference(
                *(float(delta), float(low), float(high), counts[0], f"layer {layer}", LAST),
                *(counts[1], corpus.total, float(p)),
            )
            for layer, (delta, low, high, p) in enumerate(rows)
        ]
    )
    held_out = facts["held_out"]
    return LayerScores(
        *(method, corpus.name, corpus.total, facts["measure"]),
        *(curves["values"], curves["low"], curves["high"], tuple(changes)),
        None if held_out is None else HeldOut(**held_out | {"layers": tuple(held_out["layers"])}),
        *(*counts, facts["resampled"], facts["cut"]),
        provenance.restored(facts, backbone.provenance()),
    )
