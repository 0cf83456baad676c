"""Bad input, by name: what each is answered by the library, the command line and the pages.

A case is a file, something typed, a recipe or a link. Files go through the three doors that there
are: the reader of their kind, ``--corpus``, and the upload. Each is read, or refused in one
sentence, which names the line where there is one; never anything else.
"""

import contextlib
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from analysis.backbones.sources import resolve
from analysis.cli.main import main
from analysis.cli.parser import parse
from analysis.corpora import beir, columns, parsing, registry, streams
from analysis.embedding import prompts
from analysis.errors import CorpusError, ExplorerError, RecipeError
from analysis.recipes import files as recipe_files
from analysis.rerouting import layer_lists
from pages.shared import questions
from pages.shared.controls import Pair, Text
from pages.shared.page_question import SIDEBAR
from tests.support.checks import assert_one_sentence
from tests.support.fuzz_parsers import seeds
from tests.support.visits import ROOT, opened, sentence, shown, turn_to, type_backbone, well

H = "sentence1\tsentence2\tscore\n"
GOOD = H + "a b\tc d\t1\ne f\tg h\t2\na b\tg h\t3.5\n"
GERMAN = "Satz 1;Satz 2;Wertung\r\nSchloß;Tor;1,0\r\nHund;Katze;2,5\r\nOma;Opa;0\r\n"
SEEDS = seeds()
QRELS = "query-id\tcorpus-id\tscore\n"
SET = {
    "corpus.jsonl": b'{"_id": "d1", "text": "one"}\n{"_id": "d2", "text": "two"}',
    "queries.jsonl": b'{"_id": "q1", "text": "which?"}\n{"_id": "q2", "text": "all"}',
    "qrels.tsv": (QRELS + "q1\td2\t2\nq2\td1\t1\n").encode(),
}


def jsonl(*records: object) -> bytes:
    return "\n".join(map(json.dumps, records)).encode()


def pairs(left: str = "a b", right: str = "c d") -> str:
    """Three rated pairs with these texts, told apart by a number."""
    return H + "".join(f"{left} {i}\t{right} {i}\t{i}\n" for i in range(3))


