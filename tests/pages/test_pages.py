"""Every page as a visitor meets it, run by Streamlit's own test harness.

What opens by default is looked at on the real SmolLM2, whose results ship; what has to be
computed is computed on a backbone of six tiny layers or on a handful of short texts.
"""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analysis.backbones import backbone, catalog
from analysis.backbones.backbone import Backbone
from analysis.corpora import columns, packaged, parsing, registry
from analysis.corpora.tables import Table
from analysis.dimension import selection
from analysis.embedding import methods
from analysis.experiments import dimension, long_texts
from analysis.experiments.score import OPENING_METHODS, score
from analysis.rerouting import layer_lists
from analysis.rerouting.plan import Plan
from tests.support import tiny_models
from tests.support.visits import (
    OWN_PAIRS,
    charts,
    metric,
    numbers,
    opened,
    press,
    sentence,
    show_tab,
    shown,
    turn_to,
    type_backbone,
    typed,
    unescaped,
    unfolded,
    upload,
    well,
)

TITLES = {
    "causal_limits": "What can an early token know?",
    "intrinsic_dimension": "Where does the model compress?",
    "rerouting": "What does re-routing change, layer by layer?",
    "embedding_space": "How does the embedding space change?",
    "similarity": "Does it score better?",
    "long_texts": "Does it hold up on long texts?",
    "layer_ablation": "Was the automatic choice a good one?",
}
CHARTS = {
    "causal_limits": 0,
    "intrinsic_dimension": 3,
    "rerouting": 2,
    "embedding_space": 2,
    "similarity": 1,
    "long_texts": 2,
    "layer_ablation": 2,
}
smollm2 = pytest.mark.weights


@pytest.fixture(scope="module")
def loaded() -> Backbone:
    """SmolLM2 as the pages load it by default."""
    return backbone.load(dtype="float32")


@pytest.fixture(scope="module")
def automatic(loaded: Backbone) -> Plan:
    """What the sidebar's auto stands for."""
    return Plan(dimension.dimensions(loaded, registry.load_texts(packaged.CALIBRATION)).selected())


@pytest.mark.slow
@pytest.mark.parametrize(("family", "slow"), [("gemma2", True), ("llama", False)])
def test_the_side_says_where_the_concatenated_form_serves(
    folder_of: Callable[[str], str],
    nothing_stored: None,  # noqa: ARG001
    family: str,
    slow: bool,
) -> None:
    app = well(opened(backbone=folder_of(family), layers="2-3"))
    assert ("puts the pair in front of the others" in shown(app)) == slow


FEW_QUERIES = "long_texts_most_chatterbot-answers"
"""The widget that says how many queries the page on long texts scores."""


# What opens by default, on SmolLM2


@pytest.mark.slow
@smollm2
@pytest.mark.parametrize("page", TITLES)
def test_every_page_opens_with_its_question_and_its_figures(page: str) -> None:
    app = well(opened(page))
    assert [title.value for title in app.title] == [TITLES[page]]
    drawn = charts(app)
    assert len(drawn) == CHARTS[page]
    for figure in drawn:
        assert figure["data"]
    first = app.markdown[:2]  # the sentence that says what to look at, perhaps behind the tour's
    assert any("**" in said.value for said in first)
    assert "SmolLM2" in shown(app) or "smollm2" in str(app.selectbox(key="backbone").value)
    assert not [w for w in app.warning if "re-routed:" in w.value]


@pytest.mark.slow
@smollm2
@pytest.mark.parametrize("page", [page for page in TITLES if page != "causal_limits"])
def test_what_a_page_opens_with_says_what_made_it(page: str) -> None:
    assert re.search(r"float32 on cpu|float16|bfloat16", shown(opened(page)))


