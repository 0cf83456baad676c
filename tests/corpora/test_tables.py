"""Tables as programs write them: read with their right values, or refused in one sentence."""

import contextlib
import csv
import datetime
import gzip
import io
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, ipc

from analysis.corpora import registry, streams
from analysis.corpora.columns import Columns, guess_columns, read_labelled, read_pairs, read_texts
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence
from tests.support.sample_corpora import CELLS

GERMAN = (
    "Satz 1;Satz 2;Wertung\r\nEin Mann, alt;Eine Frau;1,0\r\nEin Hund;Ein Hündchen;4,25\r\n"
    'Das Schloß;"Ein ""Tor""; offen";0\r\n'
)
FRENCH = "sentence1;sentence2;score\nUn homme;Une femme;1,0\nÉté;Hiver;4,25\nOui;Non;0\n"
STS_BENCHMARK = (
    "main-captions\tMSRvid\t2012test\t0024\t2.500\tA girl is styling her hair.\tA girl brushes.\n"
    'main-forums\tdeft-forum\t2014\t0007\t5.000\tHe said "yes.\tShe said no".\n'
    'main-news\tMSRpar\t2012train\t0301\t0.000\t"Go, he said.\tStop.\thttp://a.org\tb.org 2012\n'
)


def refused(read: Callable[[], Any], message: str) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        read()
    assert_one_sentence(caught.value)


# Separators


@pytest.mark.parametrize("declared", ["", "sep=;\r\n", '"sep=;"\n', "SEP=;\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("content", [GERMAN, FRENCH])
def test_a_european_spreadsheet_is_read(declared: str, encoding: str, content: str) -> None:
    pairs = read_pairs("a.csv", (declared + content).encode(encoding))
    assert pairs.scores.tolist() == [1.0, 4.25, 0.0]
    first = "Ein Mann, alt" if content is GERMAN else "Un homme"
    assert pairs.texts[pairs.left[0]] == first
    if content is GERMAN:
        assert pairs.texts[pairs.right[2]] == 'Ein "Tor"; offen'


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman", "iso8859-15"])
def test_a_european_spreadsheet_in_an_old_encoding_says_what_to_choose(encoding: str) -> None:
    data = GERMAN.encode(encoding)
    refused(lambda: read_pairs("a.csv", data), "not UTF-8; save the file as UTF-8 .*semicolons")


def test_a_header_is_not_needed_between_semicolons() -> None:
    """Split at commas, each line would have two columns."""
    content = FRENCH.partition("\n")[2].replace(";0\n", ";0,0\n")
    pairs = read_pairs("a.csv", content.encode())
    assert (pairs.scores.tolist(), pairs.texts[0]) == ([1.0, 4.25, 0.0], "Un homme")


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("text\nHello; you\nA; b\n", ("Hello; you", "A; b")),
        ('"a;b","text"\n1,x\n', ("x",)),
        ("text,label\na;b,x\nc;d,y\n", ("a;b", "c;d")),
        ("text;label\na,b;x\nc,d;y\n", ("a,b", "c,d")),
        ("text\tlabel\na,b;c\tx\n", ("a,b;c",)),
        ("sep=|\ntext|label\na,b|x\n", ("a,b",)),
        ("text;label;;\na;b;;\n;;;\nc;d;;\n", ("a", "c")),
        ("\n\ntext,label\n,\na,b\n", ("a",)),
        ('text, label\na, b\n"c, d", e\n', ("a", "c, d")),
        ('label, "text"\na, b\nc, "d, ""e"""\n', ("b", 'd, "e"')),
        ("label,text\na, b\n", (" b",)),
        ("I like it,yes\nI do not,no\nI do,yes\nNo thanks,no\n"[:-1], ("I like it",)),
    ],
)
def test_the_separator_gives_even_rows(content: str, texts: tuple[str, ...]) -> None:
    assert read_texts("a.csv", content.encode()).texts[: len(texts)] == texts


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.xlsx"])
def test_one_column_without_a_usual_name_is_not_guessed(name: str) -> None:
    """Its first line would be lost, or its name encoded."""
    rows = ["Hello world", "How are you", "Fine"]
    table = spreadsheet([[row] for row in rows]) if "xlsx" in name else "\n".join(rows).encode()
    refused(
        lambda: read_texts(name, table),
        "'Hello world' above it may be its name or a text: write text",
    )
    assert read_texts(name, table, Columns("Hello world")).texts == ("How are you", "Fine")
    assert guess_columns(name, table, "texts").available == ("Hello world",)


