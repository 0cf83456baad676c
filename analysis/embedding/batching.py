"""Texts -> batches of prompts: each distinct one once, by length, within a budget of tokens."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora.text_lists import as_texts
from ..errors import CorpusError, quoted
from ..rerouting.torch_state import steady
from .checks import check_limit
from .control_tokens import control_tokens
from .methods import Method
from .pooling import POOLINGS
from .prompts import Prompted, Role, tokenize

BATCH_TOKENS = {"float32": 512, "bfloat16": 1024, "float16": 1024}
"""Tokens a batch holds at most on a CPU, by dtype: few, so that its states stay in the cache."""
GPU_BATCH_TOKENS = 16_384
"""The same on a GPU, which is efficient with many at a time."""


def budget(backbone: Backbone) -> int:
    """Tokens a batch holds at most, padding included (one long text may exceed it)."""
    return BATCH_TOKENS[backbone.dtype.value] if on_cpu(backbone) else GPU_BATCH_TOKENS


def on_cpu(backbone: Backbone) -> bool:
    """Whether the backbone computes on the CPU."""
    return backbone.device.value == "cpu"


@dataclass(frozen=True)
class Batch:
    """Right-padded prompts: ids int64 (B, T), lengths int64 (B,).

    ``rows`` are their numbers among the distinct prompts; ``slots`` int64 (B,) are the columns of
    their placeholders, None for a method without.
    """

    rows: tuple[int, ...]
    prompts: tuple[Prompted, ...]
    ids: torch.Tensor
    lengths: torch.Tensor
    slots: torch.Tensor | None


@dataclass(frozen=True)
class Prepared:
    """All batches of a request, and which distinct prompt each text is.

    ``of_text`` is int64 (K, N) for K templates and N texts, and ``prompts`` alike.
    """

    batches: tuple[Batch, ...]
    of_text: NDArray[np.int64]
    prompts: tuple[tuple[Prompted, ...], ...]

    @property
    def distinct(self) -> int:
        """How many distinct prompts there are."""
        return int(self.of_text.max()) + 1

    @property
    def tokens(self) -> int:
        """Real tokens of all distinct prompts."""
        return sum(int(batch.lengths.sum()) for batch in self.batches)

    @property
    def cut(self) -> tuple[int, ...]:
        """Tokens cut off each text, the maximum over templates."""
        return tuple(
            max(p.tokens_cut for p in versions) for versions in zip(*self.prompts, strict=True)
        )


@steady()
def prepare(
    backbone: Backbone,
    texts: Iterable[str],
    method: Method,
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    batch_tokens: int | None = None,
) -> Prepared:
    """Prompt, tokenise, de-duplicate and batch ``texts``.

    On a CPU prompts share a batch only
    where they have as many tokens: the last bits of a state depend on the width of its batch, as
    the kernels of attention take keys in blocks whose sizes differ between CPUs, and so an
    embedding does not depend on the other texts of its batch (docs/reliability.md).

    Args:
        backbone: the decoder.
        texts: N texts.
        method: says how to prompt; its plan is not used.
        role: what the prompt calls a text, if it names one.
        max_tokens: longer prompts are cut at the text's end and counted; by default, and at
            most, the backbone's context length.
        batch_tokens: maximum tokens of a batch, padding included; :func:`budget` by default.

    Raises:
        CorpusError: there is no text, or one is blank, cannot be encoded or holds a token without
            an embedding.
        PlanError: the token limit leaves no room for a text.
    """
    texts = as_texts(texts)
    if not texts:
        raise CorpusError("There is no text to encode; give at least one.")
    limit = min(filter(None, (check_limit(max_tokens), backbone.facts.context)), default=None)
    prompts = tuple(
        tuple(
            tokenize(
                backbone.tokenizer,
                texts,
                template,
                role=role,
                max_tokens=limit,
                tidy=method.tidy,
                placeholder=method.prepending.placeholder if method.prepending else "",
                special_tokens=backbone.special_tokens,
            )
        )
        for template in method.templates
    )
    for number, prompt in ((n, p) for row in prompts for n, p in enumerate(row, 1)):
        if (last := max(prompt.ids)) >= backbone.facts.vocabulary:
            raise CorpusError(
                f"Text {number} holds {quoted(backbone.tokenizer.decode([last]))}, a token that "
                f"{backbone.facts.name} has no embedding for; take it out, or read it as text."
            )
    index: dict[tuple[int, ...], int] = {}
    of_text = np.array([[index.setdefault(p.ids, len(index)) for p in row] for row in prompts])
    distinct: dict[int, Prompted] = {}
    for row, prompt in zip(of_text.ravel().tolist(), chain(*prompts), strict=True):
        distinct.setdefault(row, prompt)
    tokens_per_batch = budget(backbone) if batch_tokens is None else batch_tokens
    order = sorted(distinct, key=lambda row: len(distinct[row].ids))
    batches: list[list[int]] = []
    previous_width = None
    for row in order:
        width = len(distinct[row].ids)
        new_width = width != previous_width and on_cpu(backbone)
        if not batches or width * (len(batches[-1]) + 1) > tokens_per_batch or new_width:
            batches.append([])
        batches[-1].append(row)
        previous_width = width
    return Prepared(
        tuple(_batch([distinct[row] for row in rows], rows) for rows in batches),
        of_text,
        prompts,
    )


def _batch(prompts: list[Prompted], rows: list[int]) -> Batch:
    lengths = torch.tensor([len(p.ids) for p in prompts])
    ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.int64)
    for i, prompt in enumerate(prompts):
        ids[i, : len(prompt.ids)] = torch.tensor(prompt.ids)
    occupied = [p.slot for p in prompts if p.slot is not None]
    slots = torch.tensor(occupied) if occupied else None
    return Batch(tuple(rows), tuple(prompts), ids, lengths, slots)


@dataclass(frozen=True, eq=False)
class ReadPrompt:
    """One prompt as the backbone reads it: its tokens and their pooling weights.

    ``weights`` float32 (T,) sums to 1; ``text`` bool (T,) marks the text's own tokens, ``control``
    bool (T,) control tokens; ``slot`` is the placeholder's place.
    """

    tokens: tuple[str, ...]
    weights: NDArray[np.float32]
    text: NDArray[np.bool_]
    control: NDArray[np.bool_]
    slot: int | None


def read_prompts(
    backbone: Backbone, text: str, method: Method, *, role: Role = "Context"
) -> tuple[ReadPrompt, ...]:
    """The prompts that ``method`` gives the backbone for ``text``, one for each template.

    Args:
        backbone: the decoder, for its tokenizer.
        text: the text.
        method: says how to prompt and pool.
        role: what the prompt calls a text, if it names one.

    Raises:
        CorpusError, PlanError: see ``prepare``.
    """
    ready = prepare(backbone, [text], method, role=role)
    names = control_tokens(backbone.tokenizer)
    out = []
    for (prompt,) in ready.prompts:
        inside = np.zeros(len(prompt.ids), bool)
        for first, stop in prompt.spans:
            inside[first:stop] = True
        tokens = tuple(backbone.tokenizer.decode([token]) for token in prompt.ids)
        control = np.array([token in names for token in prompt.ids])
        weights = POOLINGS[method.pooling](prompt)
        out.append(ReadPrompt(tokens, weights, inside, control, prompt.slot))
    return tuple(out)
