"""The tables of docs/results.md: scores, differences, and windows of layers, from stored runs."""

from collections.abc import Mapping
from typing import Any

from analysis.embedding.methods import METHODS
from analysis.evaluation.comparison import Difference
from analysis.rerouting import layer_lists
from benchmarks.report.runs import ALL, BASE, LENGTHS, PAIRS, WINDOWED

Results = Mapping[str, dict[str, Any]]
"""The stored runs of one backbone by their names."""


def pairs_table(results: Results) -> str:
    """Spearman on rated pairs, and the differences from the main method; empty if not run."""
    columns = [name for name in PAIRS if name in results]
    if not columns:
        return ""
    rows = [["method", *columns, "Mistral-7B, MTEB average (not comparable)"]]
    for method in _methods(results, columns):
        cells = [_cell(results[c]["scores"].get(method, {}).get("Spearman")) for c in columns]
        rows.append([method, *cells, "53.41" if method == BASE else ""])
    counts = ", ".join(f"{name} {_counted(results[name])}" for name in columns)
    layers = results[columns[0]]["layers"]
    return (
        f"### Sentence similarity, Spearman\n\n{counts}; re-routed: {spoken_layers(layers)}.\n\n"
        + _table(rows)
        + "\n"
        + compared(results, columns, "Spearman")
    )


def _methods(results: Results, columns: list[str]) -> list[str]:
    """Every method, and the variants that some of the runs have."""
    return [m for m in ALL if m in METHODS or any(m in results[c]["scores"] for c in columns)]


def compared(results: Results, columns: list[str], measure: str) -> str:
    """How far the main method is ahead of every other, bold where it is clear after correction."""
    rows = [[f"{BASE} minus", *columns]]
    by_column = [
        {d["first"]: difference(d) for d in results[c]["differences"][measure]} for c in columns
    ]
    for method in ALL:
        if method != BASE and (method in METHODS or any(method in by for by in by_column)):
            rows.append([method, *(_ahead(by_method.get(method)) for by_method in by_column)])
    return (
        f"How far {BASE} is ahead of each method, paired; **bold** if it is clear after Holm's "
        f"correction over the comparisons of a column (p < 0.05):\n\n{_table(rows)}"
    )


def _ahead(change: Difference | None) -> str:
    """The main method minus ``change.first``."""
    if change is None:
        return "not run"
    value = f"{-change.delta:+z.1f}"
    low, high = -change.ci_high, -change.ci_low
    return f"{f'**{value}**' if change.clear else value} [{low:+z.1f}, {high:+z.1f}]"


def retrieval_table(results: Results) -> str:
    """Retrieval on scifact-mini, and the differences; empty if not run."""
    if (result := results.get("scifact-mini")) is None:
        return ""
    rows = [["method", "nDCG@10", "recall@10"]]
    for method in _methods(results, ["scifact-mini"]):
        score = result["scores"].get(method, {})
        rows.append([method, _cell(score.get("nDCG@10")), _cell(score.get("recall@10"))])
    return (
        f"### Retrieval, scifact-mini\n\n{_counted(result)} among {result['documents']} documents "
        f"cut at {result['tokens']} tokens, prompt included.\n\n"
        + _table(rows)
        + "\n"
        + compared(results, ["scifact-mini"], "nDCG@10")
    )


def long_table(results: Results) -> str:
    """Retrieval of long documents by the tokens read, and the differences; empty if not run."""
    columns = [f"qmsum-test.{length}" for length in LENGTHS if f"qmsum-test.{length}" in results]
    if not columns:
        return ""
    names = [f"{int(column.split('.')[1]):,} tokens" for column in columns]
    rows = [["method", *names, "Mistral-7B, LoCoV1 at 4,096 (not comparable)"]]
    for method in _methods(results, columns):
        cells = [_cell(results[c]["scores"].get(method, {}).get("nDCG@10")) for c in columns]
        rows.append([method, *cells, "20.68" if method == BASE else ""])
    result = results[columns[0]]
    return (
        f"### Long documents, qmsum-test, nDCG@10\n\n{_counted(result)} among "
        f"{result['documents']} meetings, cut at the given number of tokens, prompt included; "
        f"intervals from draws of {result['resampled']}.\n\n"
        + _table(rows)
        + "\n"
        + compared(results, columns, "nDCG@10")
    )


def windows_tables(results: Results) -> str:
    """Each rule's layers on held-out halves, one table a corpus."""
    parts = []
    for corpus in WINDOWED:
        if (result := results.get(f"{corpus}.windows")) is None:
            continue
        total = f" of {result['of']:,}" if result["of"] else ""
        nothing = next(score for layers, score in result["windows"] if not layers)
        changes = [difference(change) for change in result["changes"]]
        rows = [
            [
                "chosen by",
                "layers",
                "score",
                "change against nothing re-routed",
                "rank",
                "score over resampled calibration texts",
            ]
        ]
        for test in result["tested"]:
            share = f" ({100 * test['share']:.0f}% of halves)" if test["share"] < 1 else ""
            variability = result["variability"].get(test["name"])
            rank = test["rank"]
            rows.append(
                [
                    test["name"],
                    layer_lists.format_layers(test["layers"], 10**6) + share,
                    f"{test['score']['mean']:.1f}",
                    signed(test["gain"]),
                    f"{rank['mean']:.1f} [{rank['low']:.0f}, {rank['high']:.0f}] "
                    f"of {test['windows']}",
                    ""
                    if variability is None
                    else "{mean:.1f} [{low:.1f}, {high:.1f}]".format(**variability["score"]),
                ]
            )
        better = sum(c.clear and c.delta > 0 for c in changes)
        worse = sum(c.clear and c.delta < 0 for c in changes)
        parts.append(
            f"### Windows of {result['width']} layers on {corpus}\n\n{result['items']:,}{total} "
            f"pairs; re-routing nothing scores {nothing:.1f} on them. Of {len(changes)} choices of "
            f"layers {better} are clearly better than that after Holm's correction, {worse} "
            "clearly worse. On held-out halves of the texts:\n\n" + _table(rows)
        )
    return "\n".join(parts)


def difference(stored: dict[str, Any]) -> Difference:
    """A difference as it was stored."""
    p = stored["p"]
    return Difference(**stored | {"p": float("nan") if p is None else p})


def listed(names: list[str]) -> str:
    """Names with commas, or none."""
    return ", ".join(names) if names else "none"


def spoken_layers(layers: list[int]) -> str:
    """Layers in words."""
    return (
        "layers " + layer_lists.format_layers(layers, 10**6)
        if len(layers) > 1
        else f"layer {layers[0]}"
    )


def signed(value: dict[str, float]) -> str:
    """A mean change with its range."""
    return f"{value['mean']:+.1f} [{value['low']:+.1f}, {value['high']:+.1f}]"


def _cell(score: list[float] | None) -> str:
    return "not run" if score is None else f"{score[0]:.1f} [{score[1]:.1f}, {score[2]:.1f}]"


def _counted(result: dict[str, Any]) -> str:
    total = f" of {result['of']:,}" if result["of"] else ""
    return f"{result['items']:,}{total} {result['things']}"


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines) + "\n"
