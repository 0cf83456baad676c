"""A figure with its table, drawn from rows, and what all of them share."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from .rows import Row, cells, place

INTERVAL = ("ci_low", "ci_high")
"""Columns with the ends of an interval."""
CHANGE = ("change", "change_low", "change_high")
"""Columns of a paired difference with its interval."""


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure with its table.

    Attributes:
        name: unique among the charts of the same rows.
        figure: None if there is nothing to draw.
        table: the rows that the figure shows.
    """

    name: str
    figure: go.Figure | None
    table: pd.DataFrame


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """Rows as a table for reading, layers as ``26-29``."""
    return pd.DataFrame([cells(row) for row in rows])


def place_or_corpus(row: Row) -> str:
    """A row's place in its grid, or its corpus."""
    return place(row) or str(row.get("corpus", ""))


def titled(title: str, at: str) -> str:
    """A title with the place that it holds for, if any."""
    return f"{title}: {at}" if at else title
