"""A re-routing plan: its layers, the bias on the prefix's logit, and the prefix's key position."""

import math
import operator
from dataclasses import dataclass
from typing import Literal

from ..errors import PlanError, quoted

KeyPosition = Literal["own", "first"]
KEY_POSITIONS: dict[KeyPosition, str] = {
    "own": "the final token's key as it is, rotated to its own position",
    "first": "the final token's key rotated to the position before the first token",
}


@dataclass(frozen=True)
class Plan:
    """Which layers re-route (0-based, ascending), the bias b on the prefix's logit, and its key.

    ``bias`` is added after the 1/sqrt(d) scaling and before the softmax; ``-inf`` is "off".
    ``key_position`` is the position of the prefix's key: the final token's ``own`` position, or
    the position before the ``first`` token.

    Raises:
        PlanError: layers are negative, repeated or out of order, the bias is nan or +inf, or
            there is no such key position.
    """

    layers: tuple[int, ...] = ()
    bias: float = 1.0
    key_position: KeyPosition = "own"

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "layers", tuple(map(operator.index, self.layers)))
            object.__setattr__(self, "bias", float(self.bias))
        except (TypeError, ValueError):
            raise PlanError(
                f"Layers must be whole numbers and the bias a number, not {quoted(self.layers)} "
                f"and {quoted(self.bias)}."
            ) from None
        if any(layer < 0 for layer in self.layers) or list(self.layers) != sorted(set(self.layers)):
            raise PlanError(
                f"Layers {quoted(self.layers)} must be distinct, ascending and at least 0."
            )
        if math.isnan(self.bias) or self.bias == math.inf:
            raise PlanError(f"The bias must be a number or -inf, not {self.bias}.")
        if self.key_position not in KEY_POSITIONS:
            raise PlanError(
                f"There is no key position {quoted(self.key_position)}; use "
                f"{' or '.join(KEY_POSITIONS)}."
            )

    @property
    def active(self) -> tuple[int, ...]:
        """The layers at which anything happens: none when the bias is -inf."""
        return () if self.bias == -math.inf else self.layers


PLAIN = Plan()
