"""The words of texts by one method, plain or re-routed, and what is counted of a corpus."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..embedding.logit_lens import Lens
from ..embedding.methods import Method
from ..evaluation import bootstrap
from ..rerouting.head_lists import format_heads
from ..runtime import plotting
from ..storage.provenance import Provenance
from .shared_options import TOP_WORDS

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Side = Literal["plain", "re-routed"]
_LONGEST = 200
"""Characters of a text in a row."""


@dataclass(frozen=True, eq=False)
class Frequent:
    """A word that texts of a corpus think of first.

    ``count`` texts do, with the mean probability ``probability`` and its 95% interval over texts,
    which a single text does not have.
    """

    token: int
    count: int
    probability: float
    low: float | None
    high: float | None


@dataclass(frozen=True, eq=False)
class Words:
    """The words of N texts by one method, plain or re-routed.

    Attributes:
        method: the method, with the plan of this side.
        side: whether its plan re-routes.
        texts: the N texts.
        corpus: name of the corpus that they are drawn from; "" for texts of one's own.
        of: number of distinct texts of that corpus.
        lens: ids, probabilities and entropies.
        words: each token of the lens as people read it.
        layer: the layer whose output the method reads, from 0.
        provenance: backbone, versions and device.
    """

    method: Method
    side: Side
    texts: tuple[str, ...]
    corpus: str
    of: int
    lens: Lens
    words: dict[int, str]
    layer: int
    provenance: Provenance

    def frequent(self, prompt: int, layer: int, top: int = TOP_WORDS) -> list[Frequent]:
        """The words that most texts think of first at a layer, the most frequent one first.

        Args:
            prompt: number of the method's prompt, from 0.
            layer: from 0.
            top: how many words at most.
        """
        tokens = self.lens.ids[prompt, :, layer, 0]
        shares = self.lens.probabilities[prompt, :, layer, 0].astype(np.float64)
        found, counts = np.unique(tokens, return_counts=True)
        chosen = found[np.argsort(-counts, kind="stable")[:top]]
        members = tokens[:, None] == chosen
        low, high = _intervals(np.where(members, shares[:, None], 0), members)
        return [
            Frequent(
                int(token),
                int(counts[found == token][0]),
                float(shares[members[:, column]].mean()),
                *_sure(low[column], high[column], members[:, column]),
            )
            for column, token in enumerate(chosen)
        ]

    def to_rows(self, top: int = TOP_WORDS) -> list[dict[str, Any]]:
        """Rows of plain values, layer by layer: of each text, or of the corpus.

        Args:
            top: words of each layer, at most :data:`MOST`.
        """
        return [
            self._settings(prompt) | row
            for prompt in range(len(self.lens.ids))
            for row in (
                self._of_corpus(prompt, top) if self.corpus else self._of_texts(prompt, top)
            )
        ]

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows of :meth:`to_rows` as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.to_rows())

    def plot(self) -> "go.Figure":
        """The figure of the words, layer by layer."""
        return plotting.plot([self])

    def _settings(self, prompt: int) -> dict[str, Any]:
        plan = self.method.plan
        return {
            "method": self.method.name,
            "prompt": prompt + 1,
            "template": self.method.templates[prompt],
            "model": self.side,
            "layers": list(plan.layers),
            **({"heads": format_heads((), plan.heads)} if plan.heads else {}),
            "bias": plan.bias if plan.active and math.isfinite(plan.bias) else None,
            "backbone": self.provenance.backbone,
            "dtype": self.provenance.dtype,
        }

    def _of_texts(self, prompt: int, top: int) -> list[dict[str, Any]]:
        lens = self.lens
        return [
            {
                "text": text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\u2026",
                "number": number + 1,
                "layer": layer,
                "read": layer == self.layer,
                "rank": rank + 1,
                "word": self.words[int(lens.ids[prompt, number, layer, rank])],
                "token": int(lens.ids[prompt, number, layer, rank]),
                "probability": float(lens.probabilities[prompt, number, layer, rank]),
                "entropy": float(lens.entropies[prompt, number, layer]),
            }
            for number, text in enumerate(self.texts)
            for layer in range(lens.ids.shape[2])
            for rank in range(min(top, lens.ids.shape[3]))
        ]

    def _of_corpus(self, prompt: int, top: int) -> list[dict[str, Any]]:
        lens = self.lens
        bits = lens.entropies[prompt]
        low, high = _intervals(bits, np.ones_like(bits, dtype=bool))
        return [
            {
                "corpus": self.corpus,
                "texts": len(self.texts),
                "of": self.of,
                "layer": layer,
                "read": layer == self.layer,
                "rank": rank,
                "word": self.words[each.token],
                "token": each.token,
                "count": each.count,
                "probability": each.probability,
                "ci_low": each.low,
                "ci_high": each.high,
                "different": len(np.unique(lens.ids[prompt, :, layer, 0])),
                "entropy": float(bits[:, layer].mean()),
                "entropy_low": float(low[layer]),
                "entropy_high": float(high[layer]),
                "corpus_entropy": float(lens.mean_entropies[prompt, layer]),
                "information": float(lens.mean_entropies[prompt, layer] - bits[:, layer].mean()),
            }
            for layer in range(lens.ids.shape[2])
            for rank, each in enumerate(self.frequent(prompt, layer, top), 1)
        ]


def _sure(
    low: np.float64, high: np.float64, members: NDArray[np.bool_]
) -> tuple[float, float] | tuple[None, None]:
    """An interval over several members; none over a single one."""
    return (float(low), float(high)) if members.sum() > 1 else (None, None)


def _intervals(
    values: NDArray[np.float64], counted: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95% intervals of the means of columns, from the bootstrap draws of texts.

    Args:
        values: (N, C), 0 where a text does not count.
        counted: (N, C), which texts count in a column.

    Returns:
        The lower and the upper ends, (C,).
    """
    means = []
    for weights in bootstrap.of_items(len(values), "texts").weights():
        with np.errstate(invalid="ignore"):  # none that counts was drawn
            means.append((weights @ values) / (weights @ counted))
    ends = np.array([bootstrap.interval(column) for column in np.concatenate(means).T])
    return ends[:, 0] / 100, ends[:, 1] / 100
