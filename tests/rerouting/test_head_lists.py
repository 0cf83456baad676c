"""Lists of heads as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import PlanError
from analysis.rerouting.head_lists import collected, format_heads, parse_heads, spread
from analysis.rerouting.plan import Head, Plan

LAYERS, HEADS = 12, 4


@pytest.mark.parametrize(
    ("text", "layers", "heads"),
    [
        ("none", (), ()),
        ("3.1", (), ((3, 1, None),)),
        (" 3.1 , 2.0 ", (), ((2, 0, None), (3, 1, None))),
        ("3.1-3", (), ((3, 1, None), (3, 2, None), (3, 3, None))),
        ("3", (3,), ()),
        ("3-5", (3, 4, 5), ()),
        ("3.0-3", (3,), ()),
        ("3.0,3.1,3.2-3,5.2", (3,), ((5, 2, None),)),
        ("3.1@2.5", (), ((3, 1, 2.5),)),
        ("3.1@-1,11", (11,), ((3, 1, -1.0),)),
        ("3.1@-inf", (), ((3, 1, -math.inf),)),
        ("3@2", (), tuple((3, head, 2.0) for head in range(HEADS))),
    ],
)
def test_lists_are_read(text: str, layers: tuple[int, ...], heads: tuple[Head, ...]) -> None:
    assert parse_heads(text, LAYERS, HEADS) == (layers, heads)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12", "no 12"),
        ("3.4", "no 3.4"),
        ("3.2-9", "no 3.2-9"),
        ("5-3", "reversed"),
        ("3.2-1", "reversed"),
        ("3.1,3.1", "Head 3.1 is repeated"),
        ("3,3.1", "Head 3.1 is repeated"),
        ("", "is no head"),
        ("auto", "is no head"),
        ("3.1@high", "is no head"),
        ("3.1@", "is no head"),
        ("3.-1", "is no head"),
        ("3.1.2", "is no head"),
        ("\u0663.1", "is no head"),
    ],
)
def test_what_is_no_list_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PlanError, match=reason):
        parse_heads(text, LAYERS, HEADS)


@given(
    st.dictionaries(
        st.tuples(st.integers(0, LAYERS - 1), st.integers(0, HEADS - 1)),
        st.none() | st.floats(-1e6, 1e6),
    )
)
def test_a_written_list_is_read_as_it_was(biases: dict[tuple[int, int], float | None]) -> None:
    choice = collected((Head(*key, bias) for key, bias in biases.items()), HEADS)
    assert parse_heads(format_heads(*choice), LAYERS, HEADS) == choice
    assert {each[:2]: each.bias for each in spread(*choice, HEADS)} == biases
    Plan(choice[0], heads=choice[1])
