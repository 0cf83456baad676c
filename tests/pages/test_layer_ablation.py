"""The page on layer ablation, on a tiny backbone and a few pairs."""

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from analysis.backbones import backbone
from analysis.corpora import columns
from analysis.embedding.methods import DEFAULT
from analysis.experiments import searches
from analysis.experiments.score import score
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import Plan
from analysis.spaces import projection
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
    layers = layer_lists.parse_layers(typed(well(app), "layers"), 6)
    assert layer_lists.layers_in_words(layers, 6) in named
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
def test_reference_points_alone_are_shown(tiny_llama: dict[str, str]) -> None:
    small = backbone.load(tiny_llama["backbone"])
    pairs = columns.read_pairs("own.tsv", OWN_PAIRS.encode())
    score(small, pairs, [DEFAULT.under(Plan(tuple(range(small.layers))))])
    app = well(
        opened("layer_ablation", own_pairs=True, ablation_search="single layers", **tiny_llama)
    )
    assert metric(app, "Best so far") == "not scored yet"
    assert "Of 1 plans" in shown(app)


@pytest.mark.slow
def test_no_layer_no_bias(tiny_llama: dict[str, str]) -> None:
    app = opened(
        "layer_ablation", own_pairs=True, ablation_search="bias", **tiny_llama | {"layers": "none"}
    )
    assert "the bias changes nothing" in shown(well(app))
