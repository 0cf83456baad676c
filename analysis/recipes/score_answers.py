"""Questions of scores answered: rows, each a score with what decides it."""

from collections import deque
from functools import partial

from ..backbones.backbone import Backbone
from ..corpora import registry, sampling
from ..corpora.packaged import CALIBRATION
from ..corpora.passages import Place
from ..dimension import selection
from ..embedding.methods import Method
from ..evaluation import comparison
from ..evaluation.comparison import Difference
from ..experiments import ablation as ablation_experiment
from ..experiments import dimension, searches
from ..experiments import long_texts as long_texts_experiment
from ..experiments import parts as parts_experiment
from ..experiments import rules as rules_experiment
from ..experiments import score as scores
from ..experiments.score import described
from ..experiments.shared_options import OnEngine, Planned
from ..experiments.specs import Ablation, LongTexts, Parts, Rules, Score, Sts
from ..parallel import engines, sweeps
from ..rerouting.plan import Plan
from ..runtime import events
from .rows import Row, of_change, of_measures
from .workspace import Workspace, corpus, method


def engine(spec: OnEngine) -> engines.Engine:
    """Where the work is done."""
    return engines.Engine(spec.engine, spec.address, spec.workers)


def planned(spec: Planned, chosen: Method, backbone: Backbone, _: None) -> tuple[Backbone, Method]:
    """A worker's backbone, from afar without its weights, and the method with a spec's plan."""
    return backbone, Workspace().planned(spec, chosen, backbone)


def sts(spec: Sts, workspace: Workspace) -> list[Row]:
    """One row a method: its score on rated pairs."""
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
            }
        )
    return rows


def score(spec: Score, workspace: Workspace) -> list[Row]:
    """Every measure of every method; the paired comparisons with the first are also said."""
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


def _changes(scored: list[scores.Score], of: int | None) -> dict[tuple[str, str], Difference]:
    """By method and measure, the paired differences of all but the first with the first."""
    base, *others = scored
    changes = {}
    for measure in base.measures if others else ():
        by_name = {each.name: each.measure(measure.name) for each in others}
        for difference in comparison.differences(by_name, measure, base.name, of):
            changes[difference.first, measure.name] = difference
            events.say(f"{measure.name}: {difference.sentence}")
    return changes


def long_texts(spec: LongTexts, workspace: Workspace) -> list[Row]:
    """One row a measure of a method, by where the answer stands and how much is read."""
    retrieval = sampling.part(registry.load_retrieval(spec.corpus), spec.part)
    backbone, chosen = workspace.methods(spec, spec.method)
    variants = long_texts_experiment.places(retrieval)
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


def ablation(spec: Ablation, workspace: Workspace) -> list[Row]:
    """One row a plan, best first: its score, its change and its rank."""
    pairs = sampling.part(registry.load_pairs(spec.corpus), spec.part)
    unplanned = method(spec, "kv-embedding")
    opened = engines.opened(engine(spec), partial(workspace.load, spec), device=spec.device)
    with opened as workers:
        ((backbone, chosen),) = workers.map(partial(planned, spec, unplanned), [None])
        most = spec.most or selection.window_width(backbone.layers)
        begin = searches.SEARCHES[spec.search]
        search = begin(chosen.plan, backbone.layers, backbone.reroutable, most)
        count = workspace.progress(spec.search)
        sweep = partial(sweeps.sweep, workers) if spec.engine == "ray" else None
        walks = ablation_experiment.run(backbone, pairs, search, chosen, sweep=sweep)
        counted = (count(len(w.plans) - len(w.missing), len(w.plans)) or w for w in walks)
        (walk,) = deque(counted, maxlen=1)
    return [
        {
            **described(chosen.under(plan)),
            "rank": walk.rank(plan),
            "spearman": walk.spearman(plan),
            "change": point.change.delta,
            "ci_low": point.change.ci_low,
            "ci_high": point.change.ci_high,
            "corpus": pairs.name,
            "pairs": point.change.items,
            "of": pairs.total,
            "backbone": backbone.facts.name,
            "dtype": backbone.dtype.value,
        }
        for plan, point in sorted(walk.points.items(), key=lambda item: walk.rank(item[0]))
    ]


def rules(spec: Rules, workspace: Workspace) -> list[Row]:
    """One row a window or rule's choice, best first, by the corpus's first measure."""
    scored_on, backbone = corpus(spec), workspace.load(spec)
    chosen = method(spec, "kv-embedding").under(Plan((), spec.bias, spec.key_position))
    texts = registry.load_texts(CALIBRATION)
    curve = dimension.dimensions(backbone, texts, progress=workspace.progress("calibrating"))
    ranked = rules_experiment.ranked(
        *(backbone, scored_on, curve),
        chosen,
        progress=workspace.progress("encoding"),
    )
    return [
        {
            **of_measures(each.scored, backbone)[0],
            "of": each.scored.of,
            **of_change(each.change),
            "rules": list(each.rules),
            "rank": each.rank,
            "rank_low": each.low,
            "rank_high": each.high,
            "windows": each.windows,
        }
        for each in ranked
    ]


def parts(spec: Parts, workspace: Workspace) -> list[Row]:
    """One row a part and how it is asked for, by the corpus's first measure."""
    scored_on, backbone = corpus(spec), workspace.load(spec)
    chosen = workspace.planned(spec, method(spec, "kv-embedding"), backbone)
    brought = parts_experiment.brought(
        *(backbone, scored_on, chosen),
        progress=workspace.progress("encoding"),
    )
    return [
        {
            "part": each.part,
            "how": each.how,
            **of_measures(each.together, backbone)[0],
            "of": each.together.of,
            "without": each.without.first.value,
            **of_change(each.change),
        }
        for each in brought
    ]
