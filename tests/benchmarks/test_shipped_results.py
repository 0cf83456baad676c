"""The results that ship: all that pages open with, and what is computed here."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis.backbones import backbone
from analysis.backbones.backbone import Backbone
from analysis.backbones.devices import Choice
from analysis.corpora import packaged, registry, sampling
from analysis.dimension import selection
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.experiments import dimension as dimension_experiment
from analysis.experiments import head_choices, long_texts, score_store, searches
from analysis.experiments import score as scores
from analysis.experiments import space as space_experiment
from analysis.experiments.sensitivity import known_sensitivity, sensitivity
from analysis.rerouting.plan import PLAIN, Plan
from analysis.storage import result_store
from benchmarks import shipped_results
from pages.shared import head_colours
from tests.support import properties
from tests.support.scoring import scored


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("dtype", shipped_results.DTYPES)
def test_everything_that_pages_open_with_ships(
    smollm2: Backbone, idle: Callable[[], None], dtype: str
) -> None:
    idle()
    smollm2 = dataclasses.replace(smollm2, dtype=Choice(dtype, "a test"))
    with result_store.only(result_store.SHIPPED):
        curve = dimension_experiment.dimensions(smollm2, registry.load_texts(packaged.CALIBRATION))
        automatic = Plan(curve.selected())
        pairs = registry.load_pairs("lee50")
        for plan in (PLAIN, automatic):
            assert scored(smollm2, pairs, DEFAULT.under(plan)).plan == plan
        every = [METHODS[name].under(automatic) for name in scores.OPENING_METHODS]
        answers = registry.load_retrieval("chatterbot-answers")
        labelled = sampling.draw(registry.load_labelled("chatterbot"), sampling.LABELLED, 0)
        asked = sampling.scored_part(answers, sampling.QUERIES)
        measured = dtype in shipped_results.MEASURED
        for corpus in (labelled, asked) if measured else ():
            assert len(scores.score(smollm2, corpus, every)) == len(every)
        by_method = {one.name: one for one in scores.score(smollm2, pairs, every)}
        assert set(by_method) == set(scores.OPENING_METHODS)
        for name, score in properties.LEE50.items():
            result = by_method[name].measure("Spearman").value
            assert result == pytest.approx(score, abs=0.3 if dtype == "float32" else 0.6)
        ends = head_choices.extremes(sensitivity(smollm2, pairs).values)
        for head in ends or ():
            one = DEFAULT.under(Plan(heads=(head,)))
            assert score_store.known_score(smollm2, pairs, one) is not None
        calibration = sampling.sample(
            registry.load_texts(packaged.CALIBRATION), head_colours.TEXTS, 0
        )
        teacher = METHODS[head_colours.TEACHER]
        agreement = known_sensitivity(smollm2, calibration, objective="agreement", teacher=teacher)
        assert agreement is not None
        variants = long_texts.places(answers)
        few = [METHODS[name].under(automatic) for name in long_texts.LONG_METHODS]
        for variant in variants.values():
            scores.score(smollm2, variant, few)
        for length in long_texts.LENGTHS:
            scores.score(smollm2, variants["middle"], few, max_tokens=length)
        for width in (1, selection.window_width(smollm2.layers)):
            for plan in searches.sliding(smollm2.layers, width):
                assert score_store.known_score(smollm2, pairs, DEFAULT.under(plan)) is not None
        texts = registry.load_texts(space_experiment.MAP_CORPUS)
        drawn = sampling.sample(texts, space_experiment.MAP_TEXTS, 0).texts
        for name in ("mean", "kv-embedding"):
            space_experiment.projected(smollm2, drawn, METHODS[name].under(automatic))


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("dtype", shipped_results.MAPPED)
@pytest.mark.parametrize("name", ["smollm2", shipped_results.OTHER])
def test_the_map_of_all_windows_ships(name: str, dtype: str) -> None:
    loaded = backbone.load(name, dtype=dtype, device="cpu")
    pairs = registry.load_pairs(shipped_results.PAIRS)
    with result_store.only(result_store.SHIPPED):
        curve = dimension_experiment.dimensions(loaded, registry.load_texts(packaged.CALIBRATION))
        plans = [PLAIN, Plan(curve.selected()), *searches.every_window(loaded.layers)]
        missing = [
            plan.layers
            for plan in plans
            if score_store.known_score(loaded, pairs, DEFAULT.under(plan)) is None
        ]
    assert missing == []


@pytest.mark.slow
@pytest.mark.weights
def test_shipped_scores_are_what_is_computed_here(smollm2: Backbone, tmp_path: Path) -> None:
    pairs = registry.load_pairs("lee50")
    window = Plan((26, 27, 28, 29))
    with result_store.only(result_store.SHIPPED):
        known = score_store.known_score(smollm2, pairs, DEFAULT.under(window))
    with result_store.only(tmp_path):
        computed = scored(smollm2, pairs, DEFAULT.under(window))
    assert known is not None
    assert computed.first.value == pytest.approx(known.first.value, abs=0.05)
    assert computed.first.ci_low == pytest.approx(known.first.ci_low, abs=0.3)
    assert computed.cosines is not None
    assert known.cosines is not None
    np.testing.assert_allclose(computed.cosines, known.cosines, atol=1e-4)
