"""The map of heads: a square each, its colour, its frame, and the curve above it."""

import numpy as np
import pytest

from analysis.figures import heads as head_figures
from analysis.figures.heads import HeadValues, head_map, head_table
from analysis.figures.theme import SELECTED
from analysis.rerouting.plan import Head

VALUES = np.array([[50.0, -60], [1, -2], [3, np.nan], [0, 0.5], [np.nan, np.nan]])
PLACES = [divmod(number, 2) for number in range(VALUES.size)]
DERIVATIVES = HeadValues(VALUES, "derivative", missing="unknown")
REROUTABLE = (0, 1, 2, 3)


def test_a_head_is_a_square_and_the_chosen_ones_are_framed() -> None:
    known, unknown = head_map(DERIVATIVES, [Head(2, 0)], REROUTABLE, bias=2.0).data
    for trace, has_value in ((known, True), (unknown, False)):
        places = [place for place in PLACES if np.isfinite(VALUES[place]) == has_value]
        assert list(trace.x) == [layer for layer, _ in places]
        assert [base + 0.4 for base in trace.base] == pytest.approx([head for _, head in places])
        assert [tuple(one) for one in trace.customdata] == [(f"{a}.{b}", 2.0) for a, b in places]
        framed = [width > 1 for width in trace.marker.line.width]
        assert framed == [place == (2, 0) for place in places]
        assert [one == 1 for one in trace.marker.opacity] == [layer != 4 for layer, _ in places]
    assert (known.marker.cmin, known.marker.cmax) == (-3, 3), "the first fifth does not stretch"
    assert known.marker.colorbar.ticktext == ("-3<br>or less", "0", "+3<br>or more")
    notes = [*known.hovertext, *unknown.hovertext]
    assert "layer 2, head 0<br>derivative +3<br>re-routed" in notes
    assert "layer 2, head 1<br>unknown" in notes
    assert "layer 4, head 1<br>cannot be re-routed" in notes


def test_a_table_has_a_row_for_each_head_that_can_be_rerouted() -> None:
    table = head_table(DERIVATIVES, [Head(2, 0)], REROUTABLE)
    assert len(table) == 8
    known = VALUES[np.isfinite(VALUES)]
    assert table["derivative"].dropna().tolist() == sorted(known, reverse=True)
    assert table["derivative"].isna().tolist() == [False] * 7 + [True]
    assert table.loc[table["chosen"], ["layer", "head"]].to_numpy().tolist() == [[2, 0]]


def test_shares_begin_at_nothing_and_intervals_are_said() -> None:
    gates = HeadValues(
        np.array([[np.nan, 3.0], [1, 2]]),
        *("mean gate (%)", np.zeros((2, 2)), np.full((2, 2), 9.0)),
        signed=False,
        form=".1f",
    )
    known, _ = head_map(gates, [], (0, 1)).data
    assert (known.marker.cmin, known.marker.cmax) == (0, 3)
    assert "mean gate (%) 1.0, interval 0.0 to 9.0" in known.hovertext[1]
    assert list(head_table(gates, [], (0, 1)).columns) == [
        *("layer", "head", "mean gate (%)", "low", "high", "chosen")
    ]


def test_the_curve_stands_above_the_map_on_the_same_axis() -> None:
    dims = np.array([9.0, 8, np.nan, 6, 5])
    figure = head_map(DERIVATIVES, [Head(2, 0)], REROUTABLE, dims)
    curve, *squares = figure.data
    np.testing.assert_array_equal(curve.y, dims)
    assert list(curve.x) == list(range(5))
    assert {square.yaxis for square in squares} == {"y2"}
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range
    assert figure.layout.xaxis.domain == figure.layout.xaxis2.domain
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]
    assert len(head_map(DERIVATIVES, [], REROUTABLE, np.full(5, np.nan)).data) == 2


def test_where_only_the_choice_is_shown_the_chosen_are_filled() -> None:
    (squares,) = head_map(HeadValues(np.full((3, 2), np.nan)), [Head(1, 1)], range(3)).data
    filled = [colour for colour in squares.marker.color if colour == SELECTED]
    assert len(filled) == 1
    assert squares.marker.color[3] == SELECTED


def test_rows_of_more_heads_than_any_decoder_has_are_not_drawn() -> None:
    rows = [{"layer": 9999, "head": 9999, "value": 1.0, "chosen": False}]
    assert head_figures.map_of(rows, "value", "value") is None
