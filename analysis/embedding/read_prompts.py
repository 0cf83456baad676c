"""Prompts as the backbone reads them, token by token, to be shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from .batch_memory import within_memory
from .batching import Batch, Prepared, prepare
from .checks import check_method
from .control_tokens import control_tokens
from .methods import Method
from .pooling import POOLINGS, weights
from .prompted import Prompted
from .prompts import Role
from .shared_passes import run_batches


@dataclass(frozen=True, eq=False)
class ReadPrompt:
    """One prompt as the backbone reads it: its tokens and their pooling weights.

    ``weights`` float32 (T,) sums to 1; ``text`` bool (T,) marks the text's own tokens, ``control``
    bool (T,) control tokens; ``slots`` are the places of placeholders. A prompt that another is
    moved ``away`` from has weights of 0.
    """

    tokens: tuple[str, ...]
    weights: NDArray[np.float32]
    text: NDArray[np.bool_]
    control: NDArray[np.bool_]
    slots: tuple[int, ...]
    away: bool = False


def read_prompts(
    backbone: Backbone, text: str, method: Method, *, role: Role = "Context"
) -> tuple[ReadPrompt, ...]:
    """The prompts that ``method`` gives the backbone for ``text``.

    There is one for each template; that which it is moved away from, if any, comes after it.

    Args:
        backbone: the decoder; only its tokenizer is used, unless attention gives the weights.
        text: the text.
        method: says how to prompt and pool.
        role: what the prompt calls a text, if it names one.

    Raises:
        CorpusError, PlanError: see ``prepare``.
        BackboneError: the backbone does not show the attention that gives the weights.
    """
    check_method(backbone, method)
    ready = prepare(backbone, [text], method, role=role)
    pooled = _weights(backbone, ready, method)
    out = []
    for (prompt,), (row,) in zip(ready.prompts, ready.of_text.tolist(), strict=True):
        out.append(_read(backbone, prompt, pooled[row]))
        if prompt.away:
            nothing = np.zeros(len(prompt.away.ids), np.float32)
            out.append(replace(_read(backbone, prompt.away, nothing), away=True))
    return tuple(out)


def _weights(backbone: Backbone, ready: Prepared, method: Method) -> dict[int, NDArray[np.float32]]:
    """The pooling weights of each distinct prompt, from a pass where attention gives them."""
    by_prompt: dict[int, NDArray[np.float32]] = {}

    def weigh(batches: Sequence[Batch]) -> None:
        (batch,), attention = batches, None
        if POOLINGS[method.pooling].by_attention:
            (result,) = run_batches(backbone, batches, method, method.plan)
            attention = result.attention
        rows = weights(batch.prompts, method.pooling, attention)
        for number, row, length in zip(batch.rows, rows, batch.lengths.tolist(), strict=True):
            by_prompt[number] = row[:length].numpy()

    within_memory(backbone, ready.apart, weigh, lambda _: None)
    return by_prompt


def _read(backbone: Backbone, prompt: Prompted, pooled: NDArray[np.float32]) -> ReadPrompt:
    names = control_tokens(backbone.tokenizer)
    inside = np.zeros(len(prompt.ids), bool)
    for first, stop in prompt.spans:
        inside[first:stop] = True
    inside[list(prompt.slots)] = False
    tokens = tuple(backbone.tokenizer.decode([token]) for token in prompt.ids)
    control = np.array([token in names for token in prompt.ids])
    return ReadPrompt(tokens, pooled, inside, control, prompt.slots)
