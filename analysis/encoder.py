"""Texts -> embeddings: batching, progress, and passes that resume where a plan first differs.

Each distinct prompt is run once, sorted by length and batched by a token budget. A ``Trace``
keeps the states of one plain pass, so that any plan costs only the layers from its first one on.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from analysis import forward
from analysis.backbone import Backbone
from analysis.errors import BackboneError, CorpusError, PlanError
from analysis.methods import Method
from analysis.pooling import pool, weights
from analysis.prompting import COMPRESSION, Prompted, Role, tokenize
from analysis.rerouting import PLAIN, Plan

Progress = Callable[[int, int], None]
BATCH_TOKENS = 1024
"""Tokens a batch holds at most, padding included (one long text may exceed it)."""


@dataclass(frozen=True, eq=False)
class Encoding:
    """Embeddings float32 (N, D), L2-normalised, and what it took.

    ``tokens`` counts real tokens run, prompts included, each distinct prompt once;
    ``texts_cut`` and ``tokens_cut`` say how many texts were too long for the backbone and by how
    much in all.
    """

    embeddings: NDArray[np.float32]
    tokens: int
    seconds: float
    texts_cut: int
    tokens_cut: int


@dataclass(frozen=True)
class _Batch:
    """Right-padded prompts: ids int64 (B, T), lengths int64 (B,), pooling rows float32 (B, T)."""

    rows: tuple[int, ...]
    ids: torch.Tensor
    lengths: torch.Tensor
    weights: torch.Tensor


@dataclass(frozen=True)
class _Prepared:
    """All batches of a request, and which distinct prompt each text is."""

    batches: tuple[_Batch, ...]
    of_text: NDArray[np.int64]
    prompts: tuple[Prompted, ...]


def prepare(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    batch_tokens: int = BATCH_TOKENS,
) -> _Prepared:
    """Prompt, tokenise, de-duplicate and batch ``texts``.

    ``max_tokens`` is by default, and at most, the backbone's context length; longer texts are cut
    and counted.

    Raises:
        CorpusError: there is no text, or one is blank or cannot be encoded.
        PlanError: the token limit leaves no room for a text.
    """
    if not texts:
        raise CorpusError("There is no text to encode; give at least one.")
    limit = min(filter(None, (max_tokens, backbone.facts.context)), default=None)
    found = tokenize(
        backbone.tokenizer, texts, method.template, role=role, max_tokens=limit, tidy=method.tidy
    )
    index: dict[tuple[int, ...], int] = {}
    of_text = np.array([index.setdefault(p.ids, len(index)) for p in found], np.int64)
    distinct: dict[int, Prompted] = {}
    for row, prompt in zip(of_text.tolist(), found, strict=True):
        distinct.setdefault(row, prompt)
    order = sorted(distinct, key=lambda row: len(distinct[row].ids))
    batches: list[list[int]] = []
    for row in order:
        width = len(distinct[row].ids)
        if not batches or width * (len(batches[-1]) + 1) > batch_tokens:
            batches.append([])
        batches[-1].append(row)
    return _Prepared(
        tuple(_batch([distinct[row] for row in rows], rows, method) for rows in batches),
        of_text,
        tuple(found),
    )


def _batch(prompts: list[Prompted], rows: list[int], method: Method) -> _Batch:
    lengths = torch.tensor([len(p.ids) for p in prompts])
    ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.int64)
    for i, prompt in enumerate(prompts):
        ids[i, : len(prompt.ids)] = torch.tensor(prompt.ids)
    return _Batch(tuple(rows), ids, lengths, weights(prompts, method.pooling))


def check_plan(backbone: Backbone, plan: Plan) -> None:
    """Refuse a plan that the backbone cannot carry out.

    Raises:
        PlanError: a layer does not exist.
        BackboneError: the family, or one of the layers, cannot be re-routed.
    """
    if plan.layers and plan.layers[-1] >= backbone.layers:
        raise PlanError(
            f"Layer {plan.layers[-1]} does not exist: {backbone.facts.name} has layers 0 to "
            f"{backbone.layers - 1}."
        )
    if beyond := [layer for layer in plan.active if layer not in backbone.reroutable]:
        raise BackboneError(
            backbone.refusal
            or f"Layers {beyond} of {backbone.facts.name} have no attention to re-route; "
            f"these have: {list(backbone.reroutable)}."
        )


def encode(
    backbone: Backbone,
    texts: Sequence[str],
    method: Method,
    plan: Plan = PLAIN,
    *,
    role: Role = "Context",
    max_tokens: int | None = None,
    batch_tokens: int = BATCH_TOKENS,
    progress: Progress = lambda _done, _all: None,
) -> Encoding:
    """Encode ``texts`` by ``method``; ``plan`` counts only if the method re-routes.

    ``progress(done, all)`` is called after every batch, in distinct texts.

    Raises:
        CorpusError, PlanError, BackboneError: see ``prepare`` and ``check_plan``; or the states
            overflowed the backbone's dtype.
    """
    began = time.perf_counter()
    plan = plan if method.reroutes else PLAIN
    check_plan(backbone, plan)
    ready = prepare(
        backbone, texts, method, role=role, max_tokens=max_tokens, batch_tokens=batch_tokens
    )

    def run(_: int, batch: _Batch) -> forward.Pass:
        return forward.run(backbone.model, batch.ids, batch.lengths, plan, form=backbone.form)

    vectors = _pooled(backbone, ready, method, run, progress)
    return Encoding(
        vectors,
        sum(int(b.lengths.sum()) for b in ready.batches),
        time.perf_counter() - began,
        sum(p.tokens_cut > 0 for p in ready.prompts),
        sum(p.tokens_cut for p in ready.prompts),
    )


def _pooled(
    backbone: Backbone,
    ready: _Prepared,
    method: Method,
    run: Callable[[int, _Batch], forward.Pass],
    progress: Progress,
) -> NDArray[np.float32]:
    """Run every batch and pool it: embeddings float32 (N, D) in the order of the texts."""
    distinct = int(ready.of_text.max()) + 1
    out = np.empty((distinct, backbone.facts.hidden), np.float32)
    done = 0
    for number, batch in enumerate(ready.batches):
        with backbone.lock:
            result = run(number, batch)
        states = result.raw if method.norm == "pre" else result.final
        vectors = pool(states, batch.weights).cpu().numpy()
        if not np.isfinite(vectors).all():
            raise BackboneError(
                f"{backbone.facts.name} overflowed in {backbone.dtype.value}; load it in float32."
            )
        out[list(batch.rows)] = vectors
        done += len(batch.rows)
        progress(done, distinct)
    return out[ready.of_text]


def last_token_states(
    backbone: Backbone,
    texts: Sequence[str],
    *,
    prompted: bool = True,
    progress: Progress = lambda _done, _all: None,
) -> NDArray[np.float32]:
    """The final token's state at the output of every layer, plain causal pass: float32 (L, N, D).

    ``prompted`` wraps each text in the compression prompt. Nothing but these states is kept.
    """
    template = COMPRESSION["newline"] if prompted else "{text}"
    ready = prepare(backbone, texts, Method("states", "", template, "last"))
    distinct = int(ready.of_text.max()) + 1
    out = np.empty((backbone.layers, distinct, backbone.facts.hidden), np.float32)
    done = 0
    for batch in ready.batches:
        with backbone.lock:
            result = forward.run(backbone.model, batch.ids, batch.lengths, keep_last=True)
        for layer, states in result.last.items():
            out[layer, list(batch.rows)] = states.numpy()
        done += len(batch.rows)
        progress(done, distinct)
    return out[:, ready.of_text]


class Trace:
    """One plain pass over some texts, kept so that plans cost only their layers from the first on.

    The states entering layers are kept in the model's dtype: at every layer when they fit into
    ``budget`` bytes, else at every second, third ... one, a plan then starting at the kept layer
    below its first. ``embed`` gives what ``encode`` gives, to float32 rounding.
    """

    def __init__(
        self,
        backbone: Backbone,
        texts: Sequence[str],
        method: Method,
        *,
        budget: int = 2 * 1024**3,
        progress: Progress = lambda _done, _all: None,
    ) -> None:
        self.backbone, self.method = backbone, method
        self._ready = prepare(backbone, texts, method)
        cells = sum(batch.ids.numel() for batch in self._ready.batches)
        one_layer = cells * backbone.facts.hidden * backbone.model.dtype.itemsize  # type: ignore[operator]
        step = max(1, -(-one_layer * backbone.layers // max(budget, 1)))
        self._kept = tuple(range(0, backbone.layers, step))
        self._inputs: list[dict[int, torch.Tensor]] = []

        def run(_: int, batch: _Batch) -> forward.Pass:
            result = forward.run(backbone.model, batch.ids, batch.lengths, keep_inputs=self._kept)
            self._inputs.append(result.inputs)
            return result

        self.plain = _pooled(backbone, self._ready, method, run, progress)

    @property
    def texts_cut(self) -> int:
        """How many texts were too long and lost their end."""
        return sum(p.tokens_cut > 0 for p in self._ready.prompts)

    def embed(
        self, plan: Plan, progress: Progress = lambda _done, _all: None
    ) -> NDArray[np.float32]:
        """Embeddings float32 (N, D) under ``plan``, running only the layers that can differ."""
        plan = plan if self.method.reroutes else PLAIN
        check_plan(self.backbone, plan)
        if not plan.active:
            return self.plain
        start = max(layer for layer in self._kept if layer <= plan.active[0])

        def run(number: int, batch: _Batch) -> forward.Pass:
            return forward.run(
                self.backbone.model,
                batch.ids,
                batch.lengths,
                plan,
                form=self.backbone.form,
                start=start,
                state=self._inputs[number][start],
            )

        return _pooled(self.backbone, self._ready, self.method, run, progress)
