"""What the columns of each command's rows hold, checked where rows are read from a file."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from ..errors import ResultsError, quoted
from .head_row_types import SensitivityRow, StabilityRow, TransferRow
from .row_kinds import (
    AnyRow,
    ChangedRow,
    Count,
    Layer,
    Layers,
    Name,
    Number,
    Rank,
    RankedRow,
    ScoredRow,
    Share,
    SureChangedRow,
)
from .rows import Row

MOST_ROWS, MOST_COLUMNS = 50_000, 200
"""Maximum rows of a file of results, and columns of all its rows together."""


class ScoreRow(ScoredRow, ChangedRow, RankedRow):
    """A row of ``score``."""


class StsRow(RankedRow):
    """A row of ``sts``."""

    method: Name
    corpus: Name
    spearman: Number
    ci_low: Number
    ci_high: Number


class LongTextsRow(ScoredRow, RankedRow):
    """A row of ``long-texts``."""

    place: Name
    tokens: Count | None


class AblationRow(AnyRow):
    """A row of ``ablation``."""

    layers: Layers
    heads: Name = ""
    bias: Number | None
    rank: Rank
    change: Number
    ci_low: Number
    ci_high: Number


class RulesRow(ScoredRow, SureChangedRow):
    """A row of ``rules``."""

    corpus: Name
    layers: Layers
    rules: list[Name]
    rank: Rank
    rank_low: Rank
    rank_high: Rank
    windows: Rank


class PromptsRow(ScoredRow, ChangedRow):
    """A row of ``prompts``; the first prompt of a method has no change."""

    corpus: Name
    prompt: Name
    change: Number | None
    spread_prompts: Number | None
    spread_prompts_low: Number | None
    spread_prompts_high: Number | None
    spread_methods: Number | None
    spread_methods_low: Number | None
    spread_methods_high: Number | None

    @model_validator(mode="after")
    def _has_intervals(self) -> Self:
        prompts = (self.spread_prompts, self.spread_prompts_low, self.spread_prompts_high)
        methods = (self.spread_methods, self.spread_methods_low, self.spread_methods_high)
        if any(len({value is None for value in spread}) > 1 for spread in (prompts, methods)):
            raise ValueError("a spread needs its interval")
        return self


class PartsRow(ScoredRow, SureChangedRow):
    """A row of ``parts``."""

    part: Name
    how: Name


class DimensionRow(AnyRow):
    """A row of ``dimension``; its lists have an entry for each layer."""

    corpus: Name
    rule: Name
    samples: Count
    selected: Layers
    curve: list[Number | None]
    band: list[tuple[Number | None, Number | None]]
    frequency: list[Share]

    @model_validator(mode="after")
    def _is_even(self) -> Self:
        layers = len(self.curve)
        if not len(self.band) == len(self.frequency) == layers > max(self.selected, default=-1):
            raise ValueError("curve, band and frequency need one entry for each layer")
        return self


class OutputLayersRow(ScoredRow, ChangedRow):
    """A row of ``output-layers``."""

    corpus: Name
    output_layer: Layer
    rank: Rank
    dimension: Number | None
    dimension_low: Number | None
    dimension_high: Number | None
    lowest: Annotated[list[Layer], Field(max_length=2)]
    best: Layer
    held_out_layers: Annotated[list[Layer], Field(max_length=2)]
    held_out: Number | None
    held_out_low: Number | None
    held_out_high: Number | None
    held_out_items: Count | None
    correlation: Number | None
    correlation_low: Number | None
    correlation_high: Number | None
    correlation_p: Share | None
    correlation_layers: Count | None
    backbone: Name
    dtype: Name

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        held_out = (self.held_out, self.held_out_low, self.held_out_high, self.held_out_items)
        interval = (self.correlation, self.correlation_low, self.correlation_high)
        found = (*interval, self.correlation_p, self.correlation_layers)
        if any(len({value is None for value in values}) > 1 for values in (held_out, found)):
            raise ValueError("a held-out change and a correlation need their intervals")
        if len(self.held_out_layers) != 2 * (self.held_out is not None):
            raise ValueError("a held-out change needs the two layers that were chosen")
        return self


class CausalRow(AnyRow):
    """A row of ``causal``."""

    token: Name
    plain: Number
    rerouted: Number = Field(alias="re-routed")


class WordsRow(AnyRow):
    """A row of ``words``: of a text, or of a corpus, where more is counted."""

    method: Name
    prompt: Rank
    model: Literal["plain", "re-routed"]
    backbone: Name
    dtype: Name
    layers: Layers
    layer: Layer
    read: Annotated[bool, Field(strict=True)]
    rank: Rank
    word: Name
    probability: Share
    entropy: Number
    text: Name = ""
    number: Count = 0
    count: Count | None = None
    ci_low: Share | None = None
    ci_high: Share | None = None
    different: Count | None = None
    entropy_low: Number | None = None
    entropy_high: Number | None = None
    corpus_entropy: Number | None = None
    information: Number | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        counted = (self.count, self.different, self.entropy_low, self.entropy_high)
        bits = (self.corpus_entropy, self.information)
        if {value is None for value in (*counted, *bits)} != {not self.corpus}:
            raise ValueError("words of a corpus need their counts and entropies")
        if self.count is not None and not 1 <= self.count <= self.texts:
            raise ValueError("a word is the first of at least one text, and of no more than all")
        return self


_TYPES: dict[str, type[AnyRow]] = {
    "sts": StsRow,
    "score": ScoreRow,
    "long-texts": LongTextsRow,
    "ablation": AblationRow,
    "rules": RulesRow,
    "parts": PartsRow,
    "sensitivity": SensitivityRow,
    "stability": StabilityRow,
    "transfer": TransferRow,
    "prompts": PromptsRow,
    "dimension": DimensionRow,
    "output-layers": OutputLayersRow,
    "causal": CausalRow,
    "words": WordsRow,
}
"""The rows of commands whose rows are drawn or put into words."""


def check(command: str, rows: Sequence[Row]) -> None:
    """Refuse rows that the command does not give.

    Args:
        command: the command of the rows.
        rows: values by column.

    Raises:
        ResultsError: there are too many rows or columns, or a value is missing or of another type.
    """
    kind, columns = _TYPES.get(command, AnyRow), set[str]()
    if len(rows) > MOST_ROWS:
        raise _refusal(command, f"there are {len(rows):,}, more than {MOST_ROWS:,}")
    for number, row in enumerate(rows, 1):
        columns.update(row)
        if len(columns) > MOST_COLUMNS:
            raise _refusal(command, f"they have more than {MOST_COLUMNS} columns")
        try:
            kind.model_validate(row)
        except ValidationError as error:
            raise _refusal(command, _problem(error, number)) from None


def _refusal(command: str, problem: str) -> ResultsError:
    return ResultsError(
        f"The rows do not fit the command {command}: {problem}; run the recipe again."
    )


def _problem(error: ValidationError, number: int) -> str:
    problem = error.errors(include_url=False)[0]
    column = quoted(str(problem["loc"][0])) if problem["loc"] else "a value"
    if problem["type"] == "missing":
        return f"row {number} has no {column}"
    if problem["type"] == "value_error":
        return f"in row {number}, {str(problem['msg']).removeprefix('Value error, ')}"
    return f"in row {number}, {column} is {quoted(problem['input'])}"
