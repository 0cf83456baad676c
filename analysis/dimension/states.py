"""States of tokens at every layer: the clouds whose dimension is estimated."""

from collections.abc import Sequence

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from ..backbones import passes
from ..backbones.backbone import Backbone
from ..corpora import sampling
from ..corpora.types import Texts
from ..embedding.batch_memory import within_memory
from ..embedding.batching import Batch, Prepared, prepare
from ..embedding.methods import Method
from ..embedding.named_prompts import own_prompt
from ..embedding.prompts import BARE, COMPRESSION
from ..errors import CorpusError, OutOfMemory
from ..rerouting.pass_request import PassRequest
from ..rerouting.torch_state import steady
from ..runtime import request_log
from ..runtime.events import Progress, quiet
from .estimators import BLOCK_MEGABYTES, FEWEST, Cloud, check_enough

MEASURED_BYTES = 40
"""Bytes for each number of one layer while its dimension is estimated: copies in float64."""


def draw_texts(texts: Texts, samples: int, seed: int, cloud: Cloud) -> tuple[str, ...]:
    """The distinct texts whose states are measured.

    Args:
        texts: the corpus to draw from.
        samples: how many distinct texts, all if there are fewer.
        seed: seed of the draw.
        cloud: whose states are measured.

    Raises:
        CorpusError: there are too few for a dimension of their last tokens.
    """
    if samples < FEWEST:
        raise CorpusError(
            f"A sample of {samples} texts is too small; an intrinsic dimension needs at least "
            f"{FEWEST}, and a reliable one several hundred."
        )
    drawn = sampling.sample(texts, samples, seed).texts
    if cloud == "last":
        check_enough(len(drawn), len(texts.texts))
    return drawn


@steady()
def last_token_states(
    backbone: Backbone,
    texts: Sequence[str],
    *,
    prompted: bool = True,
    progress: Progress = quiet,
) -> NDArray[np.float32]:
    """The final token's state at the output of every layer, in a plain causal pass.

    Args:
        backbone: the decoder.
        texts: N texts.
        prompted: whether each text is put into the compression prompt.
        progress: counts distinct texts.

    Returns:
        Shape (L, N, D), float32.

    Raises:
        CorpusError: there is no text, or one is blank or cannot be encoded.
        BackboneError: the states overflowed.
    """
    ready = _for_states(backbone, texts, prompted)
    last = [b.lengths - 1 for b in ready.batches]
    rows = [torch.arange(len(columns)) for columns in last]
    places = [row for batch in ready.batches for row in batch.rows]
    states = _states_at(backbone, ready, list(zip(rows, last, strict=True)), places, progress)
    prompts = ready.of_text[0]
    return states if np.array_equal(prompts, np.arange(len(places))) else states[:, prompts]


@steady()
def any_token_states(
    backbone: Backbone,
    texts: Sequence[str],
    *,
    points: int,
    seed: int = 0,
    prompted: bool = False,
    progress: Progress = quiet,
) -> NDArray[np.float32]:
    """States of tokens drawn from all tokens of the distinct texts, in a plain causal pass.

    Tokens are drawn without replacement. The same token after the same beginning counts once: under
    causal attention its states are the same in every text.

    Args:
        backbone: the decoder.
        texts: the texts.
        points: number of tokens K; all where there are fewer.
        seed: seed of the draw.
        prompted: whether each text is put into the compression prompt.
        progress: counts distinct texts.

    Returns:
        Shape (L, K, D), float32, at the output of every layer.

    Raises:
        CorpusError: there is no text, or one is blank or cannot be encoded.
        BackboneError: the states overflowed.
    """
    ready = _for_states(backbone, texts, prompted)
    beginnings: dict[tuple[int, int], int] = {}  # the number of a beginning and one more token
    places: list[tuple[int, int, int]] = []
    for number, batch in enumerate(ready.batches):
        for row, (ids, length) in enumerate(
            zip(batch.ids.tolist(), batch.lengths.tolist(), strict=True)
        ):
            beginning = -1
            for column, token in enumerate(ids[:length]):
                beginning = beginnings.setdefault((beginning, token), len(beginnings))
                if beginning == len(places):
                    places.append((number, row, column))
    drawn = np.random.default_rng(seed).permutation(len(places))[:points]
    table = torch.tensor([places[i] for i in sorted(drawn.tolist())])
    at = [
        (table[table[:, 0] == number, 1], table[table[:, 0] == number, 2])
        for number in range(len(ready.batches))
    ]
    return _states_at(backbone, ready, at, range(len(drawn)), progress)


