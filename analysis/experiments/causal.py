"""What an early token can know: two texts that share a beginning, token by token.

Under causal attention the shared tokens cannot tell the two endings apart: their states are equal
to the last bit. Re-routing gives every token the final token's pair, and their states move.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..backbones import passes
from ..backbones.backbone import Backbone
from ..embedding.checks import check_plan
from ..embedding.control_tokens import control_tokens
from ..embedding.methods import DEFAULT
from ..embedding.prompted import Prompted
from ..embedding.prompts import check_text, tokenize
from ..errors import BackboneError, CorpusError, PlanError
from ..rerouting.pass_request import PassRequest, PassResult
from ..rerouting.plan import PLAIN, Plan
from ..rerouting.torch_state import steady
from ..runtime import request_log

WATCHED = 512
"""Maximum tokens of a text whose attention is shown: the table grows with their square."""
_BROKEN = "\ufffd"
_PARTS = 8
"""Maximum number of tokens that form one character together."""


@dataclass(frozen=True, eq=False)
class Movement:
    """How far each shared token's state moves when the ending changes.

    ``tokens`` are the S shared tokens as text, ``control`` says which are control tokens;
    ``plain`` and ``rerouted`` float64 (L + 1, S) hold
    the distance |a - b| / |a| of the two texts' states, at the input of every layer and, last,
    after the final norm. ``endings`` are the texts after the shared tokens; ``lengths`` count the
    tokens that the model reads of each, the prompt included.
    """

    tokens: tuple[str, ...]
    control: tuple[bool, ...]
    endings: tuple[str, str]
    lengths: tuple[int, int]
    plain: NDArray[np.float64]
    rerouted: NDArray[np.float64]
    plan: Plan


@dataclass(frozen=True, eq=False)
class Gates:
    """How much each token attends to the re-routed pair: g, float32 (layers, H, T)."""

    tokens: tuple[str, ...]
    layers: tuple[int, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Attention:
    """What each token of a text attends to at one layer.

    ``weights`` float32 (H, T, T) are shares of each query's (row's) attention, zero where
    ``visible`` (T, T) is False: there the mask forbids the query to attend. ``prefix`` float32
    (H, T) is the share of the re-routed pair, None where the layer is not re-routed. Where a row
    sums to less than 1, a family's sink takes the rest.
    """

    tokens: tuple[str, ...]
    layer: int
    weights: NDArray[np.float32]
    visible: NDArray[np.bool_]
    prefix: NDArray[np.float32] | None


def check_texts(first: str, second: str) -> None:
    """Refuse two texts that cannot be compared on any backbone.

    Raises:
        CorpusError: a text is blank or cannot be encoded, or both are the same.
    """
    for name, text in zip(("Sentence A", "Sentence B"), (first, second), strict=True):
        check_text(text, name)
    if first == second:
        raise CorpusError("The two sentences are the same; change the ending of one.")


def movement(
    backbone: Backbone,
    first: str,
    second: str,
    plan: Plan,
    *,
    template: str = DEFAULT.template,
) -> Movement:
    """Compare the states of two texts' shared first tokens, plain and re-routed by ``plan``.

    Each text is run alone and padded to the same width, so that equal states are equal to the last
    bit.

    Args:
        backbone: the decoder.
        first: a text.
        second: a text with the same beginning and another ending.
        plan: which layers re-route, and how.
        template: the prompt of both texts.

    Raises:
        CorpusError: a text is blank, the texts are the same, or they share no token.
        PlanError, BackboneError: the plan does not fit the backbone.
    """
    check_texts(first, second)
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
    names = control_tokens(backbone.tokenizer)
    control = tuple(token in names for token in a.ids[:shared])
    return Movement(tokens, control, ends, lengths, moved[0], moved[1], plan)


def gates(backbone: Backbone, text: str, plan: Plan, *, template: str = DEFAULT.template) -> Gates:
    """The gate of every selected layer, head and token of ``text``.

    Args:
        backbone: the decoder.
        text: the text.
        plan: which layers re-route, and how.
        template: its prompt.

    Raises:
        CorpusError, PlanError, BackboneError: as ``movement``.
    """
    check_text(text, "The text")
    check_plan(backbone, plan)
    (prompt,) = _tokenized(backbone, [text], template)
    gate_of = _pass(backbone, prompt, plan).gates
    empty = np.empty((0, backbone.facts.heads, len(prompt.ids)), np.float32)
    values = np.stack([gate_of[i][0].cpu().numpy() for i in plan.active]) if plan.active else empty
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

    They include grouped heads, sliding windows, soft caps and sinks, as in the pass itself; at a
    re-routed layer the tokens keep the share (1 - g) of their weights.

    Args:
        backbone: the decoder.
        text: the text.
        layer: the layer, from 0.
        plan: which layers re-route, and how.
        template: the text's prompt.

    Raises:
        CorpusError: the text is blank, or has more than ``WATCHED`` tokens.
        PlanError, BackboneError: the plan does not fit the backbone, or the layer has no attention
            weights to show.
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
    result = _pass(backbone, prompt, plan, keep_weights_of=layer)
    weights, visible = result.weights[0].cpu().numpy(), result.visible[0].all(0).cpu().numpy()
    prefix = result.gates[layer][0].cpu().numpy() if layer in plan.active else None
    if prefix is not None:
        weights = (1 - prefix[..., None]) * weights
    return Attention(pieces(backbone, prompt.ids), layer, weights, visible, prefix)


def pieces(backbone: Backbone, ids: tuple[int, ...]) -> tuple[str, ...]:
    """Each token as text, with visible line breaks.

    Tokens that form a character only together, such as bytes, are numbered: "ß 1/2" and "ß 2/2". A
    single token with a part of a character is "(part)".

    Args:
        backbone: the decoder, for its tokenizer.
        ids: token ids.
    """
    texts: list[str] = []
    while (begin := len(texts)) < len(ids):
        for size in range(1, _PARTS + 1):
            text = _decoded(backbone, ids[begin : begin + size])
            if _BROKEN not in text:
                break
        if _BROKEN in text:
            texts.append("(part)")
        elif size == 1:
            texts.append(text)
        else:
            texts += [f"{text} {number}/{size}" for number in range(1, size + 1)]
    return tuple(texts)


def _decoded(backbone: Backbone, ids: tuple[int, ...]) -> str:
    return str(backbone.tokenizer.decode(list(ids))).replace("\n", "\u21b5") or "\u00b7"


def _ending(backbone: Backbone, prompt: Prompted, shared: int) -> str:
    """The text after ``shared`` tokens, from the beginning of its first character."""
    ids = prompt.ids[: prompt.spans[-1][1]]
    for begin in range(shared, max(0, shared - _PARTS) - 1, -1):
        text = _decoded(backbone, ids[begin:]) if begin < len(ids) else ""
        if not text.startswith(_BROKEN):
            break
    return text


def _tokenized(backbone: Backbone, texts: list[str], template: str) -> list[Prompted]:
    limit = backbone.facts.context or None
    return tokenize(
        backbone.tokenizer,
        texts,
        template,
        max_tokens=limit,
        special_tokens=backbone.special_tokens,
    )


@steady()
def _pass(
    backbone: Backbone, prompt: Prompted, plan: Plan, *, keep_weights_of: int | None = None
) -> PassResult:
    """One pass over one prompt that keeps the gates and one layer's weights."""
    ids, lengths = torch.tensor([prompt.ids]), torch.tensor([len(prompt.ids)])
    with backbone.lock:
        request = PassRequest(
            *(ids, lengths, plan, backbone.form), keep_gates=True, keep_weights_of=keep_weights_of
        )
        result = passes.run(backbone, request)
    _check_states(backbone, result.final)
    return result


def _check_states(backbone: Backbone, states: torch.Tensor) -> None:
    """Count a prompt that was run, and refuse states that are not finite.

    Raises:
        BackboneError: the states overflowed.
    """
    request_log.count(encoded=len(states), tokens=states.shape[1])
    if not bool(torch.isfinite(states).all()):
        raise backbone.overflowed()


@steady()
def _states(backbone: Backbone, prompt: Prompted, width: int, plan: Plan) -> torch.Tensor:
    """States entering every layer and after the final norm, float64 (L + 1, T, D) on the CPU."""
    ids = torch.zeros(1, width, dtype=torch.int64)
    ids[0, : len(prompt.ids)] = torch.tensor(prompt.ids)
    with backbone.lock:
        lengths, layers = torch.tensor([len(prompt.ids)]), range(backbone.layers)
        request = PassRequest(ids, lengths, plan, backbone.form, keep_inputs=layers)
        result = passes.run(backbone, request)
    _check_states(backbone, result.final[:, : len(prompt.ids)])
    states = [result.inputs[layer][0] for layer in layers] + [result.final[0]]
    return torch.stack([state.double().cpu() for state in states])
