"""Answers about scores: rows, each a score with its settings."""

import sys

from ..corpora import registry
from ..corpora.passages import Place
from ..evaluation import comparison
from ..evaluation.comparison import Difference
from ..experiments import long_texts as long_texts_experiment
from ..experiments import parts as parts_experiment
from ..experiments import score as scores
from ..experiments import score_result
from ..experiments.score_result import described, noted
from ..experiments.specs import LongTexts, Mteb, Parts, Score, Sts
from ..runtime import events, outputs
from .rows import Row, finite, of_change, of_measures
from .workspace import Workspace, corpus, method


def sts(spec: Sts, workspace: Workspace) -> list[Row]:
    """One row for each method: its score on rated pairs."""
    pairs = registry.load_pairs(spec.corpus)
    if pairs.note:
        events.say(pairs.note)
    backbone, chosen = workspace.methods(spec, spec.method)
    scored = scores.score(backbone, pairs, chosen, progress=workspace.progress("encoding"))
    rows = []
    for each in scored:
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
                "pearson": pearson.value,
                "resampled": spearman.resampled,
                "backbone": backbone.facts.name,
                "dtype": backbone.dtype.value,
                **noted(each),
            }
        )
    return rows


def score(spec: Score, workspace: Workspace) -> list[Row]:
    """One row for each measure of each method; comparisons with the first method are reported."""
    scored_on = corpus(spec)
    backbone, chosen = workspace.methods(spec, spec.method)
    scored = scores.score(
        backbone,
        scored_on,
        chosen,
        processing=spec.post_processing,
        max_tokens=spec.max_tokens,
        progress=workspace.progress("encoding"),
    )
    changes = _changes(scored, scored_on.total)
    return [
        {
            **row,
            "of": each.of,
            "post_processing": spec.post_processing,
            **of_change(changes.get((each.name, row["measure"]))),
        }
        for each in scored
        for row in of_measures(each, backbone)
    ]


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
        for each in scored:
            rows += [
                {"place": place, "tokens": length, **row} for row in of_measures(each, backbone)
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
