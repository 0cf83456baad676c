"""Figures: pure functions of results, whole as JSON, and never a visitor's text as HTML."""

import copy
import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from analysis.corpora.types import Pairs
from analysis.dimension.curve import Curve
from analysis.embedding.methods import METHODS
from analysis.embedding.read_prompts import ReadPrompt
from analysis.evaluation import comparison as paired
from analysis.evaluation import isotropy, similarity
from analysis.experiments import ablation, searches
from analysis.experiments.causal import Attention, Gates, Movement
from analysis.experiments.dimension import Dimensions
from analysis.experiments.gates import MeanGates
from analysis.experiments.score_result import Score
from analysis.experiments.space import Space
from analysis.figures import ablation as ablation_figures
from analysis.figures import (
    attention,
    causal,
    dimension,
    heads,
    plan_points,
    rerouting,
    scores,
    space_tables,
    spaces,
    standing,
    words,
)
from analysis.figures.stars import Star
from analysis.rerouting.plan import PLAIN, Head, Plan
from analysis.spaces import comparison
from analysis.spaces.projection import Projection
from analysis.storage.provenance import Provenance

HOSTILE = ("<b>bold</b> & brave", '<a href="javascript:alert(1)">here</a>', "x" * 200, "1 < 2 > 0")
TEXTS = (*HOSTILE, "a plain text", "another one", "line\nbreak", "last")
MADE = Provenance("tiny", "0", "float32", "cpu", (("torch", "2"), ("transformers", "5")))
RNG = np.random.default_rng(0)
LAYERS = 10


def dimensions(*, broken: bool = False) -> Dimensions:
    dims = RNG.uniform(5, 20, LAYERS)
    if broken:
        dims[3] = np.nan  # a layer without a dimension
    resampled = dims + RNG.normal(0, 0.1, (20, LAYERS))
    curve = Curve(dims, dims - 1, dims + 1, resampled, 100, 100, "twonn")
    return Dimensions(curve, "corpus", 100, 2, True, 0, MADE, RNG.uniform(0, 1, LAYERS))


PAIRS = Pairs(
    "pairs",
    TEXTS,
    np.array([0, 1, 2, 3, 4, 5, 6]),
    np.array([1, 2, 3, 4, 5, 6, 7]),
    np.arange(7.0),
    "made up",
)


def score(plan: Plan = PLAIN, name: str = "kv-embedding", of: int | None = None) -> Score:
    cosines = PAIRS.scores / 10 + RNG.normal(0, 0.2, 7)
    measures = tuple(similarity.agreement(cosines, PAIRS, draws=50))
    return Score(METHODS[name].under(plan), "pairs", measures, MADE, of=of, cosines=cosines)


def space(name: str = "mean") -> Space:
    points = Projection(RNG.normal(size=(len(TEXTS), 2)), "pca", "too few")
    rows = RNG.normal(size=(len(TEXTS), 6)).astype(np.float32)
    return Space(name, PLAIN, rows, points, MADE)


DIMENSIONS, BROKEN = dimensions(), dimensions(broken=True)
CURVE = BROKEN.curve.dims
LISTENING = MeanGates((6, 7), RNG.uniform(0, 0.1, (2, 4, 5)), 40)
NOBODY = MeanGates((), np.empty((0, 4, 5)), 40)
BEFORE, AFTER = score(), score(Plan((2, 3)))
SWEEP = [score(Plan((i, i + 1))) for i in (4, 2, 7)]
CHANGES = paired.differences({str(i): s.first for i, s in enumerate(SWEEP)}, BEFORE.first, "none")
AUTOMATIC, WIDE = SWEEP[1].plan, score(Plan((0, 1, 2)))
POINTS = {
    PLAIN: ablation.Point(BEFORE, paired.difference(BEFORE.first, BEFORE.first, ablation.NAMES)),
    **{s.plan: ablation.Point(s, d) for s, d in zip(SWEEP, CHANGES, strict=True)},
}
WALK = ablation.Walk((tuple(s.plan for s in SWEEP), (WIDE.plan,)), (AUTOMATIC,), POINTS, False)
HEADS = [score(Plan(heads=(head,))) for head in (Head(2, 1), Head(5, 3))]
HEAD_WALK = ablation.Walk(
    (tuple(searches.heads_alone(range(LAYERS), 4)),),
    (),
    POINTS | {one.plan: ablation.Point(one, CHANGES[0]) for one in HEADS},
    False,
)
START = ablation.Walk(((AUTOMATIC,),), (), {PLAIN: POINTS[PLAIN]}, False)
BESIDE = {searches.AUTOMATIC: (AUTOMATIC,), searches.RANDOM: (SWEEP[0].plan,), searches.ALL: ()}
ROWS = standing.standing(WALK, AUTOMATIC, BESIDE)
FIRST, SECOND = space(), space("echo")


