"""The words that the last token of a prompt makes a backbone think of, layer by layer.

What a layer gives at the last token goes through the backbone's own final norm and unembedding, as
if no layer followed. At the last layer these are the probabilities of the next token; before it
this is the *logit lens* (nostalgebraist 2020,
https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..backbones.unembedding import Unembedding, final_states, unembedding
from ..errors import PlanError
from ..rerouting.torch_state import steady
from ..runtime import request_log
from ..runtime.events import Progress, quiet
from .batch_memory import within_memory
from .batching import Batch, prepare
from .checks import check_method
from .method_parts import READINGS
from .methods import METHODS, VARIANTS, Method
from .shared_passes import run_batches
from .token_words import MOST

LAST_TOKEN = ("last", "hybrid")
"""Poolings that read the last token."""


@dataclass(frozen=True, eq=False)
class Lens:
    """The distributions over the vocabulary of N texts in P prompts, at each of L layers.

    Attributes:
        ids: int64 (P, N, L, K), the K = :data:`MOST` most probable tokens, the first one first.
        probabilities: float32 (P, N, L, K), theirs.
        entropies: float64 (P, N, L), of each distribution, in bits.
        mean_entropies: float64 (P, L), of the mean of the N distributions, in bits.
        cut: (N,) tokens cut off each text because it was too long.
    """

    ids: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    entropies: NDArray[np.float64]
    mean_entropies: NDArray[np.float64]
    cut: tuple[int, ...]


def readable() -> tuple[str, ...]:
    """The methods and variants that read a state of the last token, by name."""
    every = METHODS | VARIANTS
    return tuple(name for name, each in every.items() if is_readable(each))


def is_readable(method: Method) -> bool:
    """Whether a method reads a state of the last token, alone or beside others."""
    return method.pooling in LAST_TOKEN and not method.reading.summed


def check_readable(method: Method) -> None:
    """Refuse a method that reads no state of the last token.

    Raises:
        PlanError: it is one.
    """
    if not is_readable(method):
        read = method.reading.name if method.reading.summed else f"tokens by {method.pooling}"
        raise PlanError(
            f"{method.name} reads {read} and no single last token that has a word; choose a "
            "method that reads the last token, such as prompt-eol."
        )


def lens_method(method: Method) -> Method:
    """A method without what makes no difference to its words: tokens, layer and step after."""
    return replace(method, pooling="last", reading=READINGS["states"], processing="none")


def logit_lens(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    *,
    plain: Lens | None = None,
    progress: Progress = quiet,
) -> Lens:
    """The words of texts by one method, at every layer.

    Each text's distributions are computed on their own, so they do not depend on other texts.

    Args:
        backbone: the decoder.
        texts: N texts.
        method: a method that reads the last token, its plan included.
        plain: those of the same prompts with nothing re-routed. What the layers below the first
            re-routed one give is the same and is taken from it.
        progress: counts distinct prompts.

    Raises:
        PlanError: the method reads no state of the last token, or does not fit the backbone.
        CorpusError: there is no text, or one is blank or cannot be encoded.
        BackboneError: the backbone has no unembedding, or its states overflowed.
        OutOfMemory: the unembedding or a prompt does not fit into memory.
    """
    check_readable(method)
    check_method(backbone, method)
    head, method = unembedding(backbone), lens_method(method)
    ready = prepare(backbone, texts, method)
    first = 0 if plain is None else min(method.plan.active, default=backbone.layers)
    prompts, layers, kept = ready.distinct, backbone.layers - first, min(MOST, len(head.weight))
    ids = np.empty((prompts, layers, kept), np.int64)
    probabilities = np.empty((prompts, layers, kept), np.float32)
    entropies = np.empty((prompts, layers))
    counts = np.stack([np.bincount(row, minlength=prompts) for row in ready.of_text])
    sums = torch.zeros(
        (len(counts), layers, len(head.weight)),
        dtype=torch.float32 if head.weight.device.type == "mps" else torch.float64,
        device=head.weight.device,
    )

    def read(batches: Sequence[Batch]) -> None:
        (batch,) = batches
        last = torch.arange(len(batch.rows)), batch.lengths - 1
        (result,) = run_batches(backbone, batches, method, method.plan, keep_at=last)
        outputs = result.outputs
        states = torch.stack([outputs[layer] for layer in range(first, backbone.layers)], 1)
        for row, of_text in zip(batch.rows, states, strict=True):
            shares, bits = distributions(head, final_states(backbone, of_text))
            best, chosen = shares.topk(kept, -1)
            ids[row], probabilities[row] = chosen.cpu().numpy(), best.cpu().numpy()
            entropies[row] = bits.cpu().numpy()
            for template in np.flatnonzero(counts[:, row]).tolist():
                sums[template].add_(shares, alpha=int(counts[template, row]))

    finished = 0

    def count(batch: Batch) -> None:
        nonlocal finished
        finished += len(batch.rows)
        request_log.count(encoded=len(batch.rows), tokens=int(batch.lengths.sum()))
        progress(finished, prompts)

    with steady(backbone.threads, backbone.arithmetic):
        if layers:
            within_memory(backbone, ready.apart, read, count)
        means = sums / len(texts)
        mean_entropies = (torch.special.entr(means).sum(-1) / math.log(2)).double().cpu().numpy()
    places = ready.of_text
    lens = Lens(ids[places], probabilities[places], entropies[places], mean_entropies, ready.cut)
    return lens if plain is None else _joined(plain, lens, first)


def _joined(below: Lens, above: Lens, first: int) -> Lens:
    """The layers of one lens below ``first``, and all of another, which begins there."""
    return Lens(
        np.concatenate([below.ids[:, :, :first], above.ids], 2),
        np.concatenate([below.probabilities[:, :, :first], above.probabilities], 2),
        np.concatenate([below.entropies[:, :, :first], above.entropies], 2),
        np.concatenate([below.mean_entropies[:, :first], above.mean_entropies], 1),
        above.cut,
    )


def distributions(head: Unembedding, final: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The distributions over the vocabulary of final states, and their entropies in bits.

    Args:
        head: the unembedding.
        final: (M, D), states after the final norm.

    Returns:
        Probabilities float32 (M, V), which sum to 1, and entropies (M,): -sum p log2 p.
    """
    shares = torch.softmax(head.logits(final), -1)
    return shares, torch.special.entr(shares).sum(-1) / math.log(2)
