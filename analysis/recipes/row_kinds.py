"""Kinds of columns, and what rows of several commands share (:mod:`.row_types`)."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

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


class RankedRow(AnyRow):
    """A row with the rank of its method; results of older versions have none."""

    rank: Number | None = None
    rank_low: Number | None = None
    rank_high: Number | None = None
    ranked: Count | None = None
    level_with: Annotated[list[Name], Field(max_length=2)] = []

    @model_validator(mode="after")
    def _is_ranked_whole(self) -> Self:
        if len({each is None for each in (self.rank, self.rank_low, self.rank_high)}) > 1:
            raise ValueError("a rank needs its interval")
        return self


class SureChangedRow(ChangedRow):
    """A row whose paired difference is there."""

    against: Name
    change: Number
    change_low: Number
    change_high: Number