@pytest.mark.slow
@smollm2
def test_the_curve_has_a_point_and_a_band_for_every_layer(loaded: Backbone) -> None:
    app = well(opened("intrinsic_dimension"))
    band, curve = charts(app)[0]["data"][:2]
    found = dimension.dimensions(loaded, registry.load_texts(packaged.CALIBRATION))
    np.testing.assert_allclose(numbers(curve["y"]), found.curve.dims)
    assert len(numbers(curve["x"])) == 30
    assert band["fill"] == "toself"
    np.testing.assert_allclose(
        numbers(band["y"]), [*found.curve.high, *found.curve.low[::-1]], rtol=1e-12
    )
    (bars,) = (trace for trace in charts(app)[0]["data"] if trace["type"] == "bar")
    np.testing.assert_allclose(numbers(bars["y"]), 100 * found.frequency())
    words = layer_lists.layers_in_words(found.selected(), 30)
    assert metric(app, "The rule selects") == words.replace("layer", "Layer")


@pytest.mark.slow
@smollm2
@pytest.mark.parametrize("rule", selection.RULES)
def test_the_rule_decides_what_auto_means(loaded: Backbone, rule: str) -> None:
    app = opened("intrinsic_dimension")
    app.selectbox(key="rule").set_value(rule).run()
    well(app)
    found = dimension.dimensions(loaded, registry.load_texts(packaged.CALIBRATION)).selected(rule)
    text = layer_lists.format_layers(found, 30)
    assert metric(app, "The rule selects").split() == [f"Layer{'s' * (len(found) > 1)}", text]
    assert f"Re-routed now: {text}." in shown(app)


@pytest.mark.slow
@smollm2
def test_the_layers_taken_from_the_curve_stay_the_plan_on_every_page() -> None:
    app = opened("intrinsic_dimension", layers="none")
    assert "Re-routed now: none." in shown(app)
    found = metric(app, "The rule selects").split()[-1]
    press(app, "Use layer")
    for page in ("intrinsic_dimension", "causal_limits", "similarity"):
        well(turn_to(app, page))
        assert app.text_input(key="layers").value == found
        assert f"Re-routed now: {found}." in shown(app)
    assert app.query_params["layers"] == found


@pytest.mark.slow
@smollm2
def test_the_scores_shown_are_the_librarys(loaded: Backbone, automatic: Plan) -> None:
    pairs = registry.load_pairs("lee50")
    app = well(opened("rerouting"))
    before, after = score(loaded, pairs, [methods.DEFAULT, methods.DEFAULT.under(automatic)])
    assert metric(app, "Nothing re-routed") == f"{before.first.value:.1f}"
    assert metric(app, "Re-routed") == f"{after.first.value:.1f}"
    assert "1,225 pairs of 50 texts" in shown(app)
    turn_to(app, "similarity")
    points = charts(well(app))[0]
    (trace,) = points["data"]
    drawn = dict(zip(trace["y"], numbers(trace["x"]), strict=True))
    assert set(drawn) == set(OPENING_METHODS)
    for name, value in drawn.items():
        (one,) = score(loaded, pairs, [methods.METHODS[name].under(automatic)])
        assert value == one.measure("Spearman").value


@pytest.mark.slow
@smollm2
def test_the_sweep_that_ships_is_whole() -> None:
    app = well(opened("layer_ablation"))
    assert not [b for b in app.button if b.label.startswith("Score the")]
    windows = charts(app)[0]["data"]
    assert sorted(x for trace in windows for x in numbers(trace["x"])) == list(range(30))
    assert [len(numbers(trace["x"])) for trace in windows if "automatic" in trace["name"]] == [1]
    app.segmented_control(key="ablation_search").set_value("single layers").run()
    assert not [b for b in well(app).button if b.label.startswith("Score the")]
    singles = charts(app)[0]["data"]
    assert sorted(x for trace in singles for x in numbers(trace["x"])) == list(range(30))


# Choices that are computed as one watches


def test_a_link_restores_every_shared_choice(tiny_llama: dict[str, str]) -> None:
    query = tiny_llama | {"bias": "2.5", "rule": "lowest", "pairs": "lee50", "dtype": "bfloat16"}
    app = well(opened(**query))
    assert app.text_input(key="layers").value == "2-3"
    assert app.slider(key="bias").value == 2.5
    assert app.selectbox(key="rule").value == "lowest"
    assert app.selectbox(key="dtype").value == "bfloat16"
    assert "Re-routed now: 2-3." in shown(app)
    assert "Running in bfloat16: as requested." in shown(app)


