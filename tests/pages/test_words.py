"""The words on two pages: those of the command, refused by name where there is no unembedding."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from analysis.cli.main import main
from pages.shared import own_texts
from tests.support import tiny_models
from tests.support.visits import (
    OWN_TEXTS,
    charts,
    opened,
    paste,
    show_tab,
    shown,
    unescaped,
    well,
)

STEP = "6 The word"


def opened_words(app: AppTest) -> AppTest:
    """The visit with the tables of the words open, and what reproduces them."""
    for part in app.expander:
        label = unescaped(part.label)
        if "ords" in label and label.startswith(("Table: ", "Reproduce the words")):
            app.session_state[f"open {label}"] = True
    return well(app.run())


def table(app: AppTest) -> pd.DataFrame:
    """All tables of words on the page, one below the other."""
    found = [each.value for each in app.dataframe if {"word", "layer", "model"} <= set(each.value)]
    return pd.concat(found, ignore_index=True)


def commands(app: AppTest) -> list[str]:
    """The commands that the page offers to copy."""
    return [str(block.value) for block in app.code if "analysis words" in str(block.value)]


def same_numbers(app: AppTest, rows: list[dict[str, Any]]) -> None:
    """The page's tables hold the rows."""
    names = ["model", "layer", "rank", "word", "probability", "entropy"]
    shown_rows = table(app)[names].drop_duplicates()
    expected = pd.DataFrame(rows)[names]
    order = ["model", "layer", "rank"]
    pd.testing.assert_frame_equal(
        shown_rows.sort_values(order, ignore_index=True),
        expected.sort_values(order, ignore_index=True),
        check_dtype=False,
    )


def answered(command: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The rows of a command."""
    program, *arguments = shlex.split(command.removeprefix("python -m "))
    assert program == "analysis"
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


def test_the_step_shows_what_its_command_and_script_give(
    tiny_llama: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    app = opened_words(opened("causal_limits", step=STEP, **tiny_llama))
    (command,) = commands(app)
    assert "--text=" in command
    rows = answered(command, capsys)
    same_numbers(app, rows)
    assert len(charts(app)) == 2, "plain and re-routed"
    assert 'it thinks first of "' in shown(app)
    script = next(str(block.value) for block in app.code if "import Words" in str(block.value))
    names: dict[str, Any] = {}
    exec(script, names)
    assert json.loads(json.dumps(names["result"].to_dict())) == rows


def section(tiny: dict[str, str], **chosen: str) -> AppTest:
    """The page on similarity, with the words of a corpus shown."""
    methods = ["prompt-eol", "mean"]
    place: dict[str, Any] = {"own_pairs": True, "similarity_tab": "Prompts", "words_shown": "true"}
    return well(opened("similarity", score_method=methods, **place, **chosen, **tiny))


def assert_counted(app: AppTest, rows: list[dict[str, Any]]) -> None:
    """The tables of the page count the words that a command counted, and no others."""
    found = table(app)
    columns = ["model", "layer", "rank", "word", "count"]
    counted = found[found["count"].notna()][columns].drop_duplicates()
    expected = pd.DataFrame(rows)[columns]
    assert len(counted.merge(expected)) == len(expected) == len(counted)


def test_a_section_shows_the_words_of_a_text_and_of_a_corpus(
    tiny_llama: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    app = section(tiny_llama, words_samples="6")
    assert app.selectbox(key="words_method").options == ["prompt-eol"], "mean has no word"
    app = opened_words(app)
    own, of_corpus = commands(app)
    assert "guitar" in own
    assert "--corpus=news-sentences" in of_corpus
    assert "--samples=6" in of_corpus
    rows = answered(of_corpus, capsys)
    assert {row["texts"] for row in rows} == {6}
    assert "bits about its text" in shown(app)
    assert f"6 of {rows[0]['of']:,} distinct texts" in shown(app)
    assert_counted(app, rows)


def test_the_words_of_own_texts(
    tiny_llama: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = section(tiny_llama, words_corpus=own_texts.OWN)
    assert "Until texts are given" in shown(app)
    app = opened_words(well(paste(app, *OWN_TEXTS[:7], place="words")))
    assert "7 of 7 distinct texts" in shown(app)
    assert "save them as own-texts.txt" in unescaped(shown(app))
    monkeypatch.chdir(tmp_path)
    (tmp_path / own_texts.PASTED).write_text("\n".join(OWN_TEXTS[:7]), "utf-8")
    rows = answered(commands(app)[-1], capsys)
    assert {(row["corpus"], row["texts"]) for row in rows} == {(own_texts.PASTED, 7)}
    assert_counted(app, rows)


def test_what_reads_no_last_token_has_no_words(tiny_llama: dict[str, str]) -> None:
    app = opened("similarity", own_pairs=True, score_method=["mean", "echo"], **tiny_llama)
    show_tab(app, "Prompts")
    assert "None of the methods above reads the last token alone" in shown(app)


def test_a_decoder_alone_is_refused_by_name(
    folder_of: Callable[[str], str],
    nothing_stored: None,  # noqa: ARG001
) -> None:
    app = well(opened("causal_limits", backbone=folder_of("qwen3"), layers="2-3", step=STEP))
    (said,) = (unescaped(each.value) for each in app.warning)
    assert said.startswith("tiny-qwen3 has no unembedding")
    assert not charts(app)


def test_with_nothing_rerouted_there_is_one_side(tiny_llama: dict[str, str]) -> None:
    app = well(opened("causal_limits", step=STEP, **tiny_llama | {"layers": "none"}))
    (chart,) = charts(app)
    assert np.shape(chart["data"][0]["text"])[0] == tiny_models.LAYERS
    assert "re-routed it thinks" not in shown(app)


def test_a_method_of_several_prompts_shows_each(tiny_llama: dict[str, str]) -> None:
    app = well(opened("causal_limits", step=STEP, word_method="reverse-eol", **tiny_llama))
    assert len(charts(app)) == 4
    assert "prompt 2" in shown(app)
