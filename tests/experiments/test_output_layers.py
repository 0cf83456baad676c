"""Methods at every output layer: each point is the score alone, from one pass for each prompt."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.corpora.registry import load_texts
from analysis.corpora.types import Pairs, Retrieval, Texts
from analysis.dimension.curve import Curve
from analysis.embedding.encoder import encode
from analysis.embedding.methods import METHODS, Method, variant
from analysis.embedding.named_methods import method
from analysis.errors import OutOfMemory, PlanError
from analysis.evaluation import comparison
from analysis.evaluation.measures import Measure
from analysis.experiments.dimension import Dimensions
from analysis.experiments.item_parts import parts_of
from analysis.experiments.layer_scores import ByLayer, lowest
from analysis.experiments.output_layers import known_layers, score_layers
from analysis.experiments.score import score
from analysis.experiments.score_result import Corpus
from analysis.figures.output_layers import by_layer
from analysis.recipes import charts, findings
from analysis.rerouting.plan import Plan
from tests.support.passes import pass_starts

RNG = np.random.default_rng(0)
WORDS = ("boat", "bank", "loan", "river", "house", "rain", "train", "song", "king", "bread")
TEXTS = tuple(f"The {a} is by the {b}." for a in WORDS for b in WORDS if a != b)
COUNT = 48
PAIRS = Pairs(
    "made",
    TEXTS[: 2 * COUNT],
    np.arange(COUNT),
    np.arange(COUNT, 2 * COUNT) % len(TEXTS[: 2 * COUNT]),
    RNG.uniform(0, 5, COUNT),
    "made up",
)
FEW = Pairs("made", TEXTS[:6], np.arange(5), np.arange(1, 6), PAIRS.scores[:5], "made up")
LABELLED = Texts("made", TEXTS[:60], "made up", tuple(t.split()[1] for t in TEXTS[:60]))
RETRIEVAL = Retrieval("made", TEXTS[:40], TEXTS[40:], tuple({i: 1} for i in range(40)), "made up")
PLAN = Plan((1, 3), 1.5)
FAMILIES = ("llama", "gemma3", "gpt2", "gpt_oss", "qwen3")
NAMES = (
    "kv-embedding",
    "prompt-only",
    "mean",
    "last-token",
    "token-prepending",
    "bidirectional",
    "re-attention",
)


def alone(backbone: Backbone, corpus: Corpus, chosen: Method, layer: int, **more: Any) -> Measure:
    """The slow reference: the main measure of one method at one output layer."""
    (scored,) = score(backbone, corpus, [variant(chosen, output_layer=layer)], **more)
    return scored.first


@pytest.mark.parametrize(
    ("family", "names"),
    [
        ("llama", ("kv-embedding", "prompt-only")),
        *(pytest.param(family, NAMES, marks=pytest.mark.slow) for family in FAMILIES),
    ],
)
def test_each_point_is_the_score_with_that_output_layer(
    family: str,
    names: Sequence[str],
    tiny: Callable[[str], Backbone],
    empty_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backbone = tiny(family)
    plan = PLAN if set(PLAN.layers) <= set(backbone.reroutable) else Plan(backbone.reroutable[:1])
    methods = [method(name).under(plan) for name in names]
    together = score_layers(backbone, PAIRS, methods)
    monkeypatch.setenv("KVE_CACHE", str(empty_cache / "alone"))  # vectors would be read
    expected = {
        (each.name, layer): alone(backbone, PAIRS, each, layer)
        for each in methods
        for layer in range(backbone.layers - 1)
    } | {(each.name, backbone.layers - 1): alone(backbone, PAIRS, each, -1) for each in methods}
    for scored in together:
        name, last = scored.method.name, expected[scored.method.name, backbone.layers - 1]
        for layer in range(backbone.layers):
            measure = expected[name, layer]
            values = (scored.values[layer], scored.low[layer], scored.high[layer])
            assert values == (measure.value, measure.ci_low, measure.ci_high)
        changes = comparison.differences(
            {f"layer {n}": expected[name, n] for n in range(backbone.layers - 1)},
            *(last, "the last layer"),
        )
        assert list(scored.changes) == changes


@pytest.mark.parametrize(
    "name", ["kv-embedding", "mean", pytest.param("meta-eol", marks=pytest.mark.slow)]
)
def test_all_layers_come_out_of_one_pass_for_each_prompt(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    chosen = METHODS[name].under(PLAN)
    starts = pass_starts(monkeypatch)
    encode(llama, FEW.texts, chosen)
    one_layer = len(starts)
    score_layers(llama, FEW, [chosen])
    assert starts == [0] * 2 * one_layer


def test_methods_of_one_prompt_share_their_pass_and_nothing_is_computed_twice(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch, idle: Callable[[], None]
) -> None:
    methods = [METHODS[name] for name in ("mean", "last-token")]
    assert known_layers(llama, PAIRS, methods) is None
    starts = pass_starts(monkeypatch)
    scored = score_layers(llama, PAIRS, methods)
    first = len(starts)
    other = replace(PAIRS, texts=tuple(text.replace("The", "One") for text in PAIRS.texts))
    score_layers(llama, other, methods[:1])
    assert len(starts) == 2 * first
    idle()
    again = score_layers(llama, PAIRS, methods)
    known = known_layers(llama, PAIRS, methods)
    assert known is not None
    for one, two, three in zip(scored, again, known, strict=True):
        for each in (two, three):
            np.testing.assert_array_equal(each.values, one.values)
            assert each.changes == one.changes
            assert each.held_out == one.held_out


@pytest.mark.parametrize(
    "corpus",
    [pytest.param(LABELLED, marks=pytest.mark.slow), RETRIEVAL],
    ids=["labelled", "retrieval"],
)
def test_labelled_texts_and_retrieval_are_scored_alike(llama: Backbone, corpus: Corpus) -> None:
    (scored,) = score_layers(llama, corpus, [METHODS["kv-embedding"].under(PLAN)])
    for layer in (0, llama.layers - 1):
        measure = alone(llama, corpus, scored.method, layer)
        assert scored.values[layer] == measure.value
    assert (scored.measure, scored.things) == (measure.name, measure.things)


@pytest.mark.slow
def test_post_processing_is_fitted_for_each_layer(llama: Backbone) -> None:
    centred = variant(METHODS["mean"], processing="centre")
    (scored,) = score_layers(llama, PAIRS, [centred], max_tokens=20)
    measure = alone(llama, PAIRS, centred, 1, max_tokens=20)
    assert scored.values[1] == measure.value


def test_the_best_layer_of_either_half_is_judged_on_the_other(llama: Backbone) -> None:
    (scored,) = score_layers(llama, PAIRS, [METHODS["mean"]])
    layers, deltas = [], []
    parts = parts_of(PAIRS)
    for chooser, judge in (parts, parts[::-1]):
        values = [alone(llama, chooser, METHODS["mean"], n).value for n in range(llama.layers)]
        layers.append(int(np.argmax(values)))
        judged = [alone(llama, judge, METHODS["mean"], n).value for n in (layers[-1], -1)]
        deltas.append(judged[0] - judged[1])
    assert scored.held_out is not None
    assert list(scored.held_out.layers) == layers
    assert scored.held_out.change == pytest.approx(np.mean(deltas))
    assert scored.held_out.low <= scored.held_out.change <= scored.held_out.high
    assert scored.held_out.items == COUNT


def test_too_few_items_to_halve_leave_the_best_layer_unjudged(llama: Backbone) -> None:
    (scored,) = score_layers(llama, FEW, [METHODS["mean"]])
    assert scored.held_out is None
    (sentence,) = findings.sentences("output-layers", rows_of(scored))
    assert "too few to choose on one half" in sentence


def test_a_method_that_sums_attention_has_no_output_layer(llama: Backbone) -> None:
    with pytest.raises(PlanError, match=r"has no output layer; .* choose a method that reads"):
        score_layers(llama, PAIRS, [method("aligned-wva")])


def test_vectors_that_do_not_fit_are_refused_with_the_number(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(OutOfMemory, match=r"at the 6 layers of .* score a smaller part"):
        score_layers(llama, PAIRS, [METHODS["mean"]])


def test_the_lowest_layer_is_outside_the_first_fifth_and_has_another_beside_the_last() -> None:
    dims = np.array([1.0, 2, 9, 8, 3, 7, 6, 5, 9, 9])
    assert lowest(dims) == (4,)
    dims[9] = 2.5
    assert lowest(dims) == (9, 4)
    assert lowest(np.where(np.arange(10) == 9, 1.0, np.nan)) == (9,)
    assert lowest(np.full(10, np.nan)) == ()


DIMS = (9.0, 8, 7, 6, 5, 4)


def curve_of(dims: Any) -> Dimensions:
    values = np.asarray(dims, np.float64)
    curve = Curve(values, values - 1, values + 1, np.stack([values] * 2), 100, 0, "twonn")
    made: Any = SimpleNamespace(backbone="tiny", dtype="float32")
    return Dimensions(curve, "corpus", 100, 0, True, 0, made, values)


def rows_of(*scored: Any, dims: Any = DIMS) -> list[dict[str, Any]]:
    return ByLayer(scored, curve_of(dims)).to_rows()


def test_rows_figure_and_findings_say_the_same(llama: Backbone) -> None:
    scored = score_layers(llama, PAIRS, [METHODS["mean"], METHODS["echo"]])
    rows = rows_of(*scored)
    assert [row["output_layer"] for row in rows] == [0, 1, 2, 3, 4, 5] * 2
    assert [row["rank"] for row in rows[:6]] == [scored[0].rank(n) for n in range(6)]
    assert rows[5]["change"] is None
    assert rows[0]["lowest"] == [5, 4]
    (chart,) = charts.draw("output-layers", rows)
    assert len(chart.table) == len(rows)
    bands_and_curves = chart.figure.data  # type: ignore[union-attr]
    assert [trace.name for trace in bands_and_curves[1::2]] == [
        *("mean", "echo", "intrinsic dimension"),
    ]
    np.testing.assert_array_equal(bands_and_curves[1].y, scored[0].values)
    np.testing.assert_array_equal(bands_and_curves[5].y, DIMS)
    mean, _ = findings.sentences("output-layers", rows)
    assert mean.startswith("mean on made (tiny llama, float32, 48 pairs): the layer of lowest")
    assert "is the last, 5, which is read anyway" in mean
    change = rows[4]
    assert f"layer 4, changes it by {change['change']:+z.1f} [{change['change_low']:+z.1f}" in mean
    assert "Too few layers outside the first fifth have a dimension" in mean
    twice = [{**row, "grid": {"backbone": name}} for name in ("one", "two") for row in rows]
    assert len(charts.draw("output-layers", twice)) == 2
    assert len(findings.sentences("output-layers", twice)) == 4


def test_a_lowest_layer_before_the_last_is_answered_with_its_interval(llama: Backbone) -> None:
    (scored,) = score_layers(llama, PAIRS, [METHODS["mean"]])
    rows = rows_of(scored, dims=(0.5, 2, 1, 7, 3, np.nan))
    change = scored.change(2)
    assert change is not None
    (sentence,) = findings.sentences("output-layers", rows)
    assert "layer 2, of the lowest intrinsic dimension outside the first fifth, cha" in sentence
    assert (
        f"Spearman by {change.delta:+z.1f} [{change.ci_low:+z.1f}, {change.ci_high:+z.1f}]"
        in sentence
    )
    assert by_layer(rows).data[-1].y == (0.5, 2, 1, 7, 3)
    (unknown,) = findings.sentences("output-layers", rows_of(scored, dims=[np.nan] * 6))
    assert "no layer outside the first fifth has an intrinsic dimension" in unknown


@pytest.mark.slow
@pytest.mark.weights
def test_on_real_weights_each_point_is_the_score_alone(
    smollm2: Backbone, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = load_texts("lee-background").texts[:12]
    pairs = Pairs("made", texts, np.arange(11), np.arange(1, 12), np.arange(11.0) % 4, "made up")
    methods = [METHODS["kv-embedding"].under(Plan((29,))), METHODS["prompt-eol"]]
    together = score_layers(smollm2, pairs, methods)
    monkeypatch.setenv("KVE_CACHE", str(empty_cache / "alone"))
    expected = {
        (each.name, layer): alone(smollm2, pairs, each, layer).value
        for each in methods
        for layer in (0, 12, 28, -1)
    }
    for scored in together:
        for layer in (0, 12, 28, -1):
            assert scored.values[layer] == expected[scored.method.name, layer]
