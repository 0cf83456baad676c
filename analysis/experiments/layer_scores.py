"""A method's score at every output layer, beside the dimension of the layers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dimension.selection import skipped
from ..embedding.methods import Method
from ..evaluation.comparison import Difference, columns
from ..evaluation.over_layers import Relation, relation
from ..runtime import plotting
from ..storage.provenance import Provenance
from .dimension import Dimensions
from .score_result import described

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Floats = NDArray[np.float64]
LAST = "the last layer"


@dataclass(frozen=True)
class HeldOut:
    """The layer that is best on one half of the items, judged on the other, both ways.

    Attributes:
        layers: the layer chosen on either half.
        change: its score on the other half over the last layer's, times 100, the mean of both ways.
        low: lower end of the 95% interval.
        high: upper end of it.
        items: items in both halves together.
    """

    layers: tuple[int, int]
    change: float
    low: float
    high: float
    items: int


@dataclass(frozen=True, eq=False)
class LayerScores:
    """A method's main measure at every output layer.

    Attributes:
        method: the method, which reads the last layer here.
        corpus: name of the corpus, and ``total`` of it if a part was scored.
        measure: name of the measure.
        values: float64 (L,), the score at each layer, times 100.
        low: float64 (L,), lower ends of their 95% intervals.
        high: float64 (L,), upper ends.
        changes: the paired difference of each layer but the last with the last, corrected for
            their number.
        held_out: the best layer on held-out items; None where there are too few to halve.
        items: number of ``things`` that were scored.
        texts_cut: number of texts that were too long.
    """

    method: Method
    corpus: str
    total: int | None
    measure: str
    values: Floats
    low: Floats
    high: Floats
    changes: tuple[Difference, ...]
    held_out: HeldOut | None
    items: int
    things: str
    resampled: str
    texts_cut: int
    provenance: Provenance

    @property
    def best(self) -> int:
        """The layer of the highest score, the first of equal ones."""
        return int(np.argmax(self.values))

    def rank(self, layer: int) -> int:
        """The rank of a layer's score, 1 for the best."""
        return 1 + int((self.values > self.values[layer]).sum())

    def change(self, layer: int) -> Difference | None:
        """A layer's paired difference with the last layer; None for the last itself."""
        return self.changes[layer] if layer < len(self.changes) else None

    def relation_to(self, dims: Floats) -> Relation | None:
        """How score and dimension go together over the layers outside the first fifth.

        Args:
            dims: (L,) the intrinsic dimension of each layer, NaN where there is none.
        """
        usable = counted(dims)
        return relation(dims[usable], self.values[usable])


def counted(dims: Floats) -> NDArray[np.bool_]:
    """Which layers have a dimension and lie outside the first fifth, (L,)."""
    usable = np.isfinite(dims)
    usable[: skipped(len(dims))] = False
    return usable


def lowest(dims: Floats) -> tuple[int, ...]:
    """The layer of lowest dimension outside the first fifth; where it is the last, the next too.

    Args:
        dims: (L,) the intrinsic dimension of each layer, NaN where there is none.

    Returns:
        Nothing where no such layer has a dimension.
    """
    order = [int(layer) for layer in np.argsort(dims, kind="stable") if counted(dims)[layer]]
    return tuple(order[: 2 if order[:1] == [len(dims) - 1] else 1])


@dataclass(frozen=True, eq=False)
class ByLayer:
    """Methods scored at every output layer, beside the backbone's curve of dimensions.

    Attributes:
        scores: one for each method.
        dimensions: the curve.
    """

    scores: tuple[LayerScores, ...]
    dimensions: Dimensions

    def to_rows(self) -> list[dict[str, Any]]:
        """One row for each method and layer, with what is said of the method as a whole."""
        return [row for each in self.scores for row in self._rows_of(each)]

    def _rows_of(self, scored: LayerScores) -> list[dict[str, Any]]:
        curve = self.dimensions.curve
        low, found = lowest(curve.dims), scored.relation_to(curve.dims)
        held_out = scored.held_out
        total = {
            "lowest": list(low),
            "best": scored.best,
            "held_out_layers": list(held_out.layers) if held_out else [],
            "held_out": held_out.change if held_out else None,
            "held_out_low": held_out.low if held_out else None,
            "held_out_high": held_out.high if held_out else None,
            "held_out_items": held_out.items if held_out else None,
            "correlation": found.rho if found else None,
            "correlation_low": found.low if found else None,
            "correlation_high": found.high if found else None,
            "correlation_p": found.p if found else None,
            "correlation_layers": found.layers if found else None,
        }
        return [
            {
                **described(scored.method),
                "corpus": scored.corpus,
                "measure": scored.measure,
                "output_layer": layer,
                "value": float(scored.values[layer]),
                "ci_low": float(scored.low[layer]),
                "ci_high": float(scored.high[layer]),
                scored.things: scored.items,
                "of": scored.total,
                "texts_cut": scored.texts_cut,
                "post_processing": scored.method.processing,
                **columns(scored.change(layer)),
                "rank": scored.rank(layer),
                "dimension": _finite(curve.dims[layer]),
                "dimension_low": _finite(curve.low[layer]),
                "dimension_high": _finite(curve.high[layer]),
                "dimension_corpus": self.dimensions.corpus,
                "dimension_texts": curve.samples,
                **total,
                "backbone": scored.provenance.backbone,
                "dtype": scored.provenance.dtype,
            }
            for layer in range(len(scored.values))
        ]

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows of :meth:`to_rows` as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.to_rows())

    def plot(self) -> "go.Figure":
        """Scores by output layer with their intervals, and the curve of dimensions below."""
        return plotting.plot(self)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