def test_a_first_line_that_appears_again_is_no_header() -> None:
    labelled = read_labelled("a.csv", b"I like it,yes\nI do not,no\nI do,yes\nNo thanks,no\n")
    assert (len(labelled.texts), labelled.labels) == (4, ("yes", "no", "yes", "no"))
    assert read_texts("a.csv", b"text,kind\ntext,b\n").texts == ("text",)  # a usual name


@pytest.mark.parametrize("name", ["sts-dev.csv", "sts-dev.tsv"])
@pytest.mark.parametrize("genre", ["main-", "other-"])
def test_the_sts_benchmark_is_read_as_it_is_distributed(name: str, genre: str) -> None:
    pairs = read_pairs(name, STS_BENCHMARK.replace("main-", genre).encode())
    assert pairs.scores.tolist() == [2.5, 5.0, 0.0]
    assert [pairs.texts[i] for i in pairs.left] == [
        "A girl is styling her hair.",
        'He said "yes.',
        '"Go, he said.',
    ]
    assert [pairs.texts[i] for i in pairs.right] == ["A girl brushes.", 'She said no".', "Stop."]


def test_a_table_without_header_says_how_to_name_its_columns() -> None:
    content = "x\ta b\tc d\t1\ny\te f\tg h\t2\nz\ti j\tk l\t3\n"
    refused(
        lambda: read_pairs("a.csv", content.encode()),
        "4 columns have no names, for it has no header line; name them in a first line, with tabs",
    )
    chosen = Columns("column 2", "column 3", "column 4")
    assert read_pairs("a.csv", content.encode(), chosen).scores.tolist() == [1, 2, 3]
    refused(
        lambda: read_pairs("SICK.txt", b"sentence_A\tsentence_B\tscore\na\tb\t1\n"),
        r"its lines have tabs, so name it \.tsv",
    )


# Numbers


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("1,0", "2,5", "3"), [1.0, 2.5, 3.0]),
        (("-1,25", "+2,5", "3e2"), [-1.25, 2.5, 300.0]),
        ((" 1.5", "2 ", "3"), [1.5, 2.0, 3.0]),
    ],
)
def test_decimal_commas_are_numbers(cells: Sequence[str], values: list[float]) -> None:
    rows = "".join(f"a{i}\tb{i}\t{cell}\n" for i, cell in enumerate(cells))
    pairs = read_pairs("a.tsv", f"s1\ts2\tscore\n{rows}".encode())
    assert pairs.scores.tolist() == values


@pytest.mark.parametrize("cell", ["1.000,5", "1,2,3", "1_0", "1'000", "1,000", "٣,٥", ",5"])
def test_numbers_that_could_mean_something_else_are_refused(cell: str) -> None:
    rows = "".join(f"a{i}\tb{i}\t{each}\n" for i, each in enumerate((cell, cell, cell)))
    refused(lambda: read_pairs("a.tsv", f"s1\ts2\tscore\n{rows}".encode()), "is not a finite num")


def test_three_decimals_between_semicolons_are_decimals() -> None:
    data = b"s1;s2;score\na;b;1,000\nc;d;2,125\ne;f;0,500\n"
    assert read_pairs("a.csv", data).scores.tolist() == [1.0, 2.125, 0.5]


# Spreadsheets


def spreadsheet(*sheets: Sequence[Sequence[object]], merged: str = "") -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(list(row))
        if merged:
            sheet.merge_cells(merged)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


HEADER = ("sentence1", "sentence2", "score")
RATED = (HEADER, ("Ein Mann", "Eine Frau", 1.0), ("a", "b", 4.25), ("c", "d", 0))


