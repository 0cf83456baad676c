"""Texts -> embeddings, without side effects: equal texts give equal numbers, nothing is stored.

``encode`` is for one method, ``encode_methods`` for several that share passes, and an ``Encoder``
is anything that encodes: a method on a backbone, or the same behind the cache of
:mod:`analysis.embedding.cached_encoder`.
"""

import re
import time
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora.text_lists import as_texts
from ..rerouting.layer_lists import format_layers
from ..runtime.events import Progress, quiet
from ..storage import result_store
from ..storage.provenance import Provenance
from .batching import prepare
from .checks import check_limit, check_method
from .methods import Method
from .pooling import POOLINGS
from .prompts import Role
from .shared_passes import pool_batches, shared_passes


@dataclass(frozen=True, eq=False)
class Encoding:
    """Embeddings of N texts, with their provenance and cost.

    Attributes:
        embeddings: float32 (N, D), unit length.
        norms: float32 (N,), each vector's norm before normalisation; None where it was not stored.
        cut: (N,) tokens cut off each text because it was too long.
        provenance: backbone, versions and device that computed the embeddings.
        tokens: real tokens that were run, prompts included, each distinct prompt once.
        seconds: duration of the passes; methods of the same prompts share theirs.
    """

    embeddings: NDArray[np.float32]
    norms: NDArray[np.float32] | None
    cut: tuple[int, ...]
    provenance: Provenance
    tokens: int = 0
    seconds: float = 0.0

    @property
    def texts_cut(self) -> int:
        """Number of texts that were too long and lost their end."""
        return sum(tokens > 0 for tokens in self.cut)

    @property
    def tokens_cut(self) -> int:
        """Number of tokens that they lost in total."""
        return sum(self.cut)

    @property
    def pooled(self) -> NDArray[np.float32]:
        """The pooled vectors before normalisation, float32 (N, D), up to rounding.

        Raises:
            ValueError: their norms are not known.
        """
        if self.norms is None:
            raise ValueError("The norms of these embeddings are not stored; encode them again.")
        return self.embeddings * self.norms[:, None]


class Encoder(Protocol):
    """Anything that encodes texts."""

    @property
    def identity(self) -> str:
        """A digest of all that decides embeddings besides the texts, their role and versions."""
        ...

    def encode(
        self, texts: Iterable[str], *, role: Role = "Context", progress: Progress = quiet
    ) -> Encoding:
        """Encode N texts.

        Args:
            texts: N texts, in any collection that ``as_texts`` reads.
            role: what the prompt calls a text, if it names one.
            progress: counts distinct texts.
        """
        ...