def test_flipping_a_switch_changes_the_plan_and_the_score(tiny_llama: dict[str, str]) -> None:
    app = opened("rerouting", own_pairs=True, **tiny_llama)
    well(app)
    assert "10 pairs" in shown(app)
    seen = {typed(app, "layers"): metric(app, "Re-routed")}
    plain = metric(app, "Nothing re-routed")
    for layer, text in ((5, "2-3,5"), (2, "3,5")):
        switches = app.pills(key="switches")
        (switches.unselect if layer in (switches.value or ()) else switches.select)(layer)
        well(app.run())
        assert app.text_input(key="layers").value == text
        assert app.pills(key="switches").value == list(layer_lists.parse_layers(text, 6))
        assert f"Re-routed now: {text}." in shown(app)
        assert metric(app, "Nothing re-routed") == plain
        seen[text] = metric(app, "Re-routed")
    pairs = columns.read_pairs("own.tsv", OWN_PAIRS.encode())
    small = backbone.load(tiny_llama["backbone"])
    for text, value in seen.items():
        plan = Plan(layer_lists.parse_layers(text, 6))
        (scored,) = score(small, pairs, [methods.DEFAULT.under(plan)])
        assert value == f"{scored.first.value:.1f}"
    assert len(set(seen.values())) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "text", "now"),
    [
        ("None", "none", "none"),
        ("All", "all", "all"),
        ("First third", "0-1", "0-1"),
        ("Middle third", "2-3", "2-3"),
        ("Last third", "4-5", "4-5"),
    ],
)
def test_presets(tiny_llama: dict[str, str], preset: str, text: str, now: str) -> None:
    app = opened("rerouting", own_pairs=True, **tiny_llama | {"layers": "0"})
    press(app, preset)
    well(app)
    assert app.text_input(key="layers").value == text
    assert f"Re-routed now: {now}." in shown(app)
    if preset == "None":
        assert metric(app, "Re-routed") == metric(app, "Nothing re-routed")
        assert "both scores are the same" in shown(app)


@pytest.mark.slow
def test_the_bias_changes_the_gate_and_the_score(tiny_llama: dict[str, str]) -> None:
    app = opened("rerouting", own_pairs=True, **tiny_llama)
    gates = {}
    for bias in (-4.0, 1.0, 6.0):
        app.slider(key="bias").set_value(bias).run()
        (heat,) = charts(well(app))[1]["data"]
        gates[bias] = numbers(heat["z"])
        assert heat["y"] == ["2", "3"]
    assert (gates[-4.0] < gates[1.0]).all()
    assert (gates[1.0] < gates[6.0]).all()
    assert gates[6.0].max() <= 100


@pytest.mark.slow
def test_leaving_layers_out_one_by_one(tiny_llama: dict[str, str]) -> None:
    app = opened("rerouting", own_pairs=True, **tiny_llama)
    app.toggle(key="one_by_one").set_value(True).run()
    (table,) = (t.value for t in well(app).dataframe if "contribution" in t.value)
    assert table["layer"].tolist() == [2, 3]
    assert (table["low"] <= table["contribution"]).all()
    assert (table["contribution"] <= table["high"]).all()
    after = float(metric(app, "Re-routed"))
    np.testing.assert_allclose(table["contribution"] + table["score without it"], after, atol=0.06)


@pytest.mark.slow
def test_a_sweep_is_started_scored_and_kept(tiny_llama: dict[str, str]) -> None:
    app = opened("layer_ablation", own_pairs=True, **tiny_llama)
    app.segmented_control(key="ablation_search").set_value("single layers").run()
    assert "Score the" in "".join(button.label for button in well(app).button)
    press(app, "Score the")
    points: dict[float, float] = {}
    for trace in charts(well(app))[0]["data"]:
        points |= dict(zip(numbers(trace["x"]), numbers(trace["y"]), strict=True))
    assert sorted(points) == [0, 1, 2, 3, 4, 5]
    press(app, "Use the best plan")
    best = int(typed(app, "layers"))
    assert points[best] == max(points.values())
    again = opened("layer_ablation", own_pairs=True, **tiny_llama)
    again.segmented_control(key="ablation_search").set_value("single layers").run()
    assert not [button for button in again.button if button.label.startswith("Score the")]