def _for_states(backbone: Backbone, texts: Sequence[str], prompted: bool) -> Prepared:
    template = COMPRESSION["newline"] if prompted else BARE
    return prepare(backbone, texts, Method("states", "", own_prompt(template), "last"))


def _states_at(
    backbone: Backbone,
    ready: Prepared,
    at: Sequence[tuple[torch.Tensor, torch.Tensor]],
    places: Sequence[int],
    progress: Progress,
) -> NDArray[np.float32]:
    """Every layer's output at each batch's (rows, columns), K in all, at their ``places``.

    Returns:
        (L, K, D), float32.

    Raises:
        OutOfMemory: the states do not fit beside what measuring them takes.
    """
    total = len(places)
    _check_room(backbone, total)
    out = np.empty((backbone.layers, total, backbone.facts.hidden), np.float32)
    place_of = np.asarray(places, dtype=np.intp)
    points_of = {  # by prompt: its columns, and their places in the result
        prompt: (columns[rows == row], place_of[start + np.flatnonzero(rows.numpy() == row)])
        for batch, (rows, columns), start in zip(
            ready.batches, at, np.cumsum([0, *(len(rows) for rows, _ in at)]).tolist(), strict=False
        )
        for row, prompt in enumerate(batch.rows)
    }

    def run(batches: Sequence[Batch]) -> None:
        wanted = [each for each in map(asked, batches) if each is not None]
        if not wanted:
            return
        results = passes.run_jointly(backbone, [request for request, _ in wanted])
        for (_, into), result in zip(wanted, results, strict=True):
            for layer, states in result.outputs.items():
                if not bool(torch.isfinite(states).all()):
                    raise backbone.overflowed()
                out[layer, into] = states.numpy()

    def asked(batch: Batch) -> tuple[PassRequest, NDArray[np.intp]] | None:
        columns = [points_of[prompt][0] for prompt in batch.rows]
        counts = torch.tensor([len(each) for each in columns])
        keep_at = torch.repeat_interleave(torch.arange(len(columns)), counts), torch.cat(columns)
        if not len(keep_at[0]):
            return None
        into = np.concatenate([points_of[prompt][1] for prompt in batch.rows])
        return PassRequest(batch.ids, batch.lengths, keep_at=keep_at), into

    texts = 0

    def count(batch: Batch) -> None:
        nonlocal texts
        texts += len(batch.rows)
        request_log.count(encoded=len(batch.rows), tokens=int(batch.lengths.sum()))
        progress(texts, ready.distinct)

    within_memory(backbone, ready.passes, run, count)
    return out


def _check_room(backbone: Backbone, points: int) -> None:
    """Refuse states that do not fit into memory, with the number that does."""
    layers, width = backbone.layers, backbone.facts.hidden
    each = width * (4 * layers + MEASURED_BYTES)
    room = psutil.virtual_memory().available - 3 * 2**20 * BLOCK_MEGABYTES
    if each * points > room:
        fit = max(room // each, 0)
        advice = f"take at most {fit:,} samples" if fit >= FEWEST else "free some memory"
        raise OutOfMemory(
            f"The states of {points:,} texts at the {layers} layers of {backbone.facts.name} take "
            f"{each * points / 1e9:.1f} GB with what measuring them needs, and "
            f"{max(room, 0) / 1e9:.1f} GB are free for it; {advice}."
        )
