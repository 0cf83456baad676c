"""Answers about scores: rows, each a score with its settings."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from ..backbones.backbone import Backbone
from ..corpora import registry
from ..corpora.passages import Place
from ..embedding.external import MethodOrVectors
from ..embedding.methods import Method
from ..errors import RecipeError
from ..evaluation import comparison
from ..evaluation.comparison import Difference
from ..evaluation.ranks import Rank
from ..experiments import long_texts as long_texts_experiment
from ..experiments import parts as parts_experiment
from ..experiments import prompt_bench, score_result, two_backbones
from ..experiments import score as scores
from ..experiments.score_result import described, noted
from ..experiments.specs import LongTexts, Mteb, Parts, PromptBench, Score, Sts
from ..runtime import events, outputs
from .rows import Row, finite, of_change, of_measures, of_rank
from .workspace import Workspace, corpus, corpus_and_part, method, vectors


def sts(spec: Sts, workspace: Workspace) -> list[Row]:
    """One row for each method: its score on rated pairs."""
    pairs = registry.load_pairs(spec.corpus)
    if pairs.note:
        events.say(pairs.note)
    given = vectors(spec, pairs)
    backbone, chosen = workspace.methods(spec, spec.method)
    every: list[MethodOrVectors] = [*chosen, *given]
    scored = scores.score(backbone, pairs, every, progress=workspace.progress("encoding"))
    rows, ranks = [], score_result.ranks(scored)
    for each, rank in zip(scored, ranks, strict=True):
        spearman, pearson = each.measures
        rows.append(
            {
                **described(each.method),
                "corpus": pairs.name,
                "pairs": spearman.items,
                "texts": len(pairs.texts),
                "spearman": spearman.value,
                "ci_low": spearman.ci_low,
                "ci_high": spearman.ci_high,
                **of_rank(rank),
                "pearson": pearson.value,
                "resampled": spearman.resampled,
                "backbone": each.provenance.backbone,
                "dtype": each.provenance.dtype,
                **noted(each),
            }
        )
    return rows


def score(spec: Score, workspace: Workspace) -> list[Row]:
    """One row for each measure of each method; comparisons with the first method are reported.

    Methods on a second backbone are compared with themselves on the first.
    """
    if spec.beside == spec.backbone:
        raise RecipeError(
            f"{spec.beside} is already the backbone; choose another one for --beside, to compare "
            "it with."
        )
    full, scored_on = corpus_and_part(spec)
    given = vectors(spec, full)
    backbone, chosen = workspace.methods(spec, spec.method)
    score_on = partial(
        scores.score, max_tokens=spec.max_tokens, progress=workspace.progress("encoding")
    )
    scored = score_on(backbone, scored_on, [*chosen, *given])
    changes = _changes(scored, scored_on.total)
    backbones = [backbone] * len(scored)
    if spec.beside:
        other, theirs = workspace.methods_beside(spec, spec.method, spec.beside)
        second = [two_backbones.beside(each, other) for each in score_on(other, scored_on, theirs)]
        scored += second
        backbones += [other] * len(second)
        changes |= _changes_beside(scored, scored_on.total)
    ranks = _ranks(scored)
    return [
        {
            **row,
            **of_rank(ranks[number, row["measure"]]),
            "of": each.of,
            "post_processing": each.method.processing,
            **of_change(changes.get((each.name, row["measure"]))),
        }
        for number, each in enumerate(scored)
        for row in of_measures(each, backbones[number])
    ]


def _ranks(scored: Sequence[score_result.Score]) -> dict[tuple[int, str], Rank]:
    """The rank of each score by its number and the name of the measure."""
    return {
        (number, measure.name): rank
        for measure in scored[0].measures
        for number, rank in enumerate(score_result.ranks(scored, measure.name))
    }


def _changes(
    scored: list[score_result.Score], total: int | None
) -> dict[tuple[str, str], Difference]:
    """The paired difference of each further method with the first, by method and measure."""
    base, *compared = scored
    changes = {}
    for measure in base.measures if compared else ():
        by_name = {each.name: each.measure(measure.name) for each in compared}
        for difference in comparison.differences(by_name, measure, base.name, total):
            changes[difference.first, measure.name] = difference
            events.say(f"{measure.name}: {difference.sentence}")
    return changes


def _changes_beside(
    scored: list[score_result.Score], total: int | None
) -> dict[tuple[str, str], Difference]:
    """The paired difference of each method on the second backbone with itself on the first."""
    changes = {}
    for measure in scored[0].measures:
        for difference in two_backbones.changes(scored, measure.name, total):
            changes[difference.first, measure.name] = difference
            events.say(f"{measure.name}: {difference.sentence}")
    return changes


def long_texts(spec: LongTexts, workspace: Workspace) -> list[Row]:
    """One row for each measure of a method, by the answer's position and the tokens read."""
    retrieval = registry.load_retrieval(spec.corpus)
    variants = long_texts_experiment.places(retrieval, spec.part)
    backbone, chosen = workspace.methods(spec, spec.method)
    if retrieval.note:
        events.say(retrieval.note)
    cases: list[tuple[Place, int | None]] = [(place, None) for place in variants]
    cases += [("middle", length) for length in spec.tokens]
    rows = []
    for place, length in cases:
        scored = scores.score(
            backbone,
            variants[place],
            chosen,
            max_tokens=length,
            progress=workspace.progress(f"{place} {length or ''}".strip()),
        )
        ranks = _ranks(scored)
        for number, each in enumerate(scored):
            rows += [
                {
                    **{"place": place, "tokens": length},
                    **row,
                    **of_rank(ranks[number, row["measure"]]),
                }
                for row in of_measures(each, backbone)
            ]
    return rows


