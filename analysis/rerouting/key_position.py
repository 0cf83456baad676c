"""The prefix's key at another position: the final token's key, as if it stood before the first.

Rotary positions (https://arxiv.org/abs/2104.09864) are applied to keys inside each family's
attention module, in many ways (halves or interleaved, on a part of the head or all of it, after a
norm or not).
So no formula is copied: the module is run once more for the final token alone, with the position
embedding of the position before the first token, and its key is caught on the way to attention.
Under a rotary embedding position -1 is position 1 rotated the other way: the same cosine, the sine
negated.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch

from . import forward_pass
from .forward_pass import RunningPass


def has_rotation(
    forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> bool:
    """Whether an attention module's call is passed a cosine and a sine of each position.

    Args:
        forward: the module's ``forward``.
        args: positional arguments of the call.
        kwargs: its other arguments.
    """
    embeddings = _arguments(forward, args, kwargs).get("position_embeddings")
    return (
        isinstance(embeddings, tuple)
        and len(embeddings) == 2
        and all(
            isinstance(x, torch.Tensor) and x.is_floating_point() and x.ndim == 3
            for x in embeddings
        )
    )


def replay(
    forward: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    running: RunningPass,
    position: int = -1,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run an attention module again for each row's final token alone, at another position.

    Args:
        forward: the module's ``forward``.
        args: its positional arguments on right-padded states (B, T, D), T at least 2, or on the
            row of a joint pass.
        kwargs: its other arguments.
        running: the running pass, in which the attention function stores query and key.
        position: a column from 0, or -1 for the position before the first.

    Returns:
        The final token's query (B, H, 1, d) and key (B, KV, 1, d) as attention sees them.
    """
    arguments = _arguments(forward, args, kwargs)
    cosine, sine = map(running.own, arguments["position_embeddings"])
    states = running.own(next(iter(arguments.values())))
    rows = torch.arange(len(states), device=states.device)
    columns = running.request.last.to(states.device)
    place = slice(abs(position), abs(position) + 1)
    cosine, sine = cosine[:, place], sine[:, place] * (-1 if position < 0 else 1)
    states_name = next(iter(arguments))
    changed = arguments | {
        states_name: states[rows, columns][:, None],
        "position_embeddings": (cosine, sine),
        "attention_mask": None,
    }
    if (position_ids := changed.get("position_ids")) is not None:
        changed["position_ids"] = running.own(position_ids)[..., :1]
    replayed: list[tuple[torch.Tensor, torch.Tensor]] = []
    running.replayed = replayed
    try:
        with forward_pass.only(running):
            forward(**changed)
    finally:
        running.replayed = None
    return replayed[0]


def _arguments(
    forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """A call's arguments by name, the first one first."""
    signature = inspect.signature(forward)
    bound = signature.bind(*args, **kwargs).arguments
    catch_all = [p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD]
    extra = bound.pop(catch_all[0], {}) if catch_all else {}
    return bound | extra
