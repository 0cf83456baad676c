"""What a sentence quotes is short, whatever it quotes."""

import re
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.errors import QUOTED, ExplorerError, PlanError, RecipeError, listed, quoted
from analysis.experiments.spec import choices
from analysis.experiments.specs import SPECS
from tests.support.checks import assert_one_sentence

LONG = 10**6


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value, value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        *("x" * LONG, "\U0001f642" * LONG, "\0" * LONG, b"x" * LONG, "it's " * LONG),
        *(10**5000, -(2**100_000), 0.1, float("nan")),
        *([["x" * LONG] * LONG], ("x" * LONG,) * 9, {"k" * LONG: "v" * LONG}, {1, 2, 3, 4, 5}),
        *(_nested(40), np.zeros((1000, 1000)), np.str_("x" * LONG), pd.DataFrame({"a": ["b"] * 9})),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_quote_is_short_and_quick(value: object) -> None:
    start = time.perf_counter()
    text = quoted(value)
    assert time.perf_counter() - start < 0.5
    assert 0 < len(text) <= 120
    assert "\n" not in text


def test_what_is_short_is_quoted_as_it_is() -> None:
    for value in ("a  b", "it's", 17, 1.5, None, ["a", 2], {"a": 1}):
        assert quoted(value) == repr(value)


def test_an_error_quotes_no_more_whatever_it_is_given() -> None:
    for sentence in (f"{'x' * LONG}.tsv is empty.", f"No {'x y ' * LONG}; use a.", "x" * LONG):
        message = str(PlanError(sentence))
        assert len(message) <= 3 * QUOTED
        assert not re.search(rf"x{{{QUOTED + 1}}}", message)
        assert message[0] == sentence[0]
        assert message[-30:] == sentence[-30:]
    assert str(ExplorerError("A sentence of words.")) == "A sentence of words."


def test_a_sentence_is_one_line_without_signs_for_a_terminal() -> None:
    for sign in "\n\r\v\f\x1c\x85\u2028":
        assert str(ExplorerError(f"No a{sign}b; use c.")) == "No a b; use c."
    assert str(ExplorerError("No \x1b[31m\x00\x9b; use a.")) == r"No \x1b[31m\x00\x9b; use a."
    assert str(ExplorerError("No \u05e9 \U0001f642; use a.")) == "No \u05e9 \U0001f642; use a."


def test_a_list_of_names_is_short_and_begins_with_those_like_what_was_given() -> None:
    names = [f"method-{number}" for number in range(40)]
    assert listed(names[:3]) == "method-0, method-1, method-2"
    assert listed(names[:12]).count(",") == 11
    assert listed(names) == ", ".join(names[:12]) + " and 28 more"
    assert listed(names, "methud-31").startswith("method-31, ")
    assert listed(["mean", "echo"], "ecko") == "mean, echo"
    assert listed([]) == ""
    start = time.perf_counter()
    assert listed(names, "x" * LONG) == listed(names)
    assert time.perf_counter() - start < 0.5


def test_an_option_of_many_names_is_refused_in_one_short_sentence() -> None:
    for spec in SPECS.values():
        for name, field in spec.options().items():
            if choices(field):
                with pytest.raises(RecipeError) as caught:
                    spec.read({name: "x" * LONG})
                assert_one_sentence(caught.value)
