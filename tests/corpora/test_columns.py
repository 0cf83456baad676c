"""Texts, pairs and labels in tables: which columns are read, and any table read back."""

import csv
import io
import json
from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.corpora.columns import Columns, guess_columns, read_labelled, read_pairs, read_texts
from analysis.corpora.registry import (
    load_texts,
)
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence
from tests.support.sample_corpora import CELLS, RATED_TABLE, RECORDS, WORDS


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
        ("a.tsv", RATED_TABLE, ("a b", "c d", "e f", "g h"), None),
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


@pytest.mark.parametrize(
    "header",
    ["sentence1\tsentence2\tscore", "Sentence_A\tSentence_B\trelatedness_score", "s1\ts2\tlabel"],
)
def test_pairs_by_usual_names(header: str) -> None:
    pairs = read_pairs("a.tsv", RATED_TABLE.replace("sentence1\tsentence2\tscore", header).encode())
    assert pairs.texts == ("a b", "c d", "e f", "g h")
    assert pairs.left.tolist() == [0, 2, 0]
    assert pairs.right.tolist() == [1, 3, 3]
    assert pairs.scores.tolist() == [1, 2, 3.5]
    assert pairs.note == ""


@pytest.mark.parametrize("first", ["x\ty\tz\n", ""])
def test_pairs_by_content_are_noted(first: str) -> None:
    pairs = read_pairs(
        "a.tsv", RATED_TABLE.replace("sentence1\tsentence2\tscore\n", first).encode()
    )
    assert pairs.scores.tolist() == [1, 2, 3.5]
    assert pairs.note.startswith("Columns guessed: ")
    assert ("'x' and 'y'" if first else "'column 1' and 'column 2'") in pairs.note


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
    result = guess_columns("a.csv", content.encode(), kind)
    assert replace(result, available=()) == expected
    assert len(result.available) == content.split("\n")[0].count(",") + 1


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


def _check_round_trip(name: str, content: str, rows: list[tuple[str, str, float]]) -> None:
    pairs = read_pairs(name, content.encode())
    read = [(pairs.texts[i], pairs.texts[j]) for i, j in zip(pairs.left, pairs.right, strict=True)]
    assert read == [row[:2] for row in rows]
    assert pairs.scores.tolist() == [row[2] for row in rows]
    assert pairs.texts == tuple(dict.fromkeys(text for pair in read for text in pair))


@pytest.mark.slow
@given(
    RECORDS,
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


@pytest.mark.slow
@given(RECORDS)
def test_json_lines_round_trip(rows: list[tuple[str, str, float]]) -> None:
    keys = ("sentence1", "sentence2", "score")
    lines = [json.dumps(dict(zip(keys, row, strict=True)), ensure_ascii=False) for row in rows]
    _check_round_trip("a.jsonl", "\n".join(lines), rows)


@pytest.mark.slow
@given(RECORDS)
def test_unquoted_tsv_round_trips(rows: list[tuple[str, str, float]]) -> None:
    plain = [
        tuple(cell if isinstance(cell, float) else "".join(cell.split()) for cell in row)
        for row in [*rows, ('a "raw" quote', "x", 0.0)]
    ]
    lines = ["\t".join(map(str, row)) for row in [("sentence1", "sentence2", "score"), *plain]]
    _check_round_trip("a.tsv", "\n".join(lines), plain)  # type: ignore[arg-type]


@given(st.lists(CELLS.map(lambda text: " ".join(text.split())), min_size=1))
def test_lines_of_text_round_trip(texts: list[str]) -> None:
    assert read_texts("a.txt", "\n".join(texts).encode("utf-8-sig")).texts == tuple(texts)


@given(
    st.sampled_from(["a.txt", "a.tsv", "a.csv", "a.jsonl"]),
    st.binary()
    | st.text('"\t\n\r,{}[]: a1\ufeffé', max_size=60).map(str.encode)
    | WORDS.map(str.encode),
)
def test_any_bytes_are_read_or_refused(name: str, data: bytes) -> None:
    for read in (read_texts, read_labelled, read_pairs):
        try:
            read(name, data)
        except CorpusError as error:
            assert str(error).startswith(name)  # noqa: PT017


@given(st.lists(WORDS.filter(lambda name: name.strip() != ""), min_size=3, max_size=5, unique=True))
@example(["0\t\n", "0", "00"])
@example(["a\n;\n", "b,", "c"])
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
        result = read("a.csv", data, chosen)
        assert result.texts[0] == ("cell 0 0" if kind == "pairs" else "cell 1 0")
        if None not in (columns.text, columns.score if kind == "pairs" else ""):
            one, other = (read("a.csv", data, c) for c in (None, columns))
            assert one.texts == other.texts
