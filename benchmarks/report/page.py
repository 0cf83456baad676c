"""docs/results.md, made of the stored runs: tables, and findings that follow from the numbers.

``python -m benchmarks.report write`` makes the page; it loads no backbone and reads no corpus.
``python -m benchmarks.report run`` computes the runs that are missing first.
"""

import sys
from typing import Any

from analysis.dimension import selection
from analysis.embedding.methods import METHODS
from analysis.errors import ExplorerError
from analysis.evaluation.comparison import Difference
from analysis.experiments import held_out
from analysis.rerouting import layer_lists
from benchmarks.report import runs as all_runs
from benchmarks.report.runs import (
    BACKBONES,
    BASE,
    LENGTHS,
    PAIRS,
    ROOT,
    WINDOWED,
    Stored,
    runs,
    stored,
)

PAGE = ROOT / "docs" / "results.md"


def page(found: Stored) -> str:
    """docs/results.md, from stored runs alone."""
    parts = [_HEAD]
    parts.append(_findings(found))
    for name in BACKBONES:
        mine = {run: result for (backbone, run), result in found.items() if backbone == name}
        if not mine:
            continue
        parts.append(f"## {name}\n\n{_how_made(mine)}\n")
        parts.append(_pairs_table(mine))
        parts.append(_retrieval_table(mine))
        parts.append(_long_table(mine))
        parts.append(_windows_tables(mine))
    parts.append(_MISSING.format(missing=_missing(found)))
    return "\n".join(part for part in parts if part)


_HEAD = (
    "# Results\n\nMade by `python -m benchmarks.report write` from the runs stored in "
    "`assets/report`; `python -m benchmarks.report run` computes those that are missing. Every "
    "number is times 100 and stands with its 95% bootstrap interval; *n of m* marks a part of a "
    "corpus drawn at random (seed 0). Layers are those that the paper's rule selects on 1,000 "
    "calibration sentences, bias 1; their curve is measured in float32, as in bfloat16 "
    "gemma3-270m's led to layers 5-6 on one CPU and to 4-5 on another. What the scores and "
    "intervals are: [evaluation.md](evaluation.md).\n\nOf the paper's own results only two figures "
    "are known here, both of Mistral-7B: 53.41 on average over MTEB, and nDCG@10 of 20.68 on "
    "LoCoV1 at 4,096 tokens. They are of a model fifty times larger on other tasks and **not "
    "comparable** with anything below; tables repeat them in a column of their own where the kind "
    "of score is the same.\n"
)

_MISSING = """## What is not here

{missing}
"""


def _findings(found: Stored) -> str:
    """What the runs say together, in sentences that follow from the numbers."""
    lines = ["## What helps, what does not\n"]
    for name in BACKBONES:
        label, scored = "", []
        for (backbone, run), result in found.items():
            if backbone == name and "differences" in result:
                label = result["made"]["backbone"]
                main = next(iter(result["differences"]))
                scored.append((run, [_difference(d) for d in result["differences"][main]]))
        if not scored:
            continue
        lines.append(f"**{label}**\n")
        for other, what in (
            ("prompt-only", "Re-routing, given the prompt and the pooling"),
            ("re-routing-only", "The prompt, given the pooling and re-routing"),
            ("mean", "All of kv-embedding against the bare mean"),
            ("prompt-eol", "kv-embedding against prompt-eol"),
            ("echo", "kv-embedding against echo"),
            ("token-prepending", "kv-embedding against token-prepending"),
            ("meta-eol", "kv-embedding against meta-eol"),
            ("bidirectional", "kv-embedding against no causal mask"),
        ):
            pairs = [(run, d) for run, ds in scored for d in ds if d.first == other]
            if not pairs:
                continue
            ahead = [run for run, d in pairs if d.clear and d.delta < 0]
            behind = [run for run, d in pairs if d.clear and d.delta > 0]
            deltas = [-d.delta for _, d in pairs]
            lines.append(
                f"- {what}: {min(deltas):+.1f} to {max(deltas):+.1f} on {len(pairs)} corpora and "
                f"lengths; clearly ahead on {_listed(ahead)}, clearly behind on {_listed(behind)}."
            )
        lines.append("")
    for name in BACKBONES:
        for corpus in WINDOWED:
            if (test := found.get((name, f"{corpus}.windows"))) is None:
                continue
            tested = {one["name"]: one for one in test["tested"]}
            paper, best = tested["paper"], tested[held_out.BEST]
            lines.append(
                f"- {test['made']['backbone']}, {corpus}: the paper's rule picks "
                f"{_spoken(paper['layers'])}, on held-out halves rank "
                f"{paper['rank']['mean']:.1f} of {paper['windows']} with {_signed(paper['gain'])} "
                "over re-routing nothing; the "
                f"window that is best on one half gains {_signed(best['gain'])} on the other."
            )
    lines.append(_rules(found))
    return "\n".join(lines) + "\n"