@pytest.mark.slow
def test_two_uploads_of_one_name_are_not_mixed_up(tiny_llama: dict[str, str]) -> None:
    """What one visitor's file gave is never shown for another's."""
    shown_changes = []
    for content in (OWN_PAIRS, OWN_PAIRS.replace("\t0\n", "\t9\n")):
        app = upload(opened(**tiny_llama), content)
        turn_to(app, "layer_ablation")
        app.segmented_control(key="ablation_search").set_value("single layers").run()
        press(app, "Score the")
        figure = charts(well(app))[0]
        shown_changes.append({y for trace in figure["data"] for y in numbers(trace["y"])})
    assert shown_changes[0] != shown_changes[1]


@pytest.mark.slow
def test_own_texts_on_the_similarity_page(tiny_llama: dict[str, str]) -> None:
    app = show_tab(opened("similarity", own_pairs=True, **tiny_llama), "Own texts")
    assert not charts(app), "what another tab shows is not computed"
    app.text_input(key="own_first").set_value("Someone makes music.").run()
    (table,) = (t.value for t in well(app).dataframe if "cosine" in t.value and "method" in t.value)
    assert table["method"].tolist() == list(OPENING_METHODS)
    np.testing.assert_allclose(table["cosine"], 1, atol=1e-5)
    show_tab(app, "Prompts")
    assert app.text_input(key="own_first").value == "Someone makes music."
    prompts = [t.value for t in unfolded(app).dataframe if "placeholder" in t.value]
    for table, name in zip(prompts, OPENING_METHODS, strict=True):
        method = methods.METHODS[name]
        assert table["prompt"].max() == len(method.templates)
        np.testing.assert_allclose(table["weight"].sum(), len(method.templates), rtol=1e-5)
        assert table["placeholder"].any() == (method.change.prepending is not None)
    show_tab(app, "Scores")
    app.multiselect(key="score_method").set_value(["mean", "echo"]).run()
    (trace,) = charts(well(app))[0]["data"]
    assert sorted(trace["y"]) == ["echo", "mean"]
    assert all(", rank " in text for text in trace["text"])
    assert "Neighbours that cannot be told apart" in shown(app)
    (scored,) = (t.value for t in unfolded(app).dataframe if "rank high" in t.value)
    assert scored["rank"].sum() == 3
    assert (scored["rank low"] <= scored["rank high"]).all()
    app.toggle(key="shape").set_value(True).run()
    (table,) = (t.value for t in well(app).dataframe if "alignment" in t.value)
    assert table["space"].tolist() == ["mean", "echo"]
    assert table["alignment"].between(0, 4).all()
    (forest,) = charts(show_tab(app, "Comparisons"))
    assert forest["data"][0]["y"] == ["echo"]
    assert len(charts(show_tab(app, "Pairs"))) == 1
    app.multiselect(key="score_method").set_value([]).run()
    assert "at least one method" in sentence(app)


def test_columns_of_an_upload_are_shown_and_can_be_changed(tiny_llama: dict[str, str]) -> None:
    odd = OWN_PAIRS.replace("sentence1\tsentence2\tscore", "left\tright\tagreed")
    app = upload(opened(**tiny_llama), odd)
    assert "Guessed:" in shown(well(app))
    picked = {
        role: next(s for s in app.selectbox if str(s.key).startswith(f"pairs_{role}_"))
        for role in ("text", "other", "score")
    }
    assert {role: s.value for role, s in picked.items()} == {
        "text": "left",
        "other": "right",
        "score": "agreed",
    }
    picked["other"].set_value("left").run()
    assert "10 pairs" in shown(app)
    assert "'left' and 'left'" in shown(app)


