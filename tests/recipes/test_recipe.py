"""A recipe and its spellings: file, command and script say the same."""

import contextlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.cli.main import main
from analysis.embedding.methods import METHODS
from analysis.errors import RecipeError
from analysis.experiments.specs import SPECS
from analysis.recipes import files, scripts
from analysis.recipes.recipe import Recipe
from tests.support.checks import assert_one_sentence

WITH_SCRIPT = ("dimension", "score", "long-texts", "causal", "ablation", "space")

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)

recipes = st.builds(
    lambda **options: Recipe.of("score", {k.replace("_", "-"): v for k, v in options.items()}),
    backbone=words,
    corpus=st.none() | words,
    layers=st.sampled_from(["auto", "none", "26-29", "3,5,9", "all"]),
    bias=st.floats(-1e3, 1e3) | st.just(-float("inf")),
    method=st.none() | st.lists(st.sampled_from(list(METHODS)), min_size=1, max_size=3),
    part=st.none() | st.integers(1, 10**6),
    on=st.sampled_from(["pairs", "labelled", "retrieval"]),
)


@pytest.mark.slow
@given(recipes)
@example(Recipe.of("score", {"backbone": "\x85", "corpus": "a: [b] # c\u2028\n"}))
def test_a_recipe_survives_its_file(one: Recipe) -> None:
    assert files.read(files.write(one)) == one


@given(recipes)
def test_a_recipe_survives_the_shell(one: Recipe) -> None:
    program, *arguments = shlex.split(one.command_line().removeprefix("python -m "))
    assert program == "analysis"
    assert arguments == one.arguments()
    again = Recipe.of(one.command, _as_told(arguments[1:]))
    assert again == one


def _as_told(arguments: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        if name == "method":
            told.setdefault(name, []).append(value)
        else:
            told[name] = value
    return told


@pytest.mark.parametrize("command", sorted(SPECS))
def test_defaults_are_spelled_as_they_are_read(command: str) -> None:
    """Results hold every option, so a default that is read as another value is another recipe."""
    required = {
        name: "x" for name, field in SPECS[command].options().items() if field.is_required()
    }
    required |= {"text": "x"} if command == "words" else {}
    made = Recipe.of(command, required)
    read = files.read(files.write(made))
    assert read == made
    assert read.digest == made.digest


def test_a_command_line_is_as_short_as_can_be_and_a_file_says_everything() -> None:
    one = Recipe.of("score", {"layers": "26-29", "method": ["mean"]})
    assert one.command_line() == "python -m analysis score --layers=26-29 --method=mean"
    text = files.write(one)
    for name, field in SPECS["score"].options().items():
        if field.default is not None:
            assert re.search(rf'^"?{name}"?: ', text, re.M), name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a recipe"),
        ("[1, 2]", "not a recipe"),
        ("version: 1", "not a recipe"),
        ("version: 2\ncommand: score", "of version 2, this program reads 1: update"),
        ("version: true\ncommand: score", "version True"),
        ("version: 1\ncommand: [", "not readable YAML in line 2"),
        ("version: 1\n\ncommand: a: b", "not readable YAML in line 3"),
        ("version: 1\ncommand: scores", "no command 'scores'"),
        ("version: 1\ncommand: run", "cannot run another"),
        ("version: 1\ncommand: score\nmetod: mean", "use 'method'"),
        ("version: 1\ncommand: score\nmethod: meen", "invalid choice: 'meen'"),
        ("version: 1\ncommand: score\nbias: .nan", "the bias must be a number"),
        ("version: 1\ncommand: score\npart: 0", "at least 1"),
        (
            "version: 1\ncommand: score\nmethod: {a: 1}",
            "must be a word, a number or a list",
        ),
        ("version: 1\ncommand: score\nmethod: [[a]]", "must be a word, a number or a list"),
        ("version: 1\ncommand: score\njson: true", "no option 'json'"),
        ("version: 1\ncommand: !!python/object/apply:os.system [ls]", "has the tag"),
        ("version: 1\ncommand: sc\x00ore", "not readable YAML"),
        ("#" * 200_000, "larger than"),
        ("version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_what_is_no_recipe_is_refused_with_a_sentence(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)) as raised:
        files.read(text)
    assert_one_sentence(raised.value)


@given(st.text() | st.binary())
def test_any_file_is_a_recipe_or_a_sentence(text: str | bytes) -> None:
    with contextlib.suppress(RecipeError):
        files.read(text)


def test_an_unquoted_on_is_not_taken_for_true() -> None:
    result = files.read("version: 1\ncommand: score\non: labelled\n")
    assert result.spec.values()["on"] == "labelled"


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", str(tmp_path / "no.yaml")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err


NEEDED: dict[str, dict[str, Any]] = {
    "words": {"text": ["a"]},
    "space": {"output": "x.html"},
    "causal": {"first": "a b", "second": "a c"},
}


@pytest.mark.parametrize("command", WITH_SCRIPT)
def test_every_script_is_short_and_compiles(command: str) -> None:
    script = scripts.python(Recipe.of(command, NEEDED.get(command, {})))
    compile(script, "script", "exec")
    assert len(script.splitlines()) < 30
    assert max(map(len, script.splitlines())) <= 120
