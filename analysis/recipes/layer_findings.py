"""Findings about layers and heads, each a sentence from rows (:mod:`.findings`)."""

import math
import re
from collections.abc import Iterable, Sequence

from ..dimension import selection
from ..rerouting import head_lists, layer_lists
from ..rerouting.plan import Head
from .rows import Row, change_in_words, difference, grouped, in_words, place, setting_of


def ablation(rows: Sequence[Row]) -> Iterable[str]:
    """How many plans are better or worse, and the best."""
    for at, plans in grouped(
        [row for row in rows if row["layers"] or row.get("heads")], place
    ).items():
        better = sum(row["ci_low"] > 0 for row in plans)
        worse = sum(row["ci_high"] < 0 for row in plans)
        best = min(plans, key=lambda row: row["rank"])
        yield (
            f"Of {len(plans)} plans{f' at {at}' if at else ''}, {better} have an interval above "
            f"re-routing nothing and {worse} one below, without a correction for their number. "
            f"The best is {_layers(best)}, "
            f"{in_words(best['change'], best['ci_low'], best['ci_high'], '+')}; it was selected on "
            "these same pairs."
        )


def rules(rows: Sequence[Row]) -> Iterable[str]:
    """How each rule's choice ranks among the windows."""
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
            f"with a change of {change_in_words(row)} over re-routing nothing. The best window, "
            f"selected on these same texts, is {_layers(best)} with {change_in_words(best)}; "
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


def sensitivity(rows: Sequence[Row]) -> Iterable[str]:
    """Which heads are chosen, and at which cost."""
    for at, members in grouped(rows, place).items():
        heads = [
            Head(row["layer"], row["head"], row.get("own_bias")) for row in members if row["chosen"]
        ]
        raising, first = sum(row["derivative"] > 0 for row in members), members[0]
        judged = (
            "by people's judgements" if first["objective"] == "judgements" else "without labels"
        )
        number = ", a number found on halves that did not choose" if first.get("held_out") else ""
        yield (
            f"{at or first['corpus']}: {raising} of {len(members)} heads would raise the objective "
            f"{first['objective']}. {len(heads)} are chosen {judged} from {first['items']:,} items "
            f"by {first['choice']}{number}, at the cost of {first['passes']:.1f} passes over the "
            f"texts; the objective is {first['value']:.3f} with them and {first['plain']:.3f} "
            f"without. --heads {head_lists.format_heads((), heads)}: score them on another corpus, "
            "since this one chose them."
        )
        if (outside := first.get("correlation")) is not None:
            inside = first.get("correlation_first_fifth")
            yield (
                f"The rank correlation of derivatives and exact effects is {outside:.2f} outside "
                "the first fifth of the layers"
                + ("." if inside is None else f" and {inside:.2f} inside it.")
            )


def stability(rows: Sequence[Row]) -> Iterable[str]:
    """How far choices on other items agree, and which heads all of them choose."""
    for (at, items), members in grouped(rows, lambda row: (place(row), row["items"])).items():
        first, known = members[0], [row for row in members if row["overlap"] is not None]
        where = (
            f"{at or first['corpus']}: heads are chosen by {first['objective']} on each of "
            f"{first['parts']} parts of {items:,} items"
        )
        if not known:
            yield f"{where}; no part chooses any."
            continue
        shared, chance = ([100 * row[column] for row in known] for column in ("overlap", "chance"))
        correlations = [row["correlation"] for row in known if row["correlation"] is not None]
        alike = (
            f"; derivatives have a rank correlation of {_mean(correlations):.2f}"
            if correlations
            else ""
        )
        yield (
            f"{where}. Two choices share {_mean(shared):.0f}% [{min(shared):.0f}, "
            f"{max(shared):.0f}] of the heads that either chose: the mean, lowest and highest of "
            f"{len(known)} comparisons. Heads drawn at random would share "
            f"{_mean(chance):.0f}%{alike}. "
            + (
                f"All parts choose --heads {first['common']}."
                if first["common"]
                else "No head is chosen by all parts."
            )
        )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def transfer(rows: Sequence[Row]) -> Iterable[str]:
    """What chosen heads change on other corpora, once for each setting."""
    for (at, measure), members in grouped(
        rows, lambda row: (setting_of(row), row["measure"])
    ).items():
        subjects = grouped(members, _subject)
        chosen = subjects.pop("chosen heads", [])
        if not (chosen and subjects.pop("nothing", [])):
            continue
        first, where = chosen[0], _spread(chosen)
        labels = "by judgements of" if first["objective"] == "judgements" else "without labels on"
        compared = "".join(f"; {name} {_mean_change(of)}" for name, of in subjects.items())
        if first.get("p_random") and len(chosen) == 1:
            compared += f" (p = {first['p_random']:.2f} that heads at random do as well)"
        yield (
            f"{at or first['corpus']}: {first['count']} heads chosen {labels} "
            f"{first['chosen_items']:,} items of {first['chosen_on']} change {measure} by "
            f"{_mean_change(chosen)}{where}{compared}."
        )


def _spread(rows: Sequence[Row]) -> str:
    """On how many corpora a change was measured, and on which it is clear."""
    if len(rows) == 1:
        return ""
    clear = [f"{row['corpus']} {row['change']:+z.1f}" for row in rows if difference(row, "").clear]
    return (
        f" on average over {len(rows)} corpora (clearly on {', '.join(clear) if clear else 'none'})"
    )


def _subject(row: Row) -> str:
    if row["subject"] == "whole layers":
        return f"whole {_layers(row)}" if not row.get("grid") else "whole layers"
    return str(row["method"] if row["subject"] == "baseline" else row["subject"])


def _mean_change(rows: Sequence[Row]) -> str:
    """The mean of changes on several corpora, whose intervals are taken as independent.

    Of random heads, of which rows hold the spread over sets, one corpus gives that spread and
    several give the mean alone.
    """
    count = len(rows)
    mean = sum(row["change"] for row in rows) / count
    random = rows[0]["subject"] == "random heads"
    if random and count > 1:
        return f"{mean:+z.1f}"
    below, above = (
        math.sqrt(sum((row["change"] - row[end]) ** 2 for row in rows)) / count
        for end in ("change_low", "change_high")
    )
    spread = f" (95% of {rows[0]['sets']} sets)" if random else ""
    return in_words(mean, mean - below, mean + above, "+") + spread


def dimension(rows: Sequence[Row]) -> Iterable[str]:
    """Which layers a rule selects, and how surely."""
    for row in rows:
        shares = [row["frequency"][layer] for layer in row["selected"]]
        yield (
            f"{place(row) or row['corpus']}: the rule {row['rule']} selects {_layers(row)} from "
            f"{row['samples']:,} texts; each of these layers is selected in at least "
            f"{100 * min(shares, default=0):.0f}% of the resamples."
        )


def _layers(row: Row) -> str:
    if heads := row.get("heads"):
        return f"heads {heads}" if re.search("[,-]", heads) else f"head {heads}"
    return layer_lists.layers_in_words(row["layers"] if "layers" in row else row["selected"], 10**6)


def _clearly_better(row: Row) -> bool:
    return difference(row, "").clear and bool(row["change"] > 0)
