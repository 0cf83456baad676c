"""What an early token can know: two texts that share a beginning, token by token.

Under causal attention the shared tokens cannot tell the two endings apart: their states are the
same to the last bit. Re-routing hands every token the final token's pair, and they move.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from analysis import forward
from analysis.backbone import Backbone
from analysis.encoder import check_plan
from analysis.errors import CorpusError
from analysis.methods import DEFAULT
from analysis.prompting import Prompted, tokenize
from analysis.rerouting import PLAIN, Plan


@dataclass(frozen=True, eq=False)
class Movement:
    """How far each shared token's state moves when the ending changes.

    ``tokens`` are the S shared tokens as text; ``plain`` and ``rerouted`` float64 (L + 1, S) hold
    the distance |a - b| / |a| of the two texts' states, at the input of every layer and, last,
    after the final norm. ``endings`` are the texts' own tokens behind the shared ones.
    """

    tokens: tuple[str, ...]
    endings: tuple[tuple[str, ...], tuple[str, ...]]
    plain: NDArray[np.float64]
    rerouted: NDArray[np.float64]
    plan: Plan


@dataclass(frozen=True, eq=False)
class Gates:
    """How much each token listens to the re-routed pair: g, float32 (layers, H, T), by plan."""

    tokens: tuple[str, ...]
    layers: tuple[int, ...]
    values: NDArray[np.float32]


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
    ends = tuple(pieces(backbone, prompt.ids)[shared:] for prompt in (a, b))
    return Movement(pieces(backbone, a.ids)[:shared], (ends[0], ends[1]), moved[0], moved[1], plan)


def gates(backbone: Backbone, text: str, plan: Plan, *, template: str = DEFAULT.template) -> Gates:
    """The gate of every selected layer, head and token of ``text``.

    Raises:
        CorpusError, PlanError, BackboneError: as ``movement``.
    """
    check_plan(backbone, plan)
    (prompt,) = _tokenized(backbone, [text], template)
    ids, lengths = torch.tensor([prompt.ids]), torch.tensor([len(prompt.ids)])
    with backbone.lock:
        found = forward.run(
            backbone.model, ids, lengths, plan, form=backbone.form, keep_gates=True
        ).gates
    empty = np.empty((0, backbone.facts.heads, len(prompt.ids)), np.float32)
    values = np.stack([found[i][0].cpu().numpy() for i in plan.active]) if plan.active else empty
    return Gates(pieces(backbone, prompt.ids), plan.active, values)


def pieces(backbone: Backbone, ids: tuple[int, ...]) -> tuple[str, ...]:
    """Each token as the text it stands for, line breaks made visible."""
    return tuple(backbone.tokenizer.decode([i]).replace("\n", "\u21b5") or "\u00b7" for i in ids)


def _tokenized(backbone: Backbone, texts: list[str], template: str) -> list[Prompted]:
    limit = backbone.facts.context or None
    return tokenize(backbone.tokenizer, texts, template, max_tokens=limit)


def _states(backbone: Backbone, prompt: Prompted, width: int, plan: Plan) -> torch.Tensor:
    """States entering every layer and after the final norm, float64 (L + 1, T, D) on the CPU."""
    ids = torch.zeros(1, width, dtype=torch.int64)
    ids[0, : len(prompt.ids)] = torch.tensor(prompt.ids)
    with backbone.lock:
        result = forward.run(
            backbone.model,
            ids,
            torch.tensor([len(prompt.ids)]),
            plan,
            form=backbone.form,
            keep_inputs=range(backbone.layers),
        )
    layers = [result.inputs[i][0] for i in range(backbone.layers)] + [result.final[0]]
    return torch.stack([states.double().cpu() for states in layers])
