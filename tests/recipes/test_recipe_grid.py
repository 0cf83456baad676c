"""Recipes with grids: which points there are, in which order, and what is refused."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.embedding.methods import METHODS
from analysis.errors import RecipeError
from analysis.recipes import files, scripts
from analysis.recipes.recipe import Recipe
from tests.support.checks import assert_one_sentence

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)

parts = st.fixed_dictionaries(
    {},
    optional={
        "backbone": st.lists(words, min_size=1, max_size=2),
        "on": st.lists(st.sampled_from(["pairs", "labelled"]), min_size=1, max_size=2),
        "layers": st.lists(st.sampled_from(["auto", "none", "26-29"]), min_size=1, max_size=3),
        "part": st.lists(st.none() | st.integers(1, 99), min_size=1, max_size=2),
        "method": st.lists(
            st.sampled_from([*METHODS, ["mean", "kv-embedding"]]), min_size=1, max_size=2
        ),
    },
).filter(bool)

grids = st.builds(
    Recipe.of,
    st.just("score"),
    st.fixed_dictionaries({}, optional={"bias": st.floats(-9, 9), "layers": st.just("all")}),
    st.lists(parts, max_size=2).map(tuple),
    view=st.dictionaries(words, words | st.booleans() | st.lists(words, max_size=2), max_size=2),
    title=words,
    about=st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
)


@pytest.mark.slow
@given(grids)
def test_a_grid_survives_its_file(one: Recipe) -> None:
    assert files.read(files.write(one)) == one


@given(grids)
def test_the_points_are_as_many_as_said_and_those_of_a_backbone_adjoin(one: Recipe) -> None:
    points = one.points()
    assert len(points) == one.size
    assert not any(point.grid for point in points)
    backbones = [point.spec.values()["backbone"] for point in points]
    changes = sum(a != b for a, b in itertools.pairwise(backbones))
    assert changes == len(set(backbones)) - 1
    for point in points:
        assert point.spec.values()["bias"] == one.spec.values()["bias"]


def test_each_is_taken_with_each_and_parts_follow_one_another() -> None:
    one = Recipe.of(
        "score",
        {"method": ["mean"]},
        (
            {"backbone": ["a", "b"], "layers": ["none", "1-2"]},
            {"backbone": ["a"], "on": ["labelled"]},
        ),
    )
    result = [[point.spec.values()[axis] for axis in one.axes] for point in one.points()]
    assert one.axes == ("backbone", "layers", "on")
    assert result == [
        ["a", "none", "pairs"],
        ["a", "1-2", "pairs"],
        ["a", "auto", "labelled"],
        ["b", "none", "pairs"],
        ["b", "1-2", "pairs"],
    ]
    assert all(point.spec.values()["method"] == ["mean"] for point in one.points())


def test_what_a_recipe_is_for_and_shows_is_no_part_of_what_it_runs() -> None:
    one = Recipe.of("score", {}, view={"page": "similarity"}, title="A", about="B")
    assert one.digest == Recipe.of("score", {}).digest != Recipe.of("score", {"bias": 2.0}).digest
    assert Recipe.of("score", {}, ({"bias": [1.0]},)).digest != one.digest


def test_a_grid_may_give_what_a_command_requires() -> None:
    one = Recipe.of("causal", {"first": "a b"}, ({"second": ["a c", "a d"]},))
    assert [point.spec.values()["second"] for point in one.points()] == ["a c", "a d"]
    assert files.read(files.write(one)) == one


def test_a_grid_is_a_file_on_the_command_line_and_a_loop_in_a_script() -> None:
    one = Recipe.of("score", {}, ({"bias": [0.0, 1.0]},))
    assert one.command_line() == "python -m analysis run score.yaml"
    compile(scripts.python(one), "script", "exec")
    assert "runner.rows" in scripts.python(one)


HEAD = "version: 1\ncommand: score\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grid: 3", "a list of values"),
        ("grid: {bias: 3}", "a list of values"),
        ("grid: {bias: []}", "at least one value"),
        ("grid: [{}]", "at least one value"),
        ("grid: {biass: [1]}", "use 'bias'"),
        ("grid: {bias: [high]}", "must be a number"),
        ("grid: {bias: [[[1]]]}", "must be a word, a number or a list"),
        ("grid: {method: [meen]}", "invalid choice: 'meen'"),
        ("grid: {3: [1]}", "no option '3'"),
        ("grid: {seed: [1]}", "no option 'seed'"),
        (f"grid: {{bias: {list(range(40))}, part: {list(range(1, 40))}}}", "more than 1,000"),
        ("view: 3", "'view' must give settings"),
        ("view: {a: {b: 1}}", "must be a word, a number or a list"),
        ("title: [1]", "'title' must be a text"),
        ("about: [3]", "'about' must be a text"),
    ],
)
def test_what_is_no_grid_is_refused_with_a_sentence(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)) as raised:
        files.read(HEAD + text)
    assert_one_sentence(raised.value)


def test_an_unquoted_on_in_a_grid_is_not_taken_for_true() -> None:
    assert files.read(f"{HEAD}grid: {{on: [labelled]}}").axes == ("on",)
