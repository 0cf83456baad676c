"""What an early token can know: two texts that share a beginning, token by token.

Under causal attention the shared tokens cannot tell the two endings apart: their states are the
same to the last bit. Re-routing hands every token the final token's pair, and they move.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..embedding.checks import check_plan
from ..embedding.methods import DEFAULT
from ..embedding.prompts import Prompted, tokenize
from ..errors import BackboneError, CorpusError, PlanError
from ..rerouting import forward_pass
from ..rerouting.forward_pass import PassRequest, PassResult
from ..rerouting.plan import PLAIN, Plan
from ..runtime import request_log

WATCHED = 512
"""Tokens of a text whose attention is looked at, at most: the table grows with their square."""
_BROKEN = "\ufffd"
_PARTS = 8
"""Tokens that may make one character together, at most."""


@dataclass(frozen=True, eq=False)
class Movement:
    """How far each shared token's state moves when the ending changes.

    ``tokens`` are the S shared tokens as text; ``plain`` and ``rerouted`` float64 (L + 1, S) hold
    the distance |a - b| / |a| of the two texts' states, at the input of every layer and, last,
    after the final norm. ``endings`` are what the texts themselves say behind the shared tokens;
    ``lengths`` count the tokens that the model reads of each, the prompt's included.
    """

    tokens: tuple[str, ...]
    endings: tuple[str, str]
    lengths: tuple[int, int]
    plain: NDArray[np.float64]
    rerouted: NDArray[np.float64]
    plan: Plan


@dataclass(frozen=True, eq=False)
class Gates:
    """How much each token listens to the re-routed pair: g, float32 (layers, H, T), by plan."""

    tokens: tuple[str, ...]
    layers: tuple[int, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Attention:
    """Whom each token of a text listens to at one layer.

    ``weights`` float32 (H, T, T) are shares of each query's (row's) attention, zero where
    ``visible`` (T, T) is not set: there the mask forbids the query to look. ``prefix`` float32
    (H, T) is the share of the re-routed pair, None where the layer is not re-routed. What a row
    lacks to 1 goes to the sink of a family that has one.
    """

    tokens: tuple[str, ...]
    layer: int
    weights: NDArray[np.float32]
    visible: NDArray[np.bool_]
    prefix: NDArray[np.float32] | None


def movement(
    backbone: Backbone,
    first: str,
    second: str,
    plan: Plan,
    *,
    template: str = DEFAULT.template,
) -> Movement:
    """Compare the states of two texts' shared first tokens, plain and re-routed by ``plan``.

    Both run alone and padded to one width, so that equal states are equal to the last bit.

    Raises:
        CorpusError: a text is blank, the texts are the same, or they share no token.
        PlanError, BackboneError: the plan does not fit the backbone.
    """
    check_plan(backbone, plan)
    a, b = _tokenized(backbone, [first, second], template)
    differs = [i for i, (x, y) in enumerate(zip(a.ids, b.ids, strict=False)) if x != y]
    shared = differs[0] if differs else min(len(a.ids), len(b.ids))
    if a.ids == b.ids:
        raise CorpusError("The two sentences are the same; change the ending of one.")
    if not shared:
        raise CorpusError("The two sentences share no beginning; start both with the same words.")
    width = max(len(a.ids), len(b.ids))
    moved = []
    for chosen in (PLAIN, plan):
        x, y = (_states(backbone, prompt, width, chosen)[:, :shared] for prompt in (a, b))
        moved.append(((x - y).norm(dim=-1) / x.norm(dim=-1).clamp(min=1e-30)).numpy())
    ends = _ending(backbone, a, shared), _ending(backbone, b, shared)
    tokens, lengths = pieces(backbone, a.ids[:shared]), (len(a.ids), len(b.ids))
    return Movement(tokens, ends, lengths, moved[0], moved[1], plan)


def gates(backbone: Backbone, text: str, plan: Plan, *, template: str = DEFAULT.template) -> Gates:
    """The gate of every selected layer, head and token of ``text``.

    Raises:
        CorpusError, PlanError, BackboneError: as ``movement``.
    """
    check_plan(backbone, plan)
    (prompt,) = _tokenized(backbone, [text], template)
    found = _pass(backbone, prompt, plan).gates
    empty = np.empty((0, backbone.facts.heads, len(prompt.ids)), np.float32)
    values = np.stack([found[i][0].cpu().numpy() for i in plan.active]) if plan.active else empty
    return Gates(pieces(backbone, prompt.ids), plan.active, values)


def attention(
    backbone: Backbone,
    text: str,
    layer: int,
    plan: Plan = PLAIN,
    *,
    template: str = DEFAULT.template,
) -> Attention:
    """The attention weights of ``layer`` while ``text`` is read, re-routed by ``plan``.

    They are what the pass really weighs by, grouped heads, sliding windows, soft caps and sinks
    included; a re-routed layer leaves its tokens the share (1 - g) of what they had.

    Raises:
        CorpusError: the text is blank, or has more than ``WATCHED`` tokens.
        PlanError, BackboneError: the plan does not fit the backbone, or the layer has no attention
            weights that can be seen.
    """
    check_plan(backbone, plan)
    if not 0 <= layer < backbone.layers:
        raise PlanError(
            f"There is no layer {layer}: {backbone.facts.name} has layers 0 to "
            f"{backbone.layers - 1}."
        )
    if layer not in backbone.reroutable:
        raise BackboneError(
            f"The attention of {backbone.facts.name} cannot be looked at: {backbone.refusal}"
            if backbone.refusal
            else f"Layer {layer} of {backbone.facts.name} has no attention weights; these have: "
            f"{list(backbone.reroutable)}."
        )
    (prompt,) = _tokenized(backbone, [text], template)
    if (tokens := len(prompt.ids)) > WATCHED:
        raise CorpusError(
            f"This text has {tokens:,} tokens, and attention is shown for {WATCHED} at most; "
            "shorten it."
        )
    found = _pass(backbone, prompt, plan, keep_weights_of=layer)
    weights, visible = found.weights[0].cpu().numpy(), found.visible[0].all(0).cpu().numpy()
    prefix = found.gates[layer][0].cpu().numpy() if layer in plan.active else None
    if prefix is not None:
        weights = (1 - prefix[..., None]) * weights
    return Attention(pieces(backbone, prompt.ids), layer, weights, visible, prefix)


def pieces(backbone: Backbone, ids: tuple[int, ...]) -> tuple[str, ...]:
    """Each token as the text it stands for, line breaks made visible.

    Tokens that only together make characters, as bytes do, are told apart by their number:
    "ß 1/2" and "ß 2/2". One that is left alone with a part of a character is "(part)".
    """
    found: list[str] = []
    while (begin := len(found)) < len(ids):
        for size in range(1, _PARTS + 1):
            text = _decoded(backbone, ids[begin : begin + size])
            if _BROKEN not in text:
                break
        if _BROKEN in text:
            found.append("(part)")
        elif size == 1:
            found.append(text)
        else:
            found += [f"{text} {part}/{size}" for part in range(1, size + 1)]
    return tuple(found)


def _decoded(backbone: Backbone, ids: tuple[int, ...]) -> str:
    return str(backbone.tokenizer.decode(list(ids))).replace("\n", "\u21b5") or "\u00b7"


def _ending(backbone: Backbone, prompt: Prompted, shared: int) -> str:
    """What a text says behind ``shared`` tokens, from the beginning of its first character on."""
    ids = prompt.ids[: prompt.spans[-1][1]]
    for begin in range(shared, max(0, shared - _PARTS) - 1, -1):
        text = _decoded(backbone, ids[begin:]) if begin < len(ids) else ""
        if not text.startswith(_BROKEN):
            break
    return text


def _tokenized(backbone: Backbone, texts: list[str], template: str) -> list[Prompted]:
    limit = backbone.facts.context or None
    return tokenize(backbone.tokenizer, texts, template, max_tokens=limit)


def _pass(
    backbone: Backbone, prompt: Prompted, plan: Plan, *, keep_weights_of: int | None = None
) -> PassResult:
    """One pass over one prompt that keeps the gates and one layer's weights."""
    ids, lengths = torch.tensor([prompt.ids]), torch.tensor([len(prompt.ids)])
    with backbone.lock:
        request = PassRequest(
            *(ids, lengths, plan, backbone.form), keep_gates=True, keep_weights_of=keep_weights_of
        )
        result = forward_pass.run(backbone.model, request)
    _counted(backbone, result.final)
    return result


def _counted(backbone: Backbone, states: torch.Tensor) -> None:
    """Count a prompt that was run, and refuse what is no number.

    Raises:
        BackboneError: the states overflowed.
    """
    request_log.count(encoded=len(states), tokens=states.shape[1])
    if not bool(torch.isfinite(states).all()):
        raise backbone.overflowed()


def _states(backbone: Backbone, prompt: Prompted, width: int, plan: Plan) -> torch.Tensor:
    """States entering every layer and after the final norm, float64 (L + 1, T, D) on the CPU."""
    ids = torch.zeros(1, width, dtype=torch.int64)
    ids[0, : len(prompt.ids)] = torch.tensor(prompt.ids)
    with backbone.lock:
        lengths, layers = torch.tensor([len(prompt.ids)]), range(backbone.layers)
        request = PassRequest(ids, lengths, plan, backbone.form, keep_inputs=layers)
        result = forward_pass.run(backbone.model, request)
    _counted(backbone, result.final[:, : len(prompt.ids)])
    states = [result.inputs[layer][0] for layer in layers] + [result.final[0]]
    return torch.stack([of_layer.double().cpu() for of_layer in states])