@pytest.mark.slow
def test_labelled_texts_and_retrieval_on_the_similarity_page(tiny_llama: dict[str, str]) -> None:
    few = {"labelled_most_chatterbot": "60", "retrieval_most_chatterbot-answers": "10"}
    both = ["mean", "kv-embedding"]
    app = opened("similarity", score_on="labelled texts", score_method=both, **few, **tiny_llama)
    assert "60 of 1,569 texts" in shown(well(app))
    assert "kv-embedding" in shown(app)
    app.radio(key="measure_labelled").set_value("V-measure").run()
    (trace,) = charts(well(app))[0]["data"]
    assert sorted(trace["y"]) == ["kv-embedding", "mean"]
    app.segmented_control(key="score_on").set_value("retrieval").run()
    assert "10 of 306 queries" in shown(well(app))
    app.selectbox(key="score_post_processing").set_value("centre").run()
    assert "10 of 306 queries" in shown(well(app))


@pytest.mark.slow
def test_long_texts_of_few_queries(tiny_llama: dict[str, str]) -> None:
    few = {FEW_QUERIES: "5"}
    app = well(opened("long_texts", **tiny_llama, **few, long_texts_tokens=["64", "128"]))
    places, lengths = charts(app)
    assert [trace["name"] for trace in places["data"]] == list(long_texts.LONG_METHODS)
    assert places["data"][0]["x"] == ["start", "middle", "end"]
    assert lengths["data"][0]["x"] == ["64", "128"]
    app.multiselect(key="long_texts_tokens").set_value([32, 64]).run()
    assert "limit of 32 tokens leaves no room" in shown(well(app))
    assert charts(app)[1]["data"][0]["x"] == ["64"]
    app.multiselect(key="long_texts_tokens").set_value([]).run()
    assert "at least one length" in sentence(app)
    assert len(charts(app)) == 2, "of the lengths before"
    app.multiselect(key="long_texts_tokens").set_value([64]).run()
    app.multiselect(key="long_texts_method").set_value([]).run()
    assert "at least one method" in sentence(app)


@pytest.mark.slow
def test_another_sample_and_estimator(tiny_llama: dict[str, str]) -> None:
    app = opened("intrinsic_dimension", **tiny_llama)
    few = numbers(charts(well(app))[0]["data"][1]["y"])
    app.multiselect(key="dimension_estimator").set_value(["mle"]).run()
    other = numbers(charts(well(app))[0]["data"][1]["y"])
    app.segmented_control(key="dimension_prompt").set_value("off").run()
    bare = numbers(charts(well(app))[0]["data"][1]["y"])
    assert len(few) == len(other) == len(bare) == tiny_models.LAYERS
    assert (few != other).any()
    assert (other != bare).any()
    app.segmented_control(key="dimension_cloud").set_value("all").run()
    every = numbers(charts(well(app))[0]["data"][1]["y"])
    assert (every != bare).any()
    app.number_input(key="dimension_samples").set_value(80).run()
    assert "80 distinct texts" in shown(well(app))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("key_position", "first"), ("prompt", "quoted"), ("pooling", "last"), ("norm", "pre")),
        ("output_layer", -2),
    ],
)
def test_every_option_of_kv_embedding_changes_its_score(
    tiny_llama: dict[str, str], key: str, value: Any
) -> None:
    app = opened("rerouting", own_pairs=True, **tiny_llama)
    (usual,) = (t.value for t in unfolded(app).dataframe if "places moved" in t.value)
    widgets = app.number_input if key == "output_layer" else app.selectbox
    widgets(key=key).set_value(value).run()
    (other,) = (t.value for t in well(app).dataframe if "places moved" in t.value)
    assert not other.equals(usual)


@pytest.mark.slow
def test_key_positions_offered_are_those_the_family_has(tmp_path: Path) -> None:
    folder = str(tiny_models.save_folder(tmp_path / "tiny-gpt2", "gpt2"))
    app = opened("rerouting", own_pairs=True, backbone=folder, layers="1")
    assert app.selectbox(key="key_position").options == ["own"]


# What is said of bad input


@pytest.mark.slow
def test_empty_texts_on_other_pages(tiny_llama: dict[str, str]) -> None:
    app = opened("rerouting", own_pairs=True, **tiny_llama)
    app.text_input(key="gate_text").set_value("  ").run()
    assert "empty" in sentence(app)
    show_tab(turn_to(app, "similarity"), "Own texts")
    app.text_input(key="own_second").set_value("").run()
    assert "empty" in sentence(app)


