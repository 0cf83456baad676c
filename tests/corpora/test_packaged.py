"""Corpora that ship in packages: what the menu says of them, and packages that are missing."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from analysis.corpora import packaged, registry
from analysis.corpora import packaged as packaged_corpora
from analysis.corpora.registry import (
    list_corpora,
    load_labelled,
    load_pairs,
    load_texts,
)
from analysis.corpora.sampling import distinct
from analysis.corpora.types import Kind
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence

PACKAGED = [entry for entry in list_corpora() if entry.where == "packaged"]


@pytest.mark.parametrize("entry", PACKAGED, ids=lambda entry: f"{entry.name}-{entry.kind}")
def test_packaged_corpora_are_what_the_menu_says(entry: registry.Entry) -> None:
    assert entry.offline
    if entry.kind == "retrieval":
        result = registry.load_retrieval(entry.name)
        assert (result.name, len(result.queries)) == (entry.name, entry.size)
        assert result.source == entry.description
    elif entry.kind != "pairs":
        corpus = (load_texts if entry.kind == "texts" else load_labelled)(entry.name)
        assert corpus.total is None
        assert (corpus.name, len(corpus.texts)) == (entry.name, entry.size)
        assert corpus.source == entry.description
        assert all(text == text.strip() != "" for text in corpus.texts)
    else:
        pairs = load_pairs(entry.name)
        assert (pairs.name, len(pairs.scores)) == (entry.name, entry.size)
        assert pairs.source == entry.description


def test_chatterbot_is_distinct_and_labelled_by_topic() -> None:
    corpus = load_texts("chatterbot")
    assert distinct(corpus.texts)[1] == 0
    assert corpus.labels is not None
    assert len(corpus.labels) == len(corpus.texts)
    assert {"ai", "science", "trivia"} <= set(corpus.labels)
    assert all(len(text.split()) >= 3 for text in corpus.texts)


def test_calibration_sentences_are_enough_and_not_in_the_rated_texts() -> None:
    corpus = load_texts(packaged_corpora.CALIBRATION)
    assert len(distinct(corpus.texts)[0]) >= 1000
    assert all(len(text.split()) >= 5 for text in corpus.texts)
    rated = "\n".join(load_pairs("lee50").texts)
    assert not [text for text in corpus.texts if text in rated]


def test_lee50_pairs_are_the_upper_triangle() -> None:
    pairs = load_pairs("lee50")
    assert len(pairs.texts) == 50
    assert (pairs.left < pairs.right).all()
    assert len(set(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))) == 1225
    np.testing.assert_array_equal(pairs.scores[:3], [0.3, 0.24, 0.2])  # the file's first row
    assert 0 <= pairs.scores.min() < pairs.scores.max() <= 1
    assert pairs.left.dtype == pairs.right.dtype == np.int64
    assert pairs.scores.dtype == np.float64


def test_the_packaged_questions_find_their_answers() -> None:
    result = registry.load_retrieval("chatterbot-answers")
    (entry,) = (e for e in registry.list_corpora() if e.name == result.name)
    assert entry.size == len(result.queries) == len(result.relevance)
    assert len(set(result.queries)) == len(result.queries)
    assert len(set(result.documents)) == len(result.documents) > 100
    at = result.queries.index("Where is the uvula located?")
    assert [result.documents[i] for i in result.relevance[at]] == ["In The Throat"]
    named = {document for grades in result.relevance for document in grades}
    assert named == set(range(len(result.documents)))


def test_packages_are_not_imported() -> None:
    """gensim alone takes seconds."""
    program = (
        "import sys; from analysis.corpora.registry import load_pairs, load_texts; "
        "load_pairs('lee50'), load_texts('chatterbot'); "
        "sys.exit(bool({'gensim', 'chatterbot_corpus'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("lee50", "--no-deps 'gensim>=4.3,<5'"), ("chatterbot", "'chatterbot-corpus==1.3.3'")],
)
def test_missing_package_is_named_with_the_way_to_get_it(
    name: str, arguments: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaged, "find_spec", lambda _: None)
    with pytest.raises(CorpusError, match=f"pip install {re.escape(arguments)}\\.$") as caught:
        load_texts(name)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "module", "changed"),
    [
        ("texts", "lee50", "gensim", "test/test_data/lee.cor"),
        ("pairs", "lee50", "gensim", "test/test_data/similarities0-1.txt"),
        ("texts", "news-sentences", "gensim", "test/test_data/lee_background.cor"),
        ("labelled", "chatterbot", "chatterbot_corpus", "data/english/ai.yml"),
        ("retrieval", "chatterbot-answers", "chatterbot_corpus", "data/english/trivia.yml"),
    ],
)
def test_other_texts_do_not_take_the_corpuss_name(
    kind: Kind,
    name: str,
    module: str,
    changed: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where another version of the package is installed: its stored results would not hold."""
    spec = find_spec(module)
    assert spec is not None
    (home,) = spec.submodule_search_locations or [""]
    folder = tmp_path / Path(changed).parent
    shutil.copytree(Path(home, changed).parent, folder, ignore=shutil.ignore_patterns("*.bin*"))
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(packaged, "find_spec", lambda _: spec)
    registry.load(kind, name)
    with (tmp_path / changed).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(CorpusError, match="another version of their package") as caught:
        registry.load(kind, name)
    assert_one_sentence(caught.value)


def test_incomplete_package_is_missing_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_spec("yaml")
    assert spec is not None
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(packaged, "find_spec", lambda _: spec)
    with pytest.raises(CorpusError, match="not complete"):
        load_pairs("lee50")
