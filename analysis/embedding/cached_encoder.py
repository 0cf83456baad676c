"""Embeddings by way of the disk cache: read where they are stored, else encoded and stored.

A text's vector is stored under its encoder's identity and its role (:mod:`analysis.storage.
vector_cache`), so that a text is encoded once, whatever other texts come with it. Embeddings of a
list of texts may be stored as one result too; those that ship with the project are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora.text_lists import as_texts
from ..errors import CorpusError, OutOfMemory
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import provenance, result_store, vector_cache
from ..storage.vector_cache import Vector
from . import encoder as pure
from . import trace_cache
from .encoder import Encoding, MethodEncoder
from .external import External, MethodOrVectors
from .finishing import finished
from .methods import Method
from .postprocessing import postprocessing
from .prompts import Role, check_role, check_text


@dataclass(frozen=True)
class CachedEncoder:
    """An encoder behind the disk cache: no text is encoded twice.

    Args:
        encoder: encodes the texts that are not stored.
        traced: keep the pass over the texts in memory, so that the next plan on the same texts
            costs only the layers from its first one on: right for a page, wasteful elsewhere.
        stored: also store the embeddings of each call as one result, as shipped ones are.
        norms: whether each vector's norm before normalisation is needed; a vector stored without
            it is encoded again.
    """

    encoder: MethodEncoder
    traced: bool = False
    stored: bool = False
    norms: bool = False

    @property
    def identity(self) -> str:
        """The wrapped encoder's identity."""
        return self.encoder.identity

    def encode(
        self, texts: Iterable[str], *, role: Role = "Context", progress: Progress = quiet
    ) -> Encoding:
        """Encode N texts, reading stored vectors; raises as :func:`pure.encode`.

        Args:
            texts: N texts, in any collection that ``as_texts`` reads.
            role: what the prompt calls a text, if it names one.
            progress: counts distinct texts.
        """
        texts = as_texts(texts)
        check_role(role)
        pooled = not postprocessing(self.encoder.method.processing).unit
        raw = replace(self, encoder=self.encoder.raw, norms=self.norms or pooled)
        return finished(self.encoder, raw._raw(texts, role, progress), embed)

    def _raw(self, texts: Sequence[str], role: Role, progress: Progress) -> Encoding:
        key = _key(self.encoder, texts, role)
        if (encoding := self._restored(key, texts)) is not None:
            return encoding
        with lock_for(key):
            if (encoding := self._restored(key, texts)) is not None:
                return encoding
            encoding = self._from_trace(texts, role, progress)
            if encoding is None:
                (encoding,) = _by_text([self.encoder], texts, role, self.norms, progress)
            if self.stored:
                _store(key, encoding)
            return encoding

    def _restored(self, key: str, texts: Sequence[str]) -> Encoding | None:
        encoding = _restored(key, self.encoder, texts)
        unknown = encoding is None or (self.norms and encoding.norms is None)
        return None if unknown else encoding

    def _from_trace(self, texts: Sequence[str], role: Role, progress: Progress) -> Encoding | None:
        """The encoding from a trace; None where none is wanted or too many are in use."""
        backbone, method, limit = (
            self.encoder.backbone,
            self.encoder.method,
            self.encoder.max_tokens,
        )
        can_trace = self.traced and method.reroutes and role == "Context" and limit is None
        if not can_trace or not trace_cache.SEATS.acquire(blocking=False):
            return None
        try:
            encoding = trace_cache.traced(backbone, texts, method, progress).encoding
            vector_cache.store(_recipe(self.encoder, role), _vectors(texts, encoding))
            return encoding
        except OutOfMemory:  # batches of a trace are not halved; those of an encoding are
            trace_cache.forget(id(backbone.model))
            return None
        finally:
            trace_cache.SEATS.release()


