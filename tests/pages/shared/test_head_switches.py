"""The map of heads: measured on demand, clicked, framed, and taken by presets."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from analysis.backbones import backbone as backbones
from analysis.corpora import columns, packaged, registry, sampling
from analysis.dimension.selection import skipped
from analysis.embedding.methods import METHODS
from analysis.experiments import ablation, head_choices, searches
from analysis.experiments.gates import mean_gates, spread_sample
from analysis.experiments.sensitivity import sensitivity
from analysis.rerouting.head_lists import parse_heads, spread
from analysis.rerouting.plan import Head, Plan
from pages.shared import head_colours, head_switches, session
from pages.shared.questions import REROUTING
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
    typed,
    well,
)

LAYERS, HEADS = tiny_models.LAYERS, 4


@pytest.mark.parametrize(
    ("clicked", "after"),
    [
        ([(1, 0)], Plan((2,), heads=(Head(1, 0), Head(3, 1)))),
        ([(3, 1)], Plan((2,))),
        ([(2, 0)], Plan(heads=(Head(2, 1), Head(2, 2), Head(2, 3), Head(3, 1)))),
        ([(3, 0), (3, 1), (3, 2), (3, 3)], Plan((2, 3))),
        ([(2, 0), (2, 1), (2, 2), (2, 3)], Plan(heads=(Head(3, 1),))),
        ([], None),
    ],
)
def test_a_click_turns_heads_on_and_off(
    clicked: list[tuple[int, int]], after: Plan | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [{"customdata": [f"{layer}.{head}", 1.0]} for layer, head in clicked]
    selection: Any = SimpleNamespace(selection=SimpleNamespace(points=points))
    used: list[Plan] = []
    monkeypatch.setattr(streamlit, "session_state", {head_switches.NAME: selection})
    monkeypatch.setattr(session, "use_plan", used.append)
    head_switches._toggle(Plan((2,), heads=(Head(3, 1),)), HEADS)
    assert used == ([] if after is None else [after])


OPEN = {"heads_open": "true"}


def heads(app: AppTest) -> list[tuple[int, int]]:
    """The heads of the plan that the page shows."""
    layers, single = parse_heads(typed(well(app), "heads"), LAYERS, HEADS)
    return [head[:2] for head in spread(layers, single, HEADS)]


def squares(app: AppTest) -> list[dict[str, Any]]:
    """The traces of the map of heads."""
    return [trace for trace in head_map(app)["data"] if "base" in trace]


def head_map(app: AppTest) -> dict[str, Any]:
    """The map of heads."""
    (figure,) = (f for f in charts(app) if "head" in titles(f))
    return figure


def titles(figure: dict[str, Any]) -> list[str]:
    """The titles of a figure's vertical axes, from the top."""
    axes = [axis for name, axis in figure["layout"].items() if name.startswith("yaxis")]
    return [axis.get("title", {}).get("text", "") for axis in axes]


def button(app: AppTest, label: str) -> Any:
    """The button with this label."""
    (found,) = (each for each in app.button if each.label == label)
    return found


@pytest.mark.slow
def test_heads_are_coloured_by_sensitivity_and_taken(tiny_llama: dict[str, str]) -> None:
    app = well(opened("rerouting", own_pairs=True, heads_objective="halves", **tiny_llama | OPEN))
    assert "The objective, finding" not in shown(app)
    assert len(squares(app)) == 1
    (most, positive) = (button(app, name) for name in ("Most sensitive", "All positive"))
    assert most.disabled
    assert positive.disabled
    app.segmented_control(key="heads_colour").set_value("sensitivity").run()
    assert "The objective, finding the other half" in shown(well(app))
    app.slider(key="heads_count").set_value(5).run()
    small = backbones.load(tiny_llama["backbone"])
    texts = sampling.sample(registry.load_texts(packaged.CALIBRATION), head_colours.TEXTS, 0)
    method = METHODS["kv-embedding"].under(Plan((2, 3)))
    found = sensitivity(small, texts, method, objective="halves").values
    (known,) = squares(app)
    np.testing.assert_array_equal(numbers(known["marker"]["color"]), found.ravel())
    press(app, "Most sensitive")
    assert heads(app) == [head[:2] for head in head_choices.top(found, 5)]
    assert app.text_input(key="layers").value == "auto"
    assert sum(width > 1 for width in squares(app)[0]["marker"]["line"]["width"]) == 5
    press(app, "All positive")
    later = found[skipped(LAYERS) :]
    assert len(heads(app)) == (later > 0).sum()
    app.segmented_control(key="heads_colour").set_value("what is chosen").run()
    assert not button(well(app), "Most sensitive").disabled, "it is known now"
    press(app, "At random")
    assert len(heads(app)) == 5
    press(app, "Whole layers, by the rule")
    assert (typed(well(app), "heads"), typed(app, "layers")) == ("", "auto")
    press(app, "No head")
    assert "Re-routed now: none." in shown(well(app))


