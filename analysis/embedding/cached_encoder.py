"""Embeddings of texts: from the store, from what is kept of each text, or computed and kept."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..errors import CorpusError, NoRoom
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import alone
from ..storage import provenance, result_store, vector_cache
from ..storage.provenance import Provenance
from ..storage.vector_cache import Vector
from . import encoder, trace_cache
from .methods import DEFAULT, Method
from .prompts import Role


class Embedded(NamedTuple):
    """Embeddings float32 (N, D), and how many texts were too long and lost their end."""

    embeddings: NDArray[np.float32]
    texts_cut: int


def embeddings(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method = DEFAULT,
    *,
    traced: bool = False,
    progress: Progress = quiet,
) -> NDArray[np.float32]:
    """Embeddings float32 (N, D) of ``texts``, from the store where they are known."""
    return placed(backbone, texts, method, traced, progress)[0]


def embedded(
    backbone: Backbone,
    texts: Sequence[str],
    methods: Sequence[Method],
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> list[Embedded]:
    """The embeddings by each method; what is not stored shares its passes.

    ``max_tokens`` cuts texts so that no prompt is longer.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding raises.
    """
    found: dict[str, Embedded] = {}
    missing: dict[str, Method] = {}
    names = []
    for method in methods:
        encoder.check_method(backbone, method)
        name = _embeddings_key(backbone, texts, method, role, max_tokens)
        names.append(name)
        if (stored := result_store.get(name)) is not None:
            found[name] = Embedded(stored[1]["embeddings"], stored[0].get("cut", 0))
        else:
            missing[name] = method
    if missing:
        with alone(result_store.digest(sorted(missing))):
            new = _by_text(backbone, texts, list(missing.values()), role, max_tokens, progress)
        found |= dict(zip(missing, new, strict=True))
    return [found[name] for name in names]


def placed(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    traced: bool,
    progress: Progress,
) -> tuple[NDArray[np.float32], Provenance]:
    """What ``embeddings`` gives, and what made it."""
    encoder.check_method(backbone, method)
    name = _embeddings_key(backbone, texts, method)
    here = backbone.provenance()
    if (found := result_store.get(name)) is not None:
        return found[1]["embeddings"], provenance.restored(found[0], here)
    with alone(name):
        if (found := result_store.get(name)) is None:
            new, cut = fresh(backbone, texts, method, traced, progress)
            result_store.put(name, here.facts | {"cut": cut}, {"embeddings": new})
            return new, here
    return found[1]["embeddings"], provenance.restored(found[0], here)


def fresh(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    traced: bool,
    progress: Progress,
) -> Embedded:
    """Embeddings from what is kept of each text, or from a trace, which is kept in memory."""
    if traced and method.reroutes and trace_cache.SEATS.acquire(blocking=False):
        try:
            trace = trace_cache.traced(backbone, texts, method, progress)
            new = dict(zip(texts, _vectors(trace.embeddings, trace.cut), strict=True))
            vector_cache.keep(_recipe(backbone, method), new)
            return Embedded(trace.embeddings, sum(cut > 0 for cut in trace.cut))
        except NoRoom:  # batches of a trace are not halved; those of an encoding are
            trace_cache.forget(id(backbone.model))
        finally:
            trace_cache.SEATS.release()
    (found,) = _by_text(backbone, texts, [method], "Context", None, progress)
    return found


def _by_text(
    backbone: Backbone,
    texts: Sequence[str],
    methods: Sequence[Method],
    role: Role,
    max_tokens: int | None,
    progress: Progress,
) -> list[Embedded]:
    """What ``embedded`` gives, every text encoded that is not kept; kept chunk by chunk."""
    recipes = [_recipe(backbone, method, role, max_tokens) for method in methods]
    distinct = list(dict.fromkeys(texts))
    kept = {recipe: vector_cache.known(recipe, distinct) for recipe in recipes}
    lacking = [text for text in distinct if any(text not in known for known in kept.values())]
    wanting = [
        (recipe, method)
        for recipe, method in zip(recipes, methods, strict=True)
        if len(kept[recipe]) < len(distinct)
    ]
    done = len(distinct) - len(lacking)
    for chunk in vector_cache.chunks(lacking):
        encodings = encoder.encode_together(
            backbone,
            chunk,
            [method for _, method in wanting],
            role=role,
            max_tokens=max_tokens,
            progress=partial(_within, progress, done, len(chunk), len(distinct)),
        )
        for (recipe, _), encoding in zip(wanting, encodings, strict=True):
            new = dict(zip(chunk, _vectors(encoding.embeddings, encoding.cut), strict=True))
            vector_cache.keep(recipe, new)
            kept[recipe] |= new
        done += len(chunk)
    if not texts:
        raise CorpusError("There is no text to encode; give at least one.")
    return [
        Embedded(
            np.stack([kept[recipe][text].embedding for text in texts]),
            sum(kept[recipe][text].cut > 0 for text in texts),
        )
        for recipe in recipes
    ]


def _within(progress: Progress, before: int, chunk: int, whole: int, done: int, of: int) -> None:
    """Progress of a chunk, ``done`` of ``of`` prompts, as texts of the ``whole``."""
    progress(before + round(chunk * done / of), whole)


def _vectors(embeddings: NDArray[np.float32], cut: Sequence[int]) -> list[Vector]:
    return [Vector(embedding, tokens) for embedding, tokens in zip(embeddings, cut, strict=True)]


def _recipe(
    backbone: Backbone,
    method: Method,
    role: Role = "Context",
    max_tokens: int | None = None,
) -> str:
    """A digest of all that decides an embedding besides its text."""
    return result_store.digest(backbone.identity, method.identity, role, max_tokens)


def _embeddings_key(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    role: Role = "Context",
    max_tokens: int | None = None,
) -> str:
    return result_store.key(
        "embeddings",
        **backbone.identity,
        **method.identity,
        texts=result_store.digest(list(texts)),
        **({} if role == "Context" else {"role": role}),
        **({} if max_tokens is None else {"max_tokens": max_tokens}),
    )