def zipped(files: Mapping[str, bytes | None]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, data in files.items():
            if data is not None:
                archive.writestr(path, data)
    return content.getvalue()


@dataclass(frozen=True)
class Case:
    """A file and what is said of it, as a regular expression; None where it is read."""

    name: str
    data: bytes | str
    said: str | None = None
    kind: str = "pairs"

    @property
    def content(self) -> bytes:
        return self.data.encode() if isinstance(self.data, str) else self.data


FILES = {
    # Encodings, and what is no text
    "pairs: empty": Case("a.tsv", "", "is empty"),
    "pairs: white space": Case("a.tsv", "\ufeff \n\t\n", "is empty"),
    "pairs: Latin-1": Case(
        "a.tsv", pairs("Schloß").encode("latin-1"), "line 2: byte 0xdf at offset 31 is not UTF-8"
    ),
    "pairs: UTF-16": Case("a.tsv", pairs("Schloß").encode("utf-16")),
    "pairs: UTF-16, no mark": Case("a.tsv", pairs().encode("utf-16-le"), "line 1: contains a NUL"),
    "pairs: UTF-32": Case("a.tsv", pairs().encode("utf-32"), "line 1: contains a NUL"),
    "pairs: byte order mark": Case("a.tsv", pairs().encode("utf-8-sig")),
    "pairs: CRLF": Case("a.tsv", pairs().replace("\n", "\r\n")),
    "pairs: CR": Case("a.tsv", pairs().replace("\n", "\r")),
    "pairs: NUL": Case("a.tsv", pairs().replace("c d 1", "c\0d"), "line 3: contains a NUL"),
    "pairs: lone surrogate": Case(
        "a.tsv", pairs("\ud800").encode("utf-8", "surrogatepass"), "line 2: byte 0xed .* not UTF-8"
    ),
    "pairs: surrogate in UTF-16": Case(
        "a.tsv",
        b"\xff\xfe" + pairs("\ud800").encode("utf-16-le", "surrogatepass"),
        "line 2: .* is not UTF-16",
    ),
    "pairs: surrogate in JSON": Case(
        "a.jsonl", jsonl({"s1": "\ud800", "s2": "b", "score": 1}), "line 1: contains .* surrogate"
    ),
    "pairs: gzip, renamed": Case("a.tsv", gzip.compress(GOOD.encode()), "is a gzip file, not"),
    "pairs: ZIP, renamed": Case("a.csv", zipped(SET), "is a ZIP archive, as spreadsheets"),
    "pairs: PDF, renamed": Case("a.csv", "%PDF-1.7\n1 0 obj\n", "is a PDF, not a table"),
    "pairs: picture, renamed": Case("a.csv", b"\x89PNG\r\n\x1a\n\0\0", "is a picture, not a table"),
    "pairs: GGUF, renamed": Case("a.jsonl", b"GGUF\3\0\0\0", "is the weights of a model"),
    "pairs: JSON, renamed": Case("a.csv", '{"s1": "a", "s2": "b"}', r"JSON, .*; name it \.jsonl"),
    "pairs: CSV, renamed": Case("a.tsv", GOOD.replace("\t", ","), "needs columns sentence1"),
    # Characters that are meant
    "pairs: control characters": Case("a.tsv", pairs("a\x01\x1b[31m\x7f")),
    "pairs: right to left": Case("a.tsv", pairs("שלום עולם", "مرحبا \u202e بالعالم")),
    "pairs: pictographs": Case("a.tsv", pairs("\U0001f469\u200d\U0001f467 ok", "\U0001f642")),
    "pairs: no width": Case("a.tsv", pairs("\u200b", "\u2060")),
    "pairs: Unicode line ends": Case("a.tsv", pairs("a\u2028b\x85c")),
    "pairs: markup": Case("a.tsv", pairs("<img src=x onerror=alert(1)>", "![x](http://x/x.png)")),
    "pairs: formulas": Case("a.tsv", pairs("=1+1", "@SUM(A1)")),
    # Sizes
    "pairs: 100,000 characters": Case("a.tsv", pairs("word " * 20_000)),
    "pairs: a line of 1 MB": Case("a.tsv", GOOD.replace("e f", "x" * 1_000_000)),
    "pairs: a line of 1 MB, cut": Case("a.jsonl", '{"s1": "' + "x" * 1_000_000, "line 1: not JSON"),
    "pairs: no rows": Case("a.tsv", H, "has a header line but no rows"),
    "pairs: one": Case("a.tsv", H + "a\tb\t1\n", "has 1 pairs; a rank correlation needs"),
    "pairs: two": Case("a.tsv", H + "a\tb\t1\nc\td\t2\n", "has 2 pairs"),
    "pairs: 5,000 columns": Case(
        "a.csv", ",".join(["c"] * 5_000) + "\n" + ",".join(["1"] * 5_000), "and 4992 more"
    ),
    # Columns and cells
    "pairs: lines of text": Case("a.csv", "x\ny\n", "its columns are 'x'"),
    "pairs: ragged": Case(
        "a.tsv",
        GOOD.replace("score", "x\ty"),
        "line 2: the number of columns is 3, but 4 in line 1; put cells",
    ),
    "pairs: quoted tabs": Case("a.tsv", H + '"a\tb"\t"c"\t1\n"d"\t"e\nf"\t2\ng\th\t3\n'),
    "pairs: a quote left open": Case(
        "a.csv", 's1,s2,score\na,b,1\n"c,d,2\n', "line 3: wrong quoting"
    ),
    "pairs: missing column": Case("a.csv", "sentence1,score\na,1\n", "columns are 'sentence1', 's"),
    "pairs: columns unclear": Case("a.csv", "a,b,c,d\nx,y,1,2\n", "columns are 'a', 'b', 'c', 'd'"),
    "pairs: duplicate columns": Case("a.tsv", GOOD.replace("sentence2", "sentence1")),
    "pairs: no header": Case("a.tsv", GOOD.removeprefix(H)),
    "pairs: blank text": Case("a.tsv", GOOD.replace("e f", "  "), "line 3: no text in column 'sen"),
    "pairs: words for scores": Case("a.tsv", GOOD.replace("2", "high", 2), "needs columns"),
    "pairs: a word for a score": Case(
        "a.tsv", GOOD.replace("\t2", "\thigh"), "line 3: score 'high' is not a finite number"
    ),
    "pairs: NaN": Case("a.tsv", GOOD.replace("\t2", "\tnan"), "line 3: score 'nan' is not a fin"),
    "pairs: infinite": Case("a.tsv", GOOD.replace("\t2", "\t-inf"), "line 3: score '-inf' is not"),
    "pairs: decimal comma": Case("a.tsv", GOOD.replace("\t2", "\t3,5"), "line 3: score '3,5' is"),
    "pairs: no score": Case("a.tsv", GOOD.replace("\t2", "\t"), "line 3: score '' is not a finite"),
    "pairs: a score of 5,000 digits": Case(
        "a.jsonl",
        '{"s1": "a", "s2": "b", "score": ' + "9" * 4000 + "}",
        r"line 1: score '9{21}\.\.\.' is not a finite number",
    ),
    "pairs: NaN in JSON": Case("a.jsonl", '{"s1": "a", "s2": "b", "score": NaN}', "finite number"),
    "pairs: true for a score": Case(
        "a.jsonl", jsonl({"s1": "a", "s2": "b", "score": True}), "'true' is not a finite number"
    ),
    "pairs: a list for a score": Case(
        "a.jsonl", jsonl({"s1": "a", "s2": "b", "score": [1]}), "None is not a finite number"
    ),
    "pairs: constant scores": Case("a.tsv", H + "x\ty\t2\n" * 3, "rates every pair 2"),
    "pairs: huge scores": Case(
        "a.tsv", GOOD.replace("\t2", "\t1e308"), "scores from 1 to 1e\\+308"
    ),
    "pairs: tiny scores": Case("a.tsv", GOOD.replace("\t2", "\t1e-320"), "no correlation can be"),
    # What other programs write
    "pairs: German Excel": Case("a.csv", GERMAN),
    "pairs: German Excel, declared": Case("a.csv", "sep=;\r\n" + GERMAN),
    "pairs: German Excel, UTF-16": Case("a.csv", GERMAN.encode("utf-16")),
    "pairs: German Excel, cp1252": Case("a.csv", GERMAN.encode("cp1252"), "line 2: .* semicolons"),
    "pairs: decimal commas": Case("a.tsv", H + "a\tb\t1,0\nc\td\t2,5\ne\tf\t3\n"),
    "pairs: thousands": Case("a.tsv", H + "a\tb\t1,000\n" * 3, "score '1,000' is not a finite"),
    "pairs: the STS benchmark": Case(
        "a.csv", "".join(f'main-news\tx\t2012\t{i}\t{i}.0\t"a {i}\tb\n' for i in range(3))
    ),
    "pairs: no header, unclear": Case(
        "a.csv", "x\ta\tb\t1\nx\tc\td\t2\n", "needs columns .* no header line; name them"
    ),
    "pairs: Excel": Case("a.xlsx", SEEDS["a.xlsx"]),
    "pairs: Excel, cut": Case("a.xlsx", SEEDS["a.xlsx"][:900], "not a spreadsheet that can be"),
    "pairs: Excel, old": Case("a.xls", b"\xd0\xcf\x11\xe0", r"not read here; save it as \.xlsx"),
    "pairs: Excel, password": Case("a.xlsx", b"\xd0\xcf\x11\xe0", "format or with a password"),
    "pairs: Parquet": Case("a.parquet", SEEDS["a.parquet"]),
    "pairs: Parquet, cut": Case("a.parquet", SEEDS["a.parquet"][:90], "not a Parquet, Feather or"),
    "pairs: Parquet, renamed": Case("a.csv", SEEDS["a.parquet"], r"name it \.parquet"),
    "pairs: Arrow": Case("a.arrow", SEEDS["a.arrow"]),
    "pairs: JSON": Case("a.json", SEEDS["a.json"]),
    "pairs: compressed": Case("a.tsv.gz", SEEDS["a.tsv.gz"]),
    "pairs: a web page": Case("a.csv", "<!DOCTYPE html>\n<html>", "is a web page, not a table"),
    "pairs: Git LFS": Case("a.csv", "version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    # Texts and labels
    "texts: unknown suffix": Case("a.pdf", "x", r"a\.pdf is not a \.txt, \.tsv, \.csv", "texts"),
    "texts: compressed": Case(
        "a.txt.gz", gzip.compress("\n".join(f"word {i}" for i in range(40)).encode()), None, "texts"
    ),
    "texts: compressed, cut": Case("a.txt.gz", gzip.compress(b"x")[:-4], "not a gzip", "texts"),
    "texts: compressed, renamed": Case("a.txt", gzip.compress(b"x"), "is a gzip file", "texts"),
    "texts: Latin-1": Case(
        "a.txt", b"fine\ncaf\xe9\n", "line 2: byte 0xe9 at offset 8 is not UTF-8; save", "texts"
    ),
    "texts: mark alone": Case("a.txt", b"\xff\xfe", "is empty", "texts"),
    "texts: ragged": Case(
        "a.csv", 'text,label\n"x\ny",A\nz\n', "line 4: the number of columns is 1, but 2", "texts"
    ),
    "texts: after a quote": Case("a.csv", 'text,label\n"y"z,B\n', "line 2: wrong quoting", "texts"),
    "texts: numbers only": Case("a.csv", "a,b\n1,2\n", "no column of text; its columns", "texts"),
    "texts: not JSON": Case("a.jsonl", '{"text": "x"}\n{"text"\n', "line 2: not JSON", "texts"),
    "texts: no object": Case("a.jsonl", '{"text": "x"}\n[1]\n', "line 2: not a JSON obj", "texts"),
    "texts: deep JSON": Case("a.jsonl", "[" * 100_000, "line 1: not JSON", "texts"),
    "texts: long number": Case(
        "a.jsonl", '{"text": ' + "9" * 5000 + "}", "line 1: not JSON", "texts"
    ),
    "texts: another key": Case(
        "a.jsonl", jsonl({"text": "x"}, {"body": "y"}), "line 2: no text in column 'text'", "texts"
    ),
    "texts: a list": Case("a.jsonl", jsonl({"text": ["x"]}), "line 1: no text in", "texts"),
    "texts: none": Case("a.jsonl", jsonl({"text": None}), "line 1: no text in column", "texts"),
    "texts: NUL in JSON": Case("a.jsonl", jsonl({"text": "\0"}), "line 1: contains a NUL", "texts"),
    "texts: empty object": Case("a.jsonl", "{}", "has no column of text", "texts"),
    "labelled: empty": Case("a.csv", "", "is empty", "labelled"),
    "labelled: no labels": Case("a.csv", "text\nx\ny\n", "has no column of labels", "labelled"),
    "labelled: a blank label": Case(
        "a.csv", "text,label\na,x\nb,\n", "line 3: no label in column 'label'", "labelled"
    ),
    "labelled: one label": Case(
        "a.csv", "text,label\na,x\nb,x\n", "labels every text 'x'", "labelled"
    ),
    "labelled: UTF-16, no mark": Case(
        "a.csv", "text,label\na,x\nb,y\n".encode("utf-16-be"), "contains a NUL", "labelled"
    ),
    # Queries with documents
    "retrieval: whole": Case("a.zip", zipped(SET), None, "retrieval"),
    "retrieval: empty": Case("a.zip", "", "is not a ZIP archive", "retrieval"),
    "retrieval: cut short": Case("a.zip", zipped(SET)[:-40], "is not a ZIP archive", "retrieval"),
    "retrieval: gzip": Case("a.zip", gzip.compress(b"x"), "is not a ZIP archive", "retrieval"),
}


def _set(message: str, **changed: bytes | None) -> Case:
    names = {"corpus": "corpus.jsonl", "queries": "queries.jsonl", "qrels": "qrels.tsv"}
    replaced = {names.get(name, name): data for name, data in changed.items()}
    return Case("a.zip", zipped({**SET, **replaced}), message, "retrieval")


FILES |= {
    "retrieval: no queries": _set(r"has no queries\.jsonl; a retrieval set is a f", queries=None),
    "retrieval: no judgements": _set(r"has no qrels\.tsv or qrels/test\.tsv", qrels=None),
    "retrieval: no object": _set(r"a\.zip/corpus\.jsonl, line 1: not a JSON object", corpus=b"[]"),
    "retrieval: no id": _set(r"corpus\.jsonl, line 1: no _id", corpus=jsonl({"text": "x"})),
    "retrieval: an id twice": _set("'q1' appears twice", queries=jsonl(*[{"_id": "q1"}] * 2)),
    "retrieval: no query text": _set("no text in the query 'q1'", queries=jsonl({"_id": "q1"})),
    "retrieval: no header": _set("header line with query-id", qrels=b"q1\t0\td2\t1\n"),
    "retrieval: half a grade": _set(
        "line 2: the score 0.5 is not a whole number", qrels=(QRELS + "q1\td2\t0.5\n").encode()
    ),
    "retrieval: a word for a grade": _set(
        "line 2: score 'x' is not a finite number", qrels=(QRELS + "q1\td2\tx\n").encode()
    ),
    "retrieval: nothing relevant": _set(
        "has no query with a relevant document", qrels=(QRELS + "q1\td2\t0\n").encode()
    ),
    "retrieval: two sets": Case(
        "a.zip",
        zipped({"a/corpus.jsonl": b"", "b/corpus.jsonl": b""}),
        "contains 2 fi",
        "retrieval",
    ),
}
Reader = Callable[[str, bytes], object]
READ: dict[str, Reader] = {
    "pairs": columns.read_pairs,
    "texts": columns.read_texts,
    "labelled": columns.read_labelled,
    "retrieval": beir.read_retrieval,
}
ASK = {
    "pairs": "sts --method mean",
    "texts": "dimension",
    "labelled": "score --on labelled --method mean",
    "retrieval": "score --on retrieval --method mean",
}


def test_the_cases_are_counted_in_the_docs() -> None:
    total = len(FILES) + len(TYPED) + len(RECIPES) + len(LINES)
    assert total > 120
    sentence = (
        f"{total} named cases: {len(FILES)} files, {len(TYPED)} typed inputs, {len(RECIPES)} "
        f"recipes and {len(LINES)} files of lines"
    )
    assert sentence in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_the_library_reads_a_file_or_says_why_not(case: Case) -> None:
    if case.said is None:
        READ[case.kind](case.name, case.content)
        return
    with pytest.raises(CorpusError, match=case.said) as caught:
        READ[case.kind](case.name, case.content)
    assert_one_sentence(caught.value)
    assert str(caught.value).startswith(case.name)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["pairs", "texts"])
def test_a_million_rows_are_read(kind: str) -> None:
    name, row = {"pairs": ("a.tsv", "a {0}\tb {0}\t{0}\n"), "texts": ("a.txt", "a {0}\n")}[kind]
    data = (H * (kind == "pairs") + "".join(row.format(i) for i in range(10**6))).encode()
    result: Any = READ[kind](name, data)
    assert len(result.scores if kind == "pairs" else result.texts) == 10**6


@dataclass(frozen=True)
class Answer:
    """What one command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command in this process."""

    def run(*arguments: str | Path) -> Answer:
        capsys.readouterr()
        code = main([*map(str, arguments)])
        output = capsys.readouterr()
        return Answer(code, output.out, output.err)

    return run


def _refused(answer: Answer, message: str) -> None:
    """The command ended with 2 and one sentence of those words, after its progress."""
    assert answer.code == 2
    assert answer.out == ""
    *progress, last = answer.err.splitlines()
    assert all(line.startswith("Loading ") for line in progress)
    assert re.search(message, last), last
    assert last.endswith(".")


@pytest.mark.slow
@pytest.mark.parametrize("case", FILES.values(), ids=FILES)
def test_a_command_reads_a_file_or_says_why_not(
    ask: Callable[..., Answer], tiny_llama: dict[str, str], tmp_path: Path, case: Case
) -> None:
    (tmp_path / case.name).write_bytes(case.content)
    model = ("--backbone", tiny_llama["backbone"], "--corpus", tmp_path / case.name, "--json")
    answer = ask(*ASK[case.kind].split(), *model)
    if case.said is None:
        assert answer.code == 0, answer.err
        json.loads(answer.out, parse_constant=pytest.fail)
    else:
        _refused(answer, case.said)


SUFFIXES = {
    "pairs": parsing.UPLOADS,
    "labelled": parsing.UPLOADS,
    "retrieval": (".zip",),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SUFFIXES)
def test_a_page_reads_an_upload_or_says_why_not(
    tiny_llama: dict[str, str], subtests: pytest.Subtests, kind: str
) -> None:
    """One visit, one upload after another: what went wrong with one leaves nothing behind."""
    app = opened(own_pairs=True, **tiny_llama)
    if kind != "pairs":
        turn_to(app, "similarity")
        app.multiselect(key="score_method").set_value(["mean"]).run()
        app.session_state["score_on"] = kind
        app.session_state[kind] = "uploaded file"
        app.run()
    for name, case in FILES.items():
        if case.kind != kind or not case.name.endswith(SUFFIXES[kind]):
            continue
        with subtests.test(name):
            app.file_uploader(key=f"{kind}_file").upload(case.name, case.content)
            app.run()
            if case.said is None or "needs columns" in case.said or "columns are" in case.said:
                well(app)  # of columns that are unclear the page asks which are meant
            elif "no column" in case.said or "more" in case.said:
                assert "Choose a column for each field." in shown(well(app))
            else:
                assert re.search(case.said, sentence(app))


@dataclass(frozen=True)
class Typed:
    """Something typed: what is said, and where it can be typed in."""

    said: str
    library: Callable[[], object]
    command: str = ""
    widget: tuple[str, str] | None = None


def _layers(text: str, message: str) -> Typed:
    return Typed(
        message,
        lambda: layer_lists.parse_layers(text, 6),
        f"sts {{pairs}} --layers={text}",
        ("layers", text),
    )


def _backbone(name: str, message: str) -> Typed:
    return Typed(message, lambda: resolve(name), f"backbones --backbone={name}", ("backbone", name))


def _texts(first: str, message: str) -> Typed:
    command = f"causal {{model}} --first={first} --second=b"
    return Typed(
        message, lambda: prompts.check_text(first, "Sentence A"), command, ("causal_first", first)
    )


def _option(command: str, value: str, message: str) -> Typed:
    words = [word for word in command.split() if "{" not in word]
    return Typed(message, lambda: parse([*words, value]), f"{command} {value}")


TYPED = {
    "layer out of range": _layers("99", "There is no layer 99: .* 0 to 5"),
    "layers out of range": _layers("0-999999", "There is no layer 999999"),
    "layers reversed": _layers("5-2", "The range 5-2 is reversed; write 2-5"),
    "layer repeated": _layers("3,1-4", "Layer 3 is repeated"),
    "layers in words": _layers("nonsense", "'nonsense' is not a layer or a range"),
    "layers empty": _layers("", "'' is not a layer"),
    "layer negative": _layers("-1", "'-1' is not a layer"),
    "layer with a fraction": _layers("1.5", "'1.5' is not a layer"),
    "layers with a gap": _layers("1,,2", "'' is not a layer"),
    "layers with a dash": _layers("1\u20133", "is not a layer"),
    "layer in other digits": _layers("\u0661", "is not a layer"),
    "layers with NUL": _layers("\0", r"'\\x00' is not a layer"),
    "layers as markup": _layers("![a](http://x/x.png)", r"'!\[a\]\(http://x/x.png\)' is not a"),
    "layer of many digits": _layers("9" * 5000, r"'9{21}\.\.\.' is not a layer"),
    "30,000 layers": _layers("1," * 30_000, "Layer 1 is repeated"),
    "30,000 ranges": _layers("0-5," * 30_000, "Layer 0 is repeated"),
    "layers of 100,000 letters": _layers("x" * 100_000, r"'x{21}\.\.\.' is not a layer"),
    "backbone: a file": _backbone("/etc/passwd", "/etc/passwd is a file and no model; give"),
    "backbone: a folder": _backbone("/", "holds no config.json"),
    "backbone: an address": _backbone("https://x/y", "There is no backbone called"),
    "backbone: the folder above": _backbone("a/..", "There is no backbone called 'a/..'"),
    "backbone: a revision above": _backbone("a/b@../../c", "There is no backbone called"),
    "backbone: of 5,000 letters": _backbone("a/" + "b" * 5000, "There is no backbone called"),
    "backbone: with NUL": _backbone("a\0b", "There is no backbone called"),
    "backbone: nobody's home": _backbone("~nobodyhere", "There is no backbone called"),
    "text: empty": _texts("", "Sentence A is empty; write something in it"),
    "text: white space": _texts("\u2003", "Sentence A is empty"),
    "text: lone surrogate": _texts("a\ud800", "broken character .* at position 2"),
    "bias nan": _option(
        "sts {pairs} --bias", "nan", "the bias must be a number or -inf, not 'nan'"
    ),
    "bias inf": _option("sts {pairs} --bias", "inf", "the bias must be a number or -inf"),
    "bias of 10,000 letters": _option(
        "sts {pairs} --bias", "x" * 10_000, r"a number, not 'x+\.\.\.x+'"
    ),
    "count of zero": _option("score {pairs} --part", "0", "at least 1, not '0'"),
    "seed below zero": _option(
        "dimension {pairs} --seed", "-1", "a seed must be a whole number from 0"
    ),
    "seed as a float": _option("dimension {pairs} --seed", "1e3", "a seed must be a whole number"),
    "vectors without a name": _option(
        "sts {pairs} --vectors", "a.npy", "vectors are given as NAME=FILE"
    ),
    "vectors without a file": _option(
        "sts {pairs} --vectors", "mine=", "vectors are given as NAME=FILE"
    ),
    "vectors called as a method": _option(
        "sts {pairs} --vectors", "echo=a.npy", "cannot be called 'echo', which is a method"
    ),
    "vectors called in markup": _option(
        "sts {pairs} --vectors", "<b>=a.npy", "at most 60 letters, digits, spaces"
    ),
    "vectors called in 5,000 letters": _option(
        "sts {pairs} --vectors", f"{'x' * 5000}=a.npy", "at most 60 letters, digits, spaces"
    ),
    "unknown method": _option("sts {pairs} --method", "magic", "invalid choice: 'magic'"),
}


@pytest.mark.parametrize("case", TYPED.values(), ids=TYPED)
def test_the_library_answers_what_is_typed(case: Typed) -> None:
    with pytest.raises(ExplorerError, match=case.said) as caught:
        case.library()
    assert len(str(caught.value)) < 420
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("case", TYPED.values(), ids=TYPED)
def test_a_command_answers_what_is_typed(
    ask: Callable[..., Answer], tiny_llama: dict[str, str], tmp_path: Path, case: Typed
) -> None:
    (tmp_path / "ok.tsv").write_text(GOOD)
    model = f"--backbone={tiny_llama['backbone']}"
    command, rest = case.command.split("=", 1) if "=" in case.command else (case.command, None)
    words = command.format(model=model, pairs=f"{model} --corpus={tmp_path}/ok.tsv").split()
    if rest is not None:
        head, *more = rest.split(" --second=")
        words[-1] += f"={head}"
        words += [f"--second={one}" for one in more]
    _refused(ask(*words), case.said)


@pytest.mark.slow
def test_a_page_answers_what_is_typed_and_goes_on(
    tiny_llama: dict[str, str], subtests: pytest.Subtests
) -> None:
    app = opened(own_pairs=True, **tiny_llama)
    for name, case in TYPED.items():
        if case.widget is None or "surrogate" in name:  # a browser sends none
            continue
        key, value = case.widget
        with subtests.test(name):
            if key == "backbone":
                type_backbone(app, value).run()
            else:
                app.text_input(key=key).set_value(value).run()
            assert re.search(case.said, sentence(app))
            if key == "backbone":
                type_backbone(app, tiny_llama["backbone"]).run()
            else:
                good = {"layers": "1-2", "causal_first": "A boat on the lake."}[key]
                app.text_input(key=key).set_value(good).run()
            well(app)


LINES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "contains no text"),
    "white space": (b" \n\t\n", "line 1: no text"),
    "a blank line": (b"a\r\n\r\nb", "line 2: no text"),
    "Latin-1": ("a\nSchloß".encode("latin-1"), "line 2: byte 0xdf"),
    "UTF-16, no mark": ("a\nb".encode("utf-16-le"), "line 1: contains a NUL"),
    "NUL": (b"a\nb\0c", "line 2: contains a NUL"),
    "lone surrogate": (b"a\n\xed\xa0\x80", "line 2: byte 0xed"),
    "gzip": (gzip.compress(b"a"), "is a gzip file, not a table; unpack it"),
    "Parquet": (SEEDS["a.parquet"], r"is a Parquet file, not a table; name it \.parquet"),
    "Excel": (SEEDS["a.xlsx"], r"is a ZIP archive, .*; name it \.xlsx or"),
}