@dataclass(frozen=True)
class MethodEncoder:
    """A method on a backbone; stores nothing, and leaves out its post-processing.

    Args:
        backbone: the decoder.
        method: how a text becomes a vector, its plan included.
        max_tokens: texts are cut so that no prompt is longer; by default, and at most, the
            backbone's context length.

    Raises:
        PlanError: the limit is not a whole number of at least 1.
        BackboneError, PlanError: the backbone cannot carry out the method, see ``check_method``.
    """

    backbone: Backbone
    method: Method
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "max_tokens", check_limit(self.max_tokens))
        check_method(self.backbone, self.method)

    @property
    def raw(self) -> "MethodEncoder":
        """The same without a post-processing."""
        return replace(self, method=replace(self.method, processing="none"))

    @property
    def identity(self) -> str:
        """A digest of the backbone, the method and the limit; the key of caches."""
        limit = {} if self.max_tokens is None else {"max_tokens": self.max_tokens}
        return result_store.digest(self.backbone.identity, self.method.identity, limit)

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides embeddings besides the texts, their role and versions, as plain data."""
        return {
            "backbone": self.backbone.facts.name,
            **self.backbone.identity,
            "method": self.method.name,
            **self.method.identity,
            "max_tokens": self.max_tokens,
        }

    @property
    def name(self) -> str:
        """A name to read, fit for a path, that an encoder of other settings does not have."""
        plan = self.method.plan
        layers = format_layers(plan.active, self.backbone.layers).replace(",", "_")
        parts = [self.backbone.facts.name, self.method.name]
        if plan.active:
            heads = [f"heads-{len(plan.heads)}"] if plan.heads else []
            parts += [f"layers-{layers}", *heads, f"bias-{plan.bias:g}"]
        plain = [re.sub(r"[^a-z0-9._-]+", "-", part.lower())[:60].strip("-.") for part in parts]
        return "--".join([*(part or "unnamed" for part in plain), self.identity[-12:]])

    def encode(
        self, texts: Iterable[str], *, role: Role = "Context", progress: Progress = quiet
    ) -> Encoding:
        """Encode N texts, see :func:`encode`."""
        return encode(
            self.backbone,
            texts,
            self.method,
            role=role,
            max_tokens=self.max_tokens,
            progress=progress,
        )


def encode(
    backbone: Backbone,
    texts: Iterable[str],
    method: Method,
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    batch_tokens: int | None = None,
    progress: Progress = quiet,
) -> Encoding:
    """Encode texts by one method.

    Args:
        backbone: the decoder.
        texts: N texts, in any collection that ``as_texts`` reads.
        method: how a text becomes a vector, its plan included.
        role: what the prompt calls a text, if it names one.
        max_tokens: texts are cut so that no prompt is longer; by default, and at most, the
            backbone's context length.
        batch_tokens: maximum tokens of a batch, padding included; by default what suits the
            device. It changes embeddings by rounding only.
        progress: called after every batch, counts distinct prompts.

    Raises:
        CorpusError: there is no text, or one is blank or cannot be encoded.
        PlanError, BackboneError: the backbone cannot carry out the method, see ``check_method``.
        BackboneError: the states overflowed the backbone's dtype.
        OutOfMemory: a single prompt does not fit into memory.
    """
    (encoding,) = encode_methods(
        backbone,
        texts,
        [method],
        role=role,
        max_tokens=max_tokens,
        batch_tokens=batch_tokens,
        progress=progress,
    )
    return encoding


def encode_methods(
    backbone: Backbone,
    texts: Iterable[str],
    methods: Sequence[Method],
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    batch_tokens: int | None = None,
    progress: Progress = quiet,
) -> list[Encoding]:
    """Encode texts by each of several methods, in as few passes as possible.

    Post-processings are not applied, see :mod:`analysis.embedding.finishing`. Methods of the same
    prompts share one plain pass, pooled in different ways; a plan runs only the layers from its
    first one on. ``tokens`` and ``seconds`` of an encoding count the passes that methods of the
    same prompts share.

    Args:
        backbone: the decoder.
        texts: N texts, in any collection that ``as_texts`` reads.
        methods: M methods, their plans included.
        role: what the prompt calls a text, if it names one.
        max_tokens: texts are cut so that no prompt is longer, see :func:`encode`.
        batch_tokens: maximum tokens of a batch, padding included.
        progress: called after every batch, counts distinct prompts.

    Returns:
        What :func:`encode` gives for each method, in their order.

    Raises:
        CorpusError, PlanError, BackboneError, OutOfMemory: as :func:`encode`.
    """
    texts = as_texts(texts)
    for method in methods:
        check_method(backbone, method)
    groups_by_prompt: dict[Hashable, list[int]] = {}
    for number, method in enumerate(methods):
        groups_by_prompt.setdefault(prompts_of(method), []).append(number)
    groups = [
        (
            members,
            prepare(
                backbone,
                texts,
                methods[members[0]],
                role=role,
                max_tokens=max_tokens,
                batch_tokens=batch_tokens,
            ),
        )
        for members in groups_by_prompt.values()
    ]
    total, finished = sum(ready.distinct for _, ready in groups), 0
    encodings: dict[int, Encoding] = {}
    for members, ready in groups:
        began = time.perf_counter()
        sharing = [methods[number] for number in members]
        pooled = pool_batches(
            backbone,
            ready,
            sharing,
            partial(shared_passes, backbone, sharing),
            partial(_within, progress, finished, total),
            halve=True,
        )
        seconds = time.perf_counter() - began
        for number, (embeddings, norms) in zip(members, pooled, strict=True):
            encodings[number] = Encoding(
                embeddings, norms, ready.cut, backbone.provenance(), ready.tokens, seconds
            )
        finished += ready.distinct
    return [encodings[number] for number in range(len(methods))]


def _within(progress: Progress, before: int, total: int, finished: int, _of_group: int) -> None:
    progress(before + finished, total)


def prompts_of(method: Method) -> Hashable:
    """A value that is equal for two methods whose plain passes are the same and keep the same."""
    prompt, change, reading = method.prompt, method.change, method.reading
    return (
        *(prompt.templates, id(prompt.tidy), prompt.backwards),
        *(change.prepending, change.contrast, change.causal),
        *(reading.summed, reading.layers, reading.routers, POOLINGS[method.pooling].by_attention),
    )
