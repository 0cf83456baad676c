"""The ranks of methods in words, and their means over a grid's corpora as a figure and a table."""

from collections.abc import Hashable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ..evaluation.ranks import MeanRanks, over_corpora
from ..figures.dots import dots
from .rows import UNNAMED_AXES, Row, grouped, place, setting_of

NAME = "Mean ranks over corpora"


def summaries(rows: Sequence[Row]) -> dict[str, MeanRanks]:
    """The mean ranks by setting, such as the backbone; by the main measure of each corpus.

    Left out are settings with fewer than two corpora or three methods, with a method that some
    corpus lacks, or with several scores of a method on one corpus.

    Args:
        rows: of ``score`` or ``sts``, with their place in a grid.
    """
    found = {}
    for members in grouped(rows, _setting).values():
        values: dict[str, dict[str, float]] = {}
        single = True
        for corpus, of_corpus in grouped(members, lambda row: str(row.get("corpus", ""))).items():
            main = of_corpus[0].get("measure")
            scored = [row for row in of_corpus if row.get("measure") == main]
            values[corpus] = {str(row["method"]): _value(row) for row in scored}
            single = single and len(values[corpus]) == len(scored)
        methods = [set(scores) for scores in values.values()]
        complete = all(names == methods[0] for names in methods)
        if single and complete and len(values) > 1 and len(methods[0]) > 2:
            found[setting_of({"grid": dict(_setting(members[0]))})] = over_corpora(values)
    return found


def _setting(row: Row) -> tuple[tuple[str, Any], ...]:
    """A row's place in the grid without its corpus and its method."""
    axes = row.get("grid", {}).items()
    return tuple(
        (axis, _hashable(value)) for axis, value in axes if axis not in (*UNNAMED_AXES, "method")
    )


def _hashable(value: Any) -> Hashable:
    return tuple(value) if isinstance(value, list) else value


def _value(row: Row) -> float:
    return float(row["value"] if "value" in row else row["spearman"])


def sentences(rows: Sequence[Row]) -> Iterator[str]:
    """The ranks of the methods at one place by the main measure; over corpora those summaries.

    Args:
        rows: of ``score`` or ``sts``; those of older versions hold no ranks.
    """
    main = [row for row in rows if row.get("measure") == rows[0].get("measure")]
    ranked = all(row.get("rank") is not None for row in main)
    if len(main) > 1 and ranked and len(set(map(place, rows))) == 1:
        ordered = sorted(main, key=lambda row: row["rank"])
        ranks = [
            f"{row['method']} {row['rank']:g} [{row['rank_low']:g}, {row['rank_high']:g}]"
            for row in ordered
        ]
        level = [
            f"{above['method']} and {below['method']}"
            for above, below in pairwise(ordered)
            if below["method"] in above.get("level_with", [])
        ]
        yield (
            f"Ranks, 1 is the best: {', '.join(ranks)}; neighbours that cannot be told apart: "
            f"{', '.join(level) or 'none'}."
        )
    for setting, found in summaries(rows).items():
        yield f"{setting}: {found.sentence}" if setting else found.sentence


def drawn(rows: Sequence[Row]) -> tuple[go.Figure, pd.DataFrame] | None:
    """The mean ranks as a figure with its table; None where there is nothing to summarise.

    Bars are as long as Nemenyi's critical difference, so methods whose bars overlap are not told
    apart.
    """
    table: list[Row] = [
        {
            "setting": setting,
            "method": name,
            "mean rank": mean,
            "low": mean - found.critical_difference / 2,
            "high": mean + found.critical_difference / 2,
            "corpora": found.corpora,
            "critical difference": found.critical_difference,
            "Friedman's chi-squared": found.statistic,
            "p": found.p,
            "not told apart from": ", ".join(found.level_with(name)),
        }
        for setting, found in summaries(rows).items()
        for name, mean in zip(found.names, found.means, strict=True)
    ]
    if not table:
        return None
    figure = dots(
        table,
        place=lambda row: row["method"],
        group=lambda row: row["setting"],
        columns=("mean rank", "low", "high"),
        title="mean rank over corpora, 1 is the best;\n"
        "methods whose bars overlap are not told apart",
    )
    return figure, pd.DataFrame(table).drop(columns=["low", "high"])