@pytest.mark.parametrize(("data", "message"), LINES.values(), ids=LINES)
def test_lines_to_encode(
    ask: Callable[..., Answer], tmp_path: Path, data: bytes, message: str
) -> None:
    given = tmp_path / "in.txt"
    given.write_bytes(data)
    with pytest.raises(CorpusError, match=message):
        streams.Lines(str(given))
    output = tmp_path / "out.npy"
    _refused(ask("encode", "--input", given, "--output", output), message)
    assert not output.exists()


UNFOLDING = (
    "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"{b}: &{b} [{f'*{a}, ' * 9}]\n" for a, b in pairwise("abcdefghi"))
    + "{}: *i\n"
)
"""400 bytes that unfold into 9^9 words where aliases are followed."""
RECIPES: dict[str, tuple[bytes | str, str]] = {
    "empty": ("", "is not a recipe: it needs a version and a command"),
    "of a newer version": ("version: 99\ncommand: sts", "of version 99, .* update the program"),
    "of an older version": ("version: -1\ncommand: sts", "of version -1"),
    "damaged": ("version: 1\ncommand: [a", "not readable YAML in line 2"),
    "an option twice": ("version: 1\ncommand: sts\nbias: 1\nbias: 2", "'bias' twice, .* line 4"),
    "with tabs": ("version: 1\n\tcommand: sts", "not readable YAML in line 2"),
    "two documents": ("version: 1\ncommand: sts\n---\nversion: 1", "not readable YAML in line 3"),
    "bytes": (bytes(range(256)), "not readable YAML"),
    "Latin-1": ("version: 1\ncommand: sts\ncorpus: Schloß".encode("latin-1"), "not readable YAML"),
    "nested 1,500 deep": ("[" * 1500, "nested more than 20 deep in line 1"),
    "nested 99,000 deep": ("[" * 99_000, "nested more than 20 deep in line 1"),
    "a long number": ("command: sts\nversion: " + "9" * 5000, r"of version '9+\.\.\.9+', this"),
    "a long number in hexadecimal": (
        "command: sts\nversion: 0x" + "f" * 390,
        "of version an integer of 1,560 bits|of version [0-9]+\\.\\.\\.[0-9]+",
    ),
    "a number beyond float64": ("version: 1\ncommand: sts\nbias: -1e400", "too large for float64"),
    "aliases of aliases": (
        "a: &a [x, x]\nb: &b [*a, *a]\nversion: 1\ncommand: sts\nmethod: *b",
        "repeats a value by an alias in line 2",
    ),
    "aliases in the version": (
        UNFOLDING.format("version"),
        "repeats a value by an alias in line 2",
    ),
    "aliases in the command": (
        UNFOLDING.format("command"),
        "repeats a value by an alias in line 2",
    ),
    "aliases in a grid": (UNFOLDING.format("grid"), "repeats a value by an alias in line 2"),
    "a long version": ("command: sts\nversion: " + "x" * 90_000, r"of version 'x+\.\.\.x+', this"),
    "a long command": ("version: 1\ncommand: " + "x" * 90_000, r"no command 'x+\.\.\.x+'"),
    "a long list for a command": ("version: 1\ncommand: [" + "x, " * 30_000 + "]", "no command"),
    "a long key": ("version: 1\ncommand: sts\n? " + "x" * 90_000 + "\n: 1", "no option 'x+"),
    "a long word for a method": (
        "version: 1\ncommand: sts\nmethod: " + "x" * 90_000,
        "not 'x+|'x+",
    ),
    "another YAML": ("%YAML 1.1\n---\nversion: 1\ncommand: sts", "is of another version than 1.2"),
    "a merge": ("version: 1\ncommand: sts\n<<: {bias: 2}", "'<<' must be a word"),
    "code": ("version: 1\ncommand: !!python/object/apply:os.system [ls]", "has the tag 'tag:yaml"),
    "too large": ("#" * 200_000, "larger than 100,000 bytes"),
    "no command": ("version: 1\ncommand:", "There is no command 'None'"),
    "bias nan": ("version: 1\ncommand: sts\nbias: .nan", "the bias must be a number"),
    "layers beyond": ("version: 1\ncommand: sts\nlayers: 1\nlayrs: 2", "use 'layers'"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "message"), RECIPES.values(), ids=RECIPES)
