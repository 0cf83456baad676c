"""One bad value is named beside its field, and the rest of the page goes on with what counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from analysis.backbones import leases
from analysis.errors import BackboneError
from pages.shared import plan_fields
from tests.support import tiny_models
from tests.support.visits import (
    ROOT,
    charts,
    metric,
    opened,
    press,
    sentence,
    show_tab,
    shown,
    tables,
    turn_to,
    type_backbone,
    unescaped,
    upload,
    well,
)


@pytest.fixture
def visit(tiny_llama: dict[str, str]) -> AppTest:
    """A page that computes little, on six tiny layers."""
    return well(opened("causal_limits", **tiny_llama))


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("layers", "99", "There is no layer 99"),
        ("layers", "", "is not a layer or a range"),
        ("layers", "2-", "is not a layer or a range"),
        ("heads", "9.0", "There is no 9.0"),
        ("heads", "1.99", "There is no 1.99"),
        ("heads", "x", "is no head"),
        ("backbone_typed", "nothing-here", "There is no backbone called 'nothing-here'"),
        ("backbone_typed", "/nothing/here.gguf", "There is no GGUF file"),
        ("causal_first", " ", "empty"),
        ("output_layer", 77, "Output layer 77 does not exist"),
    ],
)
def test_a_bad_value_leaves_the_page_as_it_was(
    visit: AppTest, key: str, value: Any, said: str
) -> None:
    before = metric(visit, "Plain model"), metric(visit, "Re-routed")
    widgets = visit.number_input if isinstance(value, int) else visit.text_input
    widgets(key=key).set_value(value).run()
    assert said in sentence(visit)
    assert "Until then" in sentence(visit)
    assert (metric(visit, "Plain model"), metric(visit, "Re-routed")) == before
    assert "Re-routed now: 2-3." in shown(visit)
    assert widgets(key=key).value == value, "it can be corrected"


def test_what_is_corrected_counts_again(visit: AppTest) -> None:
    visit.text_input(key="layers").set_value("99").run()
    visit.text_input(key="layers").set_value("0-1").run()
    assert "Re-routed now: 0-1." in shown(well(visit))


def test_bad_heads_do_not_take_back_the_layers(visit: AppTest) -> None:
    visit.text_input(key="heads").set_value("9.9").run()
    assert visit.text_input(key="layers").value == "2-3"
    visit.text_input(key="heads").set_value("2.0").run()
    assert visit.text_input(key="layers").value == "auto"
    visit.text_input(key="layers").set_value("99").run()
    assert "Re-routed now: head 2.0." in shown(visit)


def test_a_bad_upload_is_named_on_every_page_and_keeps_the_pairs(visit: AppTest) -> None:
    before = metric(visit, "Plain model")
    upload(visit, "sentence1\n\0", "bad.tsv")
    assert "contains a NUL" in sentence(visit)
    assert "Until then, scores are on lee50." in sentence(visit)
    assert metric(visit, "Plain model") == before
    upload(visit)
    assert "own.tsv: 10 pairs" in shown(well(visit))
    upload(visit, "nothing", "worse.tsv")
    assert "Until then, scores are on own.tsv." in sentence(visit)


@pytest.mark.slow
def test_layers_that_another_backbone_lacks_give_way_to_the_automatic_choice(
    visit: AppTest, tmp_path: Path
) -> None:
    path = tmp_path / "smaller.gguf"
    tiny_models.write_gguf(path)
    turn_to(visit, "embedding_space")  # the sentences are the same to the small tokenizer
    first = visit.selectbox(key="backbone").value
    for key, value, lacks in (
        ("layers", "4-5", "There is no layer 5: this backbone has layers 0 to 1."),
        ("heads", "5.3", "There is no 5.3"),
    ):
        visit.selectbox(key="backbone").set_value(first).run()
        well(visit.text_input(key=key).set_value(value).run())
        well(type_backbone(visit, str(path)).run())
        assert visit.text_input(key="layers").value == "auto"
        assert visit.text_input(key="heads").value == ""
        said = " ".join(unescaped(info.value) for info in visit.info)
        assert lacks in said
        assert "Now: auto" in said or "Now: no single heads" in said
        assert "Re-routed now:" in shown(visit)
    visit.text_input(key="layers").set_value("0").run()
    assert not [info for info in visit.info if "There is no" in info.value], "it was noticed"


def test_a_backbone_that_is_refused_can_be_tried_again(
    visit: AppTest, monkeypatch: pytest.MonkeyPatch, folder_of: Callable[[str], str]
) -> None:
    tried: list[str] = []
    lease = leases.lease

    def counted(name: str, dtype: str = "auto") -> leases.Lease:
        tried.append(name)
        if name == folder_of("qwen3") and tried.count(name) == 1:
            raise BackboneError("It does not fit just now.")
        return lease(name, dtype)

    monkeypatch.setattr(leases, "lease", counted)
    type_backbone(visit, folder_of("qwen3")).run()
    assert "does not fit just now" in sentence(visit)
    visit.run()
    assert tried.count(folder_of("qwen3")) == 1, "not at every run"
    assert "does not fit just now" in sentence(visit)
    well(press(visit, "Try again"))
    assert tried.count(folder_of("qwen3")) == 2
    assert visit.selectbox(key="backbone").value == folder_of("qwen3")
    assert visit.text_input(key="backbone_typed").value == ""


@pytest.mark.parametrize(
    ("page", "link", "said"),
    [
        ("causal_limits", {"layers": "99"}, "There is no layer 99"),
        ("causal_limits", {"layers": "2", "heads": "1.0"}, "Choose layers or heads, not both"),
        ("causal_limits", {"output_layer": "77"}, "Output layer 77"),
        ("embedding_space", {"layers": "99"}, "There is no layer 99"),
    ],
)
def test_a_link_with_a_bad_value_opens_the_page_with_the_default(
    folder_of: Callable[[str], str], page: str, link: dict[str, str], said: str
) -> None:
    app = opened(page, backbone=folder_of("llama"), **link)
    assert said in sentence(app)
    assert app.title
    assert "Re-routed now:" in shown(app)


def test_a_link_with_a_backbone_that_is_none_opens_the_default() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    app.query_params["backbone"] = "nothing-here"
    app.run()
    assert "Until then, smollm2 in auto is used." in sentence(app)
    assert app.title


def test_a_link_names_what_no_widget_can_hold(folder_of: Callable[[str], str]) -> None:
    link = {"bias": "77", "rule": "luck", "pairs": "nowhere", "layers": "", "prompt": "space"}
    app = well(opened("causal_limits", backbone=folder_of("llama"), **link, step="nowhere"))
    (said,) = (unescaped(w.value) for w in app.warning if "cannot be had" in w.value)
    for expected in ("bias='77', for which 1.0", "rule='luck', for which paper", "pairs='nowhere'"):
        assert expected in said
    assert "prompt" not in said
    assert "layers=''" in said
    app.run()
    assert not [w for w in app.warning if "cannot be had" in w.value]


@pytest.mark.parametrize("name", ["tour", "opened", "plan_history", "backbone_lease"])
@pytest.mark.parametrize("value", ["x", ""])
def test_a_link_with_a_name_that_is_no_choice_is_no_fault(
    folder_of: Callable[[str], str], name: str, value: str
) -> None:
    app = well(opened("causal_limits", backbone=folder_of("llama"), bias="77", **{name: value}))
    (said,) = (unescaped(w.value) for w in app.warning if "cannot be had" in w.value)
    assert "bias" in said
    assert name not in said


def test_choices_of_which_none_is_left_keep_the_last(tiny_llama: dict[str, str]) -> None:
    app = opened("intrinsic_dimension", **tiny_llama)
    drawn = len(charts(well(app)))
    app.multiselect(key="dimension_estimator").set_value([]).run()
    assert "Choose at least one estimator. Until then: twonn." in sentence(app)
    assert len(charts(app)) == drawn


def test_fields_of_a_map_keep_the_last_layers(tiny_llama: dict[str, str]) -> None:
    app = well(opened("embedding_space", **tiny_llama, space_left="kv-embedding"))
    app.text_input(key="space_left_layers").set_value("0-1").run()
    app.text_input(key="space_left_layers").set_value("99").run()
    assert "There is no layer 99" in sentence(app)
    titles = [figure["layout"]["title"]["text"] for figure in charts(app)]
    assert titles[0] == "kv-embedding, layers 0-1"
    app.text_input(key="space_left_layers").set_value("").run()
    typed = app.text_input(key="space_right_backbone_typed")
    typed.set_value("nothing-here").run()
    assert "There is no backbone called 'nothing-here'" in sentence(app)
    assert len(charts(app)) == 2


def test_what_a_folded_field_of_a_map_refuses_is_in_sight(tiny_llama: dict[str, str]) -> None:
    app = opened("embedding_space", **tiny_llama, space_left_layers="99")
    app.text_input(key="space_right_backbone_typed").set_value("nothing-here").run()
    (more,) = app.get("popover")
    assert not more.get("error")
    said = [unescaped(error.value) for error in app.error]
    assert any("There is no layer 99" in each and "Layers, left" in each for each in said)
    assert any("There is no backbone called 'nothing-here'" in each for each in said)


def test_a_bad_file_leaves_the_studies(tiny_llama: dict[str, str]) -> None:
    app = well(opened("studies", **tiny_llama))
    app.file_uploader(key="opened_file").upload("bad.yaml", b"command: [").run()
    assert sentence(app)
    assert charts(app)


@pytest.mark.slow
def test_own_texts_that_are_empty_are_called_by_their_fields(tiny_llama: dict[str, str]) -> None:
    app = opened("similarity", own_pairs=True, **tiny_llama, score_method="prompt-eol")
    show_tab(well(app), "Own texts")
    app.text_input(key="own_second").set_value(" ").run()
    assert "The second text is empty; write something in it." in sentence(app)
    app.text_input(key="own_second").set_value("Rain.").run()
    app.text_input(key="own_first").set_value(" ").run()
    assert "The first text is empty" in sentence(app)
    assert "Text 1" not in shown(show_tab(app, "Prompts"))


def test_own_texts_that_are_empty_leave_the_rest(tiny_llama: dict[str, str]) -> None:
    app = well(opened("rerouting", own_pairs=True, **tiny_llama))
    app.text_input(key="gate_text").set_value(" ").run()
    assert "empty" in sentence(app)
    assert "Gate by token" in tables(app)


def test_a_backbone_that_is_gone_ends_no_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit runs callbacks before the page, which shows the reason itself."""

    def gone() -> None:
        raise BackboneError("The backbone is gone; choose another.")

    state = {"layers": "1", "heads": "2.0"}
    monkeypatch.setattr("pages.shared.session.backbone", gone)
    monkeypatch.setattr("streamlit.session_state", state)
    plan_fields._leave_out_other("layers")
    assert state == {"layers": "1", "heads": "2.0"}
