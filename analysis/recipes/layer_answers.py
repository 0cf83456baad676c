"""Answers about layers: the curve of dimensions, many plans, and the rank of each rule's choice."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora import registry, sampling
from ..corpora.packaged import CALIBRATION
from ..dimension import selection, states
from ..embedding.methods import Method
from ..errors import PlanError
from ..evaluation.comparison import NOTHING
from ..experiments import ablation as ablation_experiment
from ..experiments import chosen_heads, plans, searches
from ..experiments import dimension as dimension_experiment
from ..experiments import output_layers as output_layers_experiment
from ..experiments import rules as rules_experiment
from ..experiments import stability as stability_experiment
from ..experiments import transfer as transfer_experiment
from ..experiments.chosen_heads import Chosen
from ..experiments.item_parts import parts_of
from ..experiments.layer_scores import ByLayer
from ..experiments.score_result import Corpus, described
from ..experiments.specs import (
    Ablation,
    ChoosingHeads,
    Dimension,
    OutputLayers,
    Rules,
    Sensitivity,
    Stability,
    Transfer,
)
from ..parallel import engines, sweeps
from ..rerouting.plan import Plan
from .rows import Row, of_change, of_measures
from .workspace import (
    Workspace,
    corpus,
    corpus_to_choose_on,
    engine,
    method,
    planned_on_worker,
)


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
        search = begin(chosen.plan, backbone, limit)
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


def output_layers(spec: OutputLayers, workspace: Workspace) -> list[Row]:
    """One row for each method and layer, by the corpus's main measure."""
    for name in spec.method:
        method(spec, name).reading.at(-1)  # refuses sums of attention before anything is loaded
    scored_on = corpus(spec)
    backbone, chosen = workspace.methods(spec, spec.method)
    texts = registry.load_texts(spec.calibration)
    curve = dimension_experiment.dimensions(
        backbone, texts, progress=workspace.progress("calibrating")
    )
    scored = output_layers_experiment.score_layers(
        *(backbone, scored_on, chosen),
        max_tokens=spec.max_tokens,
        progress=workspace.progress("encoding"),
    )
    return ByLayer(tuple(scored), curve).to_rows()


def _teacher(spec: ChoosingHeads) -> Method | None:
    """The method that agreement is with, at its own output layer; None for other objectives."""
    if spec.objective != "agreement":
        return None
    return method(spec.model_copy(update={"output_layer": None}), spec.teacher)


def sensitivity(spec: Sensitivity, workspace: Workspace) -> list[Row]:
    """One row for each head, the largest derivative first, with those that are chosen marked."""
    chosen_on = corpus_to_choose_on(spec.on, spec.corpus, spec.part)
    _, _, choice = _choose(spec, chosen_on, workspace)
    return choice.to_rows()


def stability(spec: Stability, workspace: Workspace) -> list[Row]:
    """One row for each two parts of the corpus, with what their choices have in common."""
    chosen_on = corpus_to_choose_on(spec.on, spec.corpus, spec.part)
    unplanned = _to_choose_for(spec, parts_of(chosen_on, spec.parts))
    return stability_experiment.stability(
        *(workspace.load(spec), chosen_on, unplanned),
        parts=spec.parts,
        how=spec.choose,
        count=spec.count,
        objective=spec.objective,
        teacher=_teacher(spec),
        progress=workspace.progress("choosing heads"),
    ).to_rows()


def _to_choose_for(spec: ChoosingHeads, corpora: Sequence[Corpus]) -> Method:
    """The method whose heads are chosen, once each corpus is known to allow a choice.

    Raises:
        PlanError: the method re-routes nothing, or layers of its own.
        CorpusError: the items of a corpus are too few or cannot be told apart.
    """
    unplanned = method(spec, spec.method)
    if unplanned.has_plan:
        raise PlanError(
            f"{unplanned.name} has layers of its own, and choosing heads takes the place of them; "
            "leave them out."
        )
    unplanned = unplanned.under(Plan((), spec.bias, spec.key_position))
    for each in corpora:
        chosen_heads.check_choice(
            each, unplanned, how=spec.choose, count=spec.count, objective=spec.objective
        )
    return unplanned


def _choose(
    spec: ChoosingHeads, chosen_on: Corpus, workspace: Workspace
) -> tuple[Backbone, Method, Chosen]:
    """The heads that a question chooses, with the backbone and the method whose heads they are."""
    unplanned = _to_choose_for(spec, [chosen_on])
    backbone = workspace.load(spec)
    choice = chosen_heads.choose(
        *(backbone, chosen_on, unplanned),
        how=spec.choose,
        count=spec.count,
        objective=spec.objective,
        teacher=_teacher(spec),
        progress=workspace.progress("choosing heads"),
    )
    return backbone, unplanned, choice


def transfer(spec: Transfer, workspace: Workspace) -> list[Row]:
    """One row for each choice on the judged corpus, and one for random heads together."""
    judged_on = corpus(spec)
    chosen_on = corpus_to_choose_on(spec.chosen_on, spec.chosen_corpus, spec.chosen_part)
    judged_on = sampling.without(judged_on, chosen_on)
    backbone, chosen, choice = _choose(spec, chosen_on, workspace)
    layers = plans.select_layers(backbone, "auto", progress=workspace.progress("calibrating"))
    result = transfer_experiment.transfer(
        *(backbone, judged_on, chosen, choice.plan),
        layers=layers,
        baselines=[
            method(spec, name).planned(chosen.plan.with_layers(layers)) for name in spec.baseline
        ],
        random_sets=spec.random_sets,
        progress=workspace.progress("encoding"),
    )
    settings = {
        "objective": spec.objective,
        "teacher": choice.teacher,
        "choice": choice.how,
        "count": choice.count,
        "passes": choice.passes,
        "chosen_on": chosen_on.name,
        "chosen_items": choice.items,
        "of": judged_on.total,
    }
    rows = [
        {
            **of_measures(each.scored, backbone)[0],
            **settings,
            "subject": each.subject,
            "p_random": result.p_random if each.subject == "chosen heads" else None,
            **of_change(each.change),
        }
        for each in result.judged
    ]
    return [
        *rows,
        *([{**rows[0], **_of_random(result.random, rows[0])}] if len(result.random) else []),
    ]


def _of_random(changes: NDArray[np.float64], nothing: Row) -> Row:
    """The columns of heads at random: mean change over the sets, and 95% of the sets."""
    low, high = np.quantile(changes, [0.025, 0.975]).tolist()
    mean = float(changes.mean())
    return {
        "subject": "random heads",
        "sets": len(changes),
        "value": nothing["value"] + mean,
        "ci_low": nothing["value"] + low,
        "ci_high": nothing["value"] + high,
        "against": NOTHING,
        "change": mean,
        "change_low": low,
        "change_high": high,
    }
