"""Queries with documents: folders and archives in BEIR's format."""

import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.corpora import beir, sampling
from analysis.corpora.beir import read_retrieval
from analysis.corpora.registry import (
    load_retrieval,
)
from analysis.corpora.types import Retrieval
from analysis.errors import CorpusError
from analysis.evaluation.retrieval import retrieval
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


def check(result: Retrieval) -> None:
    assert result.queries == ("which?", "all")
    assert result.documents == ("one", "Two two", "Three")
    assert result.relevance == ({1: 2}, {2: 1, 1: 3})
    assert result.total is None
    assert result.note == (
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
    packed = {f"{path}.gz": gzip.compress(data) for path, data in files.items()}
    check(read_retrieval("own.zip", zipped(packed)))
    for path, content in files.items():
        (folder / path).unlink()
        (folder / f"{path}.gz").write_bytes(gzip.compress(content))
    check(load_retrieval(str(folder)))
    (tmp_path / "own.zip").write_bytes(data)
    check(load_retrieval(str(tmp_path / "own.zip")))


def own_set(queries: dict[str, str], documents: list[dict[str, str]], qrels: str) -> Retrieval:
    files = {
        "corpus.jsonl": lines(*documents),
        "queries.jsonl": lines(*({"_id": key, "text": text} for key, text in queries.items())),
        "qrels.tsv": f"query-id\tcorpus-id\tscore\n{qrels}".encode(),
    }
    return read_retrieval("own.zip", zipped(files))


def test_a_query_that_is_a_document_is_left_out_of_its_ranking() -> None:
    """ArguAna and Quora: queries and documents share ids and texts."""
    texts = {"a": "Cats  purr.", "b": "Cats sing.", "c": "Dogs sing.", "d": "Dogs bark."}
    documents = [{"_id": key, "title": "Pets", "text": text} for key, text in texts.items()]
    documents[3] = {"_id": "d", "text": texts["d"]}
    queries = {"a": "cats purr.", "d": "Dogs bark.", "none": "Birds."}
    corpus = own_set(queries, documents, "a\tb\t1\nd\tc\t1\n")
    assert corpus.own_documents == {0: 0, 1: 3}
    assert "each left out of its own ranking: 2." in corpus.note
    angles = np.array([0.0, 0.1, 1.4, 1.5])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    own = corpus.own_documents
    found = retrieval(vectors[[0, 3]], vectors, corpus.relevance, own_documents=own)
    assert found[0].value == 100
    assert retrieval(vectors[[0, 3]], vectors, corpus.relevance)[0].value == pytest.approx(63.093)
    part = sampling.draw(corpus, 1, 0)
    assert part.own_documents == {0: {"cats purr.": 0, "Dogs bark.": 3}[part.queries[0]]}
    few = sampling.draw(corpus, 2, 0, documents=2)
    assert (few.documents, few.own_documents) == (("Pets Cats sing.", "Pets Dogs sing."), {})


def test_ids_that_only_overlap_lose_no_document() -> None:
    documents = [{"_id": str(n), "text": f"text {n}"} for n in range(4)]
    queries = {"0": "another", "1": "text 1", "2": "text 2", "3": "text 1"}
    corpus = own_set(queries, documents, "0\t0\t1\n1\t1\t1\n2\t1\t1\n3\t0\t1\n")
    assert corpus.own_documents == {2: 2}  # query 1 is judged relevant to itself


@pytest.mark.parametrize("grade", ["0.5", "1e300", "9007199254740993.0e3"])
def test_a_grade_that_is_none_is_named_with_its_line(grade: str) -> None:
    """Larger ones than float64 counts ended in a TypeError, after everything was encoded."""
    with pytest.raises(CorpusError, match=r"qrels\.tsv, line 2: the score .* whole") as caught:
        own_set({"q": "x"}, [{"_id": "a", "text": "a"}], f"q\ta\t{grade}\n")
    assert_one_sentence(caught.value)
    largest = own_set({"q": "x"}, [{"_id": "a", "text": "a"}], f"q\ta\t{2**53}\n")
    value = retrieval(np.eye(2)[:1], np.eye(2)[:1], largest.relevance)[0].value
    assert value == 100


def test_documents_that_repeat_are_counted() -> None:
    documents = [{"_id": str(n), "text": text} for n, text in enumerate("aabba")]
    corpus = own_set({"q": "x"}, documents, "q\t0\t1\n")
    assert corpus.note == "Documents that repeat the text of another: 3; they share its rank."


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
