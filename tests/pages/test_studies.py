"""Files in the app: a page's recipe restores that page, results are shown, studies open."""

import re
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from analysis.errors import ExplorerError
from analysis.recipes import files
from analysis.recipes.recipe import Recipe
from analysis.recipes.results import read_file
from analysis.spaces import projection
from pages.shared import display, questions
from pages.shared.causal_steps import STEPS
from pages.shared.conclusions import CONCLUSIONS
from pages.shared.page_question import SIDEBAR
from tests.support.checks import assert_one_sentence
from tests.support.visits import ROOT, opened, press, sentence, shown, turn_to, unescaped, well

STUDIES = ROOT / "assets" / "studies"
CHOSEN: dict[str, dict[str, Any]] = {
    "causal_limits": {
        **{"step": list(STEPS)[1]},
        **{"causal_first": "The bank was old.", "causal_second": "The bank was new."},
        "causal_prompt": False,
    },
    "intrinsic_dimension": {
        **{"dimension_corpus": ["chatterbot", "news-sentences"], "dimension_samples": 40},
        "dimension_prompt": "off",
        **{"dimension_cloud": "last", "rule": "lowest", "dimension_other": "GPT2"},
    },
    "rerouting": {"gate_text": "A bridge.", "layers": "1,3", "bias": 2.5},
    "embedding_space": {
        **{"space_left": "prompt-only", "space_right": "echo", "space_corpus": "chatterbot"},
        **{"space_samples": 12, "space_projection": "pca", "space_colour": "length"},
        "space_right_layers": "",
    },
    "similarity": {
        **{"score_on": "labelled", "labelled_most_chatterbot": 40},
        **{"score_post_processing": "none", "score_method": ["mean", "kv-embedding"]},
        **{"base": "kv-embedding", "pooling": "last"},
        **{"measure_labelled": "V-measure", "own_first": "A song.", "key_position": "first"},
    },
    "long_texts": {
        **{"long_texts_most_chatterbot-answers": 4, "long_texts_method": ["mean"]},
        "long_texts_tokens": [32],
    },
    "layer_ablation": {"ablation_search": "bias", "layers": "2", "prompt": "quoted"},
    "output_layers": {
        "output_layers_method": ["echo", "mean"],
        **{"output_layers_post_processing": "centre", "score_layers": True},
    },
}
"""What is chosen on each page, other than it opens with."""


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Recipe]:
    """The recipes that pages offer, the last one last; no page compiles UMAP."""
    found: list[Recipe] = []
    monkeypatch.setattr(projection, "warm_up", lambda: None)
    monkeypatch.setattr(display, "reproduce", lambda recipe, *_: found.append(recipe))
    return found


def upload(app: AppTest, name: str, content: str) -> AppTest:
    app.file_uploader(key="opened_file").upload(name, content.encode())
    return app.run()


@pytest.mark.slow
@pytest.mark.parametrize("page", CHOSEN)
def test_a_page_is_restored_from_its_recipe(
    page: str, tiny_llama: dict[str, str], folder_of: Any, taken: list[Recipe]
) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    chosen = {"dtype": "float32", **tiny_llama, **CHOSEN[page]}
    if chosen.get("dimension_other"):
        chosen["dimension_other"] = folder_of("gpt2")
    for key, value in chosen.items():
        app.session_state[key] = value
    app.session_state["tour"] = None
    well(app.run())
    question = questions.PAGES[page]
    if page != "causal_limits":
        well(turn_to(app, question.name))
    made = next(each for each in taken[::-1] if isinstance(each.spec, question.question))
    again = files.read(files.write(made))
    assert again == made

    other = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    other.session_state["backbone"] = tiny_llama["backbone"]
    other.session_state["tour"] = None
    other.session_state["dimension_samples"] = 40
    other.switch_page("pages/studies.py")
    well(upload(other.run(), "view.yaml", files.write(made)))
    press(other, "Open the page")
    well(other)
    assert made in taken[-2:]
    assert {key: other.session_state[key] for key in chosen} == chosen


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in CHOSEN if page != "causal_limits"])
def test_a_page_is_restored_from_its_link(
    page: str,
    tiny_llama: dict[str, str],
    taken: list[Recipe],  # noqa: ARG001
) -> None:
    question = questions.PAGES[page]
    # The harness's menus know only names that are listed, and it opens pages on few texts.
    left_out = {*question.view, "dimension_other", "dimension_samples", "space_samples"}
    left_out |= {*question.own}  # texts of one's own, which no link holds
    chosen = {k: v for k, v in CHOSEN[page].items() if k not in left_out} | tiny_llama
    address = {
        key: [str(each) for each in value] if isinstance(value, list) else str(value)
        for key, value in chosen.items()
        if value != ""
    }
    if kind := chosen.get("score_on"):
        address["score_on"] = questions.KINDS[kind]
    app = well(opened(question.name, **address))
    keys = {control.key for control in (*SIDEBAR.controls, *question.controls) if control.label}
    keys -= {"space_method", "ablation_most"}  # two widgets, and one that greedy search alone has
    state = {key: app.session_state[key] for key in keys | set(chosen)}
    assert question.spec(state) == question.spec(state | chosen)
    assert {key: state[key] for key in chosen} == chosen


