"""docs/results.md from the stored runs: sentences that follow from the numbers, and tables.

``python -m benchmarks.report write`` writes the page; it loads no backbone and reads no corpus.
``python -m benchmarks.report run`` computes the runs that are missing first.
"""

import sys
from typing import Any

from analysis.dimension import selection
from analysis.embedding.methods import VARIANTS
from analysis.errors import ExplorerError
from analysis.experiments import held_out
from benchmarks.report import advice, tables
from benchmarks.report import runs as all_runs
from benchmarks.report.runs import Stored, left, stored
from benchmarks.report.sets import BACKBONES, CHOSEN, ROOT, SETS, rows
from benchmarks.report.windows import WINDOWED

BASELINES = ("prompt-eol", "token-prepending", "meta-eol", "echo", *VARIANTS, *CHOSEN)
"""What kv-embedding is compared with in sentences, besides its own parts."""
PAGE = ROOT / "docs" / "results.md"


def page(results: Stored) -> str:
    """Write docs/results.md from stored runs alone."""
    parts = [_HEAD, _advice(results), _findings(results)]
    for name in BACKBONES:
        of_backbone = _of(results, name)
        if of_backbone:
            parts += [
                f"## {name}\n\n{_provenance(of_backbone)}\n",
                tables.pairs_table(of_backbone),
                tables.ranks_table(of_backbone),
                tables.labelled_table(of_backbone),
                tables.retrieval_table(of_backbone),
                tables.long_table(of_backbone),
                tables.windows_tables(of_backbone),
            ]
    parts.append(f"## What is missing\n\n{_missing(results)}\n")
    return "\n".join(part for part in parts if part)


_HEAD = (
    "# Results\n\nWritten by `python -m benchmarks.report write` from what is stored in "
    "`assets/report`; `python -m benchmarks.report run` computes what is missing, in float32 and "
    "on whole sets. Every score is times 100 and has a 95% bootstrap interval; *n of m* marks a "
    "random part of a corpus (seed 0), scored before the whole. Layers are those that the paper's "
    "rule selects on 1,000 calibration sentences, with bias 1; their curve is measured in float32. "
    "[evaluation.md](evaluation.md) says what the scores, intervals and ranks are; a rank has an "
    "interval where the draws of all methods are stored.\n\nOf the paper's own results only two "
    "are known here, both of Mistral-7B: 53.41 on average over MTEB, and nDCG@10 of 20.68 on "
    "LoCoV1 at 4,096 tokens. They are for a model fifty times larger on other tasks and **not "
    "comparable** with anything below. Tables repeat them in a column of their own if the kind of "
    "score is the same.\n"
)


def _of(results: Stored, name: str) -> dict[str, dict[str, Any]]:
    """The runs of one backbone by their names."""
    return {run: result for (owner, run), result in results.items() if owner == name}


def _advice(results: Stored) -> str:
    """What to do on a small model, as far as the runs can say."""
    parts = ["## What to do on a small model\n"]
    for name in BACKBONES:
        if told := advice.sentences(_of(results, name)):
            parts.append(
                f"On **{name}**, by the mean of Spearman's correlation over the five sets of rated "
                "pairs, whole, with paired 95% intervals; *clear* means that the interval leaves "
                "out 0. Heads were chosen on 100 of the pairs of stsb-dev.\n"
            )
            parts += [f"{number}. {said}" for number, said in enumerate(told, 1)]
            parts.append("")
    return "\n".join(parts) if len(parts) > 1 else ""


def _findings(results: Stored) -> str:
    """What the runs say together, in sentences that follow from the numbers."""
    lines = ["## What helps, what does not\n"]
    for name in BACKBONES:
        label, scored = "", []
        for (backbone, run), result in results.items():
            if backbone == name and "differences" in result:
                label = result["made"]["backbone"]
                main = next(iter(result["differences"]))
                scored.append((run, [tables.difference(d) for d in result["differences"][main]]))
        if not scored:
            continue
        lines.append(f"**{label}**\n")
        for other, comparison in (
            ("prompt-only", "Re-routing, given the prompt and the pooling"),
            ("re-routing-only", "The prompt, given the pooling and re-routing"),
            ("mean", "All of kv-embedding against the bare mean"),
            ("bidirectional", "kv-embedding against no causal mask"),
            *((name, f"kv-embedding against {name}") for name in BASELINES),
        ):
            pairs = [(run, d) for run, ds in scored for d in ds if d.first == other]
            if not pairs:
                continue
            ahead = tables.listed([run for run, d in pairs if d.clear and d.delta < 0])
            behind = tables.listed([run for run, d in pairs if d.clear and d.delta > 0])
            deltas = [-d.delta for _, d in pairs]
            changes, runs = f"{deltas[0]:+.1f}", f"{pairs[0][0]}, the only run"
            if len(pairs) > 1:
                changes = f"{min(deltas):+.1f} to {max(deltas):+.1f}"
                runs = f"{len(pairs)} corpora and lengths"
            lines.append(
                f"- {comparison}: {changes} on {runs}; clearly better on {ahead}, clearly worse on "
                f"{behind}."
            )
        lines.append("")
    for name in BACKBONES:
        for corpus in WINDOWED:
            if (windows := results.get((name, f"{corpus}.windows"))) is None:
                continue
            tested = {test["name"]: test for test in windows["tested"]}
            paper, best = tested["paper"], tested[held_out.BEST]
            layers = tables.spoken_layers(paper["layers"])
            lines.append(
                f"- {windows['made']['backbone']}, {corpus}: the paper's rule selects {layers}, on "
                f"held-out halves rank {paper['rank']['mean']:.1f} of {paper['windows']}, with a "
                f"change of {tables.signed(paper['gain'])} against re-routing nothing. The window "
                f"that is best on one half changes the score of the other half by "
                f"{tables.signed(best['gain'])}."
            )
    lines.append(_rules(results))
    return "\n".join(lines) + "\n"