ONE, OTHER = (score(Plan((2, 3)), name, of=100) for name in ("kv-embedding", "mean"))
ALONG = [(length, one) for length in ("32", "64") for one in (ONE, OTHER)]
PROMPT = ReadPrompt(
    HOSTILE,
    np.array([0, 0.5, 0, 0.5], np.float32),
    np.array([False, True, True, False]),
    np.array([True, False, False, False]),
    (2,),
)
MOVEMENT = Movement(
    HOSTILE,
    (True, False, False, False),
    ("<b>a", "b"),
    (9, 8),
    np.zeros((LAYERS + 1, 4)),
    RNG.uniform(0, 1, (LAYERS + 1, 4)),
    Plan((2, 3)),
)
GATES = Gates(HOSTILE, (2, 3), RNG.uniform(0, 1, (2, 4, 4)).astype(np.float32))
SEEN = np.tri(4, dtype=bool)
ATTENTION = Attention(
    HOSTILE,
    2,
    (SEEN * RNG.uniform(0, 0.2, (4, 4, 4))).astype(np.float32),
    SEEN,
    RNG.uniform(0, 0.2, (4, 4)).astype(np.float32),
)
NO_GATES = Gates(HOSTILE, (), np.empty((0, 4, 4), np.float32))
KEPT = RNG.uniform(0, 1, len(TEXTS))
COMPARED = comparison.compare(
    FIRST.embeddings,
    SECOND.embeddings,
    (FIRST.projection.points, SECOND.projection.points),
)

WORD_ROWS = [
    {
        **{"model": side, "layer": layer, "read": layer == LAYERS - 1, "rank": rank},
        **{"word": word, "probability": 0.5 / rank, "entropy": 2.0, "method": "<b>", "prompt": 1},
        **{"layers": [2, 3, 6] if side == "re-routed" else [], "heads": "4.1-2,5.3@-2.5"},
    }
    for side in ("plain", "re-routed")
    for layer in range(LAYERS)
    for rank, word in enumerate(HOSTILE[: 4 - layer % 2], 1)
]
CORPUS_ROWS = [
    row | {"texts": 9, "count": 4, "different": 4, "entropy_low": 1.5, "entropy_high": 2.5}
    for row in WORD_ROWS
]

