"""The page on intrinsic dimension: several curves, two backbones, and what its figures hold."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.backbones.backbone import Backbone
from analysis.corpora import packaged, registry, sampling
from analysis.dimension import curve as curves
from analysis.dimension import selection
from analysis.dimension import states as clouds
from analysis.dimension.curve import Curve
from analysis.experiments import dimension as dimension_experiment
from analysis.experiments.dimension import Dimensions
from analysis.figures import dimension as dimension_figures
from analysis.figures import theme
from analysis.storage.provenance import Provenance
from tests.support import tiny_models
from tests.support.visits import charts, metric, numbers, opened, sentence, shown, unfolded, well

LAYERS = 10
MADE = Provenance("tiny", "0", "float32", "cpu", (("torch", "2"), ("transformers", "5")))
DIMS = np.array([9.0, 8, 7, 6, 5, 4, 3, 4, 5, 6])


def result(dims: np.ndarray = DIMS, name: str = "tiny") -> Dimensions:
    """A curve whose resamples are twice itself and once one with its lowest point at layer 8."""
    other = np.where(np.arange(len(dims)) == 8, 0.5, dims)
    curve = Curve(dims, dims - 1, dims + 1, np.stack([dims, dims, other]), 100, 3, "twonn")
    made = replace(MADE, backbone=name)
    return Dimensions(curve, "corpus", 100, 2, True, 0, made, np.linspace(0, 1, len(dims)))


def shades(figure: go.Figure) -> set[tuple[float, float]]:
    return {(shape.x0, shape.x1) for shape in figure.layout.shapes}


# What is drawn


def test_the_curve_its_band_the_window_the_plan_and_the_frequency() -> None:
    found = result()
    figure = dimension_figures.dimension_curves([found], "paper", (2, 6))
    band, curve, plan, bars = figure.data
    np.testing.assert_array_equal(curve.y, DIMS)
    np.testing.assert_array_equal(band.y, [*found.curve.high, *found.curve.low[::-1]])
    assert list(plan.x) == [2, 6]
    assert list(plan.y) == [7, 3]
    np.testing.assert_allclose(bars.y, 100 * np.array([0, 0, 0, 0, 0, 0, 2, 2, 1, 1]) / 3)
    window = [i for i, colour in enumerate(bars.marker.color) if colour == theme.SELECTED]
    assert window == [6, 7]
    assert shades(figure) == {(-0.5, 1.5), (5.5, 7.5)}
    for trace in (curve, plan, bars):  # whatever is clicked, its x is its layer
        assert set(trace.x) <= set(range(LAYERS))


def test_a_band_stops_where_a_layer_has_no_dimension() -> None:
    dims = DIMS.copy()
    dims[3] = np.nan
    band, curve = dimension_figures.dimension_curves([result(dims)], "paper", ()).data[:2]
    assert np.isnan(curve.y[3])
    pieces = np.split(np.asarray(band.x), np.flatnonzero(np.isnan(band.x)))
    assert [sorted(set(piece[~np.isnan(piece)])) for piece in pieces] == [
        [0, 1, 2],
        [4, 5, 6, 7, 8, 9],
    ]


def test_several_curves_are_told_apart_by_what_differs() -> None:
    first = result()
    mle = replace(first, curve=replace(first.curve, estimator="mle"))
    assert dimension_figures.curve_names([first]) == ["intrinsic dimension"]
    assert dimension_figures.curve_names([first, mle]) == ["twonn", "mle"]
    bare = replace(mle, prompted=False)
    assert dimension_figures.curve_names([first, bare]) == ["twonn, prompt", "mle, no prompt"]
    lines = [
        trace
        for trace in dimension_figures.dimension_curves([first, mle, bare], "paper", ()).data
        if trace.type == "scatter" and trace.mode == "lines+markers"
    ]
    for looks in ("color", "dash"):
        assert len({trace.line[looks] for trace in lines}) == 3
    assert not {theme.SELECTED, theme.PLAIN} & {trace.line.color for trace in lines}


def test_two_backbones_share_relative_depth_and_each_its_own_mean() -> None:
    shallow = result(np.array([2.0, 4, 3, 1, 5]), "<b>other</b>")
    figure = dimension_figures.depth_curves([result(), shallow], "paper")
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    np.testing.assert_allclose(lines[0].x, np.arange(1, 11) / 10)
    np.testing.assert_allclose(lines[1].x, [0.2, 0.4, 0.6, 0.8, 1])
    for line in lines:
        assert np.mean(line.y) == pytest.approx(1)
    np.testing.assert_allclose(lines[1].customdata[:, 1], [2, 4, 3, 1, 5])
    assert lines[1].name == "&lt;b&gt;other&lt;/b&gt;"
    assert (0.65, 0.85) in {(round(a, 9), round(b, 9)) for a, b in shades(figure)}  # 6 and 7 of 10
    assert (0.7, 0.9) in {(round(a, 9), round(b, 9)) for a, b in shades(figure)}  # 3 of 5
    table = dimension_figures.depth_table([result(), shallow], "paper")
    assert table["backbone"].value_counts().to_dict() == {"tiny": 10, "<b>other</b>": 5}


@given(st.integers(1, 199))
def test_the_skipped_fifth_on_relative_depth_holds_the_skipped_layers_only(layers: int) -> None:
    depth = np.arange(1, layers + 1) / layers
    assert (depth <= dimension_figures.SKIPPED_DEPTH + 1e-9).sum() == selection.skipped(layers)


def test_choices_are_counted_the_most_frequent_first() -> None:
    assert list(result().choices()) == [(6, 7), (8, 9)]
    assert result().choices()[6, 7] == pytest.approx(2 / 3)
    table = dimension_figures.choice_table([result()], "paper")
    assert table.loc[0, "selected"] == "6-7"
    assert table.loc[0, "same over resamples (%)"] == pytest.approx(200 / 3)
    assert table.loc[0, "duplicates left out"] == 5


@pytest.mark.slow
@given(st.lists(st.lists(st.floats(1, 50), min_size=10, max_size=10), min_size=1, max_size=8))
def test_choices_and_frequency_count_the_same_draws(drawn: list[list[float]]) -> None:
    resampled = np.array(drawn)
    counted = selection.choices(resampled)
    assert sum(counted.values()) == pytest.approx(1)
    for layer, share in enumerate(selection.frequency(resampled)):
        assert share == pytest.approx(sum(s for chosen, s in counted.items() if layer in chosen))


# What is computed


@pytest.mark.slow
def test_several_estimators_cost_one_encoding(
    llama: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = registry.load_texts("chatterbot")
    encoded: list[int] = []
    encode = clouds.last_token_states
    monkeypatch.setattr(
        clouds,
        "last_token_states",
        lambda *args, **options: encoded.append(1) or encode(*args, **options),  # type: ignore[func-returns-value]
    )
    names = ["twonn", "lpca", "twonn"]
    assert dimension_experiment.known_dimensions(llama, texts, samples=40) is None
    found = dimension_experiment.dimension_curves(llama, texts, names, samples=40)
    assert len(encoded) == 1
    assert [one.curve.estimator for one in found] == names
    for one, name in zip(found, names, strict=True):
        alone = dimension_experiment.dimensions(llama, texts, samples=40, estimator=name)
        np.testing.assert_array_equal(alone.curve.dims, one.curve.dims)
        known = dimension_experiment.known_dimensions(llama, texts, samples=40, estimator=name)
        assert known is not None
        np.testing.assert_array_equal(known.curve.resampled, one.curve.resampled)
    assert len(encoded) == 1
    states = encode(llama, sampling.sample(texts, 40, 0).texts)
    np.testing.assert_array_equal(found[1].curve.dims, curves.curve(states, estimator="lpca").dims)


# What is shown


@pytest.mark.slow
def test_several_curves_on_the_page(tiny_llama: dict[str, str]) -> None:
    app = opened("intrinsic_dimension", **tiny_llama)
    one = well(app)
    alone = numbers(charts(one)[0]["data"][1]["y"])
    app.multiselect(key="dimension_estimator").set_value(["twonn", "lpca"])
    app.multiselect(key="dimension_corpus").set_value([packaged.CALIBRATION, "chatterbot"])
    app.segmented_control(key="dimension_prompt").set_value("both").run()
    drawn = charts(well(app))[0]["data"]
    lines = [trace for trace in drawn if trace.get("mode") == "lines+markers"]
    assert len(lines) == 8
    np.testing.assert_array_equal(numbers(lines[0]["y"]), alone)
    assert len({tuple(numbers(line["y"])) for line in lines}) == 8
    (table,) = (t.value for t in unfolded(app).dataframe if "same over resamples (%)" in t.value)
    assert table.loc[0, "selected"] == metric(app, "The rule selects").split()[-1]
    app.multiselect(key="dimension_estimator").set_value([]).run()
    assert "at least one" in shown(app)
    assert len(charts(app)[0]["data"]) == len(drawn), "the last valid choice stays"


@pytest.mark.slow
def test_the_plan_is_marked_and_told_from_what_the_rule_selects(
    tiny_llama: dict[str, str],
) -> None:
    app = well(opened("intrinsic_dimension", **tiny_llama | {"layers": "1,4"}))
    (plan,) = (trace for trace in charts(app)[0]["data"] if trace.get("name") == "re-routed now")
    assert list(numbers(plan["x"])) == [1, 4]
    chosen = metric(app, "The rule selects").split()[-1]
    assert "The plan re-routes layers 1,4; the rule selects layer" in shown(app)
    (use,) = (b for b in app.button if b.label.startswith("Use layer"))
    use.click().run()
    assert app.text_input(key="layers").value == chosen
    assert "The plan is what the rule selects" in shown(well(app))


@pytest.mark.slow
def test_another_backbone_beside_the_first(
    tiny_llama: dict[str, str], folder_of: Callable[[str], str]
) -> None:
    app = well(opened("intrinsic_dimension", **tiny_llama))
    assert len(charts(app)) == 2
    menu = app.selectbox(key="dimension_other")
    assert menu.value is None
    other = folder_of("qwen2")
    menu.options.append(other)
    menu.set_value(other).run()
    figure = charts(well(app))[1]
    lines = [trace for trace in figure["data"] if trace.get("mode") == "lines+markers"]
    assert [line["name"] for line in lines] == [Path(tiny_llama["backbone"]).name, "tiny-qwen2"]
    for line in lines:
        depth = numbers(line["x"])
        np.testing.assert_allclose(depth, np.arange(1, tiny_models.LAYERS + 1) / tiny_models.LAYERS)
    (first,) = (t for t in charts(app)[0]["data"] if t.get("mode") == "lines+markers")
    np.testing.assert_allclose(
        numbers(lines[0]["y"]), numbers(first["y"]) / numbers(first["y"]).mean()
    )
    assert "not how high they are" in shown(app)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nothing-here", "itself"])
def test_another_backbone_that_cannot_be_compared(tiny_llama: dict[str, str], name: str) -> None:
    app = opened("intrinsic_dimension", **tiny_llama)
    asked = tiny_llama["backbone"] if name == "itself" else name
    app.text_input(key="dimension_other_typed").set_value(asked).run()
    if name == "itself":
        assert "already the backbone" in shown(well(app))
    else:
        assert "There is no backbone called" in sentence(app)
    assert len(charts(app)) == 2, "the rest of the page stays"


@pytest.mark.slow
def test_one_curve_is_taken_along_as_a_command_and_several_as_a_grid(
    tiny_llama: dict[str, str],
) -> None:
    app = opened("intrinsic_dimension", **tiny_llama)
    app.multiselect(key="dimension_estimator").set_value(["mle"])
    app.segmented_control(key="dimension_prompt").set_value("off").run()
    command = unfolded(well(app)).code[0].value
    for part in ("dimension", "--samples=60", "--estimator=mle", "--bare"):
        assert part in command
    app.multiselect(key="dimension_estimator").set_value(["mle", "twonn"]).run()
    assert well(app).code[0].value == "python -m analysis run dimension.yaml"
