"""Figures: pure functions of results, whole as JSON, and never a visitor's text as HTML."""

import copy
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from analysis import (
    ablation_figures,
    causal_figures,
    dimension_figures,
    evaluation,
    geometry,
    measures,
    score_figures,
    space_figures,
    theme,
)
from analysis.batches import Shown
from analysis.causality import Gates, Movement
from analysis.corpora import Pairs
from analysis.dimension import Curve
from analysis.rerouting import PLAIN, Plan
from analysis.scoring import Measured
from analysis.space import Projection
from analysis.study import Dimensions, Made, Score, Space

HOSTILE = ("<b>bold</b> & brave", '<a href="javascript:alert(1)">here</a>', "x" * 200, "1 < 2 > 0")
TEXTS = (*HOSTILE, "a plain text", "another one", "line\nbreak", "last")
MADE = Made("tiny", "0", "float32", "cpu", (("torch", "2"), ("transformers", "5")))
RNG = np.random.default_rng(0)
LAYERS = 10


def dimensions(*, broken: bool = False) -> Dimensions:
    dims = RNG.uniform(5, 20, LAYERS)
    if broken:
        dims[3] = np.nan  # a layer without a dimension
    curve = Curve(
        **{
            field.name: {
                "dims": dims,
                "low": dims - 1,
                "high": dims + 1,
                "resampled": dims + RNG.normal(0, 0.1, (20, LAYERS)),
            }.get(field.name, 100)
            for field in fields(Curve)
        }
    )
    return Dimensions(curve, "corpus", 100, 2, True, 0, MADE, RNG.uniform(0, 1, LAYERS))


PAIRS = Pairs(
    "pairs",
    TEXTS,
    np.array([0, 1, 2, 3, 4, 5, 6]),
    np.array([1, 2, 3, 4, 5, 6, 7]),
    np.arange(7.0),
    "made up",
)


def score(name: str = "kv-embedding", plan: Plan = PLAIN) -> Score:
    cosines = PAIRS.scores / 10 + RNG.normal(0, 0.2, 7)
    return Score(name, "pairs", plan, evaluation.sts(cosines, PAIRS, resamples=50), MADE)


def space(name: str = "mean") -> Space:
    points = Projection(RNG.normal(size=(len(TEXTS), 2)), "pca", "too few")
    rows = RNG.normal(size=(len(TEXTS), 6)).astype(np.float32)
    return Space(name, PLAIN, rows, points, MADE)


DIMENSIONS, BROKEN = dimensions(), dimensions(broken=True)
BEFORE, AFTER = score(), score(plan=Plan((2, 3)))
SWEEP = [score(plan=Plan((i, i + 1))) for i in (4, 2, 7)]
CHANGES = evaluation.changes(
    {str(i): s.sts.cosines for i, s in enumerate(SWEEP)}, BEFORE.sts.cosines, PAIRS, "none"
)
FIRST, SECOND = space(), space("echo")


def measured(name: str) -> Measured:
    cosines = PAIRS.scores / 10 + RNG.normal(0, 0.2, 7)
    found = tuple(measures.agreement(cosines, PAIRS, resamples=50))
    return Measured(name, "pairs", Plan((2, 3)), found, MADE, of=100, cosines=cosines)


ONE, OTHER = measured("kv-embedding"), measured("mean")
ALONG = [(length, one) for length in ("32", "64") for one in (ONE, OTHER)]
PROMPT = Shown(
    HOSTILE,
    np.array([0, 0.5, 0, 0.5], np.float32),
    np.array([False, True, True, False]),
    2,
)
MOVEMENT = Movement(
    HOSTILE,
    (("a",), ("b",)),
    np.zeros((LAYERS + 1, 4)),
    RNG.uniform(0, 1, (LAYERS + 1, 4)),
    Plan((2, 3)),
)
GATES = Gates(HOSTILE, (2, 3), RNG.uniform(0, 1, (2, 4, 4)).astype(np.float32))
NO_GATES = Gates(HOSTILE, (), np.empty((0, 4, 4), np.float32))
KEPT = RNG.uniform(0, 1, len(TEXTS))

