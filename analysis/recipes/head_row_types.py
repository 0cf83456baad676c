"""What the columns of rows about chosen heads hold (:mod:`.row_types`)."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .row_kinds import AnyRow, ChangedRow, Count, Layer, Name, Number, Rank, ScoredRow, Share


class SensitivityRow(AnyRow):
    """A row of ``sensitivity``."""

    corpus: Name
    layer: Layer
    head: Layer
    derivative: Number
    chosen: Annotated[bool, Field(strict=True)]
    objective: Name
    items: Count
    choice: Name
    count: Count
    value: Number
    plain: Number
    passes: Number
    held_out: Annotated[list[tuple[Count, Number]], Field(default_factory=list)]
    effect: Number | None = None
    own_bias: Number | None = None
    correlation: Number | None = None
    correlation_first_fifth: Number | None = None


class StabilityRow(AnyRow):
    """A row of ``stability``: what two parts have in common, and what all have."""

    backbone: Name
    dtype: Name
    method: Name
    corpus: Name
    objective: Name
    choice: Name
    items: Count
    parts: Count
    common: Name
    passes: Number
    first: Rank
    second: Rank
    counts: tuple[Count, Count]
    shared: Count
    overlap: Share | None
    chance: Share | None
    correlation: Annotated[Number, Field(ge=-1, le=1)] | None

    @model_validator(mode="after")
    def _is_beside_chance(self) -> Self:
        if (self.overlap is None) != (self.chance is None):
            raise ValueError("an overlap needs that of heads at random")
        return self


class TransferRow(ScoredRow, ChangedRow):
    """A row of ``transfer``; of heads at random, the mean and 95% of the sets."""

    corpus: Name
    backbone: Name
    dtype: Name
    subject: Literal["nothing", "chosen heads", "whole layers", "baseline", "random heads"]
    objective: Name
    chosen_on: Name
    chosen_items: Count
    count: Count
    heads: Name = ""
    bias: Number | None
    key_position: Name | None
    sets: Count = 0
    p_random: Share | None = None

    @model_validator(mode="after")
    def _is_compared(self) -> Self:
        if (self.change is None) != (self.subject == "nothing"):
            raise ValueError("all but re-routing nothing need a change")
        if (self.sets == 0) != (self.subject != "random heads"):
            raise ValueError("heads at random, and they alone, need their number of sets")
        return self
