"""Corpora by name: local copies, files, and names that nothing answers to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.corpora import packaged
from analysis.corpora.registry import (
    columns_of,
    list_corpora,
    load_labelled,
    load_pairs,
    load_retrieval,
    load_texts,
    names,
)
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence
from tests.support.sample_corpora import RATED_TABLE


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("stsb-dev", 1500),
        ("stsb-test", 1379),
        ("sts12", 3108),
        ("sts16", 1186),
        ("sickr-test", 4927),
    ],
)
def test_evaluation_data_read_whole(evaldata: Path, name: str, count: int) -> None:
    path = evaldata / "sts" / f"{name}.tsv"
    pairs = load_pairs(str(path))
    lines = path.read_text("utf-8").splitlines()[1:]
    assert len(pairs.scores) == len(lines) == count
    assert len(set(pairs.texts)) == len(pairs.texts)
    for line, left, right, score in zip(
        lines, pairs.left, pairs.right, pairs.scores, strict=True
    ):  # raw double quotes included
        assert line.split("\t")[:2] == [pairs.texts[left], pairs.texts[right]]
        assert float(line.split("\t")[2]) == score
    assert load_texts(str(path)).texts == pairs.texts


def test_evaluation_texts_carry_labels(evaldata: Path) -> None:
    for name, count, labels in (
        ("clinc150-test", 4500, 150),
        ("banking77-test", 3080, 77),
        ("sib200-eng", 1004, 7),
    ):
        path = str(evaldata / f"labelled/{name}.tsv")
        corpus = load_labelled(path)
        assert corpus == load_texts(path)
        assert corpus.labels is not None
        assert (len(corpus.texts), len(set(corpus.labels))) == (count, labels)
    assert len(load_texts(str(evaldata / "retrieval/scifact-mini/corpus.jsonl")).texts) == 500


def test_local_copies_are_offered_by_their_stem(
    evaldata: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not {entry.where for entry in list_corpora()} - {"packaged", "hub"}
    assert names("pairs", offline=True) == ("lee50",)
    monkeypatch.setenv("KVE_CORPORA", str(evaldata))
    sizes = {(e.name, e.kind): e.size for e in list_corpora() if e.where == "folder"}
    assert sizes == {
        ("stsb-dev", "pairs"): 1500,
        ("stsb-test", "pairs"): 1379,
        ("sts12", "pairs"): 3108,
        ("sts16", "pairs"): 1186,
        ("sickr-test", "pairs"): 4927,
        **{("banking77-test", kind): 3080 for kind in ("labelled", "texts")},
        **{("clinc150-test", kind): 4500 for kind in ("labelled", "texts")},
        **{("sib200-eng", kind): 1004 for kind in ("labelled", "texts")},
        ("scifact-mini", "retrieval"): 100,
        ("qmsum-test", "retrieval"): 244,
    }
    listed = [(entry.name, entry.kind) for entry in list_corpora()]
    assert len(set(listed)) == len(listed)
    assert set(names("retrieval", offline=True)) == {
        "chatterbot-answers",
        *packaged.LONG,
        "scifact-mini",
        "qmsum-test",
    }
    assert names("retrieval", offline=False) == ("scifact", "nfcorpus")
    assert load_pairs("stsb-dev").name == "stsb-dev"
    assert len(load_texts("stsb-dev").texts) == len(load_pairs("stsb-dev").texts)
    chosen = columns_of("clinc150-test", "labelled")
    assert chosen is not None
    assert (chosen.label, chosen.available) == ("label", ("text", "label", "domain"))
    domains = load_labelled("clinc150-test", replace(chosen, label="domain"))
    assert domains.labels is not None
    assert len(set(domains.labels)) == 10
    assert columns_of("chatterbot", "texts") is columns_of("sts13", "pairs") is None


def test_a_bad_local_copy_is_listed_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sts").mkdir()
    (tmp_path / "sts/own.tsv").write_text("a\tb\n", "utf-8")
    (tmp_path / "sts/lee50.tsv").write_text(RATED_TABLE, "utf-8")
    (tmp_path / "sts/.hidden.tsv").write_text(RATED_TABLE, "utf-8")
    (tmp_path / "retrieval/v1.5").mkdir(parents=True)
    monkeypatch.setenv("KVE_CORPORA", str(tmp_path))
    result = {entry.name: entry for entry in list_corpora() if entry.where == "folder"}
    assert set(result) == {"own", "v1.5"}
    assert not any(entry.offline or entry.size for entry in result.values())
    assert result["own"].description == "own.tsv has a header line but no rows."
    assert len(load_pairs("lee50").scores) == 1225
    monkeypatch.setenv("KVE_CORPORA", str(tmp_path / "none"))
    assert {entry.where for entry in list_corpora()} == {"packaged", "hub"}


def test_a_corpus_without_labels_is_refused_by_name() -> None:
    with pytest.raises(CorpusError, match="lee50 has no labels; labelled corpora are chatterbot"):
        load_labelled("lee50")


@pytest.mark.parametrize("source", ["none.tsv", "", "a\0b", "x" * 5000])
def test_missing_file_lists_what_is_known_by_name(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for load, known in (
        (load_texts, "names for texts are news-sentences, chatterbot, "),
        (load_labelled, "names for labelled are chatterbot, banking77-test, "),
        (load_pairs, "names for pairs are lee50, stsb-dev, "),
        (load_retrieval, "names for retrieval are chatterbot-answers, long-news-512"),
    ):
        with pytest.raises(CorpusError, match=known) as caught:
            load(source)
        assert_one_sentence(caught.value)


def test_relative_paths_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tsv").write_text(RATED_TABLE, "utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_pairs("a.tsv").name == "a.tsv"
    assert len(load_texts("a.tsv").texts) == 4


def test_a_path_is_read_as_its_name(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(RATED_TABLE)
    for load in (load_pairs, load_texts):
        assert load(path).texts == load(str(path)).texts
        assert load(path).name == str(path)
        with pytest.raises(CorpusError, match="no corpus") as caught:
            load(tmp_path / "missing.tsv")
        assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "load", [load_pairs, load_texts, load_labelled, load_retrieval, columns_of]
)
def test_only_names_and_paths_are_read(load: Any) -> None:
    kind = ("texts",) if load is columns_of else ()
    for given in (pd.DataFrame({"text": ["boat"]}), ["boat"], None, 3, 0.5):
        with pytest.raises(CorpusError, match="by a name or the path") as caught:
            load(given, *kind)
        assert_one_sentence(caught.value)
