"""What is a list of texts, whatever library made it, and what is refused."""

import codecs
import enum
import fileinput
import io
import tempfile
from collections import UserList, deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.corpora.text_lists import as_labels, as_texts
from analysis.corpora.types import Pairs, Retrieval, Texts
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence

pl = pytest.importorskip("polars")

WORDS = ["boat", "bank", "loan"]
FRAME = pd.DataFrame({"text": WORDS})


class Word(enum.StrEnum):
    """Strings that print otherwise than they read."""

    BOAT = "boat"

    def __str__(self) -> str:
        return "Word.BOAT"


def column(values: list[Any], form: str | None = None) -> Any:
    return datasets.Dataset.from_dict({"text": values}).with_format(form)["text"]


READ: dict[str, Any] = {
    "a list": WORDS,
    "a tuple": tuple(WORDS),
    "a generator": (word for word in WORDS),
    "map": map(str, WORDS),
    "deque": deque(WORDS),
    "UserList": UserList(WORDS),
    "keys of a dictionary": dict.fromkeys(WORDS).keys(),
    "values of a dictionary": dict(enumerate(WORDS)).values(),
    "numpy strings": np.array(WORDS),
    "numpy objects": np.array(WORDS, object),
    "numpy StringDType": np.array(WORDS, np.dtypes.StringDType()),
    "a masked array": np.ma.array(WORDS, mask=[False] * 3),
    "Series": FRAME["text"],
    "Series of objects": FRAME["text"].astype(object),
    "Series of Arrow": FRAME["text"].astype("string[pyarrow]"),
    "Series of categories": FRAME["text"].astype("category"),
    "Series with an index like a table": pd.Series(WORDS, index=["columns", "ndim", "to_pylist"]),
    "Index": pd.Index(WORDS),
    "array of pandas": pd.array(WORDS),
    "polars": pl.Series(WORDS),
    "polars categories": pl.Series(WORDS, dtype=pl.Categorical),
    "Arrow": pa.array(WORDS),
    "Arrow large strings": pa.array(WORDS, pa.large_string()),
    "Arrow views": pa.array(WORDS, pa.string_view()),
    "Arrow dictionary": pa.array(WORDS).dictionary_encode(),
    "Arrow chunks": pa.chunked_array([WORDS[:1], WORDS[1:]]),
    "datasets": column(WORDS),
    "datasets with a format": column(WORDS, "numpy"),
    "Texts": Texts("own", tuple(WORDS), ""),
}

NO_LIST: dict[str, tuple[Any, str]] = {
    "a string": ("boat", r"list: \['boat'\]"),
    "bytes": (b"boat", "decode"),
    "bytearray": (bytearray(b"boat"), "decode"),
    "None": (None, "NoneType"),
    "a number": (3, "int"),
    "NaN": (float("nan"), "float"),
    "a class": (list, "type"),
    "a path": (Path("boat.txt"), "load_texts"),
    "an open file": (io.StringIO("boat\nbank\n"), "load_texts"),
    "a dictionary": ({"text": WORDS}, "dictionary"),
    "sets of datasets": (datasets.DatasetDict(), "dictionary"),
    "a set": (set(WORDS), "no order"),
    "a frozenset": (frozenset(WORDS), "no order"),
    "a frame": (FRAME, r"such as table\['text'\]"),
    "a frame without columns": (pd.DataFrame(), "it has none"),
    "a frame of 20 columns": (pd.DataFrame([[""] * 20]), r"7, \.\.\."),
    "a frame of polars": (pl.DataFrame({"text": WORDS}), r"table\['text'\]"),
    "a query of polars": (pl.LazyFrame({"text": WORDS}), "table"),
    "an Arrow table": (pa.table({"text": WORDS}), r"table\['text'\]"),
    "an Arrow batch": (pa.RecordBatch.from_pydict({"text": WORDS}), r"table\['text'\]"),
    "a data set": (datasets.Dataset.from_dict({"text": WORDS}), r"table\['text'\]"),
    "a structured array": (np.array([("a", 1)], [("text", "U1"), ("n", int)]), "'text', 'n'"),
    "two dimensions": (np.array([WORDS]), "2 dimensions"),
    "one column": (np.array(WORDS)[:, None], "2 dimensions"),
    "no dimension": (np.array("boat"), "0 dimensions"),
    "an accessor": (FRAME["text"].str, "StringMethods"),
    "groups": (FRAME.groupby("text"), "2 dimensions"),
}

