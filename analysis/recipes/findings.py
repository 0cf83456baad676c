"""Findings of rows in sentences: scores with intervals, and paired differences.

What is called clear is said where the word first stands
(:data:`analysis.evaluation.comparison.CLEAR_MEANS`). Every number in a sentence is in the rows.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from ..errors import quoted
from ..evaluation.comparison import CLEAR_MEANS, Difference
from ..experiments import two_backbones
from ..experiments.parts import PARTS, SETTINGS
from . import ranks, words
from .layer_findings import ablation, dimension, rules, sensitivity, stability, transfer
from .output_layer_findings import output_layers
from .rows import Row, change_in_words, difference, grouped, in_words, place


def sentences(command: str, rows: Sequence[Row]) -> list[str]:
    """The findings of a command's rows.

    Args:
        command: the command of the rows.
        rows: plain values by column; rows of a grid hold their place in it.

    Returns:
        A sentence for each finding; empty for commands that only list.
    """
    if command not in _FINDINGS or not rows:
        return []
    found = list(_FINDINGS[command](rows))
    first = next((n for n, sentence in enumerate(found) if _CLEAR.search(sentence)), None)
    if first is not None:
        found[first] += f" {CLEAR_MEANS}"
    return found


_CLEAR = re.compile(r"\bclear(ly)?\b")


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
            f"{at} {in_words(change.delta, change.ci_low, change.ci_high, '+')}".strip()
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
                f"{in_words(row['value'], row['ci_low'], row['ci_high'])}{_at(place(row))}"
                for row in method_rows
            )
            yield f"{measure} of {method}: {values}."
        for method, method_rows in grouped(changed, lambda row: row["method"]).items():
            yield f"{measure}: " + _across(
                f"{method} instead of {method_rows[0]['against']}",
                [(place(row), difference(row, method)) for row in method_rows],
            )
    yield from ranks.sentences(rows)
    if len(set(map(place, rows))) == 1 and (warning := _mixed(rows)):
        yield warning


def _mixed(rows: Sequence[Row]) -> str:
    """A warning where rows of two backbones differ in the method too."""
    subjects = [
        two_backbones.subject(str(row["method"]), str(row.get("backbone", ""))) for row in rows
    ]
    return two_backbones.mixing(subjects)


def _sts(rows: Sequence[Row]) -> Iterable[str]:
    for row in rows:
        score = in_words(row["spearman"], row["ci_low"], row["ci_high"])
        yield f"{row['method']} scores {score} on {row['corpus']}{_at(place(row))}."
    yield from ranks.sentences(rows)


def _long_texts(rows: Sequence[Row]) -> Iterable[str]:
    first = rows[0]["measure"]
    members = [row for row in rows if row["measure"] == first]
    for method, method_rows in grouped(members, lambda row: row["method"]).items():
        values = []
        for row in method_rows:
            case = f"cut at {row['tokens']:,} tokens" if row["tokens"] else f"at the {row['place']}"
            case = ", ".join(filter(None, (case, place(row))))
            values.append(f"{in_words(row['value'], row['ci_low'], row['ci_high'])} ({case})")
        yield (
            f"{first} of {method} by the answer's place and the tokens read: {', '.join(values)}."
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


def _prompts(rows: Sequence[Row]) -> Iterable[str]:
    for (at, measure), members in grouped(rows, lambda row: (place(row), row["measure"])).items():
        where = f"{at or members[0]['corpus']}: "
        spreads = [
            f"{in_words(*(members[0][f'spread_{axis}{end}'] for end in ('', '_low', '_high')))} "
            f"over {axis}"
            for axis in ("prompts", "methods")
            if members[0][f"spread_{axis}"] is not None
        ]
        if spreads:
            yield f"{where}{measure} has a standard deviation of {' and '.join(spreads)}."
        for method, under in grouped(members, lambda row: row["method"]).items():
            best, worst = (choose(under, key=lambda row: row["value"]) for choose in (max, min))
            changed = [row for row in under if row["change"] is not None]
            clear = [
                f"{quoted(row['prompt'])} {change_in_words(row)}"
                for row in changed
                if difference(row, row["prompt"]).clear
            ]
            against = f"; clear against {quoted(under[0]['prompt'])}: {', '.join(clear) or 'none'}"
            yield (
                f"{where}{method} scores from {worst['value']:.1f} with {quoted(worst['prompt'])} "
                f"to {best['value']:.1f} with {quoted(best['prompt'])}{against if changed else ''}."
            )


_FINDINGS: dict[str, Callable[[Sequence[Row]], Iterable[str]]] = {
    "sts": _sts,
    "score": _scores,
    "long-texts": _long_texts,
    "ablation": ablation,
    "rules": rules,
    "parts": _parts,
    "sensitivity": sensitivity,
    "stability": stability,
    "transfer": transfer,
    "prompts": _prompts,
    "dimension": dimension,
    "output-layers": output_layers,
    "words": words.sentences,
}
