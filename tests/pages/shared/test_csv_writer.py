"""A CSV reads back as the table was, and no spreadsheet finds a formula in it."""

import ast
import csv
import io
import time
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.runtime.spreadsheets import inert
from pages.shared.csv_writer import write_csv

ROOT = Path(__file__).resolve().parents[3]
SIGNS = tuple("=+-@")
ATTACKS = [
    *("=1+1", "+a", "-b", "@c", "\td", "\re", "\nf", " =1", "\u00a0=1", "\u200b=1", "\ufeff=1"),
    *("\uff1d1", "\uff0b1", "\uff0d1", "\uff20a", "\u22121", "\ufe661", "\n=1", "\r=1", "\r\n=1"),
    *(
        "a\n=1",
        "a\r=1",
        "a\r\n =1",
        "a\u2028=1",
        "a\x0b=1",
        "a;=1",
        "a; =1",
        'a;"=1',
        "a\t=1",
        "a|=1",
    ),
    *('"=1', "'=1", 'q"uo,te', 'a","=1', 'a"\n"=1', "a,=1", '";=1', "=", "-", "\x00=1", "\x1b=1"),
]
PIECES = st.sampled_from([*"=+-@;|,\t\r\n\"' aZ0\u200b\uff1d\uff0d\u2028\x0b", "\r\n", '""', "=1"])
TEXTS = st.one_of(st.lists(PIECES, max_size=9).map("".join), st.text(max_size=9))


def rows_of(data: bytes, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


def begins_a_formula(cell: str) -> bool:
    """The rule, in other words than the writer's: the first sign that can be seen begins one."""
    for sign in cell:
        if not (sign.isspace() or unicodedata.category(sign) in ("Cc", "Cf", "Zs", "Zl", "Zp")):
            plain = unicodedata.normalize("NFKC", sign).replace("\u2212", "-")
            return plain.startswith(SIGNS)
    return False


def check(texts: list[str]) -> None:
    table = pd.DataFrame({"text": texts, "other": texts[::-1], "=n": range(len(texts))})
    data = write_csv(table)
    header, *rows = rows_of(data, ",")
    assert header == ["text", "other", "'=n"]
    assert rows == [
        [inert(one), inert(two), str(n)]
        for n, (one, two) in enumerate(zip(texts, texts[::-1], strict=True))
    ]
    for text in texts:
        assert inert(text).replace("'", "") == text.replace("'", ""), "only apostrophes are added"
    for delimiter in ",;\t|":
        for row in rows_of(data, delimiter):
            for cell in row:
                assert not begins_a_formula(cell), (delimiter, row)
                assert delimiter != "," or not cell.startswith(("\t", "\r", "\n"))


@pytest.mark.parametrize("text", ATTACKS)
def test_no_spreadsheet_finds_a_formula(text: str) -> None:
    check([text, "plain", text])


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_any_texts_read_back_and_run_nothing(texts: list[str]) -> None:
    check(texts)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))))
def test_pandas_reads_back_the_same(texts: list[str]) -> None:
    data = write_csv(pd.DataFrame({"text": texts}))
    back = pd.read_csv(io.BytesIO(data), keep_default_na=False, dtype=str, encoding="utf-8")
    assert back["text"].tolist() == [inert(text) for text in texts]


def test_values_keep_their_kind() -> None:
    table = pd.DataFrame(
        {
            "number": [-1.5, np.nan, 3e-20],
            "whole": [-1, 0, 7],
            "yes": [True, False, True],
            "mixed": [-2.0, "-2", None],
            "kind": pd.Categorical(["=a", "b", "=a"]),
        }
    )
    data = write_csv(table)
    back = pd.read_csv(io.BytesIO(data))
    pd.testing.assert_frame_equal(
        back[["number", "whole", "yes"]], table[["number", "whole", "yes"]]
    )
    assert back["kind"].tolist() == ["'=a", "b", "'=a"]
    assert [row[3] for row in rows_of(data, ",")[1:]] == ["-2.0", "'-2", ""]


def test_long_texts_take_no_time() -> None:
    began = time.perf_counter()
    for piece in (" ", "\n", ";", "\u200b", "=", '"', "\n ", "; "):
        inert(piece * 200_000)
    assert time.perf_counter() - began < 5


def test_nothing_else_writes_csv() -> None:
    for path in (ROOT / "app.py", *ROOT.glob("pages/**/*.py"), *ROOT.glob("analysis/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and path.name != "csv_writer.py":
                assert node.attr not in ("to_csv", "DictWriter", "writer"), path
