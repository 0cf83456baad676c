"""How much tokens attend to the re-routed pair: mean gates of layers and heads over some texts.

The gates of one text are in :mod:`analysis.experiments.causal`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones import passes
from ..backbones.backbone import Backbone
from ..corpora.text_lists import as_texts
from ..embedding.checks import check_method
from ..embedding.methods import DEFAULT, Method
from ..embedding.prompts import tokenize
from ..rerouting.pass_request import PassRequest
from ..rerouting.torch_state import steady
from ..runtime import request_log
from ..storage import result_store

MAX_TEXTS, MAX_TOKENS = 8, 128
"""Texts that a layer's gate is averaged over, and tokens of each, prompt included."""


@dataclass(frozen=True, eq=False)
class MeanGates:
    """The mean gate of the re-routed ``layers``, as a share of attention from 0 to 1.

    ``by_head`` is float64 (layers, heads, texts), each the mean over the text's tokens, prompt
    included; a head that does not re-route has 0. ``tokens`` is the number of tokens of all texts.
    """

    layers: tuple[int, ...]
    by_head: NDArray[np.float64]
    tokens: int

    @property
    def by_text(self) -> NDArray[np.float64]:
        """The mean over heads, (layers, texts)."""
        return np.asarray(self.by_head.mean(axis=1))

    @property
    def strength(self) -> NDArray[np.float64]:
        """The mean over texts, (layers,)."""
        return np.asarray(self.by_text.mean(axis=1))


def spread_sample(texts: Sequence[str]) -> tuple[str, ...]:
    """At most ``MAX_TEXTS`` of the texts, evenly spaced."""
    number = min(MAX_TEXTS, len(texts))
    return tuple(texts[i * len(texts) // number] for i in range(number))


def mean_gates(backbone: Backbone, texts: Iterable[str], method: Method = DEFAULT) -> MeanGates:
    """The mean gates under the method's plan, from the store or else from one pass.

    Args:
        backbone: the decoder.
        texts: the texts to average over.
        method: a method that re-routes, with its plan.

    Raises:
        CorpusError: a text is empty.
        PlanError, BackboneError: the plan does not fit the backbone.
    """
    texts = as_texts(texts)
    check_method(backbone, method)
    name = result_store.key(
        "gates by head",
        **backbone.identity,
        **method.identity,
        texts=result_store.digest(list(texts)),
        longest=MAX_TOKENS,
    )
    if (stored := result_store.get(name)) is None:
        facts, arrays = _measured(backbone, texts, method)
        result_store.put(name, facts, arrays)
        stored = facts, arrays
    return MeanGates(method.plan.active, stored[1]["by_head"], stored[0]["tokens"])


@steady()
def _measured(
    backbone: Backbone, texts: Sequence[str], method: Method
) -> tuple[dict[str, int], dict[str, NDArray[np.float64]]]:
    plan = method.plan
    limit = min(backbone.facts.context or MAX_TOKENS, MAX_TOKENS)
    prompts = tokenize(
        backbone.tokenizer,
        texts,
        method.template,
        max_tokens=limit,
        tidy=method.tidy,
        special_tokens=backbone.special_tokens,
    )
    lengths = [len(prompt.ids) for prompt in prompts]
    by_head = np.zeros((len(plan.active), backbone.facts.heads, len(prompts)))
    if plan.active:
        ids = torch.zeros(len(prompts), max(lengths), dtype=torch.int64)
        for row, prompt in zip(ids, prompts, strict=True):
            row[: len(prompt.ids)] = torch.tensor(prompt.ids)
        with backbone.lock:
            request = PassRequest(ids, torch.tensor(lengths), plan, backbone.form, keep_gates=True)
            gates = passes.run(backbone, request).gates
        request_log.count(encoded=len(prompts), tokens=sum(lengths))
        for row, layer in enumerate(plan.active):
            heads = gates[layer].double().cpu()
            for text, length in enumerate(lengths):
                by_head[row, :, text] = heads[text, :, :length].mean(dim=1)
        if not np.isfinite(by_head).all():
            raise backbone.overflowed()
    return {"tokens": sum(lengths)}, {"by_head": by_head}
