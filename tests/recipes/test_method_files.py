"""Methods as YAML files: read as they are spelled, written so that they read the same."""

from pathlib import Path

import pytest

from analysis.embedding.method_spelling import spelled
from analysis.embedding.methods import METHODS, VARIANTS
from analysis.embedding.named_methods import method
from analysis.errors import ExplorerError
from analysis.recipes import method_files
from tests.support.checks import assert_one_sentence


@pytest.mark.parametrize(
    "text",
    [
        *METHODS,
        *VARIANTS,
        "eol+re-routing@10-13,15.2+bias@2+key@first+attention-outputs+last+centre",
        'mine="The topic: {text}"+"So #{text}: "+states@-2+mean',
        "compression+pre+hybrid",
    ],
)
def test_what_is_written_reads_the_same(text: str) -> None:
    assert method_files.read(method_files.write(method(text))) == spelled(method(text))


def test_a_file_may_begin_with_a_method(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("start: prompt-eol\nreading: states@-2\npooling: mean\n")
    assert method_files.read_file(str(path)) == "eol+states@-2+mean"
    assert method_files.read("prompt: '{text} is'\nname: a\npooling: last") == 'a="{text} is"+last'
    assert method_files.read("prompt: ['{text}.', 'So {text}']\nname: a\npooling: last") == (
        'a="{text}."+"So {text}"+last'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no map"),
        ("[eol, last]", "holds no map"),
        ("prompt: eol", "no pooling"),
        ("prompts: eol", "no part 'prompts'"),
        ("start: prompt-eol", "has no part"),
        ("prompt: {a: b}\npooling: last", "needs a word or a text for prompt"),
        ("prompt: eol\npooling: 3", "no name"),
        ("prompt: eol\npooling: null", "needs a word or a text for pooling"),
        ("prompt: '{text}'\npooling: last", "needs a name"),
        ("name: 'a b'\nprompt: eol\npooling: last", "no name"),
        ("prompt: eol\nprompt: bare\npooling: last", "prompt"),
        ("prompt: eol: x", "The method"),
        ("x" * 200_000, "more than 100,000 characters"),
    ],
)
def test_what_is_no_method_is_refused_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(ExplorerError, match=message) as caught:
        method_files.read(text)
    assert_one_sentence(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match=r"mine.yaml' cannot be read \(No such file") as caught:
        method_files.read_file(str(tmp_path / "mine.yaml"))
    assert_one_sentence(caught.value)
