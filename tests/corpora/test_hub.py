"""Sets on the hub: fetched at their revision, read from the cache, refused with a way out."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from analysis.corpora import hub as hub_sets
from analysis.corpora import registry
from analysis.corpora.registry import (
    load_labelled,
    load_pairs,
    load_retrieval,
    load_texts,
)
from analysis.errors import CorpusError
from analysis.runtime import network
from tests.support.checks import assert_one_sentence

TABLES: dict[tuple[str, str | None], dict[str, dict[str, list[object]]]] = {
    ("mteb/stsbenchmark-sts", None): {
        split: {"sentence1": ["a", "b", "c"], "sentence2": ["b", "d", "e"], "score": [n, 1, 2.5]}
        for n, split in enumerate(("validation", "test"))
    },
    ("mteb/emotion", None): {
        "train": {"text": ["x"], "label": [0], "label_text": ["no"]},
        "test": {"text": ["x", "", "y"], "label": [0, 1, 1], "label_text": ["joy", "-", "fear"]},
    },
    ("mteb/scifact", "corpus"): {
        "corpus": {"_id": ["d1", "d2"], "title": ["One", ""], "text": ["one", "two"]}
    },
    ("mteb/scifact", "queries"): {
        "only": {"_id": ["q1", "q2"], "text": ["first", "of the training part"]}
    },
    ("mteb/scifact", "default"): {
        "train": {"query-id": ["q2"], "corpus-id": ["d1"], "score": [1]},
        "test": {"query-id": ["q1"], "corpus-id": ["d2"], "score": [1.0]},
    },
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builders for ``load_dataset_builder`` from :data:`TABLES`; the revisions it was asked for."""
    import datasets

    asked: list[str] = []

    def load(path: str, config: str | None, *, revision: str, cache_dir: str) -> Any:
        assert cache_dir
        asked.append(revision)
        tables = {s: datasets.Dataset.from_dict(t) for s, t in TABLES[path, config].items()}
        return SimpleNamespace(
            hash=revision,
            download_and_prepare=lambda: None,
            as_dataset=lambda: datasets.DatasetDict(tables),
        )

    monkeypatch.setattr(datasets, "load_dataset_builder", load)
    return asked


def test_sets_on_the_hub_are_fetched_at_their_revision(hub: list[str]) -> None:
    for name, score in (("stsb-dev", 0), ("stsb-test", 1)):
        pairs = load_pairs(name)
        assert (pairs.name, pairs.scores.tolist()) == (name, [score, 1, 2.5])
        assert pairs.texts == tuple("abdce")
        assert (pairs.left.tolist(), pairs.right.tolist()) == ([0, 1, 3], [1, 2, 4])
    assert "mteb/stsbenchmark-sts on the hub at b0fddb56." in pairs.source
    assert load_texts("stsb-dev").texts == tuple("abdce")
    labelled = load_labelled("emotion-test")
    assert (labelled.texts, labelled.labels) == (("x", "y"), ("joy", "fear"))
    assert load_texts("emotion-test") == labelled
    claims = load_retrieval("scifact")
    assert (claims.queries, claims.documents) == (("first",), ("One one", "two"))
    assert (claims.relevance, claims.note) == (({1: 1},), "")
    known = {entry.revision for entry in hub_sets.HUB_SETS}
    assert len(hub) == 8
    assert set(hub) <= known


def test_a_set_of_another_shape_is_refused(hub: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES, ("mteb/sts13-sts", None), {"test": {"a": ["x"]}})
    monkeypatch.setitem(TABLES, ("mteb/sts14-sts", None), {"a": {"a": []}, "b": {"a": []}})
    for name, message in (("sts13", "has no column sentence1"), ("sts14", "no such split")):
        with pytest.raises(CorpusError, match=message) as caught:
            load_pairs(name)
        assert_one_sentence(caught.value)
    assert len(hub) == 2


