"""The tables of docs/results.md: scores, differences, and windows of layers, from stored runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from scipy import stats

from analysis.embedding.methods import METHODS
from analysis.evaluation import ranks as ranking
from analysis.evaluation.comparison import Difference
from analysis.evaluation.measures import Measure
from analysis.rerouting import layer_lists
from benchmarks.report import records
from benchmarks.report.sets import BASE, KNN, LABELLED, LENGTHS, PAIRS, rows
from benchmarks.report.windows import WINDOWED

Results = Mapping[str, dict[str, Any]]
"""The stored runs of one backbone by their names."""


def pairs_table(results: Results) -> str:
    """Spearman on rated pairs, and the differences from the main method; empty if not run."""
    columns = [name for name in PAIRS if name in results]
    if not columns:
        return ""
    lines = [["method", *columns, "mean", "Mistral-7B, MTEB average (not comparable)"]]
    for method in _methods(results, columns):
        cells = [_cell(results[c]["scores"].get(method, {}).get("Spearman")) for c in columns]
        average = mean_over(results, columns, method, "Spearman")
        cells.append("" if average is None else _of_measure(average))
        lines.append([method, *cells, "53.41" if method == BASE else ""])
    counts = ", ".join(f"{name} {_counted(results[name])}" for name in columns)
    layers = results[columns[0]]["layers"]
    return (
        f"### Sentence similarity, Spearman\n\n{counts}; re-routed: {spoken_layers(layers)}. "
        "The mean is over the sets, its interval from the draws of all.\n\n"
        + _table(lines)
        + "\n"
        + compared(results, columns, "Spearman")
    )


def mean_over(
    results: Results, columns: Sequence[str], method: str, measure: str
) -> Measure | None:
    """A measure's mean over corpora; None if the method has no draws on one of them."""
    each = [results[c].get("measures", {}).get(method, {}).get(measure) for c in columns]
    return None if None in each else records.mean(each, "sets")


def _methods(results: Results, columns: list[str]) -> list[str]:
    """Every method of the library, and what else some of the runs have."""
    return [m for m in rows() if m in METHODS or any(m in results[c]["scores"] for c in columns)]


def compared(results: Results, columns: list[str], measure: str) -> str:
    """How far the main method is ahead of every other, bold where it is clear after correction."""
    lines = [[f"{BASE} minus", *columns]]
    by_column = [
        {d["first"]: difference(d) for d in results[c]["differences"][measure]} for c in columns
    ]
    for method in rows():
        if method != BASE and (method in METHODS or any(method in by for by in by_column)):
            lines.append([method, *(_ahead(by_method.get(method)) for by_method in by_column)])
    return (
        f"How far {BASE} is ahead of each method, paired; **bold** if it is clear after Holm's "
        f"correction over the comparisons of a column (p < 0.05):\n\n{_table(lines)}"
    )


def _ahead(change: Difference | None) -> str:
    """The main method minus ``change.first``."""
    if change is None:
        return "not run"
    value = f"{-change.delta:+z.1f}"
    low, high = -change.ci_high, -change.ci_low
    return f"{f'**{value}**' if change.clear else value} [{low:+z.1f}, {high:+z.1f}]"


def ranks_table(results: Results) -> str:
    """The rank of each method on each set of rated pairs, and the mean; empty if not run."""
    columns = [name for name in PAIRS if name in results]
    scores = {
        column: {name: score["Spearman"][0] for name, score in results[column]["scores"].items()}
        for column in columns
    }
    methods = [m for m in rows() if columns and all(m in by for by in scores.values())]
    if len(columns) < 2 or len(methods) < 3:
        return ""
    found = ranking.over_corpora({c: {m: by[m] for m in methods} for c, by in scores.items()})
    ranked = [_ranks(results[c], methods) for c in columns]
    lines = [["method", *columns, "mean rank"]]
    for method, average in zip(found.names, found.means, strict=True):
        lines.append([method, *(by_method[method] for by_method in ranked), f"{average:.1f}"])
    lacking = [m for m in _methods(results, columns) if m not in methods]
    without = f" Left out, since not run on all of them: {listed(lacking)}." if lacking else ""
    title = f"### Ranks of {len(methods)} methods on sentence similarity"
    return f"{title}\n\n{found.verdict}{without}\n\n{_table(lines)}"


