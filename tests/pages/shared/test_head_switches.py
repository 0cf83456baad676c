"""The map of heads: measured on demand, clicked, framed, and taken by presets."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit

from analysis.figures.heads import head_map, head_table
from analysis.rerouting.head_lists import parse_heads
from analysis.rerouting.plan import Head, Plan
from pages.shared import head_switches, session
from tests.support import tiny_models
from tests.support.visits import charts, opened, press, shown, well

LAYERS, HEADS = tiny_models.LAYERS, 4


def test_a_head_is_a_square_and_the_chosen_ones_are_framed() -> None:
    values = np.array([[50.0, -60], [1, -2], [3, np.nan], [0, 0.5], [1, 1]])
    figure = head_map(values, [Head(2, 0)], "derivative")
    marker = figure.data[0].marker
    places = [divmod(number, 2) for number in range(values.size)]
    assert list(figure.data[0].x) == [layer for layer, _ in places]
    assert list(figure.data[0].base + 0.4) == pytest.approx([head for _, head in places])
    assert marker.line.width[places.index((2, 0))] > marker.line.width[places.index((3, 0))]
    assert (marker.cmin, marker.cmax) == (-3, 3), "the first fifth does not stretch the colours"
    assert marker.opacity[places.index((2, 1))] < 1
    table = head_table(values, [Head(2, 0)], "derivative")
    assert len(table) == values.size - 1
    assert table["derivative"].tolist() == sorted(values[np.isfinite(values)], reverse=True)
    assert table.loc[table["chosen"], ["layer", "head"]].to_numpy().tolist() == [[2, 0]]


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
    points = [{"point_index": layer * HEADS + head} for layer, head in clicked]
    selection: Any = SimpleNamespace(selection=SimpleNamespace(points=points))
    used: list[Plan] = []
    monkeypatch.setattr(streamlit, "session_state", {head_switches.NAME: selection})
    monkeypatch.setattr(session, "use_plan", used.append)
    head_switches._toggle(Plan((2,), heads=(Head(3, 1),)), HEADS)
    assert used == ([] if after is None else [after])


@pytest.mark.slow
def test_heads_are_measured_on_demand_and_taken(tiny_llama: dict[str, str]) -> None:
    app = well(opened("rerouting", own_pairs=True, **tiny_llama))
    app.session_state["open Single heads"] = True
    assert "The objective is" not in shown(well(app.run()))
    press(app, "Measure the sensitivity of all heads")
    assert "The objective is" in shown(well(app))
    app.number_input(key="heads_count").set_value(5).run()
    press(app, "Most sensitive")
    layers, heads = parse_heads(str(well(app).text_input(key="heads").value), LAYERS, HEADS)
    assert len(heads) + HEADS * len(layers) == 5
    assert app.text_input(key="layers").value == "auto"
    figure = next(f for f in charts(app) if f["data"][0].get("marker", {}).get("cmin") is not None)
    framed = [width for width in figure["data"][0]["marker"]["line"]["width"] if width > 1]
    assert len(framed) == 5
    press(app, "No head")
    assert "Re-routed now: none." in shown(well(app))
