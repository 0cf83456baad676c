"""What a pass may change besides re-routing: states overwritten, attention steered."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Overwriting:
    """Before each layer start <= l < exit, states at ``slots`` become those at ``sources``.

    Token Prepending (https://arxiv.org/abs/2412.11556) puts a placeholder there that takes the last
    token's state, and hierarchical token prepending (https://arxiv.org/abs/2511.14868) several that
    take those of sentences' ends.

    Attributes:
        rows: (N,) int64, the row of each copied state.
        slots: (N,) int64, the column that is overwritten.
        sources: (N,) int64, the column that is copied.
        start: first layer that gets the changed states.
        exit: first layer that does not.
    """

    rows: torch.Tensor
    slots: torch.Tensor
    sources: torch.Tensor
    start: int
    exit: int

    def changed(self, states: torch.Tensor) -> torch.Tensor:
        """The states (B, T, D) with those copied."""
        rows, slots, sources = (x.to(states.device) for x in (self.rows, self.slots, self.sources))
        return states.index_put((rows, slots), states[rows, sources])


@dataclass(frozen=True, eq=False)
class Steering:
    """At one layer, what the last token attended to becomes C (A - B), for each head.

    A is what it attended to, the heads' outputs before the output projection, and B what the last
    token of another prompt did (contrastive prompting, https://arxiv.org/abs/2505.12831).

    Attributes:
        layer: the layer, from 0.
        away: B, (B, H, d) in the model's dtype.
        strength: the factor C.
    """

    layer: int
    away: torch.Tensor
    strength: float

    def steered(self, output: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        """Attention's output with the last token's replaced.

        Args:
            output: (B, H, T, d).
            last: (B,) int64, the column of each row's final real token.
        """
        index = last.to(output.device).view(-1, 1, 1, 1)
        index = index.expand(-1, output.shape[1], 1, output.shape[3])
        away = self.away.to(output)[:, :, None]
        return output.scatter(2, index, self.strength * (output.gather(2, index) - away))
