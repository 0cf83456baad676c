"""A re-routing plan: its layers and heads, the bias on the prefix's logit, and its key position."""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from ..errors import PlanError, quoted
from ..runtime.lookup import by_name

KeyPosition = Literal["own", "first"]
KEY_POSITIONS: dict[KeyPosition, str] = {
    "own": "the final token's key as it is, rotated to its own position",
    "first": "the final token's key rotated to the position before the first token",
}
Summed = Literal["outputs", "values"]
"""What of attention a pass may sum over layers: outputs after the output projection, or values."""
OFF = -math.inf
"""The bias that shuts the prefix out."""


class Head(NamedTuple):
    """A query head that re-routes: its layer and its number there, both from 0.

    ``bias`` is its own bias; None for the plan's.
    """

    layer: int
    head: int
    bias: float | None = None


@dataclass(frozen=True)
class Plan:
    """Which layers and heads re-route, the bias b on the prefix's logit, and the prefix's key.

    ``layers`` re-route with all their heads, and ``heads`` are single ones of other layers; both
    are from 0 and ascending. ``bias`` is added after the 1/sqrt(d) scaling and before the softmax;
    ``-inf`` is "off". ``key_position`` is the position of the prefix's key: the final token's
    ``own`` position, or the position before the ``first`` token.

    Raises:
        PlanError: layers or heads are negative, repeated or out of order, a head is of a layer
            that re-routes as a whole, a bias is nan or +inf, or there is no such key position.
    """

    layers: tuple[int, ...] = ()
    bias: float = 1.0
    key_position: KeyPosition = "own"
    heads: tuple[Head, ...] = ()

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "layers", tuple(map(operator.index, self.layers)))
            object.__setattr__(self, "bias", float(self.bias))
        except (TypeError, ValueError):
            raise PlanError(
                f"Layers must be whole numbers and the bias a number, not {quoted(self.layers)} "
                f"and {quoted(self.bias)}."
            ) from None
        if not _ascending(self.layers):
            raise PlanError(
                f"Layers {quoted(self.layers)} must be distinct, ascending and at least 0."
            )
        object.__setattr__(self, "heads", _heads(self.heads))
        if not _ascending([(each.layer, each.head) for each in self.heads]):
            raise PlanError("Heads must be distinct, ascending, and their numbers at least 0.")
        if double := [each.layer for each in self.heads if each.layer in self.layers]:
            raise PlanError(f"Layer {double[0]} re-routes as a whole; name no single head of it.")
        for bias in (self.bias, *(each.bias for each in self.heads if each.bias is not None)):
            if math.isnan(bias) or bias == math.inf:
                raise PlanError(f"The bias must be a number or -inf, not {bias}.")
        by_name(KEY_POSITIONS, self.key_position, "key position")

    @property
    def active(self) -> tuple[int, ...]:
        """The layers at which anything happens: none where the bias is -inf."""
        whole = () if self.bias == OFF else self.layers
        single = {each.layer for each in self.heads if self.bias_of(each) != OFF}
        return tuple(sorted({*whole, *single}))

    @property
    def identity(self) -> dict[str, Any]:
        """All of the plan that decides a number, as plain data; what it lacks is left out."""
        whole = () if self.bias == OFF else self.layers
        single = [[*each[:2], self.bias_of(each)] for each in self.heads]
        acting = [each for each in single if each[2] != OFF]
        moved = self.active and self.key_position != "own"
        return {
            "layers": list(whole),
            "bias": self.bias if whole else 0.0,
            **({"heads": acting} if acting else {}),
            **({"key": self.key_position} if moved else {}),
        }

    def with_layers(self, layers: Sequence[int]) -> "Plan":
        """The same bias and key position at other layers, with all their heads."""
        return replace(self, layers=tuple(layers), heads=())

    def without(self, layer: int) -> "Plan":
        """The plan with nothing re-routed at a layer."""
        return replace(
            self,
            layers=tuple(each for each in self.layers if each != layer),
            heads=tuple(each for each in self.heads if each.layer != layer),
        )

    def bias_of(self, head: Head) -> float:
        """A head's bias: its own, or the plan's."""
        return self.bias if head.bias is None else head.bias

    def at(self, layer: int) -> tuple[tuple[int, float], ...] | float:
        """What happens at a layer: its bias, or the bias of each head; -inf for nothing.

        Two plans of the same key position act alike at a layer where this is equal.
        """
        if layer in self.layers:
            return self.bias
        biases = [(each.head, self.bias_of(each)) for each in self.heads if each.layer == layer]
        return tuple((head, bias) for head, bias in biases if bias != OFF) or OFF

    def biases_at(self, layer: int, heads: int) -> float | list[float]:
        """The bias of every head of a layer that has so many; one number if it is all the same."""
        at = self.at(layer)
        return at if isinstance(at, float) else [dict(at).get(head, OFF) for head in range(heads)]


def _ascending(values: Sequence[int] | Sequence[tuple[int, int]]) -> bool:
    """Whether values are distinct, ascending, and nowhere below 0."""
    flat = [
        number for value in values for number in (value if isinstance(value, tuple) else (value,))
    ]
    return min(flat, default=0) >= 0 and list(values) == sorted(set(values))  # type: ignore[type-var]


def _heads(heads: Sequence[Sequence[float | None]]) -> tuple[Head, ...]:
    """Heads with plain numbers.

    Raises:
        PlanError: one is not a layer, a head and perhaps a bias.
    """
    plain = []
    try:
        for layer, head, *own in heads:
            bias = own[0] if own else None
            plain.append(
                Head(
                    operator.index(layer),  # type: ignore[arg-type]
                    operator.index(head),  # type: ignore[arg-type]
                    None if bias is None else float(bias),
                )
            )
    except (TypeError, ValueError):
        raise PlanError(
            f"A head is its layer and its number, such as (12, 3), not {quoted(heads)}."
        ) from None
    return tuple(plain)


PLAIN = Plan()