def parts(spec: Parts, workspace: Workspace) -> list[Row]:
    """One row for each part and setting, by the corpus's main measure."""
    scored_on, backbone = corpus(spec), workspace.load(spec)
    chosen = workspace.planned(spec, method(spec, "kv-embedding"), backbone)
    contributions = parts_experiment.contributions(
        *(backbone, scored_on, chosen),
        progress=workspace.progress("encoding"),
    )
    return [
        {
            "part": each.part,
            "how": each.setting,
            **of_measures(each.with_part, backbone)[0],
            "of": each.with_part.of,
            "without": each.without.first.value,
            **of_change(each.change),
        }
        for each in contributions
    ]


def prompts(spec: PromptBench, workspace: Workspace) -> list[Row]:
    """One row for each prompt of each method, by the corpus's main measure."""
    scored_on = corpus(spec)
    for each in spec.template:
        prompt_bench.prompt_of(each)
    backbone, chosen = workspace.methods(spec, spec.method)
    bench = prompt_bench.prompt_bench(
        *(backbone, scored_on, spec.template, chosen), progress=workspace.progress("encoding")
    )
    return prompt_rows(bench, chosen, backbone)


def prompt_rows(
    bench: prompt_bench.PromptBench, methods: Sequence[Method], backbone: Backbone
) -> list[Row]:
    """The rows of ``prompts``, for methods in their order."""
    spreads = {
        f"{name}{end}": getattr(spread, f"{at}") if spread else None
        for name, spread in (
            ("spread_prompts", bench.over_prompts),
            ("spread_methods", bench.over_methods),
        )
        for end, at in (("", "value"), ("_low", "ci_low"), ("_high", "ci_high"))
    }
    rows: list[Row] = []
    for base, under, changes in zip(methods, bench.scores, bench.changes, strict=True):
        for label, scored, change in zip(bench.labels, under, (None, *changes), strict=True):
            rows.append(
                {
                    "prompt": label,
                    **of_measures(scored, backbone)[0],
                    "method": prompt_bench.without_prompt(base),
                    "of": scored.of,
                    **of_change(change and replace(change, second=bench.labels[0])),
                    **spreads,
                }
            )
    return rows


def mteb(spec: Mteb, workspace: Workspace) -> list[Row]:
    """One row for each split and subset of a task, as mteb scores it."""
    import datasets

    from ..integrations import mteb as mteb_integration
    from ..integrations import mteb_tasks
    from ..integrations.sentence_transformers import Embedder

    show_progress = sys.stderr.isatty()
    if not show_progress:
        datasets.disable_progress_bars()
    tasks = mteb_tasks.find_tasks(list(spec.tasks))
    folder = outputs.folder(spec.output)
    backbone = workspace.load(spec)
    chosen = workspace.planned(spec, method(spec, spec.method), backbone)
    encoder = mteb_integration.MtebEncoder(Embedder(backbone, chosen, max_tokens=spec.max_tokens))
    rows: list[Row] = []
    for result in mteb_integration.run(encoder, tasks, folder, show_progress=show_progress):
        if result.reused and result.task not in {row["task"] for row in rows}:
            events.say(f"{result.task} was computed before and is read from {result.file}.")
        rows.append(
            {
                "task": result.task,
                "split": result.split,
                "subset": result.subset,
                "metric": result.metric,
                "main_score": finite(result.score),
                "reused": result.reused,
                "file": str(result.file),
            }
        )
    if cut := encoder.embedder.texts_cut:
        events.say(f"{cut} texts were too long and were cut at their end.")
    if encoder.blank:
        events.say(
            f"{encoder.blank} texts are empty and were encoded as {mteb_integration.BLANK!r}."
        )
    return rows
