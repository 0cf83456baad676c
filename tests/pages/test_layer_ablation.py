"""The page on layer ablation, on a tiny backbone and a few pairs."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from analysis.backbones import backbone
from analysis.corpora import columns
from analysis.embedding.methods import DEFAULT
from analysis.experiments import ablation, searches
from analysis.experiments.ablation import Walk
from analysis.experiments.score import score
from analysis.rerouting import head_lists
from analysis.rerouting.plan import Head, Plan
from analysis.spaces import projection
from pages.shared import ablation_sections
from tests.support import tiny_models
from tests.support.visits import (
    OWN_PAIRS,
    charts,
    metric,
    numbers,
    opened,
    press,
    shown,
    typed,
    well,
)


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No page compiles UMAP in the background of these tests."""
    monkeypatch.setattr(projection, "warm_up", lambda: None)


def labels(app: AppTest) -> str:
    return " | ".join(button.label for button in app.button)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(searches.SEARCHES))
def test_every_search_runs_to_its_end_and_its_best_becomes_the_plan(
    kind: str, tiny_llama: dict[str, str]
) -> None:
    app = well(opened("layer_ablation", own_pairs=True, ablation_search=kind, **tiny_llama))
    assert "missing plan" in labels(app)
    press(app, "Score the")
    assert "Score the" not in labels(well(app))
    assert "scored, including the reference points" in shown(app)
    assert "clearly better than re-routing nothing" in shown(app)
    assert -100 <= float(metric(app, "Best so far")) <= 100
    named = next(b.label for b in app.button if b.label.startswith("Use the best plan"))
    press(app, "Use the best plan")
    written = typed(well(app), "heads") or typed(app, "layers")
    layers, heads = head_lists.parse_heads(written, 6, tiny_models.HEADS)
    assert bool(heads) == (kind == "single heads")
    assert head_lists.plan_in_words(Plan(layers, heads=heads), 6) in named
    if kind == "bias":
        assert f"at bias {app.slider(key='bias').value:g}" in named


@pytest.mark.slow
def test_the_map_of_all_windows_has_its_cells_from_the_start(tiny_llama: dict[str, str]) -> None:
    app = well(
        opened("layer_ablation", own_pairs=True, ablation_search="all windows", **tiny_llama)
    )
    known = heat(app)
    assert known.shape == (6, 6)
    assert np.isfinite(known).sum() == 0
    press(app, "Score the")
    assert heat(well(app)).shape == (6, 6)
    assert np.isfinite(heat(app)).sum() == 6 * 7 / 2


def heat(app: AppTest) -> NDArray[np.float64]:
    """The map's changes, width by first layer; NaN where nothing is known or possible."""
    (drawn,) = (trace for trace in charts(app)[0]["data"] if trace.get("colorbar"))
    return numbers(drawn["z"])


@pytest.mark.slow
def test_the_map_of_single_heads_shows_each_heads_own_change(tiny_llama: dict[str, str]) -> None:
    app = well(
        opened("layer_ablation", own_pairs=True, ablation_search="single heads", **tiny_llama)
    )
    (unscored,) = charts(app)[0]["data"]
    assert len(unscored["x"]) == 6 * tiny_models.HEADS
    assert "not scored yet" in unscored["hovertext"][0]
    press(app, "Score the")
    (scored,) = charts(well(app))[0]["data"]
    small = backbone.load(tiny_llama["backbone"])
    pairs = columns.read_pairs("own.tsv", OWN_PAIRS.encode())
    plans = searches.heads_alone(range(6), tiny_models.HEADS)
    *_, walk = ablation.run(small, pairs, searches.at_once(plans))
    changes = [walk.points[plan].change for plan in plans]
    np.testing.assert_allclose(numbers(scored["marker"]["color"]), [one.delta for one in changes])
    for plan, change, note in zip(plans, changes, scored["hovertext"], strict=True):
        layer, head, _ = plan.heads[0]
        assert note.startswith(f"layer {layer}, head {head}<br>")
        assert (
            f"{change.delta:+.2f}, interval {change.ci_low:+.2f} to {change.ci_high:+.2f}" in note
        )
    assert [place for place, _ in scored["customdata"]] == [
        f"{head.layer}.{head.head}" for plan in plans for head in plan.heads
    ]


@pytest.mark.parametrize(
    ("clicked", "plan"),
    [
        ("2-3,5", Plan((2, 3, 5), 2.0)),
        ("4.1", Plan((), 2.0, heads=(Head(4, 1),))),
        ("1,2.0-1,4.3@0.5", Plan((1,), 2.0, heads=(Head(2, 0), Head(2, 1), Head(4, 3, 0.5)))),
    ],
)
def test_what_is_clicked_becomes_the_plan(
    clicked: str, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Plan] = []

    def button(_label: str, *, on_click: Any, args: tuple[Plan]) -> None:
        del on_click
        used.extend(args)

    monkeypatch.setattr(streamlit, "button", button)
    event = SimpleNamespace(
        selection=SimpleNamespace(points=[{"customdata": [clicked, 2.0, 0, 0, 0, 0, 1]}])
    )
    walk = Walk(((plan,),), (), {}, False)
    points: Any = {plan: None}
    view = ablation_sections.View("bias", 6, tiny_models.HEADS, Plan(), {})
    ablation_sections.plan_buttons(view, replace(walk, points=points, steps=()), event, "own")
    assert used == [plan]


@pytest.mark.slow
def test_reference_points_alone_are_shown(tiny_llama: dict[str, str]) -> None:
    small = backbone.load(tiny_llama["backbone"])
    pairs = columns.read_pairs("own.tsv", OWN_PAIRS.encode())
    score(small, pairs, [DEFAULT.under(Plan(tuple(range(small.layers))))])
    app = well(
        opened("layer_ablation", own_pairs=True, ablation_search="single layers", **tiny_llama)
    )
    assert metric(app, "Best so far") == "not scored yet"
    assert "Of 0 plans of the search" in shown(app)


@pytest.mark.slow
def test_no_layer_no_bias(tiny_llama: dict[str, str]) -> None:
    app = opened(
        "layer_ablation", own_pairs=True, ablation_search="bias", **tiny_llama | {"layers": "none"}
    )
    assert "the bias changes nothing" in shown(well(app))
