"""Answers to specs: a question goes in, rows come out.

The command line, recipes and scripts call :func:`answer`; pages show results of the same functions.
Messages to the user go through :mod:`analysis.runtime.events`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import RecipeError, ResultsError, quoted
from ..experiments.spec import Spec
from . import (
    charts,
    findings,
    layer_answers,
    named_files,
    score_answers,
    setup_answers,
    text_answers,
)
from .chart import Chart
from .rows import Row
from .workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer to a question.

    Attributes:
        spec: the question.
        rows: plain values by column.
        single: whether the answer is one mapping instead of a table.
    """

    spec: Spec
    rows: tuple[Row, ...]
    single: bool = False

    @property
    def sentences(self) -> list[str]:
        """Findings in words (:mod:`.findings`); empty for commands that only list."""
        return findings.sentences(self.spec.command, self.rows)

    def to_dict(self) -> Row | list[Row]:
        """The rows as plain data, as ``--json`` prints them.

        Returns:
            One mapping if the answer is ``single``, else a list of them.
        """
        return self.rows[0] if self.single else list(self.rows)

    def to_dataframe(self) -> "pd.DataFrame":
        """The rows as a data frame, nested values in columns such as ``memory.float32``."""
        import pandas as pd

        return pd.json_normalize(list(self.rows))

    def charts(self) -> list[Chart]:
        """The rows as figures, each with its name and table."""
        return charts.draw(self.spec.command, self.rows)

    def plot(self) -> "go.Figure":
        """The figure of the first chart; :meth:`charts` has all.

        Raises:
            ResultsError: the command has no figure.
        """
        figure = self.charts()[0].figure
        if figure is None:
            raise ResultsError(f"The command {self.spec.command} has no figure; use its rows.")
        return figure


def answer(spec: Spec, workspace: Workspace | None = None) -> Answer:
    """Answer a question.

    Args:
        spec: the question.
        workspace: keeps the loaded backbone for the next answer, and reports progress; a new one
            by default.

    Raises:
        ExplorerError: a problem that the user can solve, in one sentence.
    """
    if not isinstance(spec, Spec):
        raise RecipeError(
            f"A question is a spec of analysis.experiments.specs, such as Score(), and not "
            f"{quoted(spec)}."
        )
    named_files.check([spec])
    rows = _ANSWERS[spec.command](spec, workspace or Workspace())
    return Answer(spec, tuple(rows)) if isinstance(rows, list) else Answer(spec, (rows,), True)


_ANSWERS: dict[str, Callable[[Any, Workspace], Row | list[Row]]] = {
    "doctor": setup_answers.doctor,
    "backbones": setup_answers.backbones,
    "encode": text_answers.encode,
    "sts": score_answers.sts,
    "score": score_answers.score,
    "long-texts": score_answers.long_texts,
    "parts": score_answers.parts,
    "mteb": score_answers.mteb,
    "dimension": layer_answers.dimension,
    "output-layers": layer_answers.output_layers,
    "ablation": layer_answers.ablation,
    "rules": layer_answers.rules,
    "sensitivity": layer_answers.sensitivity,
    "stability": layer_answers.stability,
    "transfer": layer_answers.transfer,
    "prompts": score_answers.prompts,
    "causal": text_answers.causal,
    "words": text_answers.words,
    "space": text_answers.space,
}
"""The function that answers each command."""