FIGURES: dict[str, tuple[Callable[..., go.Figure], tuple[Any, ...]]] = {
    "curve": (dimension.dimension_curves, ([DIMENSIONS], "paper", (6, 7))),
    "curve with a gap": (dimension.dimension_curves, ([BROKEN], "paper", (6, 7))),
    "curves, nothing re-routed": (
        dimension.dimension_curves,
        ([DIMENSIONS, BROKEN, replace(DIMENSIONS, corpus="<b>own</b>")], "lowest", ()),
    ),
    "curves by depth": (dimension.depth_curves, ([DIMENSIONS, BROKEN], "lowest")),
    "layers": (rerouting.layer_strip, (LAYERS, (6, 7), range(1, 9), CURVE, LISTENING)),
    "layers, nothing known": (
        rerouting.layer_strip,
        (LAYERS, (), range(LAYERS), None, NOBODY),
    ),
    "cone": (dimension.cone_by_layer, (DIMENSIONS,)),
    "triangle": (attention.attention_triangle, (ATTENTION, None, 2)),
    "triangle of one head, plain": (
        attention.attention_triangle,
        (replace(ATTENTION, prefix=None), 3),
    ),
    "endings": (causal.ending_bars, ({"mean": 0.9, "kv-embedding": -0.1},)),
    "enlarged": (lambda *asked: causal.enlarged(attention.gate_map(*asked), 500), (GATES,)),
    "gates of one head": (attention.gate_map, (GATES, 1)),
    "movement": (causal.movement_by_layer, (MOVEMENT,)),
    "gates": (attention.gate_map, (GATES,)),
    "gates of two heads": (
        attention.gates_of_heads,
        (GATES, {"Head 2.1": Head(2, 1), "Head 3.0": Head(3, 0)}),
    ),
    "bars": (scores.measure_bars, ([ONE, OTHER], "Spearman")),
    "along": (scores.measures_along, (ALONG, "Pearson", "tokens")),
    "scatter": (scores.human_against_cosine, (ONE, PAIRS)),
    "maps": (spaces.two_maps, (FIRST, SECOND, TEXTS)),
    "labelled maps": (spaces.two_maps, (FIRST, SECOND, TEXTS, TEXTS[::-1])),
    "one map": (partial(spaces.space_map, selected=(1, 3), beside=SECOND), (FIRST, TEXTS)),
    "a labelled map": (spaces.space_map, (FIRST, TEXTS, spaces.by_label(TEXTS))),
    "a map of numbers": (
        spaces.space_map,
        (FIRST, TEXTS, spaces.Colours("length", 10 ** (3 * KEPT), logarithmic=True)),
    ),
    **{
        f"{kind}, {name}": (ablation_figures.search_chart, (kind, walk, LAYERS, AUTOMATIC))
        for kind in searches.SEARCHES
        for name, walk in (("begun", WALK), ("not begun", START))
    },
    "heads alone": (ablation_figures.search_chart, ("single heads", HEAD_WALK, LAYERS, AUTOMATIC)),
    "heads, their curve and what is chosen": (
        partial(heads.head_map, dims=CURVE),
        (heads.effects_alone(HEAD_WALK, LAYERS, 4), (Head(2, 1),), range(1, LAYERS)),
    ),
    "standing": (standing.standing_chart, (WALK, ROWS)),
    "words": (words.layer_map, (WORD_ROWS,)),
    "plain words": (words.layer_map, (WORD_ROWS[: len(WORD_ROWS) // 2],)),
    "words of a corpus": (words.layer_map, (CORPUS_ROWS,)),
    "frequent words": (words.frequent_words, (CORPUS_ROWS,)),
    "entropy": (words.entropy_by_layer, (CORPUS_ROWS,)),
}
TABLES: dict[str, tuple[Callable[..., pd.DataFrame], tuple[Any, ...], int]] = {
    "curve": (dimension.dimension_table, ([DIMENSIONS], "paper", (6, 7)), LAYERS),
    "curves": (dimension.dimension_table, ([DIMENSIONS, BROKEN], "paper", ()), 2 * LAYERS),
    "choices": (dimension.choice_table, ([DIMENSIONS, BROKEN], "paper"), 2),
    "curves by depth": (dimension.depth_table, ([DIMENSIONS, BROKEN], "paper"), 2 * LAYERS),
    "layers": (
        rerouting.strip_table,
        (LAYERS, (6, 7), range(1, 9), CURVE, LISTENING),
        LAYERS,
    ),
    "movement": (causal.movement_table, (MOVEMENT,), 4),
    "gates": (attention.gate_table, (GATES,), 4),
    "attention": (attention.attention_table, (ATTENTION, 0), 4),
    "endings": (causal.ending_table, ({"mean": 0.9, "kv-embedding": 0.8},), 2),
    "scores": (scores.measure_table, ([ONE, OTHER],), 2),
    "scores along": (scores.along_table, (ALONG, "tokens"), 4),
    "differences": (scores.difference_table, (CHANGES,), 3),
    "prompts": (scores.prompt_table, ([PROMPT, PROMPT],), 8),
    "pairs": (scores.pair_table, (ONE, PAIRS), 7),
    "moved": (scores.moved_pairs, (BEFORE, AFTER, PAIRS), 7),
    "cone": (dimension.cone_table, (DIMENSIONS,), LAYERS),
    "geometry": (space_tables.geometry_table, ([isotropy.geometry(FIRST.embeddings)], ["a"]), 1),
    "maps": (space_tables.space_table, (FIRST, SECOND, TEXTS, KEPT), len(TEXTS)),
    "moved texts": (space_tables.moved_table, (COMPARED, TEXTS, TEXTS), len(TEXTS)),
    "neighbours": (
        lambda *asked: space_tables.neighbour_tables(*asked)[0],
        (COMPARED, 2, TEXTS),
        7,
    ),
    "two spaces in numbers": (space_tables.numbers_table, (COMPARED,), 5),
    "plans": (ablation_figures.plan_table, (WALK, WALK.plans), 3),
    "heads": (
        heads.head_table,
        (heads.effects_alone(HEAD_WALK, LAYERS, 4), (Head(2, 1),), range(1, LAYERS)),
        4 * (LAYERS - 1),
    ),
    "standing": (standing.standing_table, (WALK, ROWS), 4),
}


def test_a_word_that_a_side_does_not_list_has_no_more_texts_than_those_it_lists() -> None:
    base = {"read": True, "texts": 9, "probability": 0.5, "rank": 1, "layer": 0}
    rows = [
        base | {"model": "plain", "word": "a", "count": 5, "different": 3},
        base | {"model": "plain", "word": "b", "count": 2, "different": 3},
        base | {"model": "re-routed", "word": "c", "count": 9, "different": 1},
    ]
    plain, rerouted = words.frequent_words(rows).data
    assert list(plain.text) == ["50%", "50%", "2 texts at most"]
    assert list(rerouted.text) == ["none", "none", "50%"]
    assert list(rerouted.x) == [0, 0, 9]


def spelled(value: Any) -> Any:
    """A value as nested lists and dictionaries, to see whether it was changed."""
    if is_dataclass(value):
        return {field.name: spelled(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): spelled(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [spelled(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else copy.deepcopy(value)


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "arguments"), FIGURES.values(), ids=FIGURES)
def test_a_figure_is_a_pure_function(draw: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    before = json.dumps(spelled(arguments), default=str)
    first = draw(*arguments).to_json()
    assert draw(*arguments).to_json() == first
    assert json.dumps(spelled(arguments), default=str) == before


@pytest.mark.slow
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


@pytest.mark.slow
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
    texts = spaces.two_maps(FIRST, SECOND, TEXTS).data[0].text
    assert texts[0] == "&lt;b&gt;bold&lt;/b&gt; &amp; brave"
    assert len(texts[2]) == 90
    assert texts[6] == "line break"


@pytest.mark.parametrize(("table", "arguments", "rows"), TABLES.values(), ids=TABLES)
def test_a_table_has_a_row_for_each(
    table: Callable[..., pd.DataFrame], arguments: tuple[Any, ...], rows: int
) -> None:
    result = table(*arguments)
    assert len(result) == rows
    assert not result.isna().to_numpy()[:, 0].any()
    assert table(*arguments).equals(result)


def test_maps_put_every_text_on_both_sides_with_its_row() -> None:
    figure = spaces.two_maps(FIRST, SECOND, TEXTS, ["a", "b"] * 4, ("left", "right"))
    for axis, result in (("x", FIRST), ("x2", SECOND)):
        traces = [trace for trace in figure.data if (trace.xaxis or "x") == axis]
        rows = np.concatenate([trace.customdata for trace in traces])
        assert sorted(rows) == list(range(len(TEXTS)))
        x = np.concatenate([trace.x for trace in traces])
        np.testing.assert_array_equal(x, result.projection.points[rows, 0])
    assert [note.text for note in figure.layout.annotations] == ["left", "right"]
    assert [trace.showlegend for trace in figure.data] == [True, True, False, False]


def test_maps_show_the_same_part_of_the_plane_and_one_unit_as_long_as_the_other() -> None:
    figures = [
        spaces.two_maps(FIRST, SECOND, TEXTS),
        spaces.space_map(FIRST, TEXTS, beside=SECOND),
        spaces.space_map(SECOND, TEXTS, beside=FIRST),
    ]
    points = np.concatenate([one.projection.points for one in (FIRST, SECOND)])
    for figure in figures:
        for x, y in zip(figure.select_xaxes(), figure.select_yaxes(), strict=True):
            assert x.range == figures[0].layout.xaxis.range
            assert y.range == figures[0].layout.yaxis.range
            assert y.scaleanchor == x.plotly_name.replace("axis", "")
            for axis, values in ((x, points[:, 0]), (y, points[:, 1])):
                assert axis.range[0] < values.min() < values.max() < axis.range[1]


def test_what_is_selected_is_lit_in_every_trace_and_the_rest_faded() -> None:
    colours = spaces.by_label(["a", "b"] * 4)
    a, b = spaces.space_map(FIRST, TEXTS, colours, selected=(0, 4, 7)).data
    assert (a.selectedpoints, b.selectedpoints) == ((0, 2), (3,))
    a, b = spaces.space_map(FIRST, TEXTS, colours, selected=(0,)).data
    assert (a.selectedpoints, b.selectedpoints) == ((0,), ())
    assert all(t.selectedpoints is None for t in spaces.space_map(FIRST, TEXTS).data)


def test_numbers_are_coloured_on_one_scale_with_ticks_of_the_numbers() -> None:
    colours = spaces.Colours("length", np.geomspace(9, 1200, 8), logarithmic=True)
    figure = spaces.two_maps(FIRST, SECOND, TEXTS, colours=colours)
    for trace in figure.data:
        np.testing.assert_allclose(trace.marker.color, np.log10(colours.values))
        assert trace.marker.coloraxis == "coloraxis"
        assert trace.text[0].endswith("length: 9")
    bar = figure.layout.coloraxis.colorbar
    assert bar.ticktext == ("10", "30", "100", "300", "1,000")
    np.testing.assert_allclose(10 ** np.array(bar.tickvals), [10, 30, 100, 300, 1000])


def test_ten_thousand_dots_are_one_trace_for_the_graphics_card() -> None:
    many = Space(
        "mean",
        PLAIN,
        np.zeros((10_000, 2), np.float32),
        Projection(RNG.normal(size=(10_000, 2)), "pca", ""),
        MADE,
    )
    texts = ["a text"] * 10_000
    (trace,) = spaces.space_map(many, texts, selected=range(5000)).data
    assert trace.type == "scattergl"
    assert len(trace.x) == 10_000
    assert len(trace.selectedpoints) == 5000
    labelled = spaces.space_map(many, texts, spaces.by_label([str(i % 77) for i in range(10_000)]))
    assert len(labelled.data) == 77
    assert not any(trace.showlegend for trace in labelled.data)


def test_neighbours_in_both_spaces_are_marked_in_both_tables() -> None:
    left, right = space_tables.neighbour_tables(COMPARED, 0, TEXTS, TEXTS)
    both = {(table["in both"] == "yes").sum() for table in (left, right)}
    assert both == {round(COMPARED.kept[0] * len(left))}
    assert (left["cosine"].diff().dropna() <= 0).all()


def test_a_search_marks_the_automatic_choice_and_the_best() -> None:
    drawn = ablation_figures.search_chart("windows", WALK, LAYERS, AUTOMATIC).data
    named = {trace.name: trace for trace in drawn}
    assert list(named[searches.AUTOMATIC].x) == [2]
    assert named[searches.AUTOMATIC].y[0] == CHANGES[1].delta
    best = max(SWEEP, key=lambda one: one.first.value)
    assert list(named[plan_points.BEST].x) == [best.plan.layers[0]]


def test_a_table_of_plans_ranks_them_among_all_that_are_known() -> None:
    table = ablation_figures.plan_table(WALK, WALK.plans)
    assert (table["Spearman"].diff().dropna() <= 0).all()
    known = [WALK.spearman(plan) for plan in WALK.points]
    ranks = [1 + sum(other > one for other in known) for one in known]
    assert sorted({*ranks}) == sorted({*table["rank"], WALK.rank(PLAIN)})


def test_scores_are_drawn_with_their_intervals() -> None:
    (points,) = scores.measure_bars([ONE, OTHER], "Pearson").data
    assert set(points.y) == {"kv-embedding", "mean"}
    row, expected = list(points.y).index("kv-embedding"), ONE.measure("Pearson")
    assert points.x[row] == expected.value
    assert points.x[row] + points.error_x.array[row] == pytest.approx(expected.ci_high)
    assert points.x[row] - points.error_x.arrayminus[row] == pytest.approx(expected.ci_low)


def test_a_prompt_marks_what_is_pooled_and_shows_texts_as_they_are() -> None:
    html = scores.prompt_strip(PROMPT)
    spans = html.split("<span")[1:]
    assert len(spans) == len(HOSTILE)
    assert ["background" in span for span in spans] == [False, True, False, True]
    assert ["border-bottom" in span for span in spans] == [False, True, True, False]
    assert ["outline" in span for span in spans] == [False, False, True, False]
    assert ["a control token" in span for span in spans] == [True, False, False, False]
    assert "<b>" not in html
    assert "<a " not in html


def test_an_empty_gate_map_has_a_table_without_layers() -> None:
    assert list(attention.gate_table(NO_GATES).columns) == ["token"]


def test_a_map_of_many_texts_draws_some_over_the_density_of_all() -> None:
    count = spaces.MOST_DOTS + 2000
    points = RNG.normal(size=(count, 2))
    many = replace(FIRST, projection=replace(FIRST.projection, points=points))
    labels = spaces.by_label(["a", "b"] * (count // 2))
    for colours in (None, labels, spaces.Colours("length", np.arange(count, dtype=np.float64))):
        density, *dots = spaces.space_map(
            many, ["text"] * count, colours, selected=(count - 1,)
        ).data
        assert np.expm1(np.asarray(density.z, np.float64)).sum() == pytest.approx(count)
        rows = np.concatenate([trace.customdata for trace in dots])
        assert spaces.MOST_DOTS <= len(set(rows.tolist())) == len(rows) <= spaces.MOST_DOTS + 1
        assert count - 1 in rows
        for trace in dots:
            np.testing.assert_array_equal(trace.x, points[trace.customdata, 0])
            if colours is not None and not colours.grouped:
                np.testing.assert_array_equal(trace.marker.color, trace.customdata)


def test_more_groups_than_symbols_tell_have_their_names_on_the_map() -> None:
    few, many = (
        spaces.space_map(FIRST, TEXTS, spaces.by_label(labels))
        for labels in (["a", "b"] * 4, [f"<b>{number}" for number in range(8)])
    )
    assert not few.layout.annotations
    assert not many.layout.annotations
    twelve = replace(FIRST, projection=replace(FIRST.projection, points=RNG.normal(size=(12, 2))))
    figure = spaces.space_map(twelve, ["text"] * 12, spaces.by_label(list("abcdefghijkl")))
    assert [note.text for note in figure.layout.annotations] == list("abcdefghijkl")
    assert not any(trace.showlegend for trace in figure.data)


def test_error_bars_of_several_methods_stand_side_by_side() -> None:
    figure = scores.measures_along(ALONG, "Pearson", "tokens")
    assert len(figure.data) > 1
    assert figure.layout.scattermode == "group"


def test_a_text_of_ones_own_is_a_star_that_both_maps_have_room_for() -> None:
    star = Star("<b>mine", np.array([50.0, 0.0]), np.array([0.0, -40.0]))
    other = Star("<b>mine", star.beside, star.point)
    colours = spaces.Colours("length", np.arange(1.0, 9.0))
    for chosen in (None, spaces.by_label(["a", "b"] * 4), colours):
        left = spaces.space_map(FIRST, TEXTS, chosen, beside=SECOND, star=star, selected=(1,))
        right = spaces.space_map(SECOND, TEXTS, chosen, beside=FIRST, star=other, scale=False)
        assert left.data[-1].x == (50.0,)
        assert right.data[-1].y == (-40.0,)
        assert left.data[-1].name == "your text"
        assert left.data[-1].showlegend
        assert left.data[-1].text == ("&lt;b&gt;mine",)
        assert left.data[-1].customdata is None
        assert left.layout.xaxis.range == right.layout.xaxis.range
        assert left.layout.xaxis.range[1] > 50
        assert left.layout.yaxis.range[0] < -40
    nowhere = spaces.space_map(FIRST, TEXTS, star=Star("mine", None))
    assert nowhere.data[-1].x == ()
    both = spaces.two_maps(FIRST, SECOND, TEXTS, star=star)
    assert [trace.x for trace in both.data[-2:]] == [(50.0,), (0.0,)]
    assert [trace.showlegend for trace in both.data[-2:]] == [True, False]
