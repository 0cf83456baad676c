"""The door to embeddings: from the disk where they are known, else encoded and kept there.

What is kept of a text lies under its encoder's identity and its role (:mod:`analysis.storage.
vector_cache`), so that a text is encoded once, whatever it is asked for beside. Embeddings of a
whole list of texts may be stored as one result too; those that ship with the project are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..errors import CorpusError, NoRoom
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import provenance, result_store, vector_cache
from ..storage.vector_cache import Vector
from . import encoder as pure
from . import trace_cache
from .encoder import Encoding, MethodEncoder
from .methods import Method
from .prompts import Role, check_text


@dataclass(frozen=True)
class CachedEncoder:
    """An encoder behind the disk: a text that was met before is not encoded again.

    Args:
        encoder: what encodes texts that are not known.
        traced: keep the pass over the texts in memory, so that the next plan on the same texts
            costs only the layers from its first one on: right for a page, wasteful elsewhere.
        stored: store the embeddings of each call as one result besides, as shipped ones are.
        norms: whether the length of each vector before it was normalised is wanted; what is
            stored without it counts as unknown.
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
        self, texts: Sequence[str], *, role: Role = "Context", progress: Progress = quiet
    ) -> Encoding:
        """Encode those of N texts that are not known; raises as :func:`pure.encode`."""
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
        """From a trace, where one is wanted and there is room for it."""
        backbone, method, limit = (
            self.encoder.backbone,
            self.encoder.method,
            self.encoder.max_tokens,
        )
        wanted = self.traced and method.reroutes and role == "Context" and limit is None
        if not wanted or not trace_cache.SEATS.acquire(blocking=False):
            return None
        try:
            encoding = trace_cache.traced(backbone, texts, method, progress).encoding
            vector_cache.keep(_recipe(self.encoder, role), _vectors(texts, encoding))
            return encoding
        except NoRoom:  # batches of a trace are not halved; those of an encoding are
            trace_cache.forget(id(backbone.model))
            return None
        finally:
            trace_cache.SEATS.release()


def encode_methods(
    backbone: Backbone,
    texts: Sequence[str],
    methods: Sequence[Method],
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> list[Encoding]:
    """Encode texts by each of several methods; what is not known shares its passes.

    Args:
        backbone: the decoder.
        texts: N texts.
        methods: M methods, their plans included.
        role: what the prompt calls a text, where it has a role.
        max_tokens: texts are cut so that no prompt is longer.
        progress: counts distinct texts.

    Returns:
        An encoding for each method, in their order.

    Raises:
        CorpusError, PlanError, BackboneError, NoRoom: what encoding raises.
    """
    encoders = [MethodEncoder(backbone, method, max_tokens) for method in methods]
    keys = [_key(encoder, texts, role) for encoder in encoders]
    by_key: dict[str, Encoding] = {}
    missing: dict[str, MethodEncoder] = {}
    for key, encoder in zip(keys, encoders, strict=True):
        if (encoding := _restored(key, encoder, texts)) is not None:
            by_key[key] = encoding
        else:
            missing[key] = encoder
    if missing:
        with lock_for(result_store.digest(sorted(missing))):
            new = _by_text(list(missing.values()), texts, role, False, progress)
        by_key |= dict(zip(missing, new, strict=True))
    return [by_key[key] for key in keys]


def _by_text(
    encoders: Sequence[MethodEncoder],
    texts: Sequence[str],
    role: Role,
    norms: bool,
    progress: Progress,
) -> list[Encoding]:
    """Encode the texts that are not kept, chunk by chunk, and keep them.

    The encoders have one backbone and one limit, and differ by their methods.
    """
    if not texts:
        raise CorpusError("There is no text to encode; give at least one.")
    for number, text in enumerate(texts, 1):  # before chunks count them otherwise
        check_text(text, number)
    recipes = [_recipe(encoder, role) for encoder in encoders]
    distinct = list(dict.fromkeys(texts))
    kept = {recipe: _known(recipe, distinct, norms) for recipe in recipes}
    lacking = [text for text in distinct if any(text not in known for known in kept.values())]
    wanting = [
        (recipe, encoder)
        for recipe, encoder in zip(recipes, encoders, strict=True)
        if len(kept[recipe]) < len(distinct)
    ]
    done, tokens, seconds = len(distinct) - len(lacking), dict.fromkeys(recipes, 0), 0.0
    for chunk in vector_cache.chunks(lacking):
        encodings = pure.encode_methods(
            encoders[0].backbone,
            chunk,
            [encoder.method for _, encoder in wanting],
            role=role,
            max_tokens=encoders[0].max_tokens,
            progress=partial(_within, progress, done, len(chunk), len(distinct)),
        )
        for (recipe, _), encoding in zip(wanting, encodings, strict=True):
            new = _vectors(chunk, encoding)
            vector_cache.keep(recipe, new)
            kept[recipe] |= new
            tokens[recipe] += encoding.tokens
        seconds += max(encoding.seconds for encoding in encodings)
        done += len(chunk)
    return [
        _assembled([kept[recipe][text] for text in texts], encoder, tokens[recipe], seconds)
        for recipe, encoder in zip(recipes, encoders, strict=True)
    ]


def _known(recipe: str, texts: Sequence[str], norms: bool) -> dict[str, Vector]:
    known = vector_cache.known(recipe, texts)
    return {text: v for text, v in known.items() if v.has_norm} if norms else known


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


def _within(progress: Progress, before: int, chunk: int, total: int, done: int, of: int) -> None:
    """Progress of a chunk, ``done`` of ``of`` prompts, as texts of the ``total``."""
    progress(before + round(chunk * done / of), total)


def _vectors(texts: Sequence[str], encoding: Encoding) -> dict[str, Vector]:
    norms = np.zeros(len(texts)) if encoding.norms is None else encoding.norms
    rows = zip(encoding.embeddings, encoding.cut, norms.tolist(), strict=True)
    return {text: Vector(*row) for text, row in zip(texts, rows, strict=True)}


def _recipe(encoder: MethodEncoder, role: Role) -> str:
    """What vectors of single texts are kept under."""
    return result_store.digest(encoder.identity, role)


def _key(encoder: MethodEncoder, texts: Sequence[str], role: Role) -> str:
    """What the embeddings of a list of texts are stored under."""
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
    """The stored embeddings of these texts, if it is known what each lost."""
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
