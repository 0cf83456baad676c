"""What YAML 1.2 says, where version 1.1 or a loader of Python says another thing."""

import contextlib
import math
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.experiments.spec import is_text
from analysis.experiments.specs import SPECS
from analysis.recipes import files
from analysis.runtime import yaml_reader
from analysis.runtime.yaml_reader import YAMLProblem


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # Words of 1.2 that are numbers, booleans, dates or operators in 1.1
        *((word, word) for word in ("1:30", "190:20:30", "-1:30", "1:30.5")),
        *((word, word) for word in ("yes", "no", "on", "off", "y", "n", "Yes", "NO", "On")),
        *((word, word) for word in ("1_000", "0b11", "0o8", "1_0.5", "tRUE", "nULL", "=", "<<")),
        *((word, word) for word in ("2001-12-14", "2001-12-14t21:59:43.10-05:00", "1,000", "+")),
        # Numbers
        *(("017", 17), ("089", 89), ("0o17", 15), ("0x1F", 31), ("+12", 12), ("-0", 0)),
        *((".5", 0.5), ("+.5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("12e03", 12000.0)),
        *((".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf)),
        # Words of both
        *(("true", True), ("FALSE", False), ("~", None), ("", None), ("null", None)),
        *(("'1'", "1"), ('"on"', "on"), ("! 12", "12"), ("|\n  a\n  b", "a\nb")),
        ("9" * 401, "9" * 401),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_value_is_what_version_1_2_says(text: str, value: object) -> None:
    result = yaml_reader.read(f"key: {text}")["key"]
    assert (type(result), result) == (type(value), value)


def test_not_a_number_is_read() -> None:
    assert math.isnan(yaml_reader.read("a: .nan")["a"])


def test_keys_are_words() -> None:
    assert yaml_reader.read("1: a\ntrue: b\non: c\n~: d") == {
        **{"1": "a", "true": "b"},
        **{"on": "c", "~": "d"},
    }


def test_texts_are_spelled_as_they_are_written() -> None:
    text = "corpus: 017\nseed: 017\nfirst: 1.10\nlayers: [03, 0x4]\nsecond: ~\nbackbone: true"
    assert yaml_reader.read(text, files.WORDS) == {
        **{"corpus": "017", "seed": 17, "first": "1.10", "layers": ["03", "0x4"]},
        **{"second": None, "backbone": "true"},
    }


def test_an_option_holds_texts_in_every_command_or_in_none() -> None:
    kinds: dict[str, set[bool]] = {}
    for spec in SPECS.values():
        for name, field in spec.options().items():
            kinds.setdefault(name, set()).add(is_text(field))
    assert {name for name, kind in kinds.items() if len(kind) > 1} == set()
    assert {"backbone", "corpus", "layers", "first", "on"} <= files.WORDS
    assert not {"bias", "part", "seed", "bare"} & files.WORDS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &a [1]\nb: *a", "repeats a value by an alias in line 2"),
        ("a: {<<: *x}", "repeats a value by an alias in line 1"),
        ("a: !!str 3", "has the tag 'tag:yaml.org,2002:str' in line 1"),
        ("a: !!binary aGk=", "has the tag"),
        ("a: !!set {b}", "has the tag"),
        ("a: !x 3", "has the tag '!x'"),
        ("? [a]\n: b", "has a key that is no word in line 1"),
        ("? !!int 3\n: b", "has a key that is no word in line 1"),
        ("a: 1\nb: {c: 1,\n c: 2}", "has 'c' twice, again in line 3"),
        ("%YAML 1.1\n---\na: on", "of another version than 1.2"),
        ("a: 1\n---\nb: 2", "not readable YAML in line 2"),
        ("[" * 99_000, "nested more than 20 deep in line 1"),
        ("- " * 49_000, "nested more than 20 deep in line 1"),
        ("a: x\x85y", r"has the character '\x85' in line 1"),
        ("a:\n - x\u2028y", r"has the character '\u2028' in line 2"),
        ("a: -1e999", "too large for float64"),
        ("a: \0", "not readable YAML"),
        ("a: \ud800", "not readable YAML"),
        ('a: "\\ud800"', "holds half a surrogate pair in line 1"),
        ('a: 1\n"\\udfff": 1', "holds half a surrogate pair in line 2"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_refused_is_named(text: str, problem: str) -> None:
    with pytest.raises(YAMLProblem) as raised:
        yaml_reader.read(text)
    assert problem in str(raised.value)
    assert len(str(raised.value)) < 200


def test_a_version_of_1_2_and_marks_are_fine() -> None:
    for text in ("%YAML 1.2\n---\na: é", b"\xef\xbb\xbfa: \xc3\xa9", "a: é".encode("utf-16")):
        assert yaml_reader.read(text) == {"a": "é"}
    assert yaml_reader.read(" # nothing\n") is None


def test_aliases_unfold_nothing() -> None:
    text = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in pairwise("abcdefghijklmnopqrstuvwxyz")
    )
    start = time.perf_counter()
    with pytest.raises(YAMLProblem, match="alias in line 2"):
        yaml_reader.read(text * 1000)
    assert time.perf_counter() - start < 1


@given(st.text() | st.binary() | st.text("ab:-[]{}?&*!|>'\"%#,\n \t1.0~", max_size=80))
def test_any_text_is_a_value_or_a_problem(text: str | bytes) -> None:
    with contextlib.suppress(YAMLProblem):
        yaml_reader.read(text)