def test_recipes(
    ask: Callable[..., Answer], tmp_path: Path, text: bytes | str, message: str
) -> None:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(RecipeError, match=message) as caught:
        recipe_files.read(data)
    assert_one_sentence(caught.value)
    (tmp_path / "a.yaml").write_bytes(data)
    _refused(ask("run", tmp_path / "a.yaml"), message)


@pytest.mark.parametrize("path", ["/", "\0", "x" * 5000, "/none/here.yaml"], ids=repr)
def test_recipes_that_are_nowhere(ask: Callable[..., Answer], path: str) -> None:
    _refused(ask("run", path), "cannot be read: .*; check the path")


KEYS = sorted(
    {
        key
        for page in (ROOT / "pages").glob("*.py")
        for key in re.findall(r'key="(\w+)"', page.read_text("utf-8"))
    }
    | {
        key
        for page in (SIDEBAR, *questions.PAGES.values())
        for control in page.controls
        if not isinstance(control, Text) and getattr(control, "names", True)
        for key in (control.keys if isinstance(control, Pair) else [control.key])
    }
)
"""Names in the address of all choices but backbones and lists of layers."""
NONSENSE = ("", "9" * 400, "-1", "<script>alert(1)</script>")


@pytest.mark.slow
@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: repr(value[:12]))
@pytest.mark.parametrize(
    "page",
    [
        "causal_limits",
        *(
            pytest.param(page, marks=pytest.mark.nightly)
            for page in ("intrinsic_dimension", "embedding_space", "layer_ablation")
        ),
    ],
)
def test_links_of_nonsense_open_every_page(
    tiny_llama: dict[str, str], page: str, value: str
) -> None:
    """Every choice that an address can hold is nonsense, but backbones and layers."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for key in KEYS:
        app.query_params[key] = value
    for key, good in tiny_llama.items():
        app.query_params[key] = good
    app.switch_page(f"pages/{page}.py")
    app.session_state["pairs"] = "lee50"
    well(app.run())


# Properties


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Any error but one for people fails."""
    with contextlib.suppress(ExplorerError):
        yield


