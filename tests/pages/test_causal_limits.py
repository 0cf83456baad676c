"""The page on causal limits: its steps, examples, triangle and the view for an audience."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from analysis.backbones.backbone import Backbone, load
from analysis.corpora import registry
from analysis.embedding import methods
from analysis.embedding.prompts import BARE
from analysis.experiments import causal as causality
from analysis.experiments import head_choices
from analysis.experiments.score import score
from analysis.experiments.sensitivity import sensitivity
from analysis.figures import causal
from analysis.rerouting.plan import PLAIN, Plan
from pages.shared.causal_steps import STEPS
from pages.shared.example_sentences import EXAMPLES
from tests.support import encoding, tiny_models
from tests.support.visits import (
    charts,
    downloads,
    metric,
    numbers,
    opened,
    press,
    sentence,
    shown,
    tables,
    turn_to,
    typed,
    unfolded,
    well,
)

NAMES = tuple(STEPS)
smollm2_page = pytest.mark.weights


def strips(app: AppTest) -> list[list[tuple[str, str]]]:
    """Each strip's tokens with the numbers written under them."""
    bodies = [element.proto.body for element in app.get("html")]
    return [
        re.findall(r"<span>([^<]*)</span><b [^>]*>([^<]*)</b>", body)
        for body in bodies
        if body.startswith("<div dir=")
    ]


def step_to(app: AppTest, name: str) -> AppTest:
    """The same visit at another step."""
    return well(app.segmented_control(key="step").set_value(name).run())


def triangle(app: AppTest) -> list[NDArray[np.float64]]:
    """The shares in per cent that the first figure shows: among tokens, and the pair's."""
    _, *shares = charts(app)[0]["data"]
    return [numbers(trace["customdata"]) for trace in shares]


# On SmolLM2


@pytest.mark.slow
@smollm2_page
def test_early_tokens_of_the_plain_model_stay_exactly_and_rerouted_ones_move() -> None:
    app = well(opened())
    plain, rerouted = strips(app)
    assert [token for token, _ in plain] == [token for token, _ in rerouted]
    assert [token for token, _ in plain][2:] == ["She", "walked", "to", "the", "bank", "to"]
    assert {number for _, number in plain} == {"0"}
    moved = [float(number) for _, number in rerouted]
    assert min(moved) > 0
    assert metric(app, "Plain model") == "0"
    assert float(metric(app, "Re-routed")) == pytest.approx(np.mean(moved), abs=1e-3)
    (table,) = (t.value for t in unfolded(app).dataframe)
    assert (table["plain"] == 0).all()
    assert list(table.columns) == ["token", "control token", "plain", "re-routed"]
    assert downloads(app)[:2] == ["CSV", "HTML"]


@pytest.mark.slow
@smollm2_page
def test_examples_fill_both_sentences_and_the_prompt_can_be_left_out() -> None:
    app = opened()
    app.selectbox(key="example").set_value("German, verb particle: zu, ab").run()
    assert app.text_input(key="causal_first").value == "Sie sagte das Treffen am Montag zu."
    assert "She cancelled the meeting on Monday." in shown(well(app))
    within = len(strips(app)[0])
    app.toggle(key="causal_prompt").set_value(False).run()
    assert len(strips(well(app))[0]) < within
    assert {number for _, number in strips(app)[0]} == {"0"}
    app.text_input(key="causal_second").set_value("Sie sagte nichts.").run()
    assert "She cancelled" not in shown(well(app)), "glosses are the examples' own"


@pytest.mark.slow
@smollm2_page
def test_the_story_is_told_where_something_is_to_be_seen_unless_layers_were_chosen() -> None:
    app = well(opened())
    told = float(metric(app, "Re-routed at layers 10-13"))
    assert "The story re-routes layers 10-13" in shown(app)
    assert "--layers=10-13" in unfolded(app).code[0].value
    app.toggle(key="causal_rule").set_value(True).run()
    late = float(metric(well(app), "Re-routed at layer 29"))
    assert told > 2 * late
    assert "The story re-routes" not in shown(app)
    app = well(opened(layers="28-29"))
    assert 0 < float(metric(app, "Re-routed at layers 28-29")) < told
    assert not [toggle for toggle in app.toggle if toggle.key == "causal_rule"]