FIGURES: dict[str, tuple[Callable[..., go.Figure], tuple[Any, ...]]] = {
    "curve": (dimension_figures.dimension_curve, (DIMENSIONS, (6, 7))),
    "curve with a gap": (dimension_figures.dimension_curve, (BROKEN, (6, 7))),
    "curve, nothing selected": (dimension_figures.dimension_curve, (DIMENSIONS, ())),
    "selection": (dimension_figures.selection_frequency, (DIMENSIONS, "paper")),
    "cone": (dimension_figures.cone_by_layer, (DIMENSIONS,)),
    "strips": (causal_figures.movement_strips, (MOVEMENT,)),
    "movement": (causal_figures.movement_by_layer, (MOVEMENT,)),
    "gates": (causal_figures.gate_map, (GATES,)),
    "bars": (score_figures.measure_bars, ([ONE, OTHER], "Spearman")),
    "along": (score_figures.measures_along, (ALONG, "Pearson", "tokens")),
    "scatter": (score_figures.human_against_cosine, (ONE, PAIRS)),
    "maps": (space_figures.two_maps, (FIRST, SECOND, TEXTS)),
    "labelled maps": (space_figures.two_maps, (FIRST, SECOND, TEXTS, TEXTS[::-1])),
    "sweep": (ablation_figures.sweep_chart, (SWEEP, CHANGES, Plan((2, 3)))),
    "sweep of nothing": (ablation_figures.sweep_chart, ([], [], PLAIN)),
}
TABLES: dict[str, tuple[Callable[..., pd.DataFrame], tuple[Any, ...], int]] = {
    "curve": (dimension_figures.dimension_table, (DIMENSIONS, (6, 7), "paper"), LAYERS),
    "movement": (causal_figures.movement_table, (MOVEMENT,), 4),
    "gates": (causal_figures.gate_table, (GATES,), 4),
    "scores": (score_figures.measure_table, ([ONE, OTHER],), 2),
    "scores along": (score_figures.along_table, (ALONG, "tokens"), 4),
    "differences": (score_figures.difference_table, (CHANGES,), 3),
    "prompts": (score_figures.prompt_table, ([PROMPT, PROMPT],), 8),
    "pairs": (score_figures.pair_table, (ONE, PAIRS), 7),
    "moved": (score_figures.moved_pairs, (BEFORE, AFTER, PAIRS), 7),
    "cone": (dimension_figures.cone_table, (DIMENSIONS,), LAYERS),
    "geometry": (space_figures.geometry_table, ([geometry.geometry(FIRST.embeddings)], ["a"]), 1),
    "maps": (space_figures.space_table, (FIRST, SECOND, TEXTS, KEPT), len(TEXTS)),
    "sweep": (ablation_figures.sweep_table, (SWEEP, CHANGES), 3),
}