def _rules(results: Stored) -> str:
    """Whether any rule does consistently better than the paper's on held-out halves."""
    tests = [result["tested"] for (_, run), result in results.items() if run.endswith(".windows")]
    if not tests:
        return ""
    sentences, consistent = [], []
    for rule in selection.RULES:
        if rule == "paper":
            continue
        gains = []
        for tested in tests:
            by_rule = {test["name"]: test["gain"]["mean"] for test in tested}
            gains.append(by_rule[rule] - by_rule["paper"])
        better = sum(gain > 0 for gain in gains)
        sentences.append(
            f"`{rule}` is better than `paper` in {better} of {len(gains)} "
            f"({min(gains):+.1f} to {max(gains):+.1f})"
        )
        if better == len(gains):
            consistent.append(rule)
    verdict = (
        f"Better every time: {', '.join(consistent)}."
        if consistent
        else "No rule is better than the paper's every time."
    )
    return f"\nRules against the paper's, on held-out halves: {'; '.join(sentences)}. {verdict}"


def _provenance(results: tables.Results) -> str:
    """What computed a backbone's runs, those of the same kind together."""
    runs_by_kind: dict[str, list[str]] = {}
    for run, result in results.items():
        kind = _kind(result["made"])
        runs_by_kind.setdefault(kind, []).append(run)
        for method, other in result.get("makers", {}).items():
            runs_by_kind.setdefault(_kind(other), []).append(f"{method} on {run}")
    if len(runs_by_kind) == 1:
        (kind,) = runs_by_kind
        return f"{kind[:1].upper()}{kind[1:]}."
    return " ".join(f"{tables.listed(names)}: {kind}." for kind, names in runs_by_kind.items())


def _kind(provenance: dict[str, Any]) -> str:
    versions = dict(provenance["versions"])
    return (
        f"{provenance['dtype']} on {provenance['device']}, torch {versions['torch']}, "
        f"transformers {versions['transformers']}"
    )


def _missing(results: Stored) -> str:
    """What the tables lack or show a part of, as the stored runs themselves say."""
    lines = []
    for name in BACKBONES:
        of_backbone = _of(results, name)
        if parts := [
            run for run, each in of_backbone.items() if each["of"] and "width" not in each
        ]:
            lines.append(
                f"- {name}: {tables.listed(parts)} are parts that were scored before the whole "
                "sets, so that their ranks have no intervals."
            )
        lacking: dict[tuple[str, ...], list[str]] = {}
        for one in SETS:
            if without := tuple(left(name, one, rows(name))):
                lacking.setdefault(without, []).append(one.name)
        lines += [
            f"- {name}: {_named(without, name)} not run on the whole of {tables.listed(where)}."
            for without, where in lacking.items()
        ]
    return "\n".join(lines) or "Nothing."


def _named(methods: tuple[str, ...], backbone: str) -> str:
    return "all methods" if methods == rows(backbone) else tables.listed([*methods])


def main(arguments: list[str]) -> int:
    """Compute the missing runs if asked to (``run``), then write the page.

    Args:
        arguments: ``write``, or ``run`` and perhaps backbones and kinds of corpora to run alone.
    """
    command, *only = arguments or [""]
    kinds = [*dict.fromkeys(one.kind for one in SETS), "windows"]
    if command not in ("run", "write") or not set(only) <= {*BACKBONES, *kinds}:
        print(
            "Choose run or write: python -m benchmarks.report run|write; after run, any of "
            f"{', '.join([*BACKBONES, *kinds])}.",
            file=sys.stderr,
        )
        return 2
    try:
        if command == "run":
            all_runs.run(
                [name for name in BACKBONES if name in only] or BACKBONES,
                [kind for kind in kinds if kind in only],
            )
    except ExplorerError as error:
        print(error, file=sys.stderr)
        return 2
    PAGE.write_text(page(stored()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