def cache_stsb(cache: Path, revision: str) -> None:
    """Write a set into the cache of datasets as its own builders do."""
    import datasets

    tables = TABLES["mteb/stsbenchmark-sts", None]

    class Builder(datasets.GeneratorBasedBuilder):  # type: ignore[misc]
        def _info(self) -> Any:
            return datasets.DatasetInfo()

        def _split_generators(self, dl_manager: object) -> Any:
            del dl_manager
            return [datasets.SplitGenerator(split, {"split": split}) for split in tables]

        def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, object]]]:
            for number, row in enumerate(zip(*tables[split].values(), strict=True)):
                yield number, dict(zip(tables[split], row, strict=True))

    builder = Builder(
        cache_dir=str(cache),
        dataset_name="stsbenchmark-sts",
        config_name="default",
        hash=revision,
        repo_id="mteb/stsbenchmark-sts",
    )
    builder.download_and_prepare()


def test_what_is_cached_is_read_without_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    [known] = [entry for entry in hub_sets.HUB_SETS if entry.name == "stsb-dev"]
    assert "stsb-dev" not in registry.names("pairs", offline=True)
    cache_stsb(tmp_path, known.revision)
    cache_stsb(tmp_path, "f" * 40)  # cached later, and not the pinned revision
    assert registry.names("pairs", offline=True) == ("lee50", "stsb-dev", "stsb-test")
    assert load_pairs("stsb-dev").scores.tolist() == [0, 1, 2.5]
    assert load_pairs("stsb-test").scores.tolist() == [1, 1, 2.5]


def test_another_revision_is_not_taken_for_the_pinned_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network, datasets would give whichever revision it cached last."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path))
    cache_stsb(tmp_path, "f" * 40)
    assert "stsb-dev" not in registry.names("pairs", offline=True)
    with pytest.raises(CorpusError, match="only revision f") as caught:
        load_pairs("stsb-dev")
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    ("load", "name"),
    [(load_pairs, "sickr-9927"), (load_labelled, "banking77-test"), (load_retrieval, "nfcorpus")],
)
def test_without_a_network_the_way_out_is_said(load: Any, name: str) -> None:
    with pytest.raises(CorpusError, match=f"{name} could not be fetched from mteb/") as caught:
        load(name)
    assert_one_sentence(caught.value)
    assert "connect to the network once, or set KVE_CORPORA" in str(caught.value)


@pytest.mark.parametrize("problem", ["no name", "silence", "no such proxy"])
def test_an_unreachable_hub_is_said_within_a_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], problem: str
) -> None:
    """The client of the hub would try again for half a minute."""
    asked: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], timeout: float) -> Any:
        asked.append(address)
        if problem == "silence":
            time.sleep(10 * timeout)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(network, "PATIENCE", 0.1)
    if problem == "no such proxy":
        monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    began = time.monotonic()
    with pytest.raises(CorpusError, match=r"a copy, retrieval/nfcorpus/\.$") as caught:
        load_retrieval("nfcorpus")
    assert time.monotonic() - began < 1
    assert_one_sentence(caught.value)
    assert ("did not answer" if problem == "silence" else "not known") in str(caught.value)
    host = ("proxy.example", 3128) if "proxy" in problem else ("huggingface.co", 443)
    assert asked == [host]
    assert capsys.readouterr().err == ""


def test_a_token_that_the_hub_refuses_is_said_to_be_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = SimpleNamespace(headers={"authorization": "Bearer hf_secret"})
    answer = OSError("401 for Bearer hf_secret")
    answer.response = SimpleNamespace(status_code=401, request=request)  # type: ignore[attr-defined]

    def refuse(*_: Any) -> None:
        raise ConnectionError("the set cannot be read") from answer

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(hub_sets, "_builder", refuse)
    expected = "The hub refused the access token in HF_TOKEN, so sickr-9927 was not fetched"
    with pytest.raises(CorpusError, match=expected) as caught:
        load_pairs("sickr-9927")
    assert "hf_secret" not in str(caught.value)


def test_datasets_is_imported_only_to_fetch() -> None:

    program = (
        "import sys; from analysis.corpora import registry; registry.list_corpora(); "
        "sys.exit('datasets' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
