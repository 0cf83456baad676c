"""Figures of what a token knows: exact noughts, forbidden boxes, letters for an audience."""

import re
from dataclasses import replace

import numpy as np
import pytest

from analysis.experiments.causal import Attention, Gates, Movement
from analysis.figures import attention, causal, theme
from analysis.rerouting.plan import Head, Plan

RNG = np.random.default_rng(0)
TOKENS = ("<b>bold</b> & brave", '<a href="javascript:alert(1)">here</a>', "x" * 200, "1 < 2 > 0")
SEEN = np.tri(4, dtype=bool)
MOVEMENT = Movement(
    TOKENS,
    (True, False, False, False),
    ("<b>a", "b"),
    (9, 8),
    np.zeros((11, 4)),
    RNG.uniform(0.1, 1, (11, 4)),
    Plan((2, 3)),
)
ATTENTION = Attention(
    TOKENS,
    2,
    (SEEN * RNG.uniform(0, 0.2, (4, 4, 4))).astype(np.float32),
    SEEN,
    RNG.uniform(0, 0.2, (4, 4)).astype(np.float32),
)
GATES = Gates(TOKENS, (2, 3), RNG.uniform(0, 1, (2, 4, 4)).astype(np.float32))


def test_strips_write_an_exact_nought_and_texts_as_they_are() -> None:
    plain, rerouted = (causal.movement_strip(MOVEMENT, rerouted=r) for r in (False, True))
    written = [re.findall(r"<b [^>]*>([^<]*)</b>", strip) for strip in (plain, rerouted)]
    assert written[0] == ["0"] * 4
    assert written[1] == [f"{distance:.3f}" for distance in MOVEMENT.rerouted[-1]]
    assert "background" not in plain
    assert rerouted.count("background") == 4
    for strip in (plain, rerouted):
        assert "&lt;b&gt;bold&lt;/b&gt; &amp; brave" in strip
        assert "\u2026&lt;b&gt;a</span>" in strip
        assert "<a " not in strip
        assert 'dir="ltr"' in strip
    arabic = replace(MOVEMENT, tokens=("\u0639 1/2", "\u0639 2/2", "\u064a\u0646", " "))
    assert 'dir="rtl"' in causal.movement_strip(arabic, rerouted=True)


@pytest.mark.parametrize(
    ("distance", "text"),
    [(0, "0"), (1e-7, "1e-07"), (4e-4, "4e-04"), (0.0123, "0.012"), (2, "2.000")],
)
def test_nothing_but_nought_is_written_as_nought(distance: float, text: str) -> None:
    assert causal.moved_by(distance) == text


def test_the_triangle_leaves_out_what_is_forbidden_and_frames_the_pair() -> None:
    assert ATTENTION.prefix is not None
    figure = attention.attention_triangle(ATTENTION, 1, shared=3)
    forbidden, seen, pair = figure.data
    np.testing.assert_array_equal(np.isnan(forbidden.z), SEEN)
    np.testing.assert_array_equal(np.isnan(seen.z), ~SEEN)
    np.testing.assert_allclose(seen.z[SEEN] ** 2, 100 * ATTENTION.weights[1][SEEN], rtol=1e-5)
    np.testing.assert_allclose(seen.customdata[SEEN], 100 * ATTENTION.weights[1][SEEN], rtol=1e-5)
    np.testing.assert_allclose(pair.customdata[:, 0], 100 * ATTENTION.prefix[1], rtol=1e-6)
    assert max(pair.x) < min(seen.x) - 0.4
    frame, *dotted = figure.layout.shapes
    assert (frame.x0, frame.x1) == tuple(pair.x)
    assert [(line.x0, line.y0) for line in dotted] == [(2.5, -0.5), (-2, 2.5)]
    table = attention.attention_table(ATTENTION)
    assert table.iloc[0, 3:].isna().all()
    np.testing.assert_allclose(table["re-routed pair"], 100 * ATTENTION.prefix.mean(0), rtol=1e-6)
    plain = attention.attention_triangle(replace(ATTENTION, prefix=None))
    assert len(plain.data) == 2
    assert "re-routed pair" not in plain.layout.xaxis.ticktext


def test_gates_of_one_head_and_of_all_start_at_nought() -> None:
    for head, expected in ((None, GATES.values.mean(1)), (2, GATES.values[:, 2])):
        (heat,) = attention.gate_map(GATES, head).data
        np.testing.assert_allclose(heat.z, 100 * expected, rtol=1e-6)
        assert heat.zmin == 0 < heat.zmax
        table = attention.gate_table(GATES, head)
        np.testing.assert_allclose(table["layer 3 (%)"], 100 * expected[1], rtol=1e-6)


def test_two_heads_stand_one_below_the_other_on_one_scale() -> None:
    heads = {"Head 3.1": Head(3, 1), "Head 2.0": Head(2, 0)}
    figure = attention.gates_of_heads(GATES, heads)
    expected = {"Head 3.1": GATES.values[1, 1], "Head 2.0": GATES.values[0, 0]}
    table = attention.gates_of_heads_table(GATES, heads)
    for bars in figure.data:
        np.testing.assert_allclose(bars.y, 100 * expected[bars.name], rtol=1e-6)
        np.testing.assert_allclose(table[f"{bars.name} (%)"], bars.y)
    assert [note.text for note in figure.layout.annotations] == [*heads]
    assert figure.layout.yaxis2.matches == "y"


def test_an_enlarged_figure_has_the_same_data_in_larger_letters() -> None:
    small = attention.attention_triangle(ATTENTION)
    large = causal.enlarged(small, 540)
    for bigger, trace in zip(large.data, small.data, strict=True):
        np.testing.assert_array_equal(bigger.z, trace.z)
        np.testing.assert_array_equal(bigger.x, trace.x)
    assert large.layout.height == 540
    assert large.layout.xaxis.tickfont.size == causal.LARGE
    assert large.layout.yaxis.tickfont.size <= causal.LARGE
    assert large.layout.coloraxis.colorbar.tickfont.size == causal.LARGE
    assert small.layout.xaxis.tickfont.size is None


def test_letters_on_every_colour_of_the_strips_stand_out() -> None:
    """As AA asks for, 4.5 : 1."""
    for share in np.linspace(0, 1, 301):
        style = dict(part.split(":") for part in causal._filled(share)[:-1].split(";"))
        ink = {"#000": 0.0, "#fff": 1.0}[style["color"]]
        low, high = sorted((ink, theme.luminance(style["background"])))
        assert (high + 0.05) / (low + 0.05) >= 4.5
    assert theme.luminance("rgb(255, 255, 255)") == pytest.approx(1)
    assert theme.luminance("rgb(128.0, 132.0, 149.0)") == pytest.approx(0.232, abs=1e-3)