@pytest.mark.slow
@pytest.mark.parametrize("page", TITLES)
def test_a_backbone_that_does_not_exist(tiny_llama: dict[str, str], page: str) -> None:
    app = opened(**tiny_llama)
    type_backbone(app, "nothing-here").run()
    assert "There is no backbone called 'nothing-here'" in sentence(app)
    turn_to(app, page)
    assert "There is no backbone called 'nothing-here'" in sentence(app)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nobody-here/nothing-there", "hub cannot be reached"),
        ("bert", "not a causal decoder"),
        ("/nothing/here.gguf", "There is no GGUF file"),
    ],
)
def test_backbones_that_cannot_be_loaded(
    folder_of: Callable[[str], str],
    nothing_stored: None,  # noqa: ARG001
    name: str,
    said: str,
) -> None:
    app = opened(backbone=folder_of("bert") if name == "bert" else name)
    assert said in sentence(app)


@pytest.mark.slow
def test_the_papers_backbones_are_offered_with_what_they_need(
    tiny_llama: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=4 * 10**9))
    app = opened(**tiny_llama)
    assert set(catalog.PUBLISHED) < set(app.selectbox(key="backbone").options)
    app.selectbox(key="backbone").set_value("meta-llama/Llama-3.1-8B").run()
    said = sentence(app)
    assert "meta-llama/Llama-3.1-8B needs 30.0 GB for its weights in float32 and cpu has" in said
    assert "7,505 million parameters, 32 layers" in shown(app)
    assert "It is gated: accept its licence" in shown(app)
    assert "Licence: Llama 3.1 Community License" in shown(app)


# A family that cannot be re-routed


@pytest.mark.slow
def test_a_family_that_cannot_be_rerouted_is_explored_with_the_reason(
    folder_of: Callable[[str], str],
    nothing_stored: None,  # noqa: ARG001
) -> None:
    app = opened(own_pairs=True, backbone=folder_of("falcon"))
    app.session_state[FEW_QUERIES] = 5
    reason = "falcon cannot be re-routed"
    for page in TITLES:
        well(turn_to(app, page))
        assert reason in shown(app)
        assert "Re-routed now: none." in shown(app)
        drawn = charts(app)
        assert bool(drawn) == (page not in ("causal_limits", "rerouting", "layer_ablation"))
        if page == "intrinsic_dimension":
            assert len(numbers(drawn[0]["data"][1]["y"])) == tiny_models.LAYERS
            assert [b.disabled for b in app.button if b.label.startswith("Use")] == [True]
        if page == "causal_limits":
            assert metric(app, "Plain model") == "0"
    app.text_input(key="layers").set_value("1-2").run()
    turn_to(app, "similarity")
    said = [unescaped(warning.value) for warning in well(app).warning]
    assert sum(reason in warning for warning in said) == 3, "in the sidebar and for two methods"
    assert sum("causal mask" in warning for warning in said) == 1
    (trace,) = charts(app)[0]["data"][:1]
    assert len(trace["y"]) == len(OPENING_METHODS) - 3


@pytest.mark.slow
def test_an_upload_is_parsed_once_and_not_at_every_run(
    tiny_llama: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    read = parsing.read_table

    def counted(name: str, data: bytes, keys: tuple[str, ...] = ()) -> Table:
        parsed.append(name)
        return read(name, data, keys)

    monkeypatch.setattr(parsing, "read_table", counted)
    monkeypatch.setattr(columns, "read_table", counted)
    app = opened(own_pairs=True, **tiny_llama)
    assert parsed == ["own.tsv"]
    for _ in range(2):
        well(app.run())
    well(turn_to(app, "causal_limits"))
    score = next(box for box in app.selectbox if box.label == "Column: rating")
    well(score.set_value("score").run())
    assert parsed == ["own.tsv"]
    upload(app, OWN_PAIRS + "\n", "other.tsv")
    assert parsed == ["own.tsv", "other.tsv"]
    for _ in range(2):  # a file that is refused is not read again either
        upload(app, "sentence1\n\0", "bad.tsv")
        assert "contains a NUL" in sentence(app)
        app.run()
    assert parsed == ["own.tsv", "other.tsv", "bad.tsv"]
