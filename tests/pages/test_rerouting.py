"""The page on re-routing: the row of switches as a picture, presets, undo and redo, the effect."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit

from analysis.backbones import backbone as backbones
from analysis.corpora import columns as columns_corpora
from analysis.corpora import packaged, registry
from analysis.dimension import selection
from analysis.embedding import methods
from analysis.evaluation import comparison
from analysis.experiments import dimension
from analysis.experiments import gates as gates_experiment
from analysis.experiments.gates import MeanGates
from analysis.experiments.score import score
from analysis.figures import rerouting
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import PLAIN, Head, Plan
from pages.shared import session
from tests.support import tiny_models
from tests.support.visits import (
    OWN_PAIRS,
    charts,
    metric,
    numbers,
    opened,
    press,
    shown,
    turn_to,
    type_backbone,
    unfolded,
    well,
)

LAYERS = tiny_models.LAYERS
DIMS = np.array([9.0, 8, np.nan, 6, 5, 4])


def trace(figure: dict[str, Any], name: str) -> dict[str, Any]:
    """A figure's trace by its name."""
    traces: list[dict[str, Any]] = figure["data"]
    (found,) = (t for t in traces if t.get("name") == name)
    return found


# The picture


def test_a_column_shows_switch_dimension_and_gate_and_is_clicked_as_a_whole() -> None:
    gates = MeanGates((3, 4), np.array([[[0.02, 0.04]], [[0.1, 0.2]]]), 30)
    figure = rerouting.layer_strip(6, (3, 4), (1, 2, 3, 4, 5), DIMS, gates)
    drawn = {one.name: one for one in figure.data}
    opacity = list(drawn["switch"].marker.opacity)
    assert len(set(opacity)) == 3, "on, off, and what cannot be switched"
    assert [i for i, value in enumerate(opacity) if value == 1] == [3, 4]
    assert [i for i, value in enumerate(opacity) if value == min(opacity)] == [0]
    low, high = drawn["mean gate"].y
    assert low / high == pytest.approx(0.03 / 0.15)
    line = np.asarray(drawn["intrinsic dimension"].y, np.float64)
    finite = np.isfinite(DIMS)
    np.testing.assert_array_equal(np.isfinite(line), finite)
    assert np.corrcoef(line[finite], DIMS[finite])[0, 1] == pytest.approx(1)
    columns = figure.data[-1]  # the last is on top
    assert list(columns.x) == list(range(6))
    assert columns.width == 1
    assert columns.y[0] == figure.layout.yaxis.range[1]
    assert "re-routed, mean gate 15.0%" in columns.customdata[4]
    assert "cannot be re-routed" in columns.customdata[0]
    for other in figure.data[:-1]:
        assert other.hoverinfo == "skip"
    table = rerouting.strip_table(6, (3, 4), (1, 2, 3, 4, 5), DIMS, gates)
    np.testing.assert_allclose(table["mean gate (%)"], [np.nan] * 3 + [3, 15, np.nan])
    assert table["re-routed"].tolist() == [False] * 3 + [True, True, False]


@pytest.mark.slow
def test_the_picture_holds_the_plan_the_gates_and_the_curve(tiny_llama: dict[str, str]) -> None:
    app = well(opened("rerouting", own_pairs=True, **tiny_llama | {"layers": "auto"}))
    strip = charts(app)[0]
    small = backbones.load(tiny_llama["backbone"])
    found = dimension.dimensions(small, registry.load_texts(packaged.CALIBRATION), samples=60)
    plan = Plan(found.selected())
    lit = [
        i for i, one in enumerate(numbers(trace(strip, "switch")["marker"]["opacity"])) if one == 1
    ]
    assert tuple(lit) == plan.layers
    texts = gates_experiment.spread_sample(
        columns_corpora.read_pairs("own.tsv", OWN_PAIRS.encode()).texts
    )
    gates = gates_experiment.mean_gates(small, texts, methods.DEFAULT.under(plan))
    said = trace(strip, "layers")["customdata"]
    for layer, strength in zip(gates.layers, gates.strength, strict=True):
        assert f"mean gate {100 * strength:.1f}%" in said[layer]
    dims = found.curve.dims
    for layer, value in enumerate(dims):
        assert f"dimension {value:.1f}" in said[layer]