def encode_methods(
    backbone: Backbone,
    texts: Iterable[str],
    methods: Sequence[MethodOrVectors],
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> list[Encoding]:
    """Encode texts by each of several methods; what is not stored shares passes.

    Vectors made elsewhere are looked up; the backbone and the limit of tokens do not touch them.

    Args:
        backbone: the decoder.
        texts: N texts, in any collection that ``as_texts`` reads.
        methods: M methods, their plans included.
        role: what the prompt calls a text, where it has a role.
        max_tokens: texts are cut so that no prompt is longer.
        progress: counts distinct texts.

    Returns:
        An encoding for each method, in their order.

    Raises:
        CorpusError, PlanError, BackboneError, OutOfMemory: what encoding raises.
    """
    texts = as_texts(texts)
    check_role(role)
    if any(isinstance(method, External) for method in methods):
        own = [method for method in methods if isinstance(method, Method)]
        computed = iter(
            encode_methods(
                backbone, texts, own, role=role, max_tokens=max_tokens, progress=progress
            )
        )
        return [
            next(computed)
            if isinstance(method, Method)
            else method.encode(texts, role=role, progress=progress)
            for method in methods
        ]
    asked = [
        MethodEncoder(backbone, method, max_tokens)
        for method in methods
        if isinstance(method, Method)
    ]
    encoders = [encoder.raw for encoder in asked]
    keys = [_key(encoder, texts, role) for encoder in encoders]
    norms = not all(postprocessing(method.processing).unit for method in methods)
    by_key: dict[str, Encoding] = {}
    missing: dict[str, MethodEncoder] = {}
    for key, encoder in zip(keys, encoders, strict=True):
        encoding = _restored(key, encoder, texts)
        if encoding is not None and (encoding.norms is not None or not norms):
            by_key[key] = encoding
        else:
            missing[key] = encoder
    if missing:
        with lock_for(result_store.digest(sorted(missing))):
            new = _by_text(list(missing.values()), texts, role, norms, progress)
        by_key |= dict(zip(missing, new, strict=True))
    raw = (by_key[key] for key in keys)
    return [finished(encoder, each, embed) for encoder, each in zip(asked, raw, strict=True)]


def embed(encoder: MethodEncoder, texts: Sequence[str], norms: bool) -> Encoding:
    """The encoding of texts by way of the disk cache, with norms if they are needed."""
    return CachedEncoder(encoder, norms=norms).encode(texts)


def _by_text(
    encoders: Sequence[MethodEncoder],
    texts: Sequence[str],
    role: Role,
    norms: bool,
    progress: Progress,
) -> list[Encoding]:
    """Encode the texts that are not stored, chunk by chunk, and store their vectors.

    The encoders have one backbone and one limit, and differ by their methods.
    """
    if not texts:
        raise CorpusError("There is no text to encode; give at least one.")
    for number, text in enumerate(texts, 1):  # here, since chunks number texts differently
        check_text(text, number)
    recipes = [_recipe(encoder, role) for encoder in encoders]
    distinct = list(dict.fromkeys(texts))
    vectors = {recipe: _stored(recipe, distinct, norms) for recipe in recipes}
    missing = [text for text in distinct if any(text not in stored for stored in vectors.values())]
    incomplete = [
        (recipe, encoder)
        for recipe, encoder in zip(recipes, encoders, strict=True)
        if len(vectors[recipe]) < len(distinct)
    ]
    finished, tokens, seconds = len(distinct) - len(missing), dict.fromkeys(recipes, 0), 0.0
    for chunk in vector_cache.chunks(missing):
        encodings = pure.encode_methods(
            encoders[0].backbone,
            chunk,
            [encoder.method for _, encoder in incomplete],
            role=role,
            max_tokens=encoders[0].max_tokens,
            progress=partial(_within, progress, finished, len(chunk), len(distinct)),
        )
        for (recipe, _), encoding in zip(incomplete, encodings, strict=True):
            new = _vectors(chunk, encoding)
            vector_cache.store(recipe, new)
            vectors[recipe] |= new
            tokens[recipe] += encoding.tokens
        seconds += max(encoding.seconds for encoding in encodings)
        finished += len(chunk)
    return [
        _assembled([vectors[recipe][text] for text in texts], encoder, tokens[recipe], seconds)
        for recipe, encoder in zip(recipes, encoders, strict=True)
    ]


def _stored(recipe: str, texts: Sequence[str], norms: bool) -> dict[str, Vector]:
    stored = vector_cache.load(recipe, texts)
    return {text: v for text, v in stored.items() if v.has_norm} if norms else stored


def _assembled(
    vectors: Sequence[Vector], encoder: MethodEncoder, tokens: int, seconds: float
) -> Encoding:
    norms = np.array([vector.norm for vector in vectors], np.float32)
    return Encoding(
        np.stack([vector.embedding for vector in vectors]),
        norms if all(vector.has_norm for vector in vectors) else None,
        tuple(vector.cut for vector in vectors),
        encoder.backbone.provenance(),
        tokens,
        seconds,
    )


def _within(
    progress: Progress, before: int, chunk: int, total: int, prompts_done: int, prompts: int
) -> None:
    """Report the progress of a chunk, counted in prompts, as texts of the ``total``."""
    progress(before + round(chunk * prompts_done / prompts), total)


def _vectors(texts: Sequence[str], encoding: Encoding) -> dict[str, Vector]:
    norms = np.zeros(len(texts)) if encoding.norms is None else encoding.norms
    rows = zip(encoding.embeddings, encoding.cut, norms.tolist(), strict=True)
    return {text: Vector(*row) for text, row in zip(texts, rows, strict=True)}


def _recipe(encoder: MethodEncoder, role: Role) -> str:
    """The key under which vectors of single texts are stored."""
    return result_store.digest(encoder.identity, role)


def _key(encoder: MethodEncoder, texts: Sequence[str], role: Role) -> str:
    """The key under which the embeddings of a list of texts are stored."""
    limit = encoder.max_tokens
    return result_store.key(
        "embeddings",
        **encoder.backbone.identity,
        **encoder.method.identity,
        texts=result_store.digest(list(texts)),
        **({} if role == "Context" else {"role": role}),
        **({} if limit is None else {"max_tokens": limit}),
    )


def _store(key: str, encoding: Encoding) -> None:
    facts = {"cut": encoding.texts_cut, "tokens_cut": list(encoding.cut)}
    arrays: dict[str, NDArray[np.float32]] = {"embeddings": encoding.embeddings}
    if encoding.norms is not None:
        arrays["norms"] = encoding.norms
    result_store.put(key, encoding.provenance.facts | facts, arrays)


def _restored(key: str, encoder: MethodEncoder, texts: Sequence[str]) -> Encoding | None:
    """The stored embeddings of these texts, if the tokens cut off each are stored too."""
    if (stored := result_store.get(key)) is None:
        return None
    facts, arrays = stored
    cut = facts.get("tokens_cut", None if facts.get("cut") else [0] * len(texts))
    if cut is None:
        return None
    return Encoding(
        arrays["embeddings"],
        arrays.get("norms"),
        tuple(cut),
        provenance.restored(facts, encoder.backbone.provenance()),
    )
