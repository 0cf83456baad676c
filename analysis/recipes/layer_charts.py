"""Charts about layers and heads, drawn from rows (:mod:`.charts`)."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ..dimension.selection import RULES
from ..figures.curves import curves
from ..figures.dots import dots
from ..figures.heads import map_of, named_map
from ..figures.output_layers import by_layer
from ..figures.theme import PALETTE, PLAIN
from ..rerouting.layer_lists import format_layers
from .chart import CHANGE, INTERVAL, Chart, place_or_corpus, table, titled
from .rows import Row, grouped, place, setting_of

_RANKS = ("rank", "rank_low", "rank_high")


def ablation(rows: Sequence[Row]) -> Iterator[Chart]:
    """The change by layers or by head of each plan."""
    for at, members in grouped([row for row in rows if _layers(row)], place).items():
        names, changes = [_layers(row) for row in members], [row["change"] for row in members]
        if (of_heads := named_map(names, changes, "change of Spearman x 100")) is not None:
            yield Chart(titled("Change by head", at), of_heads, table(members))
            continue
        biases = len({row["bias"] for row in members}) > 1
        figure = dots(
            _by_layers(members),
            place=(lambda row: f"{_layers(row)} at {row['bias']}") if biases else _layers,
            group=place_or_corpus,
            columns=("change", *INTERVAL),
            title="change of Spearman x 100, 95% interval",
            sideways=False,
            zero=True,
        )
        yield Chart(titled("Change by layers", at), figure, table(members))


def rules(rows: Sequence[Row]) -> Iterator[Chart]:
    """The rank of each rule's choice, and the change by window."""
    choices = [
        row | {"rule": rule} | {f"{rank} %": _better(row, rank) for rank in _RANKS}
        for rule in RULES
        for row in rows
        if rule in row["rules"]
    ]
    if choices:
        figure = dots(
            choices,
            place=place_or_corpus,
            group=lambda row: row["rule"],
            columns=("rank %", "rank_low %", "rank_high %"),
            title="windows that score better\nthan the rule's choice, %, 95% interval",
        )
        figure.add_vline(50, line={"color": PLAIN, "dash": "dash"})
        figure.update_xaxes(range=[-3, 103])
        yield Chart("Rank of each rule's choice", figure, table(choices))
    for at, members in grouped(rows, place).items():
        figure = dots(
            _by_layers(members),
            place=_layers,
            group=lambda row: ", ".join(row["rules"]) or "a window",
            columns=CHANGE,
            title=f"change of {members[0]['measure']} x 100, 95% interval",
            sideways=False,
            zero=True,
        )
        for trace in figure.data:
            rule = trace.name.split(", ")[0]
            colour = PALETTE[list(RULES).index(rule)] if rule in RULES else PLAIN
            trace.update(marker_color=colour, line_color=colour)
        yield Chart(titled("Change by window", at), figure, table(members))


def _better(row: Row, rank: str) -> float:
    """Windows that rank above a row, in percent."""
    return float(100 * (row[rank] - 1) / row["windows"])


def _layers(row: Row) -> str:
    whole = format_layers(row["layers"], 0) if row["layers"] else ""
    return ",".join(filter(None, (whole, row.get("heads"))))


def _by_layers(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row["layers"], row.get("bias") or 0))


def sensitivity(rows: Sequence[Row]) -> Iterator[Chart]:
    """Maps of heads by derivative, and by effect where it is known."""
    for at, members in grouped(rows, place).items():
        figure = map_of(members, "derivative", "derivative")
        yield Chart(titled("Sensitivity of each head", at), figure, table(members))
        if all(row.get("effect") is not None for row in members):
            figure = map_of(members, "effect", "change")
            yield Chart(titled("Effect of each head alone", at), figure, table(members))


def stability(rows: Sequence[Row]) -> Iterator[Chart]:
    """What choices on two parts share, beside what chance would share, for each setting."""
    known = [row for row in rows if row["overlap"] is not None]
    ends = ("shared, %", "from", "to")
    drawn = [
        {"setting": f"{at or members[0]['corpus']}, {items:,} items", "heads": name}
        | dict(zip(ends, (float(np.mean(of)), min(of), max(of)), strict=True))
        for (at, items), members in grouped(known, lambda row: (place(row), row["items"])).items()
        for name, column in (("chosen on two parts", "overlap"), ("drawn at random", "chance"))
        for of in [[100 * row[column] for row in members]]
    ]
    if drawn:
        figure = dots(
            drawn,
            place=lambda row: row["setting"],
            group=lambda row: row["heads"],
            columns=ends,
            title="heads that two choices share, % of those that either chose,\n"
            "mean, lowest and highest of all two parts",
            zero=True,
        )
        yield Chart("What choices on other items share", figure, table(list(rows)))


def transfer(rows: Sequence[Row]) -> Iterator[Chart]:
    """The change by choice on each corpus, for each setting."""
    settings = grouped(rows, lambda row: (setting_of(row), row["measure"]))
    for (at, measure), members in settings.items():
        figure = dots(
            [row for row in members if row["subject"] != "nothing"],
            place=lambda row: row["corpus"],
            group=lambda row: row["method"] if row["subject"] == "baseline" else row["subject"],
            columns=CHANGE,
            title=f"change of {measure} x 100 over re-routing nothing,\n95% interval; "
            "of random heads 95% of the sets",
            zero=True,
        )
        yield Chart(titled(f"Change of {measure} by choice", at), figure, table(members))


def dimension(rows: Sequence[Row]) -> Iterator[Chart]:
    """The curves of intrinsic dimension."""
    named = [(place_or_corpus(row), row) for row in rows]
    points = [
        {
            "of": name,
            "layer": layer,
            "intrinsic dimension": value,
            "low": low,
            "high": high,
            "selected": layer in row["selected"],
            "selected over resamples": share,
        }
        for name, row in named
        for layer, (value, (low, high), share) in enumerate(
            zip(row["curve"], row["band"], row["frequency"], strict=True)
        )
    ]
    yield Chart("Intrinsic dimension by layer", curves(named), pd.DataFrame(points))


def output_layers(rows: Sequence[Row]) -> Iterator[Chart]:
    """Scores by output layer, above the curve of dimensions."""
    for at, members in grouped(rows, place).items():
        yield Chart(titled("Score by output layer", at), by_layer(members), table(members))
