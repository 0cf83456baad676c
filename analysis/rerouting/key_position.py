"""The prefix's key at another position: the final token's, as if it stood before the first.

Rotary positions are put on keys inside each family's attention module, in many ways (halves or
interleaved, a part of the head or all of it, after a norm or not). So no formula is copied: the
module is run once more for the final token alone, with the position embedding of the place
before the first token, and its key is caught on the way to attention. Under a rotary embedding
the place at -1 is place 1 turned the other way: the same cosine, the sine negated.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch

_CAUGHT: ContextVar[list[tuple[torch.Tensor, torch.Tensor]] | None] = ContextVar(
    "caught", default=None
)


def caught(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor | None:
    """For attention functions: in a replay, keep query and key and give zeros (B, T, H, d)."""
    if (kept := _CAUGHT.get()) is None:
        return None
    kept.append((query, key))
    return value.new_zeros(len(query), query.shape[2], query.shape[1], value.shape[-1])


@contextmanager
def _catching() -> Iterator[list[tuple[torch.Tensor, torch.Tensor]]]:
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    token = _CAUGHT.set(kept)
    try:
        yield kept
    finally:
        _CAUGHT.reset(token)


def has_rotation(
    forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> bool:
    """Whether an attention module's call is handed a cosine and a sine of each position."""
    given = _arguments(forward, args, kwargs).get("position_embeddings")
    return (
        isinstance(given, tuple)
        and len(given) == 2
        and all(
            isinstance(x, torch.Tensor) and x.is_floating_point() and x.ndim == 3 for x in given
        )
    )


def replay(
    forward: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    last: torch.Tensor,
    position: int = -1,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Query (B, H, 1, d) and key (B, KV, 1, d) of each row's final token at ``position``.

    ``forward``, ``args`` and ``kwargs`` are an attention module's call on right-padded states
    (B, T, D), T at least 2; ``last`` (B,) the final real tokens; ``position`` is a column from 0,
    or -1 for the place before the first.
    """
    arguments = _arguments(forward, args, kwargs)
    cosine, sine = arguments["position_embeddings"]
    states = next(iter(arguments.values()))
    rows, columns = torch.arange(len(states), device=states.device), last.to(states.device)
    place = slice(abs(position), abs(position) + 1)
    cosine, sine = cosine[:, place], sine[:, place] * (-1 if position < 0 else 1)
    first = next(iter(arguments))
    changed = arguments | {
        first: states[rows, columns][:, None],
        "position_embeddings": (cosine, sine),
        "attention_mask": None,
    }
    if (ids := changed.get("position_ids")) is not None:
        changed["position_ids"] = ids[..., :1]
    with _catching() as kept:
        forward(**changed)
    return kept[0]


def _arguments(
    forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """A call's arguments by name, the first one first."""
    signature = inspect.signature(forward)
    bound = signature.bind(*args, **kwargs).arguments
    rest = [p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD]
    extra = bound.pop(rest[0], {}) if rest else {}
    return bound | extra
