"""What rows say, in sentences: scores with intervals, and paired differences.

A difference is called clear only if its whole interval lies on one side of 0 and its corrected
p-value, where there is one, is below 0.05. Every number in a sentence is one of the rows.
"""

from collections.abc import Callable, Iterable, Sequence

from ..dimension import selection
from ..evaluation.comparison import Difference
from ..experiments.parts import HOW, PARTS
from ..rerouting import layer_lists
from .rows import Row

THINGS = ("pairs", "texts", "queries")


def findings(command: str, rows: Sequence[Row]) -> list[str]:
    """The sentences that the rows of a command allow; none for commands that only list."""
    return list(_SAID[command](rows)) if command in _SAID and rows else []


def place(row: Row) -> str:
    """A row's place in the grid in words, as "smollm2 on lee50"; "" without a grid.

    How much was drawn is left out, and so is the kind of a corpus that is named.
    """
    at = row.get("grid", {})
    named = {axis: value for axis, value in at.items() if axis not in ("on", "part", "corpus")}
    words = ", ".join(str(value) for value in named.values() if value is not None)
    corpus = str(row["corpus"]) if "corpus" in row and {"on", "corpus"} & set(at) else ""
    return " on ".join(filter(None, (words, corpus)))


def items(row: Row) -> tuple[int, str]:
    """How many of what a row's score rests on."""
    return next(((int(row[what]), what) for what in THINGS if what in row), (0, "items"))


def difference(row: Row, first: str) -> Difference:
    """The paired difference that a row holds, of ``first`` to what it names."""
    count, what = items(row)
    return Difference(
        *(row["change"], row["change_low"], row["change_high"], count, first, row["against"]),
        *(what, row.get("of")),
        p=float("nan") if row.get("p") is None else row["p"],
        p_holm=row.get("p_holm"),
    )


def _places(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(map(place, rows)))


def _range(value: float, low: float, high: float, sign: str = "") -> str:
    return f"{value:{sign}z.1f} [{low:{sign}z.1f}, {high:{sign}z.1f}]"


def _at(where: str) -> str:
    return f" at {where}" if where else ""


def _across(what: str, found: Iterable[tuple[str, Difference]]) -> str:
    """One kind of difference over many places, those that are clear named."""
    every = list(found)
    deltas = [one.delta for _, one in every]
    kinds: dict[str, Callable[[Difference], bool]] = {
        "clearly up": lambda one: one.clear and one.delta > 0,
        "clearly down": lambda one: one.clear and one.delta < 0,
        "not clear": lambda one: not one.clear,
    }
    parts = []
    for name, is_kind in kinds.items():
        named = [
            f"{where} {_range(one.delta, one.ci_low, one.ci_high, '+')}".strip()
            for where, one in every
            if is_kind(one)
        ]
        parts.append(f"{name}: {', '.join(named) if named else 'none'}")
    span = f"{min(deltas):+z.1f} to {max(deltas):+z.1f}" if len(every) > 1 else f"{deltas[0]:+z.1f}"
    return f"{what} changes the score by {span}; {'; '.join(parts)}."


def _scores(rows: Sequence[Row]) -> Iterable[str]:
    """All measures of one place; over many places the first, the one to look at."""
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    for measure in measures if len(_places(rows)) == 1 else measures[:1]:
        mine = [row for row in rows if row["measure"] == measure]
        changed = [row for row in mine if row.get("change") is not None]
        if len(_places(mine)) == 1:
            yield from (f"{measure}: {difference(row, row['method']).sentence}" for row in changed)
            continue
        for method in dict.fromkeys(row["method"] for row in mine):
            ends = [row for row in mine if row["method"] == method]
            yield (
                f"{measure} of {method}: "
                + ", ".join(
                    f"{_range(row['value'], row['ci_low'], row['ci_high'])}{_at(place(row))}"
                    for row in ends
                )
                + "."
            )
        for method in dict.fromkeys(row["method"] for row in changed):
            ours = [row for row in changed if row["method"] == method]
            yield f"{measure}: " + _across(
                f"{method} instead of {ours[0]['against']}",
                ((place(row), difference(row, method)) for row in ours),
            )


