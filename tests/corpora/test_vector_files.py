"""Files of vectors: every kind that is read, and one sentence for whatever is none."""

import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather, ipc, parquet

from analysis.corpora import vector_files
from analysis.errors import CorpusError
from tests.support.checks import assert_one_sentence

ROWS = np.random.default_rng(0).normal(size=(1500, 6)).astype(np.float32)
TEXTS = tuple(f"text {number}" for number in range(len(ROWS)))
LISTS = pa.array(ROWS.tolist(), pa.list_(pa.float32()))


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def as_parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def as_feather(table: pa.Table, compression: str = "lz4") -> bytes:
    file = io.BytesIO()
    feather.write_feather(table, file, compression=compression)
    return file.getvalue()


def as_stream(table: pa.Table) -> bytes:
    file = io.BytesIO()
    with ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, 400)
    return file.getvalue()


def as_frame() -> bytes:
    file = io.BytesIO()
    frame = pd.DataFrame({"id": range(len(ROWS)), "text": TEXTS, "embedding": [*ROWS]})
    frame.to_parquet(file)
    return file.getvalue()


def as_polars() -> bytes:
    file = io.BytesIO()
    pl.DataFrame({"sentence": TEXTS, "vec": ROWS}).write_parquet(file)
    return file.getvalue()


FIXED = pa.table({"text": TEXTS, "v": pa.FixedSizeListArray.from_arrays(pa.array(ROWS.ravel()), 6)})
TENSOR = pa.table(
    {
        "a.b": pa.array(range(len(ROWS))),
        "text": pa.array(TEXTS).dictionary_encode(),
        "v": pa.FixedShapeTensorArray.from_numpy_ndarray(ROWS),
    }
)
GOOD: dict[str, tuple[str, bytes]] = {
    "a frame of pandas": ("a.parquet", as_frame()),
    "a frame of polars": ("a.parquet", as_polars()),
    "lists of a fixed size": ("a.parquet", as_parquet(FIXED)),
    "tensors and repeated texts": ("a.parquet", as_parquet(TENSOR)),
    "large lists": (
        "a.parquet",
        as_parquet(pa.table({"text": TEXTS, "v": LISTS.cast(pa.large_list(pa.float32()))})),
    ),
    "Feather": ("a.feather", as_feather(TENSOR)),
    "Feather, not compressed": ("a.FEATHER", as_feather(FIXED, "uncompressed")),
    "an Arrow file": ("a.arrow", as_feather(FIXED, "zstd")),
    "an Arrow stream": ("a.arrow", as_stream(FIXED)),
}


@pytest.mark.parametrize(("name", "data"), GOOD.values(), ids=GOOD)
def test_columns_of_vectors_are_read_to_the_bit(name: str, data: bytes) -> None:
    read = vector_files.read(name, data)
    np.testing.assert_array_equal(read.rows, ROWS)
    assert read.texts == TEXTS


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2", "<i4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_to_the_bit(dtype: str, order: Any) -> None:
    array = np.array(100 * ROWS, dtype, order=order)
    read = vector_files.read("a.npy", npy(array))
    np.testing.assert_array_equal(read.rows, array)
    assert read.texts is None


def test_columns_are_chosen_by_name_usual_name_or_as_the_only_one() -> None:
    table = pa.table({"title": TEXTS, "text": TEXTS[::-1], "x": LISTS, "embedding": LISTS})
    data = as_parquet(table.append_column("y", LISTS))
    assert vector_files.columns_of("a.parquet", data) == (
        ("title", "text"),
        ("x", "embedding", "y"),
    )
    assert vector_files.read("a.parquet", data).texts == TEXTS[::-1]
    read = vector_files.read("a.parquet", data, text_column="title", vector_column="x")
    assert read.texts == TEXTS


