"""States of tokens at every layer: the clouds whose dimension is estimated."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..embedding.batching import Batch, Prepared, prepare, within_memory
from ..embedding.methods import Method
from ..embedding.prompts import BARE, COMPRESSION
from ..rerouting import forward_pass
from ..rerouting.forward_pass import PassRequest
from ..runtime import request_log
from ..runtime.events import Progress, quiet


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
    states = _states_at(backbone, ready, list(zip(rows, last, strict=True)), progress)
    order = np.argsort([row for batch in ready.batches for row in batch.rows])
    return states[:, order][:, ready.of_text[0]]


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
    return _states_at(backbone, ready, at, progress)


def _for_states(backbone: Backbone, texts: Sequence[str], prompted: bool) -> Prepared:
    template = COMPRESSION["newline"] if prompted else BARE
    return prepare(backbone, texts, Method("states", "", template, "last"))


def _states_at(
    backbone: Backbone,
    ready: Prepared,
    at: Sequence[tuple[torch.Tensor, torch.Tensor]],
    progress: Progress,
) -> NDArray[np.float32]:
    """Every layer's output at each batch's (rows, columns), in sequence: (L, K, D)."""
    total = sum(len(rows) for rows, _ in at)
    out = np.empty((backbone.layers, total, backbone.facts.hidden), np.float32)
    columns_of = {  # by prompt: its columns, and the place of the first in the result
        prompt: (columns[rows == row], place + int((rows < row).sum()))
        for batch, (rows, columns), place in zip(
            ready.batches, at, np.cumsum([0, *(len(rows) for rows, _ in at)]).tolist(), strict=False
        )
        for row, prompt in enumerate(batch.rows)
    }

    def run(batch: Batch) -> None:
        columns = [columns_of[prompt][0] for prompt in batch.rows]
        counts = torch.tensor([len(each) for each in columns])
        places = torch.repeat_interleave(torch.arange(len(columns)), counts), torch.cat(columns)
        if not len(places[0]):
            return
        first = columns_of[batch.rows[0]][1]
        request = PassRequest(batch.ids, batch.lengths, keep_at=places)
        result = forward_pass.run(backbone.model, request)
        for layer, states in result.outputs.items():
            if not bool(torch.isfinite(states).all()):
                raise backbone.overflowed()
            out[layer, first : first + len(places[0])] = states.numpy()

    texts = 0
    for batch, _ in within_memory(backbone, ready.batches, run):
        texts += len(batch.rows)
        request_log.count(encoded=len(batch.rows), tokens=int(batch.lengths.sum()))
        progress(texts, ready.distinct)
    return out
