"""Rules on curves with known answers, properties of all rules, and layer lists as text."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from analysis.dimension.selection import RULES, frequency, select, skipped, window_width
from analysis.errors import PlanError
from analysis.rerouting.layer_lists import format_layers, parse_layers

NAN = np.nan
DIMENSIONS = st.floats(0.5, 100) | st.just(NAN)


def curve_of(*values: float) -> NDArray[np.float64]:
    """A 20-layer curve (skip 4, window 3): ``values`` from layer 4 on, then 50 to the end."""
    return np.array([1.0, 1, 1, 60, *values] + [50.0] * (16 - len(values)))


@pytest.mark.parametrize(
    ("n_layers", "skip", "width"),
    [(1, 0, 1), (4, 0, 1), (5, 1, 1), (10, 2, 2), (18, 3, 2), (28, 5, 3), (30, 6, 4), (36, 7, 4)],
)
def test_fractions_of_the_depth_are_floored_exactly(n_layers: int, skip: int, width: int) -> None:
    assert (skipped(n_layers), window_width(n_layers)) == (skip, width)


@pytest.mark.parametrize(
    ("rule", "curve", "layers"),
    [
        ("paper", curve_of(30, 20, 10, 40), (6, 7, 8)),
        ("paper", np.linspace(30, 1, 20), (19,)),
        ("paper", np.linspace(1, 30, 20), (4, 5, 6)),
        ("paper", curve_of(30, 10, NAN, 10), (5, 7)),
        ("lowest", curve_of(30, 9, 30, 8, 30, 10), (5, 7, 9)),
        ("lowest", curve_of(NAN, 9, NAN, 8, 30, 10), (5, 7, 9)),
        ("first-minimum", curve_of(30, 20, 25, 5), (5, 6, 7)),
        ("first-minimum", curve_of(30, 20, 20, 20, 25, 5), (5, 6, 7)),
        ("first-minimum", curve_of(30, 20, NAN, 25, 5), (5, 7)),
        ("first-minimum", np.linspace(30, 1, 20), (19,)),
        ("first-minimum", np.linspace(1, 30, 20), (4, 5, 6)),
        ("first-minimum", curve_of(20, 30), (4, 5, 6)),
        ("early-minimum", np.linspace(30, 1, 20), (17, 18, 19)),
        ("early-minimum", curve_of(30, 20, 10, 40), (6, 7, 8)),
        ("largest-drop", curve_of(30, 29, 5, 4), (4, 5, 6)),
        ("largest-drop", curve_of(58, 57, 20, 19), (6, 7, 8)),
        ("largest-drop", curve_of(58, NAN, 20, 19, 1), (8, 9, 10)),
        ("largest-drop", np.linspace(1, 30, 20), (4, 5, 6)),
        *[(rule, np.array([3.0]), (0,)) for rule in RULES],
    ],
)
def test_known_answers(rule: str, curve: NDArray[np.float64], layers: tuple[int, ...]) -> None:
    assert select(curve, rule) == layers


@pytest.mark.slow
@pytest.mark.parametrize("rule", RULES)
@given(curve=arrays(np.float64, st.integers(1, 48), elements=DIMENSIONS))
def test_every_rule_selects_a_window_or_says_why_not(rule: str, curve: NDArray[np.float64]) -> None:
    n_layers, before = len(curve), curve.copy()
    try:
        layers = select(curve, rule)
    except PlanError:
        spared = window_width(n_layers) - 1 if rule == "early-minimum" else 0
        assert np.isnan(curve[skipped(n_layers) : n_layers - spared]).all()
        return
    assert layers == tuple(sorted(set(layers)))
    assert 1 <= len(layers) <= window_width(n_layers)
    assert skipped(n_layers) <= layers[0] <= layers[-1] < n_layers
    assert np.isfinite(curve[list(layers)]).all()
    assert rule == "lowest" or layers[-1] - layers[0] < window_width(n_layers)
    assert select(curve, rule) == layers
    np.testing.assert_array_equal(curve, before)


def test_rules_are_listed_under_their_names_with_one_sentence() -> None:
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.summary.endswith(".")


def test_unknown_rule_lists_the_valid_ones() -> None:
    with pytest.raises(PlanError, match="paper, lowest, first-minimum, early-minimum, largest-dr"):
        select(np.ones(10), "best")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("curve", [np.full(10, NAN), np.array([1.0, 1.0] + [NAN] * 8), np.ones(0)])
def test_no_layer_to_choose_from_is_said(rule: str, curve: NDArray[np.float64]) -> None:
    with pytest.raises(PlanError, match="None of the layers"):
        select(curve, rule)


def test_frequency_is_the_share_of_resamples() -> None:
    low_at_2, low_at_5 = np.full(10, 9.0), np.full(10, 9.0)
    low_at_2[2], low_at_5[5] = 1, 1
    share = frequency(np.stack([low_at_2, low_at_5, low_at_5, low_at_5]))
    np.testing.assert_array_equal(share, [0, 0, 0.25, 0.25, 0, 0.75, 0.75, 0, 0, 0])


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("none", ()),
        ("all", tuple(range(30))),
        (" ALL ", tuple(range(30))),
        ("26-29", (26, 27, 28, 29)),
        ("3,5,9", (3, 5, 9)),
        ("9, 3 ,5", (3, 5, 9)),
        ("1-3,7", (1, 2, 3, 7)),
        ("4 - 4", (4,)),
        ("07", (7,)),
    ],
)
def test_layer_lists_are_read(text: str, layers: tuple[int, ...]) -> None:
    assert parse_layers(text, 30) == layers


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a layer"),
        ("some", "'some' is not a layer"),
        ("-3", "'-3' is not a layer"),
        ("3,,5", "'' is not a layer"),
        ("3,none", "'none' is not a layer"),
        ("1-2-3", "is not a layer"),
        ("1.5", "is not a layer"),
        ("1_0", "is not a layer"),
        ("٣", "is not a layer"),
        ("9" * 5000, "is not a layer"),
        ("30", "There is no layer 30"),
        ("0-999999", "There is no layer 999999"),
        ("9-3", "reversed; write 3-9"),
        ("3,5,3", "Layer 3 is repeated"),
        ("1-4,2-3", "Layer 2 is repeated"),
        ("auto", "no automatic choice"),
    ],
)
def test_bad_layer_lists_name_the_fault_and_the_valid_range(text: str, complaint: str) -> None:
    with pytest.raises(PlanError) as error:
        parse_layers(text, 30)
    assert complaint in str(error.value)
    assert "0 to 29" in str(error.value)


def test_auto_is_looked_up_only_when_asked_for() -> None:
    def choose() -> tuple[int, ...]:
        calls.append(1)
        return (4, 5)

    calls: list[int] = []
    assert parse_layers("3", 30, choose) == (3,)
    assert not calls
    assert parse_layers("auto", 30, choose) == (4, 5)
    assert parse_layers(" Auto", 30, (7,)) == (7,)
    assert calls == [1]


@pytest.mark.parametrize(
    ("layers", "text"),
    [((), "none"), (range(30), "all"), ((26, 27, 28, 29), "26-29"), ((9, 3, 5), "3,5,9"),
     ((1, 2, 3, 7), "1-3,7"), ((0,), "0")],
)  # fmt: skip
def test_layer_lists_are_written(layers: Iterable[int], text: str) -> None:
    assert format_layers(layers, 30) == text


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_written_layer_lists_are_read_back(case: tuple[int, set[int]]) -> None:
    n_layers, layers = case
    assert parse_layers(format_layers(layers, n_layers), n_layers) == tuple(sorted(layers))
