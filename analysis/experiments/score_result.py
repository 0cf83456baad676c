"""The result of scoring a method on any kind of corpus, and what it can become."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..corpora.types import Pairs, Retrieval, Texts
from ..embedding.methods import Method
from ..evaluation.measures import Measure
from ..rerouting.plan import Plan
from ..runtime import plotting
from ..storage.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Corpus = Pairs | Texts | Retrieval
"""What can be scored: rated pairs, labelled texts, or queries with documents."""


@dataclass(frozen=True, eq=False)
class Score:
    """One method's measures on a corpus, and what they rest on.

    Attributes:
        method: what was scored, its plan included.
        corpus: the corpus's name.
        measures: the first is the one to look at.
        provenance: what made the result.
        of: the size of the total corpus, where it was scored on a part.
        texts_cut: texts that were too long and lost their end.
        cosines: float64 (P,), those of rated pairs; None on other corpora.
    """

    method: Method
    corpus: str
    measures: tuple[Measure, ...]
    provenance: Provenance
    of: int | None = None
    texts_cut: int = 0
    cosines: NDArray[np.float64] | None = None

    @property
    def name(self) -> str:
        """The method's name."""
        return self.method.name

    @property
    def plan(self) -> Plan:
        """The plan that the method was scored under."""
        return self.method.plan

    @property
    def first(self) -> Measure:
        """The measure to look at first."""
        return self.measures[0]

    @property
    def sentence(self) -> str:
        """The result in words."""
        return f"{self.name} on {self.corpus}: {self.first.sentence}"

    def measure(self, name: str) -> Measure:
        """The measure of a name, as "Spearman" or "nDCG@10"."""
        return next(measure for measure in self.measures if measure.name == name)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, without draws and cosines."""
        return {
            **described(self.method),
            "corpus": self.corpus,
            "of": self.of,
            "texts_cut": self.texts_cut,
            "measures": [measure.to_dict() for measure in self.measures],
            "provenance": self.provenance.facts["made"],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row a measure: its value and interval, and what decides them."""
        return [
            {
                **described(self.method),
                "corpus": self.corpus,
                "measure": measure.name,
                "value": measure.value,
                "ci_low": measure.ci_low,
                "ci_high": measure.ci_high,
                measure.things: measure.items,
                "texts_cut": self.texts_cut,
                "backbone": self.provenance.backbone,
                "dtype": self.provenance.dtype,
            }
            for measure in self.measures
        ]

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows of :meth:`to_rows` as a data frame."""
        import pandas as pd

        return pd.DataFrame(self.to_rows())

    def plot(self) -> "go.Figure":
        """The first measure with its interval, see :func:`analysis.figures.results.figure`."""
        return plotting.plot(self)


def described(method: Method) -> dict[str, Any]:
    """What of a method and its plan decides numbers, as plain data for a table."""
    plan = method.plan
    bias = float(plan.bias) if math.isfinite(plan.bias) else None
    return {
        "method": method.name,
        "template": method.template,
        "pooling": method.pooling,
        "norm": method.norm,
        "layers": list(plan.layers),
        "bias": bias if method.reroutes else None,
        "key_position": plan.key_position if method.reroutes else None,
    }
