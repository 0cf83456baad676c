"""How much tokens listen to the re-routed pair, layer by layer, on average over some texts.

The gate of one text is in :mod:`analysis.experiments.causal`; this is the number for a layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..embedding.checks import check_method
from ..embedding.methods import DEFAULT, Method
from ..embedding.prompts import tokenize
from ..rerouting import forward_pass
from ..rerouting.forward_pass import PassRequest
from ..runtime import request_log
from ..storage import result_store

MOST, LONGEST = 8, 128
"""Texts that a layer's gate is averaged over, and tokens of each, prompt included."""


@dataclass(frozen=True, eq=False)
class Listening:
    """The mean gate of the re-routed ``layers``, as a share of attention from 0 to 1.

    ``by_text`` is float64 (layers, texts), each the mean over heads and over the text's tokens,
    prompt included; ``tokens`` counts those of all texts.
    """

    layers: tuple[int, ...]
    by_text: NDArray[np.float64]
    tokens: int

    @property
    def strength(self) -> NDArray[np.float64]:
        """The mean over texts, (layers,)."""
        return np.asarray(self.by_text.mean(axis=1))


def drawn(texts: Sequence[str]) -> tuple[str, ...]:
    """At most ``MOST`` of some texts, evenly spread."""
    number = min(MOST, len(texts))
    return tuple(texts[i * len(texts) // number] for i in range(number))


def listening(backbone: Backbone, texts: Sequence[str], method: Method = DEFAULT) -> Listening:
    """The mean gates under the method's plan, from the store where known; else from one pass.

    Raises:
        CorpusError: a text is empty.
        PlanError, BackboneError: the plan does not fit the backbone.
    """
    check_method(backbone, method)
    name = result_store.key(
        "listening",
        **backbone.identity,
        **method.identity,
        texts=result_store.digest(list(texts)),
        longest=LONGEST,
    )
    if (found := result_store.get(name)) is None:
        facts, arrays = _measured(backbone, texts, method)
        result_store.put(name, facts, arrays)
        found = facts, arrays
    return Listening(method.plan.active, found[1]["by_text"], found[0]["tokens"])


def _measured(
    backbone: Backbone, texts: Sequence[str], method: Method
) -> tuple[dict[str, int], dict[str, NDArray[np.float64]]]:
    plan = method.plan
    limit = min(backbone.facts.context or LONGEST, LONGEST)
    prompts = tokenize(
        backbone.tokenizer, texts, method.template, max_tokens=limit, tidy=method.tidy
    )
    lengths = [len(prompt.ids) for prompt in prompts]
    by_text = np.zeros((len(plan.active), len(prompts)))
    if plan.active:
        ids = torch.zeros(len(prompts), max(lengths), dtype=torch.int64)
        for row, prompt in zip(ids, prompts, strict=True):
            row[: len(prompt.ids)] = torch.tensor(prompt.ids)
        with backbone.lock:
            request = PassRequest(ids, torch.tensor(lengths), plan, backbone.form, keep_gates=True)
            gates = forward_pass.run(backbone.model, request).gates
        request_log.count(encoded=len(prompts), tokens=sum(lengths))
        for row, layer in enumerate(plan.active):
            heads = gates[layer].double().mean(dim=1).cpu()
            by_text[row] = [float(heads[i, :length].mean()) for i, length in enumerate(lengths)]
        if not np.isfinite(by_text).all():
            raise backbone.overflowed()
    return {"tokens": sum(lengths)}, {"by_text": by_text}
