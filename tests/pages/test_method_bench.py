"""The section of the similarity page that composes a method: its score, its tokens, its place."""

import pytest
from streamlit.testing.v1 import AppTest

from analysis.embedding.method_spelling import is_spelling
from tests.support.visits import charts, opened, show_tab, shown, turn_to, unfolded, well

METHODS = ["mean", "prompt-eol"]


def bench(tiny_llama: dict[str, str], *methods: str) -> AppTest:
    app = opened(
        "similarity",
        own_pairs=True,
        score_method=[*METHODS, *methods],
        compose="true",
        **tiny_llama,
    )
    return well(app)


def names(app: AppTest) -> set[str]:
    (trace,) = charts(well(app))[0]["data"]
    return set(trace["y"])


def test_a_part_is_changed_scored_and_compared(tiny_llama: dict[str, str]) -> None:
    app = bench(tiny_llama)
    app.selectbox(key="compose_start").set_value("prompt-eol").run()
    assert "As prompt-eol: " in shown(well(app))
    app.selectbox(key="compose_change").set_value("re-routing").run()
    app.text_input(key="compose_layers").set_value("1-2").run()
    app.selectbox(key="compose_what").set_value("attention-outputs").run()
    app.selectbox(key="compose_post-processing").set_value("centre").run()
    spelled = "eol+re-routing@1-2+attention-outputs+last+centre"
    assert spelled in [code.value for code in well(app).code]
    assert spelled in shown(app).replace("\\", "")
    (button,) = (each for each in app.button if each.label == "Compare it with the others")
    button.click().run()
    assert names(app) == {*METHODS, spelled}
    (button,) = (each for each in app.button if each.label == "Compare it with the others")
    assert button.disabled
    assert any(spelled in code.value for code in unfolded(app).code if "score" in code.value)
    turn_to(app, "embedding_space")
    assert spelled in app.selectbox(key="space_left").options
    app.selectbox(key="space_left").set_value(spelled).run()
    well(app)


def test_a_link_opens_what_was_composed(tiny_llama: dict[str, str]) -> None:
    own = 'mine="About {text}:"+states@-2+mean'
    app = bench(tiny_llama, own, "eol+nonsense", "eol+last+last")
    assert names(app) == {*METHODS, "mine"}
    assert any("mine=" in code.value for code in unfolded(app).code)


def test_a_prompt_of_ones_own_has_a_name(tiny_llama: dict[str, str]) -> None:
    app = bench(tiny_llama)
    app.selectbox(key="compose_prompt").set_value("one of your own").run()
    assert 'mine="The topic of' in well(app).code[0].value
    app.text_area(key="compose_template").set_value("no field").run()
    assert "has no field {text}" in shown(well(app))
    app.text_area(key="compose_template").set_value("So {text}").run()
    app.text_input(key="compose_name").set_value("so").run()
    (code,) = (each.value for each in well(app).code if each.value.startswith("so="))
    assert is_spelling(code)


@pytest.mark.parametrize(
    ("part", "value", "sentence"),
    [
        ("prompt", "eol-placeholder", "needs both or neither"),
        ("pooling", "last-copy-mean", ""),
        ("change", "contrast", ""),
    ],
)
def test_what_does_not_go_together_is_said_and_the_page_stays(
    tiny_llama: dict[str, str], part: str, value: str, sentence: str
) -> None:
    app = bench(tiny_llama)
    app.selectbox(key="compose_start").set_value("prompt-eol").run()
    app.selectbox(key=f"compose_{part}").set_value(value).run()
    assert sentence in shown(well(app))
    assert names(app) == set(METHODS)


def test_prompts_are_compared(tiny_llama: dict[str, str]) -> None:
    app = opened("similarity", own_pairs=True, score_method=METHODS, prompts="true", **tiny_llama)
    figure = charts(show_tab(app, "Prompts"))[-1]
    assert [trace["name"] for trace in figure["data"]] == ["last", "mean"]
    assert "over prompts and " in shown(app)
    (command,) = (each.value for each in app.code if " prompts " in each.value)
    assert "--template=bare" in command
    app.text_area(key="own_prompts").set_value("eol\nno field").run()
    assert "no name of one" in shown(well(app))
    app.text_area(key="own_prompts").set_value(" ").run()
    assert "Write 1 to 12 prompts" in shown(well(app))
