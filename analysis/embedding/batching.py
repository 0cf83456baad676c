"""Texts -> batches of prompts: each distinct one once, by length; passes of a budget of tokens."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora.text_lists import as_texts
from ..errors import CorpusError, quoted
from ..rerouting.torch_state import steady
from .checks import check_limit
from .methods import Method
from .prompted import Prompted
from .prompts import Role, tokenize

BATCH_TOKENS = 1024
"""Tokens a pass holds at most on a CPU: few, so that its states stay in the cache."""
JOINT_TOKENS = 1024
"""Tokens of a pass at most when prompts of another length join it: a rotary embedding that is
stretched for long texts is so for all of a pass."""
GPU_BATCH_TOKENS = 16_384
"""Tokens a pass holds at most on a GPU, which is efficient with many at a time."""


def budget(backbone: Backbone) -> int:
    """Tokens a pass holds at most, padding included (one long text may exceed it)."""
    return BATCH_TOKENS if on_cpu(backbone) else GPU_BATCH_TOKENS


def on_cpu(backbone: Backbone) -> bool:
    """Whether the backbone computes on the CPU."""
    return backbone.device.value == "cpu"


@dataclass(frozen=True)
class Batch:
    """Right-padded prompts: ids int64 (B, T), lengths int64 (B,).

    ``rows`` are their numbers among the distinct prompts.
    """

    rows: tuple[int, ...]
    prompts: tuple[Prompted, ...]
    ids: torch.Tensor
    lengths: torch.Tensor


@dataclass(frozen=True)
class Prepared:
    """All batches of a request by the pass that they share, and which prompt each text is.

    ``of_text`` is int64 (K, N) for K templates and N texts, and ``prompts`` alike.
    """

    passes: tuple[tuple[Batch, ...], ...]
    of_text: NDArray[np.int64]
    prompts: tuple[tuple[Prompted, ...], ...]

    @property
    def batches(self) -> tuple[Batch, ...]:
        """All batches."""
        return tuple(chain(*self.passes))

    @property
    def apart(self) -> tuple[tuple[Batch], ...]:
        """Each batch as a pass of its own."""
        return tuple((batch,) for batch in self.batches)

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

    On a CPU prompts share a batch only where they have as many tokens, and so have those that they
    are moved away from: the last bits of a state depend on the width of its batch, as the kernels
    of attention take keys in blocks whose sizes differ between CPUs, and so an embedding does not
    depend on the other texts of its batch (docs/reliability.md). Batches of different lengths share
    a pass where the backbone allows it; attention sees each by itself.

    Args:
        backbone: the decoder.
        texts: N texts.
        method: says how to prompt; its plan is not used.
        role: what the prompt calls a text, if it names one.
        max_tokens: longer prompts are cut at the text's end and counted; by default, and at
            most, the backbone's context length.
        batch_tokens: maximum tokens of a pass, padding included; :func:`budget` by default.

    Raises:
        CorpusError: there is no text, or one is blank, cannot be encoded or holds a token without
            an embedding.
        PlanError: the token limit leaves no room for a text.
    """
    texts = as_texts(texts)
    if not texts:
        raise CorpusError("There is no text to encode; give at least one.")
    limit = min(filter(None, (check_limit(max_tokens), backbone.facts.context)), default=None)
    change = method.change
    tokenized = partial(
        tokenize,
        backbone.tokenizer,
        texts,
        role=role,
        max_tokens=limit,
        placeholder=change.prepending.placeholder if change.prepending else "",
        before=change.prepending.before if change.prepending else "text",
        special_tokens=backbone.special_tokens,
    )
    prompts = []
    for number, template in enumerate(method.templates):
        tidy = partial(method.prompt.prepared, number)
        asked = tokenized(template, tidy=tidy)
        if change.contrast:
            away = tokenized(change.contrast.template, tidy=tidy)
            asked = [_moved_away(*both) for both in zip(asked, away, strict=True)]
        prompts.append(tuple(asked))
    for number, prompt in ((n, p) for row in prompts for n, p in enumerate(row, 1)):
        if (last := max((*prompt.ids, *prompt.away_ids))) >= backbone.facts.vocabulary:
            raise CorpusError(
                f"Text {number} holds {quoted(backbone.tokenizer.decode([last]))}, a token that "
                f"{backbone.facts.name} has no embedding for; take it out, or read it as text."
            )
    index: dict[Hashable, int] = {}
    keys = [[(p.ids, p.copies, p.away_ids) for p in row] for row in prompts]
    of_text = np.array([[index.setdefault(key, len(index)) for key in row] for row in keys])
    distinct: dict[int, Prompted] = {}
    for row, prompt in zip(of_text.ravel().tolist(), chain(*prompts), strict=True):
        distinct.setdefault(row, prompt)
    tokens_per_batch = budget(backbone) if batch_tokens is None else batch_tokens
    widths = {row: (len(p.ids), len(p.away_ids)) for row, p in distinct.items()}
    passes = [
        tuple(_batch([distinct[row] for row in rows], rows) for rows in batches)
        for batches in _by_pass(backbone, widths, tokens_per_batch)
    ]
    return Prepared(
        tuple(passes),
        of_text,
        tuple(prompts),
    )


def _by_pass(
    backbone: Backbone, widths: Mapping[int, tuple[int, int]], tokens: int
) -> list[list[list[int]]]:
    """Rows by the pass and the batch in it that they belong to.

    Args:
        backbone: says which prompts share a batch, and whether batches share a pass.
        widths: of each row, how many tokens its prompts have.
        tokens: maximum tokens of a pass.
    """
    passes: list[list[list[int]]] = []
    cells, previous = 0, None
    for row in sorted(widths, key=widths.__getitem__):
        width, padded = max(widths[row]), not on_cpu(backbone)
        is_other = widths[row] != previous and not padded
        after = width * (len(passes[-1][-1]) + 1) if padded and passes else cells + width
        apart = is_other and (backbone.separate is not None or after > JOINT_TOKENS)
        if not passes or after > tokens or apart:
            passes.append([[]])
            cells = 0
        elif is_other:
            passes[-1].append([])
        passes[-1][-1].append(row)
        cells, previous = cells + width, widths[row]
    return passes


def _moved_away(prompt: Prompted, away: Prompted) -> Prompted:
    """A prompt with the one that its last token is moved away from."""
    cut = max(prompt.tokens_cut, away.tokens_cut)
    return replace(prompt, away=away, tokens_cut=cut)


def padded(rows: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """B rows of token ids, right-padded: ids int64 (B, T), lengths int64 (B,)."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    return ids, lengths


def _batch(prompts: list[Prompted], rows: list[int]) -> Batch:
    ids, lengths = padded([p.ids for p in prompts])
    return Batch(tuple(rows), tuple(prompts), ids, lengths)