@pytest.mark.slow
def test_an_unknown_curve_is_measured_when_asked(tiny_llama: dict[str, str]) -> None:
    app = well(opened("rerouting", own_pairs=True, **tiny_llama))
    names = [t.get("name") for t in charts(app)[0]["data"]]
    assert "intrinsic dimension" not in names
    press(app, "Measure the intrinsic dimension")
    assert len(numbers(trace(charts(well(app))[0], "intrinsic dimension")["y"])) == LAYERS


@pytest.mark.parametrize(
    ("clicked", "after"), [((5,), (2, 3, 5)), ((2,), (3,)), ((), None), ((2, 3), ())]
)
def test_a_click_turns_layers_on_and_off(
    clicked: tuple[int, ...], after: tuple[int, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [{"x": float(layer)} for layer in clicked]
    state = {"figure": SimpleNamespace(selection=SimpleNamespace(points=points))}
    used: list[tuple[int, ...]] = []
    monkeypatch.setattr(streamlit, "session_state", state)
    monkeypatch.setattr(session, "use_layers", used.append)
    session.toggle_clicked("figure", Plan((2, 3)))
    assert used == ([] if after is None else [after])


def test_a_click_on_a_layer_of_single_heads_takes_them_out_and_keeps_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[Plan] = []
    monkeypatch.setattr(session, "use_plan", used.append)
    plan = Plan((1,), heads=(Head(2, 0), Head(3, 1)))
    session.toggle_layers({2}, plan)
    session.toggle_layers({4}, plan)
    assert used == [Plan((1,), heads=(Head(3, 1),)), Plan((1, 4), heads=plan.heads)]


# Presets, undo and redo


@pytest.mark.slow
def test_each_rule_can_be_taken_by_name(tiny_llama: dict[str, str]) -> None:
    app = opened("rerouting", own_pairs=True, **tiny_llama | {"layers": "auto"})
    small = backbones.load(tiny_llama["backbone"])
    curve = dimension.dimensions(small, registry.load_texts(packaged.CALIBRATION), samples=60)
    for rule in reversed(selection.RULES):  # it begins with the first
        text = layer_lists.format_layers(curve.selected(rule), LAYERS)
        press(app, f"{rule} ({text})")
        assert app.text_input(key="layers").value == "auto"
        assert app.selectbox(key="rule").value == rule
        assert f"Re-routed now: {text}." in shown(well(app))


@pytest.mark.slow
def test_undo_and_redo_whatever_changed_the_plan(tiny_llama: dict[str, str]) -> None:
    app = opened("rerouting", own_pairs=True, **tiny_llama)

    def now() -> tuple[object, ...]:
        well(app)
        return (
            app.text_input(key="layers").value,
            app.slider(key="bias").value,
            app.selectbox(key="rule").value,
            app.selectbox(key="key_position").value,
        )

    def ends() -> tuple[bool, bool]:
        return app.button(key="undo").disabled, app.button(key="redo").disabled

    assert ends() == (True, True)
    steps = [now()]
    changes: tuple[Callable[[], object], ...] = (
        lambda: app.pills(key="switches").select(5).run(),
        lambda: app.slider(key="bias").set_value(2.5).run(),
        lambda: press(app, "Last third"),
        lambda: app.selectbox(key="key_position").set_value("first").run(),
        lambda: app.text_input(key="layers").set_value("auto").run(),
        lambda: app.selectbox(key="rule").set_value("lowest").run(),
    )
    for change in changes:
        change()
        steps.append(now())
        assert ends() == (False, True)
    assert len(set(steps)) == len(steps)
    for step in steps[-2::-1]:
        app.button(key="undo").click().run()
        assert now() == step
    assert ends() == (True, False)
    for step in steps[1:]:
        app.button(key="redo").click().run()
        assert now() == step
    assert ends() == (False, True)


@pytest.mark.slow
def test_what_was_changed_on_another_page_is_undone_too(tiny_llama: dict[str, str]) -> None:
    app = opened(**tiny_llama)
    app.text_input(key="layers").set_value("1").run()
    app.text_input(key="layers").set_value("99").run()  # no plan, so no step
    app.text_input(key="layers").set_value("4").run()
    turn_to(app, "rerouting")
    seen = []
    for _ in range(2):
        app.button(key="undo").click().run()
        seen.append(well(app).text_input(key="layers").value)
    assert seen == ["1", "2-3"]
    assert app.button(key="undo").disabled


@pytest.mark.slow
def test_another_backbone_begins_another_history(
    tiny_llama: dict[str, str], folder_of: Callable[[str], str]
) -> None:
    app = opened("rerouting", own_pairs=True, **tiny_llama)
    press(app, "First third")
    assert not app.button(key="undo").disabled
    type_backbone(app, folder_of("gpt2")).run()
    assert well(app).button(key="undo").disabled


# The effect


@pytest.mark.slow
@pytest.mark.parametrize("layers", ["none", "0-5", "5"])
def test_a_change_within_noise_is_called_so(tiny_llama: dict[str, str], layers: str) -> None:
    app = well(opened("rerouting", own_pairs=True, **tiny_llama | {"layers": layers}))
    pairs = columns_corpora.read_pairs("own.tsv", OWN_PAIRS.encode())
    small = backbones.load(tiny_llama["backbone"])
    plan = Plan(layer_lists.parse_layers(layers, LAYERS))
    scored = score(small, pairs, [methods.DEFAULT.under(p) for p in (PLAIN, plan)])
    before, after = (one.first for one in scored)
    found = comparison.difference(after, before, ("after", "before"))
    low, high = metric(app, "95% interval").split(" to ")
    assert (float(low), float(high)) == (round(found.ci_low, 1), round(found.ci_high, 1))
    noise = "The change is within noise" in shown(app)
    assert noise == (layers != "none" and not found.clear)
    assert f"{after.ci_low:.1f} to {after.ci_high:.1f} re-routed" in shown(app)


@pytest.mark.slow
def test_the_pairs_that_moved_most_are_shown_whole(tiny_llama: dict[str, str]) -> None:
    app = well(opened("rerouting", own_pairs=True, **tiny_llama | {"layers": "0-5", "bias": "6"}))
    (table,) = (t.value for t in unfolded(app).dataframe if "places moved" in t.value)
    assert len(table) == 10
    moved = table["places moved"].abs().tolist()
    assert moved == sorted(moved, reverse=True)
    texts = [element.value for element in app.text]
    assert texts == table[["first", "second"]].head(3).to_numpy().ravel().tolist()
    said = [m.value for m in app.markdown if "places of 10" in m.value]
    for line, (_, pair) in zip(said, table.head(3).iterrows(), strict=True):
        assert line.startswith(f"**{pair['places moved']:+.0f} places")
        assert ("closer to the ratings" in line) == pair["closer to the ratings"]
        values = [float(v) for v in re.findall(r"(?:rating|cosine|and) (-?\d+\.\d+)", line)]
        np.testing.assert_allclose(
            values, pair[["human", "cosine before", "cosine after"]].astype(float), atol=0.006
        )
    press(app, "None")
    assert "no pair moves" in shown(well(app))


@pytest.mark.slow
def test_the_command_that_is_shown_compares_with_nothing_rerouted(
    tiny_llama: dict[str, str],
) -> None:
    app = well(opened("rerouting", **tiny_llama | {"bias": "2.5"}))
    command = unfolded(app).code[0].value
    for part in ("score", "--layers=2-3", "--bias=2.5", "--method=prompt-only"):
        assert part in command