def test_a_spreadsheet_is_read() -> None:
    for data in (
        spreadsheet(RATED),
        spreadsheet((), RATED, ()),  # sheets without content
        spreadsheet([(), (), *RATED[:2], (), (None, "  "), *RATED[2:], ()]),  # empty rows
        spreadsheet([(*row, None, " ") for row in RATED]),
    ):
        pairs = read_pairs("a.XLSX", data)
        assert pairs.scores.tolist() == [1.0, 4.25, 0.0]
        assert pairs.texts[:2] == ("Ein Mann", "Eine Frau")


def test_what_cells_hold() -> None:
    rows: list[tuple[object, ...]] = [
        ("text", "label"),
        ("a", 1),
        ("b", 2.0),
        ("c", 2.5),
        ("d", True),
        ("e", datetime.datetime(2026, 11, 27)),
        ("f", "#N/A"),
        (7, "=1+1"),
    ]
    texts = read_texts("a.xlsx", spreadsheet(rows))
    assert texts.texts == ("a", "b", "c", "d", "e", "f", "7")
    assert texts.labels == ("1", "2", "2.5", "true", "2026-11-27T00:00:00", "", "")


def test_escapes_of_a_spreadsheet_are_the_characters_that_they_stand_for() -> None:
    """Excel writes so what XML cannot hold; a carriage return was read as ``_x000D_``."""
    data = spreadsheet([("te_x0078_t",), ("a_x000D_\nb",), ("_x005F_x0041_ _xZZ_ a_x",)])
    assert read_texts("a.xlsx", data).texts == ("a\r\nb", "_x0041_ _xZZ_ a_x")
    nothing = spreadsheet([("text",), ("a_x0000_",)])
    refused(lambda: read_texts("a.xlsx", nothing), "row 2: contains a NUL character")


def test_merged_cells_have_their_value_or_are_refused() -> None:
    rows = [("label", "text"), ("x", "a"), (None, "b"), (None, "c"), ("y", "d")]
    labelled = read_labelled("a.xlsx", spreadsheet(rows, merged="A2:A4"))
    assert labelled.labels == ("x", "x", "x", "y")
    refused(
        lambda: read_pairs("a.xlsx", spreadsheet([HEADER, *RATED], merged="A1:B1")),
        "row 1: the names of columns A to B are merged; give each",
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: spreadsheet(RATED, RATED), "2 sheets with content .*; save the one that is"),
        (lambda: spreadsheet((), ()), "is empty; no sheet"),
        (lambda: spreadsheet([("Results",), (), *RATED]), "row 1: the column after 'Results' has"),
        (lambda: spreadsheet([HEADER, ("a", None, 1), *RATED[1:]]), "row 2: no text in column"),
        (lambda: spreadsheet([HEADER, ("a", "b", "#DIV/0!"), *RATED[1:]]), "None is not a finite"),
        (lambda: spreadsheet(RATED)[:-30], "is not a spreadsheet that can be read"),
        (lambda: b"s1;s2;score\n", "is not a spreadsheet that can be read"),
        (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1", "in an old format or with a password, not a table"),
    ],
)
def test_a_spreadsheet_that_is_not_clear_is_refused(
    data: Callable[[], bytes], message: str
) -> None:
    refused(lambda: read_pairs("a.xlsx", data()), message)


@pytest.mark.parametrize("name", ["a.xls", "a.ods", "a.xlsb", "a.numbers"])
def test_other_spreadsheets_are_named(name: str) -> None:
    refused(lambda: read_pairs(name, b"x"), "not read here; save it as .xlsx")


def test_without_openpyxl_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    data = spreadsheet(RATED)
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    refused(lambda: read_pairs("a.xlsx", data), "needs the package openpyxl: run pip install")


# Parquet and Arrow