def test_a_dataset_is_read_as_it_was_shuffled(tmp_path: Path) -> None:
    import datasets

    made = datasets.Dataset.from_dict({"text": TEXTS, "embedding": [*ROWS]}).shuffle(seed=1)
    made.save_to_disk(str(tmp_path / "one"))
    read = vector_files.read_dataset(tmp_path / "one")
    assert read.texts is not None
    assert read.texts != TEXTS
    assert set(read.texts) == set(TEXTS)
    np.testing.assert_array_equal(read.rows, ROWS[[TEXTS.index(text) for text in read.texts]])
    datasets.DatasetDict({"train": made}).save_to_disk(str(tmp_path / "splits"))
    for folder, said in (("splits", "the folder of one: splits/train"), ("none", "is not a data")):
        with pytest.raises(CorpusError, match=said) as caught:
            vector_files.read_dataset(tmp_path / folder)
        assert_one_sentence(caught.value)


def test_texts_of_an_array_are_lines_or_a_column() -> None:
    assert vector_files.read_texts("a.txt", b"one\ntwo\n") == ("one", "two")
    table = b"id\ttext\ttitle\n1\tone\tI\n2\ttwo\tII\n"
    assert vector_files.read_texts("a.tsv", table) == ("one", "two")
    assert vector_files.read_texts("a.tsv", table, "title") == ("I", "II")


def _header(words: str) -> bytes:
    header = words.encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def _odd(**columns: Any) -> bytes:
    return as_parquet(pa.table({"text": ["a", "b"], **columns}))


HUGE = as_parquet(
    pa.table(
        {"text": ["x"] * 200, "v": pa.array([[1.0] * 1_000_000] * 200, pa.list_(pa.float32()))}
    )
)
"""Some kilobytes that unpack to 800 MB, in as many numbers as 1.6 GB of float64."""
BAD: dict[str, tuple[str, bytes, str]] = {
    "another suffix": ("a.csv", b"text,v\n", "is no file of vectors that is read"),
    "no suffix": ("vectors", b"", "is no file of vectors that is read"),
    "a pointer of Git LFS": (
        "a.npy",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "Git LFS",
    ),
    "an empty array": ("a.npy", b"", "is not an array as numpy saves one"),
    "words as an array": ("a.npy", b"0.1 0.2\n", "is not an array as numpy saves one"),
    "several arrays": ("a.npy", b"PK\x03\x04", "is not an array as numpy saves one"),
    "a pickle": ("a.npy", pickle.dumps(ROWS), "is not an array as numpy saves one"),
    "objects": (
        "a.npy",
        npy(np.array([[1.0], [1.0, 2.0]], object), allow_pickle=True),
        "holds Python objects, which would be unpickled and so are never read",
    ),
    "fields": ("a.npy", npy(np.zeros(3, [("a", "f4")])), "it is 3 of"),
    "one axis": ("a.npy", npy(ROWS[0]), "it is 6 of float32"),
    "three axes": ("a.npy", npy(ROWS[None]), "it is 1 x 1500 x 6"),
    "no rows": ("a.npy", npy(ROWS[:0]), "it is 0 x 6"),
    "complex numbers": ("a.npy", npy(ROWS[:2] * 1j), "of complex64"),
    "cut short": ("a.npy", npy(ROWS)[:-1], "is cut short: its header promises more"),
    "a header that promises a terabyte": (
        "a.npy",
        _header("{'descr': '<f4', 'fortran_order': False, 'shape': (500000000, 512)}"),
        "is cut short: its header promises more",
    ),
    "a header with code": (
        "a.npy",
        _header("__import__('os').system('true')"),
        "is not an array as numpy saves one",
    ),
    "no columns": ("a.parquet", b"", "is not a Parquet, Feather or Arrow file that can be read"),
    "cut short Parquet": ("a.parquet", as_parquet(FIXED)[:-5], "cannot|can be read"),
    "cut short Arrow": ("a.arrow", as_stream(FIXED)[:900], "can be read"),
    "no vectors": ("a.parquet", _odd(label=["a", "b"]), "has no column of vectors"),
    "no texts": (
        "a.parquet",
        as_parquet(pa.table({"v": LISTS})),
        "has no column of texts; it needs one",
    ),
    "two columns of vectors": (
        "a.parquet",
        _odd(u=[[1.0], [1.0]], v=[[1.0], [1.0]]),
        r"has 2 columns that may hold vectors \(u, v\); choose one of them \(--vector-column\)",
    ),
    "vectors of vectors": ("a.parquet", _odd(v=[[[1.0]], [[1.0]]]), "has no column of vectors"),
    "vectors of words": ("a.parquet", _odd(v=[["a"], ["b"]]), "has no column of vectors"),
    "a missing vector": ("a.parquet", _odd(v=[[1.0], None]), "row 2: the vector is missing"),
    "a missing number": (
        "a.parquet",
        _odd(v=[[1.0, 2.0], [None, 1.0]]),
        "row 2: a number of the vector is missing",
    ),
    "vectors of two lengths": (
        "a.parquet",
        _odd(v=[[1.0, 2.0], [1.0]]),
        "row 2: the vector has 1 numbers, the first 2",
    ),
    "a missing text": (
        "a.parquet",
        as_parquet(pa.table({"text": ["a", None], "v": [[1.0], [1.0]]})),
        "row 2: no text in column 'text'",
    ),
    "no row": ("a.parquet", as_parquet(FIXED.slice(0, 0)), "has no rows"),
    "more than is read, unpacked": ("a.parquet", HUGE, "unpacks to more than 1 GiB"),
}


