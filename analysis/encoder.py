"""Texts -> embeddings: batching, progress, and passes that resume where a plan first differs.

Each distinct prompt is run once, sorted by length and batched by a token budget. A ``Trace``
keeps the states of one plain pass, so that any plan costs only the layers from its first one on.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis import forward
from analysis.backbone import Backbone
from analysis.errors import BackboneError, CorpusError, PlanError
from analysis.methods import Method
from analysis.pooling import POOLINGS, pool, weights
from analysis.prompting import BARE, COMPRESSION, Prompted, Role, tokenize
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
    """Right-padded prompts: ids int64 (B, T), lengths int64 (B,), pooling rows float32 (B, T).

    ``slots`` int64 (B,) is where placeholders stand, None for a method without.
    """

    rows: tuple[int, ...]
    ids: torch.Tensor
    lengths: torch.Tensor
    weights: torch.Tensor
    slots: torch.Tensor | None


@dataclass(frozen=True)
class _Prepared:
    """All batches of a request, and which distinct prompt each text is.

    ``of_text`` is int64 (K, N) for K templates and N texts, and ``prompts`` alike.
    """

    batches: tuple[_Batch, ...]
    of_text: NDArray[np.int64]
    prompts: tuple[tuple[Prompted, ...], ...]

    @property
    def cut(self) -> tuple[int, ...]:
        """Tokens that each text lost, the most where templates differ."""
        return tuple(max(p.tokens_cut for p in same) for same in zip(*self.prompts, strict=True))


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
    found = tuple(
        tuple(
            tokenize(
                backbone.tokenizer,
                texts,
                template,
                role=role,
                max_tokens=limit,
                tidy=method.tidy,
                placeholder=method.prepending.placeholder if method.prepending else None,
            )
        )
        for template in method.templates
    )
    index: dict[tuple[int, ...], int] = {}
    of_text = np.array([[index.setdefault(p.ids, len(index)) for p in row] for row in found])
    distinct: dict[int, Prompted] = {}
    for row, prompt in zip(of_text.ravel().tolist(), chain(*found), strict=True):
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
        found,
    )


def _batch(prompts: list[Prompted], rows: list[int], method: Method) -> _Batch:
    lengths = torch.tensor([len(p.ids) for p in prompts])
    ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.int64)
    for i, prompt in enumerate(prompts):
        ids[i, : len(prompt.ids)] = torch.tensor(prompt.ids)
    held = [p.slot for p in prompts if p.slot is not None]
    slots = torch.tensor(held) if held else None
    return _Batch(tuple(rows), ids, lengths, weights(prompts, method.pooling), slots)


@dataclass(frozen=True, eq=False)
class Shown:
    """One prompt as the backbone reads it: its tokens, and what each counts in the pooling.

    ``weights`` float32 (T,) sums to 1; ``text`` bool (T,) marks the text's own tokens; ``slot``
    is the placeholder's place.
    """

    tokens: tuple[str, ...]
    weights: NDArray[np.float32]
    text: NDArray[np.bool_]
    slot: int | None


def shown(
    backbone: Backbone, text: str, method: Method, *, role: Role = "Context"
) -> tuple[Shown, ...]:
    """Exactly what ``method`` gives the backbone for ``text``, one entry for each template.

    Raises:
        CorpusError, PlanError: see ``prepare``.
    """
    ready = prepare(backbone, [text], method, role=role)
    out = []
    for (prompt,) in ready.prompts:
        inside = np.zeros(len(prompt.ids), bool)
        for first, stop in prompt.spans:
            inside[first:stop] = True
        tokens = tuple(backbone.tokenizer.decode([token]) for token in prompt.ids)
        out.append(Shown(tokens, POOLINGS[method.pooling](prompt), inside, prompt.slot))
    return tuple(out)


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
    if plan.active and plan.key_position not in backbone.key_positions:
        raise BackboneError(
            f"{backbone.facts.name} ({backbone.facts.family}) has no rotary positions, so its keys "
            "cannot be moved to the first one; use the key position own."
        )


def check_method(backbone: Backbone, method: Method) -> None:
    """Refuse a method that the backbone cannot carry out.

    Raises:
        BackboneError: the causal mask of some layers cannot be removed.
        PlanError: the method needs more layers than there are.
    """
    if not method.causal and len(backbone.reroutable) < backbone.layers:
        raise BackboneError(
            f"The causal mask of {backbone.facts.name} ({backbone.facts.family}) cannot be removed "
            f"at {backbone.layers - len(backbone.reroutable)} of its {backbone.layers} layers, so "
            f"{method.name} cannot be done; choose another method or backbone."
        )
    if not 1 <= -method.output <= backbone.layers:
        raise PlanError(
            f"{method.name} reads layer {method.output} from the end, and {backbone.facts.name} "
            f"has {backbone.layers} layers."
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
    check_method(backbone, method)
    ready = prepare(
        backbone, texts, method, role=role, max_tokens=max_tokens, batch_tokens=batch_tokens
    )

    def run(_: int, batch: _Batch) -> forward.Pass:
        return _run(backbone, batch, method, plan)

    vectors = _pooled(backbone, ready, method, run, progress)
    return Encoding(
        vectors,
        sum(int(b.lengths.sum()) for b in ready.batches),
        time.perf_counter() - began,
        sum(cut > 0 for cut in ready.cut),
        sum(ready.cut),
    )


def _run(
    backbone: Backbone,
    batch: _Batch,
    method: Method,
    plan: Plan,
    *,
    keep_inputs: Sequence[int] = (),
    **resumed: Any,
) -> forward.Pass:
    """One batch as ``method`` wants it; keeps the inputs of layers asked for and of its output."""
    pooled = () if method.output == -1 else (backbone.layers + 1 + method.output,)
    held = method.prepending
    return forward.run(
        backbone.model,
        batch.ids,
        batch.lengths,
        plan,
        form=backbone.form,
        keep_inputs=(*keep_inputs, *pooled),
        causal=method.causal,
        overwriting=None
        if held is None or batch.slots is None
        else forward.Overwriting(batch.slots, held.start, held.stop(backbone.layers)),
        **resumed,
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
        if method.output != -1:
            states = result.inputs[backbone.layers + 1 + method.output]
        vectors = pool(states, batch.weights).cpu().numpy()
        if not np.isfinite(vectors).all():
            raise BackboneError(
                f"{backbone.facts.name} overflowed in {backbone.dtype.value}; load it in float32."
            )
        out[list(batch.rows)] = vectors
        done += len(batch.rows)
        progress(done, distinct)
    averaged = torch.from_numpy(out[ready.of_text].mean(axis=0))
    return np.asarray(torch.nn.functional.normalize(averaged, dim=-1).numpy())


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
    ready = _for_states(backbone, texts, prompted)
    last = [b.lengths - 1 for b in ready.batches]
    rows = [torch.arange(len(columns)) for columns in last]
    found = _states_at(backbone, ready, list(zip(rows, last, strict=True)), progress)
    order = np.argsort([row for batch in ready.batches for row in batch.rows])
    return found[:, order][:, ready.of_text[0]]


def any_token_states(
    backbone: Backbone,
    texts: Sequence[str],
    *,
    points: int,
    seed: int = 0,
    prompted: bool = False,
    progress: Progress = lambda _done, _all: None,
) -> NDArray[np.float32]:
    """States of ``points`` tokens drawn from all tokens of the distinct texts: float32 (L, K, D).

    Drawn without replacement, all where there are fewer; at the output of every layer, plain
    causal pass. The same token at the same beginning counts once: under causal attention its
    states are the same in every text. Nothing but these states is kept.
    """
    ready = _for_states(backbone, texts, prompted)
    beginnings: dict[tuple[int, int], int] = {}  # of a beginning and one more token, its number
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


def _for_states(backbone: Backbone, texts: Sequence[str], prompted: bool) -> _Prepared:
    template = COMPRESSION["newline"] if prompted else BARE
    return prepare(backbone, texts, Method("states", "", template, "last"))


def _states_at(
    backbone: Backbone,
    ready: _Prepared,
    at: Sequence[tuple[torch.Tensor, torch.Tensor]],
    progress: Progress,
) -> NDArray[np.float32]:
    """Every layer's output at each batch's (rows, columns), one after the other: (L, K, D)."""
    whole = sum(len(rows) for rows, _ in at)
    out = np.empty((backbone.layers, whole, backbone.facts.hidden), np.float32)
    done = texts = 0
    for batch, places in zip(ready.batches, at, strict=True):
        if len(places[0]):
            with backbone.lock:
                result = forward.run(backbone.model, batch.ids, batch.lengths, keep_at=places)
            for layer, states in result.outputs.items():
                out[layer, done : done + len(places[0])] = states.numpy()
        done += len(places[0])
        texts += len(batch.rows)
        progress(texts, sum(len(b.rows) for b in ready.batches))
    return out


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
        check_method(backbone, method)
        self.backbone, self.method = backbone, method
        self._ready = prepare(backbone, texts, method)
        cells = sum(batch.ids.numel() for batch in self._ready.batches)
        one_layer = cells * backbone.facts.hidden * backbone.model.dtype.itemsize  # type: ignore[operator]
        step = max(1, -(-one_layer * backbone.layers // max(budget, 1)))
        self._kept = tuple(range(0, backbone.layers, step))
        self._inputs: list[dict[int, torch.Tensor]] = []

        def run(_: int, batch: _Batch) -> forward.Pass:
            result = _run(backbone, batch, method, PLAIN, keep_inputs=self._kept)
            self._inputs.append(result.inputs)
            return result

        self.plain = _pooled(backbone, self._ready, method, run, progress)

    @property
    def texts_cut(self) -> int:
        """How many texts were too long and lost their end."""
        return sum(cut > 0 for cut in self._ready.cut)

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
            state = self._inputs[number][start]
            return _run(self.backbone, batch, self.method, plan, start=start, state=state)

        return _pooled(self.backbone, self._ready, self.method, run, progress)
