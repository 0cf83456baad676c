"""JSON as people send it: what is refused, and with which words."""

import pytest

from analysis.runtime import json_reader
from analysis.runtime.json_reader import JSONProblem, RepeatedKey


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "cannot be read"),
        ('{"a":' * 100_000, "cannot be read"),
        ("9" * 100_000, "cannot be read"),
        (b"\xff", "cannot be read"),
        ("NaN", "the number NaN"),
        ("[-Infinity]", "the number -Infinity"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_json_is_a_problem(text: str | bytes, problem: str) -> None:
    with pytest.raises(JSONProblem) as raised:
        json_reader.read(text, finite=True)
    assert str(raised.value) == problem


def test_a_key_twice_is_refused_at_any_depth() -> None:
    for text in ('{"a": 1, "b": 2, "a": 3}', '[[{"c": {"a": 1, "a": 1}}]]'):
        with pytest.raises(RepeatedKey, match="the key 'a' twice"):
            json_reader.read(text)
    many = "{" + ",".join(f'"k{i}": 0' for i in range(50_000)) + ', "k9": 1}'
    with pytest.raises(RepeatedKey, match="'k9'"):
        json_reader.read(many)


def test_numbers_that_are_often_written_are_read_where_they_are_allowed() -> None:
    first, second = json_reader.read("[NaN, -Infinity]")
    assert first != first
    assert second == -float("inf")