@pytest.mark.parametrize(("name", "data", "said"), BAD.values(), ids=BAD)
def test_what_holds_no_vectors_is_refused(name: str, data: bytes, said: str) -> None:
    with pytest.raises(CorpusError, match=said) as caught:
        vector_files.read(name, data)
    assert_one_sentence(caught.value)
    assert str(caught.value).startswith(name)


def test_a_column_that_is_not_there_is_refused() -> None:
    for option in ("text_column", "vector_column"):
        with pytest.raises(CorpusError, match="called 'x'; it has") as caught:
            vector_files.read("a.parquet", as_parquet(FIXED), **{option: "x"})
        assert_one_sentence(caught.value)


SEEDS = [npy(ROWS[:5]), as_parquet(FIXED.slice(0, 5)), as_stream(FIXED.slice(0, 5))]
NAMES = ("a.npy", "a.parquet", "a.arrow")


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file that is read, with a few bytes replaced, removed or put in."""
    kind = draw(st.integers(0, 2))
    content = bytearray(SEEDS[kind])
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(content)))
        removed = draw(st.integers(0, 4) | st.just(len(content)))
        content[place : place + removed] = draw(st.binary(max_size=4))
    return NAMES[kind], bytes(content)


def _read(file: tuple[str, bytes]) -> None:
    try:
        vector_files.read(*file)
    except CorpusError as error:
        assert_one_sentence(error)


@given(changed() | st.tuples(st.sampled_from(NAMES), st.binary(max_size=200)))
@settings(max_examples=150, deadline=None)
def test_any_file_is_read_or_refused(file: tuple[str, bytes]) -> None:
    _read(file)


@pytest.mark.nightly
@given(changed())
@settings(max_examples=20_000, deadline=None)
def test_very_many_files_are_read_or_refused(file: tuple[str, bytes]) -> None:
    _read(file)


def test_a_hosted_server_takes_as_much_of_vectors_as_of_any_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_text("rows: 100\nmegabytes: 1\n")
    monkeypatch.setenv("KVE_HOSTED", str(limits))
    many = pa.table({"text": ["x"] * 90, "v": pa.array([[0.5] * 9000] * 90)})
    asked: tuple[tuple[Callable[[], bytes], str, str], ...] = (
        (lambda: npy(ROWS), "a.npy", "1,500 rows, and this server takes 100"),
        (lambda: as_parquet(FIXED), "a.parquet", "takes 100"),
        (lambda: as_parquet(many), "b.parquet", "unpacked, has .* MB, and this server takes 1 MB"),
        (lambda: npy(np.ones((2, 10**6), "f4")), "c.npy", "8.0 MB, and this server takes 1 MB"),
    )
    for data, name, said in asked:
        with pytest.raises(CorpusError, match=said) as caught:
            vector_files.read(name, data())
        assert_one_sentence(caught.value)