def columnar(table: pa.Table) -> dict[str, bytes]:
    from pyarrow import parquet

    kinds: dict[str, Callable[[pa.BufferOutputStream], object]] = {
        "a.parquet": lambda sink: parquet.write_table(table, sink),
        "a.feather": lambda sink: feather.write_feather(table, sink),
        "stream.arrow": lambda sink: _closed(ipc.new_stream(sink, table.schema), table),
        "file.arrow": lambda sink: _closed(ipc.new_file(sink, table.schema), table),
    }
    contents = {}
    for name, write in kinds.items():
        sink = pa.BufferOutputStream()
        write(sink)
        contents[name] = sink.getvalue().to_pybytes()
    return contents


def _closed(writer: Any, table: pa.Table) -> None:
    with writer:
        writer.write_table(table)


def test_columnar_files_are_read() -> None:
    frame = pd.DataFrame(RATED[1:], columns=list(HEADER), index=[3, 1, 2])
    frame["day"] = pd.Timestamp("2026-11-27")
    frame["kind"] = pd.Categorical(["x", "y", "x"])
    frame["list"] = [[1], [2], [3]]
    for name, data in columnar(pa.Table.from_pandas(frame)).items():
        pairs = read_pairs(name, data)
        assert pairs.scores.tolist() == [1.0, 4.25, 0.0], name
        labelled = read_labelled(name, data, Columns("sentence1", label="kind"))
        assert labelled.labels == ("x", "y", "x")
        assert "__index_level_0__" not in guess_columns(name, data, "pairs").available
        dates = read_labelled(name, data, Columns("sentence1", label="sentence2"))
        assert dates.labels == ("Eine Frau", "b", "d")
        refused(partial(read_pairs, name, data[:40]), "is not a Parquet, Feather or Arrow file")


def test_bytes_in_a_columnar_file_are_texts_in_utf_8() -> None:
    """As Spark and Hive leave them, which do not say what the bytes are."""
    pairs = {"sentence1": [b"a", "\u00e9".encode(), b"c"], "sentence2": ["d", "e", "f"]}
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        scores = pa.array([b"1,0", b"2,5", b"0"])
        columns = {"sentence1": pa.array(pairs["sentence1"], kind), "sentence2": pairs["sentence2"]}
        for name, data in columnar(pa.table({**columns, "score": scores})).items():
            read = read_pairs(name, data)
            assert (read.texts[read.left[1]], read.scores.tolist()) == ("\u00e9", [1.0, 2.5, 0.0])
    for name, data in columnar(pa.table({"text": pa.array([b"a", b"\xff\xd8"])})).items():
        refused(partial(read_texts, name, data), "row 2: no text in col")


def test_a_damaged_arrow_file_is_not_read_beyond_its_end() -> None:
    """Each byte of the offsets changed in turn; one of them ended the process before."""
    data = columnar(pa.table({"text": ["a b", "c d"]}))["stream.arrow"]
    for place in range(len(data) - 120, len(data)):
        damaged = data[:place] + b"\xfa" + data[place + 1 :]
        with contextlib.suppress(CorpusError):
            read_texts("a.arrow", damaged)


def test_missing_cells_are_named() -> None:
    frame = pd.DataFrame({"text": ["a", None, "c"], "label": [1.0, 2.0, float("nan")]})
    for name, data in columnar(pa.Table.from_pandas(frame)).items():
        refused(partial(read_texts, name, data), "row 2: no text in column")
    frame["text"] = list("abc")
    for name, data in columnar(pa.Table.from_pandas(frame)).items():
        assert read_texts(name, data).labels == ("1", "2", "")
        refused(partial(read_labelled, name, data), "row 3: no label in col")


def test_columnar_files_without_rows_or_columns_are_refused() -> None:
    for name, data in columnar(pa.table({"text": pa.array([], pa.string())})).items():
        refused(partial(read_texts, name, data), "no rows")
    for name, data in columnar(pa.table({})).items():
        refused(partial(read_texts, name, data), "no columns")