BAD_SECOND: dict[str, tuple[Any, str]] = {
    "None": (["boat", None], "missing"),
    "NaN": (["boat", float("nan")], "missing"),
    "numpy's NaN": (["boat", np.float32("nan")], "missing"),
    "NA": (["boat", pd.NA], "missing"),
    "NaT": (["boat", pd.NaT], "missing"),
    "numpy's NaT": (["boat", np.datetime64("NaT")], "missing"),
    "Decimal's NaN": (["boat", Decimal("nan")], "missing"),
    "Decimal's signalling NaN": (["boat", Decimal("snan")], "missing"),
    "in numpy": (np.array(["boat", np.nan], object), "missing"),
    "masked": (np.ma.masked_array(np.array(WORDS), np.array([0, 1, 0], bool)), "missing"),
    "in a Series": (pd.Series(["boat", None]), "missing"),
    "in a Series of strings": (pd.Series(["boat", None], dtype="string"), "missing"),
    "in categories": (pd.Series(["boat", None], dtype="category"), "missing"),
    "in polars": (pl.Series(["boat", None]), "missing"),
    "in Arrow": (pa.array(["boat", None]), "missing"),
    "in Arrow chunks": (pa.chunked_array([["boat"], [None]]), "missing"),
    "in datasets": (column(["boat", None]), "missing"),
    "a number": (["boat", 3], "of the type int"),
    "a truth value": (["boat", True], "of the type bool"),
    "bytes": (["boat", b"bank"], "is bytes"),
    "numpy's bytes": (["boat", np.bytes_(b"bank")], "is bytes"),
    "a list": (["boat", ["bank"]], "of the type list"),
    "an Arrow scalar": (["boat", pa.scalar("bank")], "of the type StringScalar"),
}

BAD_FIRST: dict[str, Any] = {
    "numpy's bytes": np.array([b"boat"]),
    "numbers": pd.Series([1, 2]),
    "range": range(3),
    "pairs": zip(WORDS, WORDS, strict=True),
    "an index of tuples": pd.MultiIndex.from_tuples([("boat", "bank")]),
    "records": pa.array([{"text": "boat"}]),
}


@pytest.mark.parametrize("name", READ)
def test_every_collection_gives_its_texts(name: str) -> None:
    texts = as_texts(READ[name])
    assert texts == tuple(WORDS)
    assert {type(text) for text in texts} == {str}


def test_strings_of_other_classes_keep_what_they_read() -> None:
    assert as_texts([Word.BOAT]) == ("boat",)
    nothing: Any
    for nothing in ([], (), iter(()), pd.Series([], dtype=str), np.array([]), pa.array([])):
        assert as_texts(nothing) == ()


@pytest.mark.parametrize("name", NO_LIST)
def test_what_is_no_list_of_texts_is_refused(name: str) -> None:
    value, message = NO_LIST[name]
    with pytest.raises(CorpusError, match=message) as caught:
        as_texts(value)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.open(),
        lambda path: codecs.open(str(path), "r", "utf-8"),  # noqa: SIM115
        lambda path: fileinput.input(str(path)),  # noqa: SIM115
        lambda path: tempfile.NamedTemporaryFile("w+", dir=path.parent),  # noqa: SIM115
        lambda path: tempfile.SpooledTemporaryFile(mode="w+", dir=path.parent),  # noqa: SIM115
    ],
)
def test_an_open_file_is_refused_whatever_opened_it(
    make: Callable[[Path], Any], tmp_path: Path
) -> None:
    """Its lines are strings that end in line ends."""
    (path := tmp_path / "texts.txt").write_text("boat\nbank\n")
    with make(path) as file, pytest.raises(CorpusError, match="load_texts"):
        as_texts(file)


@pytest.mark.parametrize("name", BAD_SECOND)
def test_the_first_bad_value_is_named_by_its_number(name: str) -> None:
    values, message = BAD_SECOND[name]
    with pytest.raises(CorpusError, match=f"^Text 2 .*{message}") as caught:
        as_texts(values)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("name", BAD_FIRST)
def test_other_values_than_strings_are_refused(name: str) -> None:
    with pytest.raises(CorpusError, match=r"^Text 1 ") as caught:
        as_texts(BAD_FIRST[name])
    assert_one_sentence(caught.value)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text()
    | st.binary()
    | st.datetimes()
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inside: (
        st.lists(inside)
        | st.lists(inside).map(tuple)
        | st.lists(inside).map(iter)
        | st.lists(inside).map(lambda values: pd.Series(values, dtype=object))
        | st.dictionaries(st.text(), st.lists(inside, min_size=2, max_size=2)).map(pd.DataFrame)
        | st.dictionaries(st.text(), inside)
        | st.sets(st.text())
    ),
    max_leaves=8,
)


@pytest.mark.slow
@given(ANYTHING)
def test_anything_is_texts_or_one_sentence(value: Any) -> None:
    values = list(value) if isinstance(value, list | tuple | pd.Series) else None
    try:
        texts = as_texts(value)
    except CorpusError as error:
        assert_one_sentence(error)
        assert values is None or any(not isinstance(each, str) for each in values)
    else:
        assert all(type(text) is str for text in texts)
        assert values is None or list(texts) == values


# The corpora that people make