@pytest.mark.slow
def test_exact_effects_are_the_ablations(tiny_llama: dict[str, str]) -> None:
    link = {**tiny_llama, **OPEN, "heads_colour": "exact effect"}
    app = well(opened("rerouting", own_pairs=True, **link))
    assert len(squares(app)) == 1
    press(app, "Score the")
    (known,) = squares(well(app))
    assert "All 24 plans are scored." in shown(app)
    small = backbones.load(tiny_llama["backbone"])
    pairs = columns.read_pairs("own.tsv", OWN_PAIRS.encode())
    plans = searches.heads_alone(range(LAYERS), HEADS)
    *_, walk = ablation.run(small, pairs, searches.at_once(plans))
    np.testing.assert_array_equal(
        numbers(known["marker"]["color"]), [walk.points[plan].change.delta for plan in plans]
    )
    turn_to(app, "layer_ablation")
    app.segmented_control(key="ablation_search").set_value("single heads").run()
    (same,) = charts(well(app))[0]["data"]
    assert same["marker"]["color"] == known["marker"]["color"]


@pytest.mark.slow
def test_gates_are_those_of_the_heads_that_reroute(tiny_llama: dict[str, str]) -> None:
    link = {**tiny_llama, **OPEN, "heads_colour": "mean gate", "layers": "auto", "heads": "2.1,3"}
    app = well(opened("rerouting", own_pairs=True, **link))
    known, unknown = squares(app)
    assert len(unknown["x"]) == LAYERS * HEADS - 5
    small = backbones.load(tiny_llama["backbone"])
    pairs = columns.read_pairs("own.tsv", OWN_PAIRS.encode())
    method = METHODS["kv-embedding"].under(Plan((3,), heads=(Head(2, 1),)))
    gates = mean_gates(small, spread_sample(pairs.texts), method).by_head.mean(axis=2)
    np.testing.assert_allclose(numbers(known["marker"]["color"]), 100 * gates[gates > 0])


@pytest.mark.slow
def test_the_curve_stands_above_the_map_and_the_question_is_answered(
    tiny_llama: dict[str, str],
) -> None:
    link = {**tiny_llama, **OPEN, "layers": "auto", "heads_objective": "halves"}
    app = well(opened("rerouting", own_pairs=True, **link))
    figure = head_map(app)
    assert titles(figure) == ["dimension", "head"]
    assert len(numbers(figure["data"][0]["y"])) == LAYERS
    assert "Known once all heads" in shown(app)
    app.segmented_control(key="heads_colour").set_value("sensitivity").run()
    assert "It cannot be told from this backbone: too few layers" in shown(well(app))


@pytest.mark.slow
def test_a_link_shows_the_same_map_and_a_recipe_carries_it(tiny_llama: dict[str, str]) -> None:
    link = {**OPEN, "heads_colour": "sensitivity", "heads_count": "7", "heads_objective": "halves"}
    link |= {"heads_framing": "true"}
    app = well(opened("rerouting", own_pairs=True, **tiny_llama | link))
    assert app.slider(key="heads_count").value == 7
    assert app.toggle(key="heads_framing").value
    assert app.segmented_control(key="heads_colour").value == "sensitivity"
    assert app.selectbox(key="heads_objective").value == "halves"
    assert {key: app.query_params[key] for key in link} == link
    assert set(link) == set(head_switches.LINKED) <= set(REROUTING.view)


@pytest.mark.slow
def test_bad_values_in_a_link_show_the_choice(tiny_llama: dict[str, str]) -> None:
    link = {**OPEN, "heads_colour": "<b>", "heads_count": "100000", "heads_objective": "love"}
    app = well(opened("rerouting", own_pairs=True, **tiny_llama | link))
    assert app.segmented_control(key="heads_colour").value == "what is chosen"
    assert app.slider(key="heads_count").value in range(1, LAYERS * HEADS + 1)


@pytest.mark.slow
def test_too_few_ratings_are_a_sentence_and_the_page_goes_on(tiny_llama: dict[str, str]) -> None:
    link = {**OPEN, "heads_colour": "sensitivity", "heads_objective": "judgements"}
    app = well(opened("rerouting", own_pairs=True, **tiny_llama | link))
    assert "10 rated pairs, too few to choose heads by" in shown(app)
    assert metric(app, "Nothing re-routed")