@smollm2_page
def test_examples_share_a_beginning_and_turn_at_their_end(smollm2: Backbone) -> None:
    assert len(EXAMPLES) >= 10
    assert len({example.language for example in EXAMPLES.values()}) >= 5
    kinds = {example.kind for example in EXAMPLES.values()}
    assert {"homonym", "negation", "attachment", "garden path"} <= kinds
    assert len({example.label for example in EXAMPLES.values()}) == len(EXAMPLES)
    for example in EXAMPLES.values():
        assert (example.gloss is None) == (example.language == "English")
        one, other = (smollm2.tokenizer(text).input_ids for text in (example.first, example.second))
        shared = next(i for i, (x, y) in enumerate(zip(one, other, strict=False)) if x != y)
        assert shared >= 3, example.label
        named = causality.pieces(smollm2, tuple(one))
        assert not any("\ufffd" in piece or "(part)" in piece for piece in named), example.label


@pytest.mark.slow
@smollm2_page
def test_what_it_costs_is_said_with_the_plans_score() -> None:
    app = well(opened(step=NAMES[4]))
    assert "On lee50: " in shown(app)
    assert re.search(r"on 1,225 pairs", shown(app))


# The steps, on a tiny backbone


@pytest.mark.slow
def test_back_and_next_walk_through_every_step(tiny_llama: dict[str, str]) -> None:
    app = well(opened(**tiny_llama))
    assert app.button(key="step_back").disabled
    for name in NAMES[1:]:
        well(app.button(key="step_next").click().run())
        assert app.segmented_control(key="step").value == name
        assert app.query_params["step"] == name
        assert strips(app) or charts(app) or name == NAMES[6]  # which asks before it computes
    assert "Next" not in [button.label for button in app.button]
    well(app.button(key="step_back").click().run())
    assert app.segmented_control(key="step").value == NAMES[-2]
    well(app.button(key="step_next").click().run())
    press(app, "Start again")
    assert app.segmented_control(key="step").value == NAMES[0]


def test_a_link_restores_the_view_and_never_holds_a_text(tiny_llama: dict[str, str]) -> None:
    example = "French, negation: pas, que"
    chosen = {
        "step": NAMES[2],
        "example": example,
        "layer": "3",
        "head": "1",
        "ending": "sentence B",
        "presenter": "true",
        "causal_prompt": "false",
    }
    app = well(opened(**tiny_llama | chosen))
    assert app.segmented_control(key="step").value == NAMES[2]
    assert app.text_input(key="causal_first").value == EXAMPLES[example].first
    assert app.selectbox(key="layer").value == 3
    assert app.selectbox(key="head").value == 1
    assert app.segmented_control(key="ending").value == "sentence B"
    assert app.toggle(key="presenter").value
    assert not app.toggle(key="causal_prompt").value
    app.text_input(key="causal_first").set_value("Elle ne lit rien que nous sachions.").run()
    assert not [v for v in dict(well(app).query_params).values() if "sachions" in str(v)]