def _ranks(result: dict[str, Any], methods: list[str]) -> dict[str, str]:
    """The rank of each method on a set, with its interval where the draws are stored."""
    measures = result.get("measures", {})
    if set(methods) <= set(measures):
        each = ranking.ranks(methods, [measures[m]["Spearman"] for m in methods])
        return {rank.name: rank.interval for rank in each}
    places = stats.rankdata([-result["scores"][m]["Spearman"][0] for m in methods])
    return {method: f"{place:g}" for method, place in zip(methods, places, strict=True)}


def labelled_table(results: Results) -> str:
    """Accuracy of nearest neighbours and V-measure on labelled texts; empty if not run."""
    columns = [name for name in LABELLED if name in results]
    if not columns:
        return ""
    lines = [["method", *(f"{c}, {m}" for c in columns for m in ("kNN", "V-measure"))]]
    for method in _methods(results, columns):
        each = [results[c]["scores"].get(method, {}) for c in columns]
        cells = [_cell(score.get(measure)) for score in each for measure in (KNN, "V-measure")]
        lines.append([method, *cells])
    counts = ", ".join(f"{name} {_counted(results[name])}" for name in columns)
    return (
        f"### Labelled texts\n\n{counts}; {KNN}, and V-measure of k-means.\n\n"
        + _table(lines)
        + "\n"
        + compared(results, columns, KNN)
    )


def retrieval_table(results: Results) -> str:
    """Retrieval on scifact-mini, and the differences; empty if not run."""
    if (result := results.get("scifact-mini")) is None:
        return ""
    lines = [["method", "nDCG@10", "recall@10"]]
    for method in _methods(results, ["scifact-mini"]):
        score = result["scores"].get(method, {})
        lines.append([method, _cell(score.get("nDCG@10")), _cell(score.get("recall@10"))])
    return (
        f"### Retrieval, scifact-mini\n\n{_counted(result)} among {result['documents']} documents "
        f"cut at {result['tokens']} tokens, prompt included.\n\n"
        + _table(lines)
        + "\n"
        + compared(results, ["scifact-mini"], "nDCG@10")
    )


def long_table(results: Results) -> str:
    """Retrieval of long documents by the tokens read, and the differences; empty if not run."""
    columns = [f"qmsum-test.{length}" for length in LENGTHS if f"qmsum-test.{length}" in results]
    if not columns:
        return ""
    names = [f"{int(column.split('.')[1]):,} tokens" for column in columns]
    lines = [["method", *names, "Mistral-7B, LoCoV1 at 4,096 (not comparable)"]]
    for method in _methods(results, columns):
        cells = [_cell(results[c]["scores"].get(method, {}).get("nDCG@10")) for c in columns]
        lines.append([method, *cells, "20.68" if method == BASE else ""])
    result = results[columns[0]]
    return (
        f"### Long documents, qmsum-test, nDCG@10\n\n{_counted(result)} among "
        f"{result['documents']} meetings, cut at the given number of tokens, prompt included; "
        f"intervals from draws of {result['resampled']}.\n\n"
        + _table(lines)
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
        lines = [
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
            lines.append(
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
            "clearly worse. On held-out halves of the texts:\n\n" + _table(lines)
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


def _of_measure(measure: Measure) -> str:
    return _cell([measure.value, measure.ci_low, measure.ci_high])


def _counted(result: dict[str, Any]) -> str:
    total = f" of {result['of']:,}" if result["of"] else ""
    return f"{result['items']:,}{total} {result['things']}"


def _table(lines: list[list[str]]) -> str:
    head, *body = lines
    ruled = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled) + "\n"
