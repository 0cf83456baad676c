"""The result of scoring a method on any kind of corpus: as a dict, rows, a data frame, a figure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..corpora.types import Pairs, Retrieval, Texts
from ..embedding.external import External, MethodOrVectors
from ..embedding.method_spelling import unnamed_parts
from ..embedding.methods import DEFAULT, METHODS, VARIANTS
from ..evaluation import ranks as ranking
from ..evaluation.measures import Measure
from ..evaluation.ranks import Rank
from ..rerouting.head_lists import format_heads
from ..rerouting.plan import Plan
from ..runtime import plotting
from ..storage.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Corpus = Pairs | Texts | Retrieval
"""What can be scored: rated pairs, labelled texts, or queries with documents."""
BESIDE = " \u00b7 "
"""Between a method's name and that of the second backbone it was scored on."""


@dataclass(frozen=True, eq=False)
class Score:
    """One method's measures on a corpus, with their provenance.

    Attributes:
        method: the method that was scored, its plan included.
        corpus: name of the corpus.
        measures: the measures, the main one first.
        provenance: where the result comes from.
        of: size of the full corpus, if a part of it was scored.
        texts_cut: number of texts that were too long and lost their end.
        cosines: float64 (P,), the cosines of rated pairs; None on other corpora.
        note: what to know about how the corpus was read, such as what was left out.
        beside: the name of the backbone, where it is the second one of a comparison.
    """

    method: MethodOrVectors
    corpus: str
    measures: tuple[Measure, ...]
    provenance: Provenance
    of: int | None = None
    texts_cut: int = 0
    cosines: NDArray[np.float64] | None = None
    note: str = ""
    beside: str = ""

    @property
    def name(self) -> str:
        """The method's name, with that of the second backbone it was scored on, if any."""
        return BESIDE.join(filter(None, (self.method.name, self.beside)))

    @property
    def plan(self) -> Plan:
        """The plan that the method was scored under."""
        return self.method.plan

    @property
    def first(self) -> Measure:
        """The main measure."""
        return self.measures[0]

    @property
    def sentence(self) -> str:
        """The result in words."""
        return f"{self.name} on {self.corpus}: {self.first.sentence}"

    def measure(self, name: str) -> Measure:
        """The measure of this name, such as "Spearman" or "nDCG@10"."""
        return next(measure for measure in self.measures if measure.name == name)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, without draws and cosines."""
        return {
            **described(self.method),
            "method": self.name,
            "corpus": self.corpus,
            "of": self.of,
            "texts_cut": self.texts_cut,
            "measures": [measure.to_dict() for measure in self.measures],
            "provenance": self.provenance.facts["made"],
            **noted(self),
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row for each measure: its value, its interval and the settings behind them."""
        return [
            {
                **described(self.method),
                "method": self.name,
                "corpus": self.corpus,
                "measure": measure.name,
                "value": measure.value,
                "ci_low": measure.ci_low,
                "ci_high": measure.ci_high,
                measure.things: measure.items,
                "texts_cut": self.texts_cut,
                "backbone": self.provenance.backbone,
                "dtype": self.provenance.dtype,
                **noted(self),
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


def ranks(scores: Sequence[Score], measure: str | None = None) -> list[Rank]:
    """The rank of each score on one corpus, with its interval over their common draws.

    Args:
        scores: of methods on the same corpus.
        measure: name of the measure; the main one by default.

    Raises:
        CorpusError: the scores are of different data.
    """
    measures = [each.first if measure is None else each.measure(measure) for each in scores]
    return ranking.ranks([each.name for each in scores], measures)


def noted(score: Score) -> dict[str, str]:
    """The column ``note`` of a score; none where there is nothing to note."""
    return {"note": score.note} if score.note else {}


def note_of(corpus: Corpus) -> str:
    """What to know about how a corpus was read; "" for texts, of which there is nothing."""
    return "" if isinstance(corpus, Texts) else corpus.note


def texts_of(corpus: Corpus) -> list[Sequence[str]]:
    """The lists of texts that are encoded: of retrieval, the documents and then the queries."""
    return [corpus.documents, corpus.queries] if isinstance(corpus, Retrieval) else [corpus.texts]


def described(method: MethodOrVectors) -> dict[str, Any]:
    """The settings of a method and its plan, as plain data for a table; vectors have none."""
    plan = method.plan
    if isinstance(method, External):
        return {"method": method.name, "layers": []}
    own = (METHODS | VARIANTS).get(method.name, DEFAULT).reading.layer
    bias = float(plan.bias) if math.isfinite(plan.bias) else None
    parts = unnamed_parts(method)
    return {
        "method": method.name,
        **({"parts": parts} if parts else {}),
        "template": method.template,
        "pooling": method.pooling,
        "norm": method.reading.norm,
        **({} if own == method.reading.layer else {"output_layer": method.reading.layer}),
        "layers": list(plan.layers),
        **({"heads": format_heads((), plan.heads)} if plan.heads else {}),
        "bias": bias if method.reroutes else None,
        "key_position": plan.key_position if method.reroutes else None,
    }