HEAD = "version: 1\ncommand: "


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("backbones", "No page shows the command backbones"),
        ("score\ncorpus: /etc/passwd", "'/etc/passwd' is not among the pairs offered here"),
        ("dimension\ncorpus: ../texts.txt", "'../texts.txt' is not among the texts"),
        ("score\nbias: -.inf", "takes a bias from -4 to 6, not -inf"),
        ("score\nview: {page: /etc}", "The page '/etc' does not show the command score"),
        (
            "score\nview: {page: rerouting}\nmethod: mean",
            "has method fixed to prompt-only with kv-embedding",
        ),
        ("score\ndevice: cuda", "has no choice of device"),
        ("score\nmax-tokens: 9", "has no choice of max-tokens"),
        ("score\nvectors: a=/etc/passwd", "has no choice of vectors"),
        ("score\ngrid: {bias: [0, 1]}", "shows one point of a grid"),
        ("dimension\nsamples: 9", "takes a sample from 20 to 5000, not 9"),
        ("dimension\nestimator: best", "invalid choice: 'best'"),
        ("dimension\ngrid: {samples: [20, 30]}", "does not show such a grid"),
        ("long-texts", "one of them at least"),
        ("long-texts\ntokens: [7]", "one of them at least"),
        ("ablation\nmost: 500", "takes a most from 1 to 30, not 500"),
        ("space\noutput: x.html\nmethod: [mean]", "takes two maps"),
        ("space\noutput: x.html", "takes a sample from 5 to 10000, not all"),
        ("space\noutput: x.html\nsamples: 9\nmin-dist: 3.0", "takes a minimum distance"),
        (f"causal\nfirst: a\nsecond: {'a' * 20_000}", "has more than 10,000 characters"),
        ("dimension\nview: {bias: 99}", "takes a bias from -4 to 6, not 99"),
    ],
)
def test_what_no_page_shows_is_said(text: str, said: str) -> None:
    with pytest.raises(ExplorerError, match=re.escape(said)) as raised:
        questions.state(files.read(HEAD + text))
    assert_one_sentence(raised.value)


def test_a_recipe_holds_no_keys_but_a_page_s_own() -> None:
    view = "{page: similarity, base: mean, tour: on, backbone: evil, opened: x, space_rows: [1]}"
    _, values = questions.state(files.read(f"{HEAD}score\nview: {view}"))
    assert values["base"] == "mean"
    assert values["backbone"] == "smollm2"
    assert not {"tour", "opened", "space_rows", "page"} & set(values)


def test_every_page_has_its_command_and_its_view() -> None:
    assert set(questions.PAGES) == set(CHOSEN)


def visit(tiny_llama: dict[str, str]) -> AppTest:
    return well(opened("studies", **tiny_llama))


@pytest.mark.slow
def test_each_study_opens_with_its_finding(tiny_llama: dict[str, str]) -> None:
    app = visit(tiny_llama)
    for path in sorted(STUDIES.glob("*.json")):
        app.session_state["study"] = path.stem
        well(app.run())
        title = files.read_file(str(path.with_suffix(".yaml"))).title
        assert any(title.rstrip("?") in unescaped(header.value) for header in app.header)
        assert "Findings, with 95% intervals" in [part.value for part in app.subheader]
        study = read_file(path)
        conclusion = CONCLUSIONS[path.stem]
        assert conclusion in unescaped(app.markdown[1].value)
        for number in re.findall(r"\d+\.\d", conclusion):
            assert number in " ".join(study.sentences)
        assert len(app.get("plotly_chart")) >= 1
        command = next(block.value for block in app.code)
        assert command == (
            f"python -m analysis run assets/studies/{path.stem}.yaml "
            f"--compare assets/studies/{path.stem}.json"
        )


@pytest.mark.nightly
@pytest.mark.weights
def test_chosen_heads_open_on_the_rerouting_page(tiny_llama: dict[str, str]) -> None:
    app = visit(tiny_llama)
    app.session_state["study"] = "heads"
    well(app.run())
    study = read_file(STUDIES / "heads.json")
    heads = next(row["heads"] for row in study.rows if row.get("heads"))
    press(app, "smollm2, chosen by judgements")
    assert app.session_state["heads"] == heads
    assert app.session_state["backbone"] == "smollm2"


def test_results_are_shown_and_what_is_damaged_is_said(tiny_llama: dict[str, str]) -> None:
    app = visit(tiny_llama)
    stored = (STUDIES / "parts.json").read_text()
    well(upload(app, "results.json", stored))
    assert [header.value for header in app.header] == ["What each part brings"]
    assert "is not readable JSON" in sentence(upload(app, "results.json", stored[:-9]))
    assert "is not readable YAML" in sentence(upload(app, "some.yaml", "version: ["))


@pytest.mark.slow
def test_a_grid_opens_at_one_of_its_points(tiny_llama: dict[str, str], taken: list[Recipe]) -> None:
    app = visit(tiny_llama)
    grid = Recipe.of(
        "long-texts",
        {"backbone": tiny_llama["backbone"], "part": 4, "tokens": [32], "layers": "none"},
        ({"method": ["mean", "last-token"]},),
    )
    well(upload(app, "grid.yaml", files.write(grid)))
    assert "A grid of 2 points" in shown(app)
    app.selectbox(key="point").set_value("method ['last-token']").run()
    press(app, "Open the page long texts")
    well(app)
    assert taken[-1].spec.values()["method"] == ["last-token"]


def test_a_title_with_markup_is_shown_as_it_is(tiny_llama: dict[str, str]) -> None:
    app = visit(tiny_llama)
    hostile = Recipe.of(
        "score", {}, title="![x](http://x.example/a.png) **b** <b>c</b> $d$ :red[e]"
    )
    well(upload(app, "some.yaml", files.write(hostile)))
    assert app.header[0].value == display.escaped(hostile.title)
    assert unescaped(app.header[0].value) == hostile.title