def test_labels_may_be_numbers_but_not_missing() -> None:
    for labels in ([0, 1, 1], np.array([0, 1, 1]), pd.Series([0, 1, 1]), ("0", "1", "1")):
        assert as_labels(labels) == ("0", "1", "1")
    bad: Any
    for bad in ([b"0"], np.array([b"0"]), [["0"]]):
        with pytest.raises(CorpusError, match=r"^Label 1 is"):
            as_labels(bad)
    assert as_labels([True, 1.5, np.int64(2)]) == ("True", "1.5", "2")
    for bad in (["0", None], pd.Series([0, None]), [0, np.nan]):
        with pytest.raises(CorpusError, match=r"^Label 2 is missing") as caught:
            as_labels(bad)
        assert_one_sentence(caught.value)


make_texts: Any = Texts
make_pairs: Any = Pairs
make_retrieval: Any = Retrieval


def test_corpora_are_made_of_any_collections() -> None:
    column_of_texts: Any = FRAME["text"]
    texts = make_texts("own", column_of_texts, "", labels=np.array([1, 2, 1]))
    assert texts == make_texts("own", tuple(WORDS), "", labels=("1", "2", "1"))
    assert list(texts) == WORDS
    pairs = make_pairs("own", column_of_texts, [0, 1], [1, 2], [1, 5], "")
    assert pairs.texts == tuple(WORDS)
    assert (pairs.left.dtype, pairs.scores.dtype) == (np.int64, np.float64)
    retrieval = make_retrieval(
        "own", column_of_texts, pa.array(WORDS), ({0: 1}, {1: 1}, {2: 1}), ""
    )
    assert retrieval.queries == retrieval.documents == tuple(WORDS)
    drawn = make_retrieval("own", WORDS, WORDS, iter(retrieval.relevance), "")
    assert drawn.relevance == retrieval.relevance


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_texts("own", "boat", ""), "single string"),
        (lambda: make_texts("own", FRAME, ""), "table"),
        (lambda: make_texts("own", ("boat", None), ""), "Text 2 is missing"),
        (lambda: make_texts("own", WORDS, "", ("a",)), "3 texts and 1 labels"),
        (lambda: make_pairs("own", "boat", [0], [1], [1.0], ""), "single string"),
        (lambda: make_pairs("own", WORDS, [0], [3], [1.0], ""), "right names the text 3"),
        (lambda: make_pairs("own", WORDS, [-1], [2], [1.0], ""), "left names the text -1"),
        (lambda: make_pairs("own", WORDS, [0.5], [2], [1.0], ""), "left is not a list of whole"),
        (lambda: make_pairs("own", WORDS, [0, 1], [2], [1.0], ""), "2, 1 and 1"),
        (lambda: make_pairs("own", WORDS, [0], [1], [np.nan], ""), "finite"),
        (lambda: make_pairs("own", WORDS, [0], [1], ["high"], ""), "finite"),
        (lambda: make_retrieval("own", "boat", WORDS, ({0: 1},), ""), "single string"),
        (lambda: make_retrieval("own", ["boat", None], WORDS, ({0: 1},), ""), "Query 2 is missing"),
        (lambda: make_retrieval("own", WORDS, ["boat", 3], ({0: 1},), ""), "Document 2"),
        (
            lambda: make_retrieval("own", WORDS, WORDS, ({0: 1},), ""),
            "3 queries and relevance for 1",
        ),
        (lambda: make_retrieval("own", ["boat"], WORDS, ({3: 1},), ""), "names the document 3"),
        (
            lambda: make_retrieval("own", ["boat"], WORDS, ({"d1": 1},), ""),
            "relevance is not a list",
        ),
        (lambda: make_retrieval("own", ["boat"], WORDS, ({0: 0},), ""), "relevance of query 1"),
        (lambda: make_retrieval("own", ["boat"], WORDS, ([0, 1],), ""), "relevance of query 1"),
        (lambda: make_retrieval("own", ["boat"], WORDS, (None,), ""), "relevance of query 1"),
        (lambda: make_retrieval("own", ["boat"], WORDS, None, ""), "relevance for 0"),
        (lambda: make_retrieval("own", ["boat"], WORDS, ({0: 2**53 + 1},), ""), "of query 1"),
        (lambda: make_retrieval("own", ["boat"], WORDS, ({0: 10**30},), ""), "of query 1"),
        (
            lambda: make_retrieval("own", ["boat"], WORDS, ({0: 1},), "", own_documents=[0]),
            "own_documents is not a dictionary",
        ),
        (
            lambda: make_retrieval("own", ["boat"], WORDS, ({0: 1},), "", own_documents={"a": 0}),
            "the indices of queries",
        ),
        (lambda: make_pairs("own", WORDS, [[0], [1, 2]], [1], [1.0], ""), "left is not a list of"),
    ],
)
def test_a_corpus_that_cannot_be_right_is_not_made(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        make()
    assert_one_sentence(caught.value)