def test_bad_values_in_a_link_open_the_first_step(tiny_llama: dict[str, str]) -> None:
    app = well(
        opened(**tiny_llama | {"step": "9 Nothing", "example": "<b>", "causal_prompt": "maybe"})
    )
    assert app.segmented_control(key="step").value == NAMES[0]
    assert len(strips(app)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt_oss"])
def test_the_triangle_is_the_librarys(
    folder_of: Callable[[str], str],
    nothing_stored: None,  # noqa: ARG001
    family: str,
) -> None:
    backbone, plan = load(folder_of(family)), Plan((2, 3))
    app = well(opened(backbone=folder_of(family), layers="2-3", step=NAMES[1]))
    text = typed(app, "causal_first")
    for asked, layer in (("auto", 2), (5, 5)):
        app.selectbox(key="layer").set_value(asked).run()
        expected = causality.attention(backbone, text, layer)
        (shares,) = triangle(well(app))
        np.testing.assert_allclose(
            shares[expected.visible], 100 * expected.weights.mean(0)[expected.visible], rtol=1e-5
        )
        assert np.isnan(shares[~expected.visible]).all()
        assert np.isnan(shares[np.triu_indices(len(shares), 1)]).all()
    assert ("sink" in shown(app)) == (family == "gpt_oss")
    app.selectbox(key="layer").set_value("auto").run()
    app.selectbox(key="head").set_value(3).run()
    app.segmented_control(key="ending").set_value("sentence B").run()
    step_to(app, NAMES[2])
    expected = causality.attention(backbone, typed(app, "causal_second"), 2, plan)
    assert expected.prefix is not None
    shares, pair = triangle(app)
    np.testing.assert_allclose(pair[:, 0], 100 * expected.prefix[3], rtol=1e-5)
    np.testing.assert_allclose(
        shares[expected.visible], 100 * expected.weights[3][expected.visible], rtol=1e-5
    )
    assert f"{100 * expected.prefix.mean():.1f}% of the attention" in shown(app)


@pytest.mark.slow
def test_layers_that_are_not_rerouted_have_no_column(tiny_llama: dict[str, str]) -> None:
    app = well(opened(**tiny_llama | {"step": NAMES[2]}))
    assert len(triangle(app)) == 2
    app.selectbox(key="layer").set_value(4).run()
    assert len(triangle(well(app))) == 1
    assert "Layer 4 is not re-routed" in shown(app)
    app.text_input(key="layers").set_value("none").run()
    assert not charts(well(app))
    assert "no such column" in shown(app)
    for name in NAMES[3:5]:
        step_to(app, name)
    assert set(charts(app)[0]["data"][0]["y"]) == {"last-token", "mean", "prompt-only"}
    step_to(app, NAMES[5])
    assert len(charts(app)) == 1, "the words of the plain model"
    step_to(app, NAMES[0])
    assert len(strips(app)) == 1


def test_the_news_spreads_from_the_first_rerouted_layer(tiny_llama: dict[str, str]) -> None:
    app = well(opened(**tiny_llama | {"step": NAMES[3]}))
    movement, gates = (numbers(figure["data"][0]["z"]) for figure in charts(app))
    assert movement.shape[0] == tiny_models.LAYERS + 1
    assert (movement[:3] == 0).all()
    assert (movement[3:] > 0).all()
    found = causality.gates(load(tiny_llama["backbone"]), typed(app, "causal_first"), Plan((2, 3)))
    np.testing.assert_allclose(gates, 100 * found.values.mean(1), rtol=1e-5)
    app.selectbox(key="head").set_value(2).run()
    gates = numbers(charts(well(app))[1]["data"][0]["z"])
    np.testing.assert_allclose(gates, 100 * found.values[:, 2], rtol=1e-5)


def test_the_two_texts_cosines_are_the_librarys(tiny_llama: dict[str, str]) -> None:
    app = well(opened(own_pairs=True, **tiny_llama | {"step": NAMES[4]}))
    (bars,) = charts(app)[0]["data"]
    texts = [typed(app, key) for key in ("causal_first", "causal_second")]
    backbone = load(tiny_llama["backbone"])
    for name, value in zip(bars["y"], numbers(bars["x"]), strict=True):
        one, other = encoding.embeddings(backbone, texts, methods.METHODS[name].under(Plan((2, 3))))
        assert value == pytest.approx(float(one @ other), abs=1e-6)
    assert "The pages *Re-routing* and *Similarity* measure this." in shown(app)
    tokens = len(causality.gates(backbone, texts[0], PLAIN).tokens)
    assert metric(app, "Boxes") == f"{sum(range(tokens + 1)):,}"
    assert metric(app, "With the") == f"{sum(range(tokens + 1)) + tokens:,}"


@pytest.mark.slow
def test_a_head_that_helps_stands_beside_one_that_harms(tiny_llama: dict[str, str]) -> None:
    app = well(opened(**tiny_llama | {"step": NAMES[6]}))
    assert not charts(app), "four passes are not run unasked"
    press(app, "Find the two heads")
    backbone, pairs = load(tiny_llama["backbone"]), registry.load_pairs("lee50")
    found = sensitivity(backbone, pairs)
    ends = head_choices.extremes(found.values)
    assert ends is not None
    before, *after = score(
        backbone,
        pairs,
        [methods.DEFAULT.under(plan) for plan in (PLAIN, *(Plan(heads=(head,)) for head in ends))],
    )
    together = Plan(heads=tuple(sorted(ends)))
    gates = causality.gates(backbone, typed(app, "causal_first"), together)
    for bars, head, each in zip(charts(app)[0]["data"], ends, after, strict=True):
        name = f"Head {head.layer}.{head.head}"
        assert bars["name"] == name
        change = each.first.value - before.first.value
        assert float(metric(app, f"{name} alone, on lee50")) == pytest.approx(change, abs=0.051)
        shares = gates.values[gates.layers.index(head.layer), head.head]
        np.testing.assert_allclose(numbers(bars["y"]), 100 * shares, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[:6])
def test_presenting_enlarges_and_leaves_out_the_small_print(
    tiny_llama: dict[str, str], name: str
) -> None:
    app = well(opened(**tiny_llama | {"step": name}))
    assert tables(app)
    drawn = len(charts(app))
    app.toggle(key="presenter").set_value(True).run()
    assert len(charts(well(app))) == drawn
    assert not tables(app)
    assert not app.main.caption[1:], "what the app is stands above, and is not seen"
    assert not [e for e in app.expander if e.label == "Glossary"]
    assert any("font-size: 24px" in element.proto.body for element in app.get("html"))
    for figure in charts(app):
        assert figure["layout"]["xaxis"]["tickfont"]["size"] == causal.LARGE
    app.toggle(key="presenter").set_value(False).run()
    assert tables(app)
    assert not any("24px" in element.proto.body for element in well(app).get("html"))


@pytest.mark.slow
def test_typed_texts_and_the_example_stay_when_one_looks_around(
    tiny_llama: dict[str, str],
) -> None:
    app = opened(own_pairs=True, **tiny_llama)
    app.selectbox(key="example").set_value("English, garden path: raced").run()
    app.text_input(key="causal_second").set_value(
        "The horse raced past the <b>barn</b> & back."
    ).run()
    turn_to(app, "rerouting")
    turn_to(app, "causal_limits")
    assert (
        app.text_input(key="causal_second").value == "The horse raced past the <b>barn</b> & back."
    )
    assert app.selectbox(key="example").value == "your own sentences"
    again = well(app.selectbox(key="example").set_value("English, garden path: raced").run())
    assert typed(again, "causal_second") == EXAMPLES["English, garden path: raced"].second
    app.text_input(key="causal_second").set_value("The horse raced past the <b>barn</b>.").run()
    bodies = "".join(element.proto.body for element in well(app).get("html"))
    assert "&lt;b&gt;" in bodies
    assert "<b>barn" not in bodies


# What is said of bad input


@pytest.mark.parametrize(
    ("first", "second", "prompted", "said"),
    [
        ("", "A text.", True, "empty"),
        ("A text.", "   ", True, "empty"),
        ("The same.", "The same.", True, "the same"),
        ("Cats sleep.", "9 dogs bark.", False, "share no beginning"),
    ],
)
def test_sentences_that_cannot_be_compared(
    tiny_llama: dict[str, str], first: str, second: str, prompted: bool, said: str
) -> None:
    app = opened(**tiny_llama)
    app.toggle(key="causal_prompt").set_value(prompted)
    app.text_input(key="causal_first").set_value(first)
    app.text_input(key="causal_second").set_value(second).run()
    assert said in sentence(app)
    assert app.title[0].value == "What can an early token know?"


@pytest.mark.slow
def test_attention_that_cannot_be_seen_is_a_sentence(
    folder_of: Callable[[str], str],
    nothing_stored: None,  # noqa: ARG001
) -> None:
    app = opened(backbone=folder_of("falcon"), step=NAMES[1])
    assert "The attention of" in sentence(app)
    assert "falcon cannot be re-routed" in sentence(app)
    for name in (NAMES[0], *NAMES[2:]):
        step_to(app, name)


@pytest.mark.slow
def test_one_text_may_be_long_and_the_other_short(tiny_llama: dict[str, str]) -> None:
    app = opened(**tiny_llama | {"step": NAMES[1], "causal_prompt": "false"})
    app.text_input(key="causal_first").set_value("The old").run()
    app.text_input(key="causal_second").set_value("The old " + "bridge " * 40).run()
    (shares,) = triangle(well(app))
    assert len(shares) == len(
        causality.gates(load(tiny_llama["backbone"]), "The old", PLAIN, template=BARE).tokens
    )