def _sts(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        scored = _range(row["spearman"], row["ci_low"], row["ci_high"])
        yield f"{row['method']} scores {scored} on {row['corpus']}{_at(place(row))}."


def _long_texts(rows: Sequence[Row]) -> Iterable[str]:
    first = rows[0]["measure"]
    for method in dict.fromkeys(row["method"] for row in rows):
        ours = [row for row in rows if (row["method"], row["measure"]) == (method, first)]
        told = []
        for row in ours:
            where = (
                f"cut at {row['tokens']:,} tokens" if row["tokens"] else f"at the {row['place']}"
            )
            there = ", ".join(filter(None, (where, place(row))))
            told.append(f"{_range(row['value'], row['ci_low'], row['ci_high'])} ({there})")
        yield f"{first} of {method} by where the answer stands and what is read: {', '.join(told)}."


def _ablation(rows: Sequence[Row]) -> Iterable[str]:
    for where in _places(rows):
        ours = [row for row in rows if place(row) == where and row["layers"]]
        if not ours:
            continue
        better = sum(row["ci_low"] > 0 for row in ours)
        worse = sum(row["ci_high"] < 0 for row in ours)
        best = min(ours, key=lambda row: row["rank"])
        yield (
            f"Of {len(ours)} plans{_at(where)} {better} score clearly better than re-routing "
            f"nothing, {worse} clearly worse, not corrected for their number. The best of them is "
            f"{_layers(best)}, {_range(best['change'], best['ci_low'], best['ci_high'], '+')}; it "
            "was picked on these same pairs."
        )


def _rules(rows: Sequence[Row]) -> Iterable[str]:
    chosen = [row for row in rows if "paper" in row["rules"]]
    if len(chosen) > 1:
        better = [row for row in chosen if difference(row, "").clear and row["change"] > 0]
        worse = [row for row in chosen if difference(row, "").clear and row["change"] < 0]
        above = [row for row in chosen if row["rank_high"] <= row["windows"] / 2]
        below = [row for row in chosen if row["rank_low"] > row["windows"] / 2]
        yield (
            f"In {len(chosen)} cases the paper's rule picks layers that score clearly better than "
            f"re-routing nothing {len(better)} times and clearly worse {len(worse)} times. Their "
            f"whole interval of ranks lies in the better half of all windows {len(above)} times, "
            f"in the worse half {len(below)} times; a window drawn at random would rank in the "
            "middle."
        )
    for row in chosen:
        best = next(one for one in rows if place(one) == place(row) and one["rank"] == 1)
        clear = sum(
            difference(one, "").clear and one["change"] > 0
            for one in rows
            if place(one) == place(row)
        )
        yield (
            f"{place(row) or row['corpus']}: the paper's rule picks {_layers(row)}, rank "
            f"{row['rank']} [{row['rank_low']}, {row['rank_high']}] of {row['windows']} windows, "
            f"{_changed(row)} over re-routing nothing; the best window, picked on these same "
            f"texts, is {_layers(best)} with {_changed(best)}, and {clear} choices are clearly "
            "better than nothing."
        )
    if len(chosen) > 1:
        for rule in selection.RULES:
            ranks = [(row["rank"] - 1) / row["windows"] for row in rows if rule in row["rules"]]
            yield (
                f"{rule}: on average {100 * sum(ranks) / len(ranks):.0f}% of the windows score "
                f"better than its choice, over {len(ranks)} cases."
            )


def _parts(rows: Sequence[Row]) -> Iterable[str]:
    for how in HOW:
        for part in (*PARTS, "all parts"):
            ours = [row for row in rows if (row["part"], row["how"]) == (part, how)]
            if ours:
                name = (
                    part if part == "all parts" else f"the {part}" if part != "re-routing" else part
                )
                said = f"{name}, {how}," if how != "together" else f"{name} {how}"
                told = [(place(row), difference(row, part)) for row in ours]
                yield _across(said[:1].upper() + said[1:], told)


def _dimension(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        often = [row["frequency"][layer] for layer in row["selected"]]
        yield (
            f"{place(row) or row['corpus']}: the rule {row['rule']} selects {_layers(row)} from "
            f"{row['samples']:,} texts; over resamples each of them is selected in "
            f"{100 * min(often):.0f}% or more."
        )


def _layers(row: Row) -> str:
    return layer_lists.spoken_layers(row["layers"] if "layers" in row else row["selected"], 10**6)


def _changed(row: Row) -> str:
    return _range(row["change"], row["change_low"], row["change_high"], "+")


_SAID: dict[str, Callable[[Sequence[Row]], Iterable[str]]] = {
    "sts": _sts,
    "score": _scores,
    "long-texts": _long_texts,
    "ablation": _ablation,
    "rules": _rules,
    "parts": _parts,
    "dimension": _dimension,
}