def spelled(value: Any) -> Any:
    """A value as nested lists and dictionaries, to see whether it was changed."""
    if is_dataclass(value):
        return {field.name: spelled(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, list | tuple):
        return [spelled(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else copy.deepcopy(value)


@pytest.mark.parametrize(("draw", "arguments"), FIGURES.values(), ids=FIGURES)
def test_a_figure_is_a_pure_function(draw: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    before = json.dumps(spelled(arguments), default=str)
    first = draw(*arguments).to_json()
    assert draw(*arguments).to_json() == first
    assert json.dumps(spelled(arguments), default=str) == before


@pytest.mark.parametrize(("draw", "arguments"), FIGURES.values(), ids=FIGURES)
def test_a_figure_is_valid_json(draw: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    spec = json.loads(draw(*arguments).to_json(), parse_constant=refuse)
    assert spec["data"]
    assert spec["layout"]["height"] > 100


def strings(value: Any) -> list[str]:
    """Every string in a figure's JSON."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(("draw", "arguments"), FIGURES.values(), ids=FIGURES)
def test_a_visitors_text_is_never_html(
    draw: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    spec = json.loads(draw(*arguments).to_json())
    for trace in spec["data"]:
        trace.pop("legendgroup", None)  # is compared, never shown
        trace.pop("hovertemplate", None)  # is the project's own
    for text in strings(spec["data"]) + strings(spec["layout"]["xaxis"]):
        for tag in ("<b>", "<a ", "</", "1 < 2", "& brave"):
            assert tag not in text


def test_hover_labels_say_the_text_in_one_short_line() -> None:
    texts = space_figures.two_maps(FIRST, SECOND, TEXTS).data[0].text
    assert texts[0] == "&lt;b&gt;bold&lt;/b&gt; &amp; brave"
    assert len(texts[2]) == 90
    assert texts[6] == "line break"


@pytest.mark.parametrize(("table", "arguments", "rows"), TABLES.values(), ids=TABLES)
def test_a_table_has_a_row_for_each(
    table: Callable[..., pd.DataFrame], arguments: tuple[Any, ...], rows: int
) -> None:
    found = table(*arguments)
    assert len(found) == rows
    assert not found.isna().to_numpy()[:, 0].any()
    assert table(*arguments).equals(found)


def test_the_curve_marks_what_is_selected_and_what_is_skipped() -> None:
    figure = dimension_figures.dimension_curve(DIMENSIONS, (6, 7))
    band, curve = figure.data
    np.testing.assert_array_equal(curve.y, DIMENSIONS.curve.dims)
    assert len(band.x) == 2 * LAYERS
    lit = [i for i, colour in enumerate(curve.marker.color) if colour == theme.SELECTED]
    assert lit == [6, 7]
    assert [(s.x0, s.x1) for s in figure.layout.shapes] == [(-0.5, 1.5), (5.5, 7.5)]


def test_strips_hold_both_models_and_write_an_exact_nought() -> None:
    (strip,) = causal_figures.movement_strips(MOVEMENT).data
    assert list(strip.y) == ["re-routed", "plain"]
    np.testing.assert_array_equal(strip.z, [MOVEMENT.rerouted[-1], MOVEMENT.plain[-1]])
    assert list(strip.text[1]) == ["0"] * 4


def test_maps_put_every_text_on_both_sides_with_its_row() -> None:
    figure = space_figures.two_maps(FIRST, SECOND, TEXTS, ["a", "b"] * 4, ("left", "right"))
    for axis, found in (("x", FIRST), ("x2", SECOND)):
        traces = [trace for trace in figure.data if (trace.xaxis or "x") == axis]
        rows = np.concatenate([trace.customdata for trace in traces])
        assert sorted(rows) == list(range(len(TEXTS)))
        x = np.concatenate([trace.x for trace in traces])
        np.testing.assert_array_equal(x, found.projection.points[rows, 0])
    assert [note.text for note in figure.layout.annotations] == ["left", "right"]
    assert [trace.showlegend for trace in figure.data] == [True, True, False, False]


def test_the_sweep_marks_the_automatic_choice() -> None:
    others, automatic = ablation_figures.sweep_chart(SWEEP, CHANGES, Plan((2, 3))).data
    assert list(others.x) == [4, 7]
    assert list(automatic.x) == [2]
    assert automatic.y[0] == CHANGES[1].delta


def test_scores_are_drawn_with_their_intervals() -> None:
    (points,) = score_figures.measure_bars([ONE, OTHER], "Pearson").data
    assert set(points.y) == {"kv-embedding", "mean"}
    row, expected = list(points.y).index("kv-embedding"), ONE.measure("Pearson")
    assert points.x[row] == expected.value
    assert points.x[row] + points.error_x.array[row] == pytest.approx(expected.ci_high)
    assert points.x[row] - points.error_x.arrayminus[row] == pytest.approx(expected.ci_low)


def test_a_prompt_marks_what_is_pooled_and_shows_texts_as_they_are() -> None:
    html = score_figures.prompt_strip(PROMPT)
    spans = html.split("<span")[1:]
    assert len(spans) == len(HOSTILE)
    assert ["background" in span for span in spans] == [False, True, False, True]
    assert ["border-bottom" in span for span in spans] == [False, True, True, False]
    assert ["outline" in span for span in spans] == [False, False, True, False]
    assert "<b>" not in html
    assert "<a " not in html


def test_an_empty_gate_map_has_a_table_without_layers() -> None:
    assert list(causal_figures.gate_table(NO_GATES).columns) == ["token"]