def _rules(found: Stored) -> str:
    """Whether any rule does consistently better than the paper's on held-out halves."""
    tests = [result["tested"] for (_, run), result in found.items() if run.endswith(".windows")]
    if not tests:
        return ""
    sentences = []
    for rule in selection.RULES:
        if rule == "paper":
            continue
        gains = []
        for tested in tests:
            by = {one["name"]: one["gain"]["mean"] for one in tested}
            gains.append(by[rule] - by["paper"])
        better = sum(gain > 0 for gain in gains)
        sentences.append(
            f"`{rule}` {better} of {len(gains)} times ahead of `paper` "
            f"({min(gains):+.1f} to {max(gains):+.1f})"
        )
    consistent = [s.split("`")[1] for s in sentences if f"{len(tests)} of {len(tests)}" in s]
    verdict = (
        f"Ahead every time: {', '.join(consistent)}."
        if consistent
        else "No rule beats the paper's every time."
    )
    return f"\nRules against the paper's, on held-out halves: {'; '.join(sentences)}. {verdict}"


def _difference(stored: dict[str, Any]) -> Difference:
    p = stored["p"]
    return Difference(**stored | {"p": float("nan") if p is None else p})


def _listed(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def _spoken(layers: list[int]) -> str:
    return (
        "layers " + layer_lists.format_layers(layers, 10**6)
        if len(layers) > 1
        else f"layer {layers[0]}"
    )


def _how_made(mine: dict[str, dict[str, Any]]) -> str:
    """What computed a backbone's runs, those that were made alike together."""
    alike: dict[str, list[str]] = {}
    for run, result in mine.items():
        made = result["made"]
        versions = dict(made["versions"])
        how = (
            f"{made['dtype']} on {made['device']}, torch {versions['torch']}, transformers "
            f"{versions['transformers']}"
        )
        alike.setdefault(how, []).append(run)
    if len(alike) == 1:
        return f"{next(iter(alike))[:1].upper()}{next(iter(alike))[1:]}."
    return " ".join(f"{_listed(runs_)}: {how}." for how, runs_ in alike.items())


def _signed(value: dict[str, float]) -> str:
    return f"{value['mean']:+.1f} [{value['low']:+.1f}, {value['high']:+.1f}]"


def _cell(score: list[float] | None) -> str:
    return "not run" if score is None else f"{score[0]:.1f} [{score[1]:.1f}, {score[2]:.1f}]"


def _counted(result: dict[str, Any]) -> str:
    whole = f" of {result['of']:,}" if result["of"] else ""
    return f"{result['items']:,}{whole} {result['things']}"


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines) + "\n"


def _pairs_table(mine: dict[str, dict[str, Any]]) -> str:
    columns = [name for name in PAIRS if name in mine]
    if not columns:
        return ""
    rows = [["method", *columns, "Mistral-7B, MTEB average (not comparable)"]]
    for method in METHODS:
        cells = [_cell(mine[c]["scores"].get(method, {}).get("Spearman")) for c in columns]
        rows.append([method, *cells, "53.41" if method == BASE else ""])
    counts = ", ".join(f"{name} {_counted(mine[name])}" for name in columns)
    layers = mine[columns[0]]["layers"]
    return (
        f"### Sentence similarity, Spearman\n\n{counts}; re-routed: {_spoken(layers)}.\n\n"
        + _table(rows)
        + "\n"
        + _compared(mine, columns, "Spearman")
    )


def _compared(mine: dict[str, dict[str, Any]], columns: list[str], measure: str) -> str:
    """How far the main method is ahead of every other, bold where it is clear after correction."""
    rows = [[f"{BASE} minus", *columns]]
    by_name = [
        {d["first"]: _difference(d) for d in mine[c]["differences"][measure]} for c in columns
    ]
    for method in METHODS:
        if method != BASE:
            rows.append([method, *(_ahead(found.get(method)) for found in by_name)])
    return (
        f"How far {BASE} is ahead of each method, paired; **bold** where it is clear after Holm's "
        f"correction over the comparisons of a column (p < 0.05):\n\n{_table(rows)}"
    )


def _ahead(found: Difference | None) -> str:
    """The main method minus ``found.first``."""
    if found is None:
        return "not run"
    value = f"{-found.delta:+z.1f}"
    low, high = -found.ci_high, -found.ci_low
    return f"{f'**{value}**' if found.clear else value} [{low:+z.1f}, {high:+z.1f}]"