anything = st.text() | st.text("0123456789,-. autonel\0\ud800\u0661")


@given(anything, st.integers(1, 40))
def test_any_layer_list_is_read_or_refused(text: str, layers: int) -> None:
    with refused():
        result = layer_lists.parse_layers(text, layers, (0,))
        assert list(result) == sorted(set(result))
        assert all(0 <= layer < layers for layer in result)


@given(anything)
def test_any_name_of_a_backbone_is_known_or_refused(name: str) -> None:
    with refused():
        resolve(name)


@given(anything, st.sampled_from(["pairs", "labelled", "retrieval", "texts"]))
def test_any_name_of_a_corpus_is_known_or_refused(name: str, kind: str) -> None:
    load: dict[str, Callable[[str], object]] = {
        "pairs": registry.load_pairs,
        "labelled": registry.load_labelled,
        "retrieval": registry.load_retrieval,
        "texts": registry.load_texts,
    }
    with refused():
        load[kind](name)


@example("a.jsonl", b"\x0b", 0, b"")  # white space only in Unicode's eyes
@given(
    st.sampled_from(["a.txt", "a.tsv", "a.csv", "a.jsonl", "a", "../a.tsv", "a.tsv\0"]),
    st.binary()
    | st.text('"\t\n\r,{}[]: a1\ufeffé\0', max_size=60).map(str.encode)
    | st.sampled_from(sorted(FILES)).map(lambda name: FILES[name].content[:2000]),
    st.integers(0, 60),
    st.binary(max_size=3),
)
def test_any_file_is_read_or_refused(name: str, data: bytes, at: int, put: bytes) -> None:
    """Files of any bytes, and those of the table above with a few bytes put in."""
    data = data[:at] + put + data[at:]
    guess: Reader = lambda name, data: columns.guess_columns(name, data, "pairs")  # noqa: E731
    for read in (*READ.values(), guess):
        with refused():
            read(name, data)


@given(st.lists(st.sampled_from(["sts", "score", "--layers", "--bias", "1", "nan", "--part", "-"])))
def test_any_command_line_is_understood_or_refused(words: list[str]) -> None:
    with refused():
        parse(words)
