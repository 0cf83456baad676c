"""What the columns of each command's rows hold, checked where rows are read from a file."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import ResultsError, quoted
from .rows import Row

MOST_ROWS, MOST_COLUMNS = 50_000, 200
"""Maximum rows of a file of results, and columns of all its rows together."""

Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e15, le=1e15)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]
Rank = Annotated[int, Field(strict=True, ge=1, le=2**53)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Name = Annotated[str, Field(strict=True, max_length=10_000)]
Layer = Annotated[int, Field(strict=True, ge=0, lt=10_000)]
Layers = Annotated[list[Layer], Field(max_length=10_000)]
Scalar = Annotated[bool, Field(strict=True)] | Count | Number | Name | None
Plain = Scalar | list[Scalar | list[Scalar]]


class AnyRow(BaseModel):
    """A row of any command: plain values by column, and a place where there is a grid."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Plain]
    grid: dict[Name, Scalar | list[Scalar]] = {}
    corpus: Name = ""
    method: Name = ""
    layers: Layers | list[Layers] = []
    selected: Layers = []
    pairs: Count = 0
    texts: Count = 0
    queries: Count = 0
    of: Count | None = None


class ScoredRow(AnyRow):
    """A row of a measure with its interval."""

    method: Name
    measure: Name
    value: Number
    ci_low: Number
    ci_high: Number


class ChangedRow(AnyRow):
    """A row of a paired difference; all of its columns are there, or none is."""

    against: Name | None = None
    change: Number | None = None
    change_low: Number | None = None
    change_high: Number | None = None
    p: Share | None = None
    p_holm: Share | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        columns = (self.against, self.change, self.change_low, self.change_high)
        if len({value is None for value in columns}) > 1:
            raise ValueError("a change needs its interval and what it is against")
        return self


class ScoreRow(ScoredRow, ChangedRow):
    """A row of ``score``."""


class StsRow(AnyRow):
    """A row of ``sts``."""

    method: Name
    corpus: Name
    spearman: Number
    ci_low: Number
    ci_high: Number


class LongTextsRow(ScoredRow):
    """A row of ``long-texts``."""

    place: Name
    tokens: Count | None


class AblationRow(AnyRow):
    """A row of ``ablation``."""

    layers: Layers
    bias: Number | None
    rank: Rank
    change: Number
    ci_low: Number
    ci_high: Number


class SureChangedRow(ChangedRow):
    """A row whose paired difference is there."""

    against: Name
    change: Number
    change_low: Number
    change_high: Number


class RulesRow(ScoredRow, SureChangedRow):
    """A row of ``rules``."""

    corpus: Name
    layers: Layers
    rules: list[Name]
    rank: Rank
    rank_low: Rank
    rank_high: Rank
    windows: Rank


class SensitivityRow(AnyRow):
    """A row of ``sensitivity``."""

    layer: Layer
    head: Layer
    derivative: Number
    chosen: Annotated[bool, Field(strict=True)]
    objective: Name
    items: Count


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


class CausalRow(AnyRow):
    """A row of ``causal``."""

    token: Name
    plain: Number
    rerouted: Number = Field(alias="re-routed")


_TYPES: dict[str, type[AnyRow]] = {
    "sts": StsRow,
    "score": ScoreRow,
    "long-texts": LongTextsRow,
    "ablation": AblationRow,
    "rules": RulesRow,
    "parts": PartsRow,
    "sensitivity": SensitivityRow,
    "dimension": DimensionRow,
    "causal": CausalRow,
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