# JSON and compression


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson"])
def test_json_is_a_list_or_lines(name: str) -> None:
    records = [{"text": "a"}, {"label": 3, "text": "b"}, {"text": "c", "label": 2.0}]
    for content in (
        json.dumps(records, indent=1),
        "\n".join(map(json.dumps, records)),
        pd.DataFrame(records).to_json(orient="records"),
    ):
        texts = read_texts(name, content.encode())
        assert texts.texts == tuple("abc")
        assert texts.labels in (("", "3", "2.0"), ("", "3", "2"), ("", "3.0", "2.0"))
    refused(lambda: read_texts(name, b'[{"text": "a"}, {"text": " "}]'), "object 2: no text in")
    refused(lambda: read_texts(name, b'{"text": {"0": "a"}}'), "line 1: no text in column")


@pytest.mark.parametrize("name", ["a.tsv.gz", "A.TSV.GZ", "a.txt.gz", "a.jsonl.gz"])
def test_compressed_text_is_read(name: str) -> None:
    data = gzip.compress(b'{"text": "a b"}' if "json" in name else b"text\na b\n")
    assert read_texts(name, data).texts[-1] == "a b"
    refused(lambda: read_texts(name, data[:-6]), "is not a gzip file that can be read")
    refused(lambda: read_texts(name, b"text\n"), "is not a gzip file that can be read")


def test_a_file_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.corpora.parsing.LARGEST_UNPACKED", 10_000)
    monkeypatch.setattr("analysis.corpora.tables.LARGEST_UNPACKED", 10_000)
    data = gzip.compress(b"a\n" * 10_000)
    refused(lambda: read_texts("a.txt.gz", data), "unpacks to more than")
    rows = [("text",), *[("x" * 1000,)] * 20]
    refused(lambda: read_texts("a.xlsx", spreadsheet(rows)), "unpacks to more than")
    frame = pa.table({"text": pa.array(["x" * 1000] * 20).dictionary_encode()})
    for name, content in columnar(frame).items():
        refused(partial(read_texts, name, content), "unpacks to more")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "fetch it with git lfs"),
        (b"\n<!DOCTYPE html>\n<html></html>", "is a web page, not a table; download"),
        (b"PAR1x", r"is a Parquet file, not a table; name it \.parquet"),
    ],
)
def test_what_is_no_table_is_named(data: bytes, message: str) -> None:
    for name in ("a.csv", "a.tsv", "a.jsonl", "a.txt"):
        refused(partial(read_texts, name, data), message)


# The doors


def test_every_door_takes_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KVE_CORPORA", str(tmp_path))
    frame = pd.DataFrame(RATED[1:], columns=list(HEADER))
    contents = columnar(pa.Table.from_pandas(frame)) | {
        "s.xlsx": spreadsheet(RATED),
        "c.csv": FRENCH.encode(),
        "z.tsv.gz": gzip.compress(frame.to_csv(sep="\t", index=False).encode()),
        "j.json": frame.to_json(orient="records").encode(),
    }
    (tmp_path / "sts").mkdir()
    for name, data in contents.items():
        path = tmp_path / "sts" / f"my-{name}"
        path.write_bytes(data)
        for source in (str(path), f"my-{name}".removesuffix(".gz").rpartition(".")[0]):
            assert registry.load_pairs(source).scores.tolist() == [1.0, 4.25, 0.0], name
        with_texts = tmp_path / name
        with_texts.write_bytes(data)
        lines = streams.Lines(str(with_texts))
        assert list(lines) == list(registry.load_texts(str(with_texts)).texts)
        assert lines.count == 6
        assert "of the pairs" in lines.source
        lines.close()


@given(
    st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5),
    st.sampled_from([";", ",", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
)
def test_any_table_of_a_spreadsheet_is_read_back(
    rows: list[tuple[str, str]], separator: str, encoding: str, declared: bool
) -> None:
    content = io.StringIO(newline="")
    writer = csv.writer(content, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerows([("text", "note"), *rows])
    text = f"sep={separator}\r\n" * declared + content.getvalue()
    if separator == "\t":  # raw quotes are kept there unless they are needed
        return
    assert read_texts("a.csv", text.encode(encoding)).texts == tuple(row[0] for row in rows)
