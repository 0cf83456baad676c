"""Large corpora: a file of texts encoded shard by shard into an array on disk.

Shards are read, encoded and written as a stream, so that memory does not grow with the number of
texts. A run that was stopped resumes after its last finished shard. An input that changes while it
is read is refused, and nothing is published. The array is an ordinary ``.npy`` file, which
``numpy.load(..., mmap_mode="r")`` opens without reading it.
"""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..backbones.backbone import Backbone
from ..corpora.streams import Lines
from ..embedding import cached_encoder
from ..embedding.encoder import MethodEncoder
from ..embedding.finishing import finished
from ..embedding.methods import Method
from ..embedding.prompts import Role
from ..embedding.read_out import width
from ..runtime import outputs
from ..runtime.events import Progress, quiet
from ..storage import result_store
from .engines import Workers
from .growing_array import Shard, checksum_of, growing
from .same_backbone import check_same

MIN_TEXTS, MAX_TEXTS = 128, 1024
"""Texts of a shard: enough to fill batches of similar length, few enough to compute again."""


@dataclass(frozen=True)
class Encoded:
    """The result of encoding a file; ``kept`` of its ``shards`` were finished by an earlier run."""

    texts_cut: int
    tokens_cut: int
    seconds: float
    shards: int
    kept: int


def encode(
    workers: Workers[Backbone],
    reference: Backbone,
    lines: Lines,
    output: Path,
    method: Method,
    *,
    role: Role = "Context",
    resumed: Progress = quiet,
    progress: Progress = quiet,
) -> Encoded:
    """Encode ``lines`` into ``output``, a float32 array (N, D) of rows of unit length.

    Args:
        workers: workers with the backbone, see :func:`analysis.parallel.engines.opened`.
        reference: the same backbone, with or without weights.
        lines: N texts.
        output: the ``.npy`` file; until it is complete, ``output.part`` and a journal lie beside
            it.
        method: how a text becomes a vector, as in :func:`analysis.embedding.encoder.encode`.
        role: what the prompt calls the texts.
        resumed: called with the number of shards that an earlier run finished and the total, if
            any.
        progress: counts texts, after each shard.

    Raises:
        CorpusError: a text cannot be encoded, the input changed while it was read, or the output
            cannot be written.
        BackboneError, PlanError: what encoding raises.
        EngineError: workers gave up, or have other weights, another dtype or device.
    """
    outputs.check_apart([output], [Path(lines.name)])
    began = time.perf_counter()
    size = min(MAX_TEXTS, max(MIN_TEXTS, lines.count // 64))
    total = -(-lines.count // size)
    identity = MethodEncoder(reference, method).identity
    recipe = result_store.digest(identity, result_store.versions(), role, lines.digest, size)
    work = partial(_encoded, reference, method, role)
    with growing(output, recipe, (lines.count, width(reference, method))) as array:
        array.resume(lines.shards(size))
        finished = len(array.cut)
        if finished:
            resumed(finished, total)
        for number, shard in enumerate(
            workers.map(work, lines.shards(size, finished)), finished + 1
        ):
            array.add(shard)
            progress(min(number * size, lines.count), lines.count)
        lines.check_unchanged()
    texts_cut, tokens_cut = np.sum(array.cut, axis=0).tolist()
    return Encoded(texts_cut, tokens_cut, time.perf_counter() - began, total, finished)


def _encoded(
    reference: Backbone, method: Method, role: Role, backbone: Backbone, texts: list[str]
) -> Shard:
    check_same(backbone, reference)
    encoder = MethodEncoder(backbone, method)
    encoding = finished(encoder, encoder.encode(texts, role=role), cached_encoder.embed)
    return Shard(checksum_of(texts), encoding.embeddings, encoding.texts_cut, encoding.tokens_cut)
