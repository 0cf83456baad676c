"""Answers about layers: the curve of dimensions, many plans, and the rank of each rule's choice."""

from functools import partial

from ..corpora import registry, sampling
from ..corpora.packaged import CALIBRATION
from ..dimension import selection, states
from ..experiments import ablation as ablation_experiment
from ..experiments import dimension as dimension_experiment
from ..experiments import rules as rules_experiment
from ..experiments import searches
from ..experiments import sensitivity as sensitivity_experiment
from ..experiments.score_result import described
from ..experiments.specs import Ablation, Dimension, Rules, Sensitivity
from ..parallel import engines, sweeps
from ..rerouting.plan import Plan
from .rows import Row, of_change, of_measures
from .workspace import Workspace, corpus, engine, method, planned_on_worker


def dimension(spec: Dimension, workspace: Workspace) -> Row:
    """One row: the curve with its band, and the layers that the rule selects."""
    texts = registry.load_texts(spec.corpus)
    states.draw_texts(texts, spec.samples, spec.seed, spec.cloud)  # refuses too few
    backbone = workspace.load(spec)
    result = dimension_experiment.dimensions(
        backbone,
        texts,
        samples=spec.samples,
        seed=spec.seed,
        estimator=spec.estimator,
        cloud=spec.cloud,
        prompted=not spec.bare,
        progress=workspace.progress("encoding"),
    )
    return {
        **result.to_dict(),
        "backbone": backbone.facts.name,
        "rule": spec.rule,
        "selected": list(result.selected(spec.rule)),
        "frequency": [round(float(share), 4) for share in result.frequency(spec.rule)],
    }


def ablation(spec: Ablation, workspace: Workspace) -> list[Row]:
    """One row for each plan, best first: its score, its change and its rank."""
    pairs = sampling.scored_part(registry.load_pairs(spec.corpus), spec.part)
    unplanned = method(spec, "kv-embedding")
    opened = engines.opened(engine(spec), partial(workspace.load, spec), device=spec.device)
    with opened as workers:
        ((backbone, chosen),) = workers.map(partial(planned_on_worker, spec, unplanned), [None])
        limit = spec.most or selection.window_width(backbone.layers)
        begin = searches.SEARCHES[spec.search]
        search = begin(chosen.plan, backbone.layers, backbone.reroutable, limit)
        count = workspace.progress(spec.search)
        sweep = partial(sweeps.sweep, workers) if spec.engine == "ray" else None
        walks = ablation_experiment.run(backbone, pairs, search, chosen, sweep=sweep)
        for walk in walks:
            count(len(walk.plans) - len(walk.missing), len(walk.plans))
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
    """One row for each window or rule's choice, best first, by the corpus's main measure."""
    scored_on, backbone = corpus(spec), workspace.load(spec)
    chosen = method(spec, "kv-embedding").under(Plan((), spec.bias, spec.key_position))
    texts = registry.load_texts(CALIBRATION)
    curve = dimension_experiment.dimensions(
        backbone, texts, progress=workspace.progress("calibrating")
    )
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


def sensitivity(spec: Sensitivity, workspace: Workspace) -> list[Row]:
    """One row for each head, the largest derivative first, with those that are chosen marked."""
    scored_on, chosen = corpus(spec), method(spec, spec.method)
    teacher = method(spec, spec.teacher) if spec.objective == "agreement" else None
    sensitivity_experiment.checked_items(scored_on, chosen, spec.objective)
    backbone = workspace.load(spec)
    result = sensitivity_experiment.sensitivity(
        *(backbone, scored_on, chosen.under(Plan((), spec.bias, spec.key_position))),
        objective=spec.objective,
        teacher=teacher,
        progress=workspace.progress("passing gradients back"),
    )
    heads = {head[:2] for head in result.top(spec.top)}
    return [{**row, "chosen": (row["layer"], row["head"]) in heads} for row in result.to_rows()]
