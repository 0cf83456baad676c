"""Queries with documents: reading folders and archives, sets on the hub, parts, long documents."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.corpora import beir, registry
from analysis.corpora import hub as hub_sets
from analysis.corpora.beir import read_retrieval
from analysis.corpora.passages import position_variants
from analysis.corpora.registry import load_labelled, load_pairs, load_retrieval, load_texts
from analysis.corpora.sampling import draw
from analysis.corpora.types import Retrieval
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence


def lines(*records: Mapping[str, object]) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


FILES = {
    "corpus.jsonl": lines(
        {"_id": "d1", "text": "one"},
        {"_id": "d2", "title": "Two", "text": "two", "metadata": {}},
        {"_id": 3, "title": "Three", "text": ""},
        {"_id": "d4", "title": "", "text": ""},
    ),
    "queries.jsonl": lines(
        {"_id": "q1", "text": "which?"}, {"_id": "q2", "text": "none"}, {"_id": "q3", "text": "all"}
    ),
    "qrels.tsv": b"query-id\tcorpus-id\tscore\n"
    b"q1\td2\t2\nq1\td1\t0\nq2\td1\t0\nq3\t3\t1\nq3\td2\t1\nq3\td2\t3\nq3\tnone\t1\nqx\td1\t1\n",
}


def zipped(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return content.getvalue()


def check(found: Retrieval) -> None:
    assert found.queries == ("which?", "all")
    assert found.documents == ("one", "Two two", "Three")
    assert found.relevance == ({1: 2}, {2: 1, 1: 3})
    assert found.total is None
    assert found.note == (
        "Of 3 queries 1 have no relevant document here and are left out. Judgements that name a "
        "query or document that is not here: 2. Documents without a text, left out: 1."
    )


@pytest.mark.parametrize("qrels", ["qrels.tsv", "qrels/test.tsv"])
def test_folders_and_archives_are_read_alike(tmp_path: Path, qrels: str) -> None:
    files = {path if path != "qrels.tsv" else qrels: data for path, data in FILES.items()}
    folder = tmp_path / "own"
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    check(load_retrieval(str(folder)))
    for root in ("", "own/"):
        data = zipped({f"{root}{path}": data for path, data in files.items()})
        check(read_retrieval("own.zip", data))
    (tmp_path / "own.zip").write_bytes(data)
    check(load_retrieval(str(tmp_path / "own.zip")))


def test_an_archive_never_leaves_its_folder(tmp_path: Path) -> None:
    outside = {f"../{path}": data for path, data in FILES.items()}
    with pytest.raises(CorpusError, match=r"own\.zip has no corpus\.jsonl"):
        read_retrieval("own.zip", zipped(outside))
    check(read_retrieval("own.zip", zipped({**outside, **FILES, "deeper/corpus.jsonl": b""})))
    assert not list(tmp_path.iterdir())


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beir, "LARGEST_ARCHIVE", 100)
    with pytest.raises(CorpusError, match="unpacks to more than") as caught:
        read_retrieval("own.zip", zipped(FILES))
    assert_one_sentence(caught.value)


def test_local_sets_are_read_whole(evaldata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVE_CORPORA", str(evaldata))
    claims = load_retrieval("scifact-mini")
    assert (claims.name, len(claims.documents), len(claims.queries)) == ("scifact-mini", 500, 100)
    assert sum(map(len, claims.relevance)) == 114
    assert claims.note == ""
    assert claims.documents[0].startswith("Insulin action and resistance in obesity and type 2")
    meetings = load_retrieval("qmsum-test")
    assert (len(meetings.documents), len(meetings.queries)) == (35, 244)
    assert np.mean([len(text.split()) for text in meetings.documents]) > 9000


@given(
    st.binary(max_size=60)
    | st.tuples(st.integers(0, 900), st.binary(min_size=1, max_size=4)).map(
        lambda cut: zipped(FILES)[: cut[0]] + cut[1] + zipped(FILES)[cut[0] + len(cut[1]) :]
    )
    | st.dictionaries(st.sampled_from(sorted(FILES)), st.binary(max_size=30)).map(
        lambda files: zipped({**FILES, **files})
    )
)
def test_any_archive_is_read_or_refused(data: bytes) -> None:
    try:
        read_retrieval("a.zip", data)
    except CorpusError as error:
        assert str(error).startswith("a.zip")  # noqa: PT017


# Parts

SET = Retrieval(
    "made up",
    tuple(f"query {i}" for i in range(6)),
    tuple(f"document {i}" for i in range(40)),
    tuple({i: 1, i + 1: 2} for i in range(6)),
    "here",
)


def test_parts_keep_all_documents_or_the_relevant_ones_and_some() -> None:
    assert draw(SET, 6, 0) is draw(SET, 9, 0) is SET
    part = draw(SET, 4, 0)
    assert (len(part.queries), part.documents, part.total) == (4, SET.documents, 6)
    assert draw(SET, 2, 0).queries == part.queries[:2]
    fewer = draw(SET, 4, 0, documents=20)
    assert fewer.queries == part.queries
    assert (len(fewer.documents), fewer.total) == (20, 6)
    assert fewer.note == "Of 40 documents 20 are kept."
    assert set(draw(SET, 4, 0, documents=12).documents) < set(fewer.documents)
    for one, other in zip(part.relevance, fewer.relevance, strict=True):
        answers = {SET.documents[i]: grade for i, grade in one.items()}
        assert {fewer.documents[i]: grade for i, grade in other.items()} == answers
    whole = draw(SET, 6, 0, documents=12)
    assert (whole.queries, whole.total) == (SET.queries, 6)
    with pytest.raises(CorpusError, match="7 documents of made up are relevant to the 6") as caught:
        draw(SET, 6, 0, documents=6)
    assert_one_sentence(caught.value)


# Long documents


@pytest.mark.parametrize("around", [1, 4, 16, 17])
def test_only_the_place_differs(around: int) -> None:
    variants = position_variants(SET, around=around, seed=3)
    assert list(variants) == ["start", "middle", "end"]
    for place, variant in variants.items():
        assert variant.name == f"made up-{place}"
        assert (variant.queries, variant.relevance) == (SET.queries, SET.relevance)
        # 33 documents are relevant to no query: enough up to 16 around each
        assert ("may answer other queries" in variant.note) == (around > 16)
    for document, passage in enumerate(SET.documents):
        start, middle, end = (v.documents[document].split("\n\n") for v in variants.values())
        assert start[0] == middle[around // 2] == end[-1] == passage
        fillers = start[1:]
        assert fillers == end[:-1] == [p for p in middle if p != passage]
        assert len({passage, *fillers}) == around + 1
        barred = {SET.documents[i] for g in SET.relevance if document in g for i in g}
        assert not barred & set(fillers)
        if around <= 16:
            assert not {SET.documents[i] for i in range(7)} & set(fillers)
    again = position_variants(SET, around=around, seed=3)["end"].documents
    other = position_variants(SET, around=around, seed=4)["end"].documents
    assert variants["end"].documents == again != other


def test_too_few_passages_are_refused() -> None:
    for around, message in ((0, "at least 1 other"), (40, "ask for fewer")):
        with pytest.raises(CorpusError, match=message) as caught:
            position_variants(SET, around=around)
        assert_one_sentence(caught.value)


# The hub

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
    assert "connect once, or set KVE_CORPORA" in str(caught.value)


def test_datasets_is_imported_only_to_fetch() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from analysis.corpora import registry; registry.list_corpora(); "
        "sys.exit('datasets' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


def test_the_packaged_questions_find_their_answers() -> None:
    found = registry.load_retrieval("chatterbot-answers")
    (entry,) = (e for e in registry.list_corpora() if e.name == found.name)
    assert entry.size == len(found.queries) == len(found.relevance)
    assert len(set(found.queries)) == len(found.queries)
    assert len(set(found.documents)) == len(found.documents) > 100
    at = found.queries.index("Where is the uvula located?")
    assert [found.documents[i] for i in found.relevance[at]] == ["In The Throat"]
    named = {document for grades in found.relevance for document in grades}
    assert named == set(range(len(found.documents)))
