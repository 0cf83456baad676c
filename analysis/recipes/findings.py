"""Findings of rows in sentences: scores with intervals, and paired differences.

A difference is called clear only if its interval excludes 0 and its corrected p-value, if any, is
below 0.05. Every number in a sentence is in the rows.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from ..dimension import selection
from ..evaluation.comparison import Difference
from ..experiments.parts import PARTS, SETTINGS
from ..rerouting import head_lists, layer_lists
from ..rerouting.plan import Head
from .rows import Row, difference, grouped, place


def sentences(command: str, rows: Sequence[Row]) -> list[str]:
    """The findings of a command's rows.

    Args:
        command: the command of the rows.
        rows: plain values by column; rows of a grid hold their place in it.

    Returns:
        A sentence for each finding; empty for commands that only list.
    """
    return list(_FINDINGS[command](rows)) if command in _FINDINGS and rows else []


def _range(value: float, low: float, high: float, sign: str = "") -> str:
    return f"{value:{sign}z.1f} [{low:{sign}z.1f}, {high:{sign}z.1f}]"


def _at(at: str) -> str:
    return f" at {at}" if at else ""


def _across(subject: str, changes: Sequence[tuple[str, Difference]]) -> str:
    """One kind of change over many places in a grid; names the clear ones."""
    deltas = [change.delta for _, change in changes]
    kinds: dict[str, Callable[[Difference], bool]] = {
        "clearly up": lambda change: change.clear and change.delta > 0,
        "clearly down": lambda change: change.clear and change.delta < 0,
        "not clear": lambda change: not change.clear,
    }
    lists = []
    for name, is_kind in kinds.items():
        members = [
            f"{at} {_range(change.delta, change.ci_low, change.ci_high, '+')}".strip()
            for at, change in changes
            if is_kind(change)
        ]
        lists.append(f"{name}: {', '.join(members) if members else 'none'}")
    span = f"{min(deltas):+z.1f}" + (f" to {max(deltas):+z.1f}" if len(deltas) > 1 else "")
    return f"{subject} changes the score by {span}; {'; '.join(lists)}."


def _scores(rows: Sequence[Row]) -> Iterable[str]:
    """All measures at one place in a grid; over many places only the main one."""
    measures = grouped(rows, lambda row: row["measure"])
    many = len(set(map(place, rows))) > 1
    for measure, members in islice(measures.items(), 1 if many else None):
        changed = [row for row in members if row.get("change") is not None]
        if len(set(map(place, members))) == 1:
            yield from (f"{measure}: {difference(row, row['method']).sentence}" for row in changed)
            continue
        for method, method_rows in grouped(members, lambda row: row["method"]).items():
            values = ", ".join(
                f"{_range(row['value'], row['ci_low'], row['ci_high'])}{_at(place(row))}"
                for row in method_rows
            )
            yield f"{measure} of {method}: {values}."
        for method, method_rows in grouped(changed, lambda row: row["method"]).items():
            yield f"{measure}: " + _across(
                f"{method} instead of {method_rows[0]['against']}",
                [(place(row), difference(row, method)) for row in method_rows],
            )


def _sts(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        score = _range(row["spearman"], row["ci_low"], row["ci_high"])
        yield f"{row['method']} scores {score} on {row['corpus']}{_at(place(row))}."


def _long_texts(rows: Sequence[Row]) -> Iterable[str]:
    first = rows[0]["measure"]
    members = [row for row in rows if row["measure"] == first]
    for method, method_rows in grouped(members, lambda row: row["method"]).items():
        values = []
        for row in method_rows:
            case = f"cut at {row['tokens']:,} tokens" if row["tokens"] else f"at the {row['place']}"
            case = ", ".join(filter(None, (case, place(row))))
            values.append(f"{_range(row['value'], row['ci_low'], row['ci_high'])} ({case})")
        yield (
            f"{first} of {method} by the answer's place and the tokens read: {', '.join(values)}."
        )


def _ablation(rows: Sequence[Row]) -> Iterable[str]:
    for at, plans in grouped([row for row in rows if row["layers"]], place).items():
        better = sum(row["ci_low"] > 0 for row in plans)
        worse = sum(row["ci_high"] < 0 for row in plans)
        best = min(plans, key=lambda row: row["rank"])
        yield (
            f"Of {len(plans)} plans{_at(at)}, {better} score clearly better than "
            f"re-routing nothing and {worse} clearly worse, without a correction for their number. "
            f"The best is {_layers(best)}, "
            f"{_range(best['change'], best['ci_low'], best['ci_high'], '+')}; it was selected on "
            "these same pairs."
        )


def _rules(rows: Sequence[Row]) -> Iterable[str]:
    papers, by_place = [row for row in rows if "paper" in row["rules"]], grouped(rows, place)
    if len(papers) > 1:
        better = sum(_clearly_better(row) for row in papers)
        worse = sum(difference(row, "").clear and row["change"] < 0 for row in papers)
        above = sum(row["rank_high"] <= row["windows"] / 2 for row in papers)
        below = sum(row["rank_low"] > row["windows"] / 2 for row in papers)
        yield (
            f"Of the {len(papers)} choices of the paper's rule, {better} score clearly better than "
            f"re-routing nothing and {worse} clearly worse. The interval of the rank lies entirely "
            f"in the better half of all windows {above} times, in the worse half {below} times; a "
            "window drawn at random would rank in the middle."
        )
    for row in papers:
        members = by_place[place(row)]
        best = min(members, key=lambda candidate: candidate["rank"])
        yield (
            f"{place(row) or row['corpus']}: the paper's rule selects {_layers(row)}, rank "
            f"{row['rank']} [{row['rank_low']}, {row['rank_high']}] of {row['windows']} windows, "
            f"with a change of {_change(row)} over re-routing nothing. The best window, selected "
            f"on these same texts, is {_layers(best)} with {_change(best)}; "
            f"{sum(map(_clearly_better, members))} choices are clearly better than nothing."
        )
    if len(papers) > 1:
        for rule in selection.RULES:
            ranks = [(row["rank"] - 1) / row["windows"] for row in rows if rule in row["rules"]]
            if not ranks:
                continue
            yield (
                f"{rule}: on average {100 * sum(ranks) / len(ranks):.0f}% of the windows score "
                f"better than its choice, over {len(ranks)} cases."
            )


def _parts(rows: Sequence[Row]) -> Iterable[str]:
    for setting in SETTINGS:
        for part in (*PARTS, "all parts"):
            changes = [
                (place(row), difference(row, part))
                for row in rows
                if (row["part"], row["how"]) == (part, setting)
            ]
            if changes:
                name = part if part in ("all parts", "re-routing") else f"the {part}"
                subject = f"{name} {setting}" if setting == "together" else f"{name}, {setting},"
                yield _across(subject[:1].upper() + subject[1:], changes)


def _sensitivity(rows: Sequence[Row]) -> Iterable[str]:
    for at, members in grouped(rows, place).items():
        heads = sorted((row["layer"], row["head"]) for row in members if row["chosen"])
        raising = sum(row["derivative"] > 0 for row in members)
        first = members[0]
        judged = (
            "by people's judgements" if first["objective"] == "judgements" else "without labels"
        )
        yield (
            f"{at or first['corpus']}: {raising} of {len(members)} heads would raise the objective "
            f"{first['objective']}. The {len(heads)} chosen {judged}, from {first['items']:,} "
            f"items: --heads {head_lists.format_heads((), [Head(*head) for head in heads])}. Score "
            "them on another corpus, since this one chose them."
        )


def _dimension(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        shares = [row["frequency"][layer] for layer in row["selected"]]
        yield (
            f"{place(row) or row['corpus']}: the rule {row['rule']} selects {_layers(row)} from "
            f"{row['samples']:,} texts; each of these layers is selected in at least "
            f"{100 * min(shares, default=0):.0f}% of the resamples."
        )


def _layers(row: Row) -> str:
    if row.get("heads"):
        return f"heads {row['heads']}"
    return layer_lists.layers_in_words(row["layers"] if "layers" in row else row["selected"], 10**6)


def _clearly_better(row: Row) -> bool:
    return difference(row, "").clear and bool(row["change"] > 0)


def _change(row: Row) -> str:
    return _range(row["change"], row["change_low"], row["change_high"], "+")


_FINDINGS: dict[str, Callable[[Sequence[Row]], Iterable[str]]] = {
    "sts": _sts,
    "score": _scores,
    "long-texts": _long_texts,
    "ablation": _ablation,
    "rules": _rules,
    "parts": _parts,
    "sensitivity": _sensitivity,
    "dimension": _dimension,
}