def _retrieval_table(mine: dict[str, dict[str, Any]]) -> str:
    if (result := mine.get("scifact-mini")) is None:
        return ""
    rows = [["method", "nDCG@10", "recall@10"]]
    for method in METHODS:
        score = result["scores"].get(method, {})
        rows.append([method, _cell(score.get("nDCG@10")), _cell(score.get("recall@10"))])
    return (
        f"### Retrieval, scifact-mini\n\n{_counted(result)} among {result['documents']} documents "
        f"cut at {result['tokens']} tokens, prompt included.\n\n"
        + _table(rows)
        + "\n"
        + _compared(mine, ["scifact-mini"], "nDCG@10")
    )


def _long_table(mine: dict[str, dict[str, Any]]) -> str:
    columns = [f"qmsum-test.{length}" for length in LENGTHS if f"qmsum-test.{length}" in mine]
    if not columns:
        return ""
    names = [f"{int(column.split('.')[1]):,} tokens" for column in columns]
    rows = [["method", *names, "Mistral-7B, LoCoV1 at 4,096 (not comparable)"]]
    for method in METHODS:
        cells = [_cell(mine[c]["scores"].get(method, {}).get("nDCG@10")) for c in columns]
        rows.append([method, *cells, "20.68" if method == BASE else ""])
    result = mine[columns[0]]
    return (
        f"### Long documents, qmsum-test, nDCG@10\n\n{_counted(result)} among "
        f"{result['documents']} meetings, cut at so many tokens, prompt included; intervals from "
        f"draws of {result['resampled']}.\n\n"
        + _table(rows)
        + "\n"
        + _compared(mine, columns, "nDCG@10")
    )


def _windows_tables(mine: dict[str, dict[str, Any]]) -> str:
    parts = []
    for corpus in WINDOWED:
        if (result := mine.get(f"{corpus}.windows")) is None:
            continue
        whole = f" of {result['of']:,}" if result["of"] else ""
        nothing = next(score for layers, score in result["windows"] if not layers)
        changes = [_difference(change) for change in result["changes"]]
        rows = [
            [
                "layers by",
                "layers",
                "score",
                "over nothing re-routed",
                "rank",
                "over resampled calibration",
            ]
        ]
        for one in result["tested"]:
            picked = f" ({100 * one['share']:.0f}% of halves)" if one["share"] < 1 else ""
            varied = result["variability"].get(one["name"])
            rank = one["rank"]
            rows.append(
                [
                    one["name"],
                    layer_lists.format_layers(one["layers"], 10**6) + picked,
                    f"{one['score']['mean']:.1f}",
                    _signed(one["gain"]),
                    f"{rank['mean']:.1f} [{rank['low']:.0f}, {rank['high']:.0f}] "
                    f"of {one['windows']}",
                    ""
                    if varied is None
                    else "{mean:.1f} [{low:.1f}, {high:.1f}]".format(**varied["score"]),
                ]
            )
        better = sum(c.clear and c.delta > 0 for c in changes)
        worse = sum(c.clear and c.delta < 0 for c in changes)
        parts.append(
            f"### Windows of {result['width']} layers on {corpus}\n\n{result['items']:,}{whole} "
            f"pairs; nothing re-routed scores {nothing:.1f} on them. Of {len(changes)} choices of "
            f"layers {better} are clearly better than that after Holm's correction, {worse} "
            "clearly worse. On held-out halves of the texts:\n\n" + _table(rows)
        )
    return "\n".join(parts)


def _missing(found: Stored) -> str:
    """What the tables leave empty or draw a part of, as the stored runs themselves say."""
    lines = [
        "- Sentence pairs and scifact-mini are parts, as each table says: all methods on "
        "everything take a day on two CPU cores."
    ]
    for name in BACKBONES:
        lacking: dict[tuple[str, ...], list[str]] = {}
        for (backbone, run), result in found.items():
            without = tuple(m for m in METHODS if m not in result.get("scores", METHODS))
            if backbone == name and without:
                lacking.setdefault(without, []).append(run)
        lines += [
            f"- {name}: {_listed(list(without))} not run on {_listed(where)}; each costs passes of "
            "its own over long documents."
            for without, where in lacking.items()
        ]
    todo = dict.fromkeys(
        f"{one.backbone} on {one.name}" for one in runs() if (one.backbone, one.name) not in found
    )
    if todo:
        lines.append(f"- Not run yet: {_listed(list(todo))}.")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """``run`` and ``write``, see the module."""
    if arguments not in (["run"], ["write"]):
        print("Say run or write: python -m benchmarks.report run|write.", file=sys.stderr)
        return 2
    try:
        if arguments == ["run"]:
            all_runs.run()
    except ExplorerError as error:
        print(error, file=sys.stderr)
        return 2
    PAGE.write_text(page(stored()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
