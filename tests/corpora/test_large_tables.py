"""Small files that unfold: a limit is named before the cells are built."""

import contextlib
import gzip
import io
import json
import random
import resource
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from analysis.corpora import beir, columns, parsing, tables
from analysis.errors import CorpusError
from analysis.runtime import hosting
from tests.support.checks import assert_one_sentence
from tests.support.fuzz_parsers import seeds

BIG = "x" * 1_000_000
ROWS = 19_999


def sheet_of(rows: str, after: str = "", before: str = "", encoding: str = "utf-8") -> bytes:
    """A spreadsheet with these rows, as XML."""
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{namespace}"><sheetData>{rows}</sheetData>{after}</worksheet>'
    sheet = f"{before}{sheet}"
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(seeds()["a.xlsx"])) as book,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file,
    ):
        for name in book.namelist():
            is_sheet = name.endswith("sheet1.xml")
            file.writestr(name, sheet.encode(encoding) if is_sheet else book.read(name))
    return out.getvalue()


def row(number: int, column: str = "A") -> str:
    cell = f'<c r="{column}{number}" t="inlineStr"><is><t>x</t></is></c>'
    return f'<row r="{number}">{cell}</row>'


def repeated(count: int) -> pa.Array:
    """The same megabyte in each row, in one megabyte."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([BIG]))


def in_parquet(compression: str = "snappy", **arrays: pa.Array) -> bytes:
    out = io.BytesIO()
    parquet.write_table(pa.table(arrays), out, compression=compression, write_statistics=False)
    return out.getvalue()


def in_arrow(**arrays: pa.Array) -> bytes:
    out = pa.BufferOutputStream()
    table = pa.table(arrays)
    with ipc.new_file(out, table.schema) as file:
        file.write_table(table)
    return bytes(out.getvalue().to_pybytes())


def compressed(**arrays: pa.Array) -> bytes:
    """An Arrow file whose buffers are compressed."""
    out = pa.BufferOutputStream()
    table = pa.table(arrays)
    with ipc.new_file(out, table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as file:
        file.write_table(table)
    return bytes(out.getvalue().to_pybytes())


def in_parquet_that_lies(**arrays: pa.Array) -> bytes:
    """A Parquet file of one row group whose end says that everything unpacks to 50 bytes."""
    data = bytearray(in_parquet("zstd", **arrays))
    end = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    (group,) = parquet.read_metadata(io.BytesIO(data)).to_dict()["row_groups"]
    sizes = [column["total_uncompressed_size"] for column in group["columns"]]
    for size in {group["total_byte_size"], *sizes}:
        data[end:] = data[end:].replace(_varint(size), _varint(50, len(_varint(size))))
    (group,) = parquet.read_metadata(io.BytesIO(data)).to_dict()["row_groups"]
    assert {group["total_byte_size"]} == {50}
    return bytes(data)


def _varint(number: int, length: int = 1) -> bytes:
    """A number in Thrift's compact protocol, in at least so many bytes."""
    number, sevens = 2 * number, list[int]()
    while number or len(sevens) < length:
        sevens.append(number & 127)
        number >>= 7
    return bytes([*(128 | seven for seven in sevens[:-1]), sevens[-1]])


def in_lists(count: int) -> pa.Array:
    """One list of so many numbers that are missing."""
    return pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), pa.nulls(count, pa.int8()))


def different_keys(wide: int = 1) -> Iterator[str]:
    """Objects of different keys; with 1 each, 19,999 rows of 19,999 columns."""
    for i in range(ROWS):
        yield json.dumps({f"key {i // wide}": "x"})


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "rows of different keys": (
        "a.jsonl",
        lambda: "\n".join(different_keys()).encode(),
        r"19,999 rows of 1,001 columns|16,385 columns",
    ),
    "rows of some different keys": (
        "a.jsonl",
        lambda: "\n".join(different_keys(10)).encode(),
        "has 19,999 rows of 1,001 columns, and 20,000,000 cells are read at most",
    ),
    "a list of different keys": (
        "a.json",
        lambda: f"[{','.join(different_keys(10))}]".encode(),
        "has 19,999 rows of 1,001 columns",
    ),
    "compressed rows": (
        "a.jsonl.gz",
        lambda: gzip.compress("\n".join(different_keys(10)).encode()),
        "has 19,999 rows of 1,001 columns",
    ),
    "a header of 50,000 columns": (
        "a.csv",
        lambda: ",".join(f"c{i}" for i in range(50_000)).encode() + b"\n" + b"x," * 49_999 + b"x",
        "has 50,000 columns, and 16,384 are read at most",
    ),
    "rows of commas": (
        "a.csv.gz",
        lambda: gzip.compress((b"x" + b"," * 9_999 + b"\n") * 2_001),
        "has 2,001 rows of 10,000 columns",
    ),
    "20 million line ends": ("a.txt.gz", lambda: gzip.compress(b"a\n" * 20_000_001), "20,000,001"),
    "a far row": ("a.xlsx", lambda: sheet_of(row(1) + row(10**12)), "more rows or cells than are"),
    "a far column": (
        "a.xlsx",
        lambda: sheet_of(row(1, "XFD") + "".join(map(row, range(2, 2_000)))),
        "has 1,999 rows of 16,384 columns",
    ),
    "many merged ranges": (
        "a.xlsx",
        lambda: sheet_of(
            "".join(map(row, range(1, 2_000))), '<mergeCell ref="A9:ZZ99"/>' * 100_000
        ),
        "merged ranges of more than 1,000,000 cells",
    ),
    "a dictionary": ("a.parquet", lambda: in_parquet(text=repeated(100_000)), "more than 1 GiB"),
    "a dictionary in Arrow": ("a.arrow", lambda: in_arrow(text=repeated(99_999)), "than 1 GiB"),
    "runs": (
        "a.arrow",
        lambda: in_arrow(
            text=pa.RunEndEncodedArray.from_arrays(pa.array([9_999_999], pa.int32()), [BIG])
        ),
        "more than 1 GiB",
    ),
    "rows of nothing": ("a.parquet", lambda: in_parquet(a=pa.nulls(30_000_000)), "30,000,000 rows"),
    "rows of nothing in Arrow": (
        "a.feather",
        lambda: in_arrow(a=pa.nulls(2_000_000_000)),
        "2,000,000,000 rows",
    ),
    "columns of Parquet": (
        "a.parquet",
        lambda: in_parquet(**{f"c{i}": pa.array(["x"]) for i in range(17_000)}),
        "has 17,000 columns",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "data", "message"), BOMBS.values(), ids=BOMBS)
def test_a_small_file_that_unfolds_is_refused(
    name: str, data: Callable[[], bytes], message: str
) -> None:
    content = data()
    assert len(content) < 10_000_000
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(CorpusError, match=message) as raised:
        columns.read_texts(name, content)
    assert_one_sentence(raised.value)
    assert time.perf_counter() - start < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2_000_000  # kilobytes


WORDS, LONG_TEXT = pa.array(["a text"]), pa.array(["x" * 300_000_000])
PACKED: dict[str, tuple[str, Callable[..., bytes]]] = {
    "Arrow": ("a.arrow", compressed),
    "Parquet": ("a.parquet", partial(in_parquet, "zstd")),
    "Parquet that lies": ("a.parquet", in_parquet_that_lies),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "write"), PACKED.values(), ids=PACKED)
def test_what_is_compressed_is_refused_before_it_is_unpacked(
    name: str, write: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write(text=LONG_TEXT)
    assert len(data) < 50_000
    monkeypatch.setattr(hosting, "hosted", lambda: hosting.Hosting(megabytes=100))
    with counted() as memory, pytest.raises(CorpusError, match="unpacked") as raised:
        columns.read_texts(name, data)
    assert_one_sentence(raised.value)
    assert memory.max_memory() < 1_000_000


@contextlib.contextmanager
def counted() -> Iterator[pa.MemoryPool]:
    """What pyarrow reserves within the block."""
    usual = pa.default_memory_pool()
    counting = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(counting)
    try:
        yield counting
    finally:
        pa.set_memory_pool(usual)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "write"), PACKED.values(), ids=PACKED)
def test_columns_that_hold_no_text_are_not_unpacked(name: str, write: Callable[..., bytes]) -> None:
    """A list of 100,000,000 numbers took up to 1.9 GB, and a minute."""
    data = write(text=WORDS, numbers=in_lists(100_000_000))
    assert len(data) < 50_000
    with counted() as memory:
        assert columns.read_texts(name, data).texts == ("a text",)
    assert memory.max_memory() < 1_000_000


@pytest.mark.parametrize(("name", "write"), [*PACKED.values()][:2], ids=[*PACKED][:2])
def test_a_damaged_compressed_file_is_read_or_refused(
    name: str, write: Callable[..., bytes]
) -> None:
    rng, sound = random.Random(0), write(text=pa.array(["some text", "another"] * 50))
    for _ in range(300):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(8, len(data))] = rng.choice(
                [0, 1, 127, 128, 255, rng.randrange(256)]
            )
        with contextlib.suppress(CorpusError):
            columns.read_texts(name, bytes(data))


@pytest.mark.slow
def test_a_retrieval_set_of_different_keys_has_three_columns() -> None:
    documents = "\n".join(json.dumps({"_id": str(i), f"k{i}": 1, "text": "x"}) for i in range(ROWS))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("corpus.jsonl", documents)
        archive.writestr("queries.jsonl", '{"_id": "q", "text": "one"}')
        archive.writestr("qrels.tsv", "query-id\tcorpus-id\tscore\nq\t0\t1\n")
    assert len(beir.read_retrieval("a.zip", out.getvalue()).documents) == ROWS


def lying(name: str, compression: int, stated: int = 100) -> bytes:
    """An archive with a file of 64 MB, which states 100 bytes and their checksum."""
    content = bytes(1 << 26)
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(seeds()[name])) as archive,
        zipfile.ZipFile(out, "w", compression) as file,
    ):
        for path in archive.namelist():
            large = path in ("corpus.jsonl", "xl/workbook.xml")
            file.writestr(path, content if large else archive.read(path))
    data = out.getvalue()
    for true, false in (
        (zlib.crc32(content), zlib.crc32(content[:stated])),
        (len(content), stated),
    ):
        assert data.count(struct.pack("<L", true)) == 2  # before the file, and at the end
        data = data.replace(struct.pack("<L", true), struct.pack("<L", false))
    return data


@pytest.mark.parametrize("name", ["a.zip", "a.xlsx"])
@pytest.mark.parametrize(
    ("compression", "message"),
    [
        (zipfile.ZIP_DEFLATED, "ZIP archive that can be|spreadsheet that can be"),
        (zipfile.ZIP_BZIP2, "not compressed by deflate"),
        (zipfile.ZIP_LZMA, "not compressed by deflate"),
    ],
    ids=["deflate", "bzip2", "lzma"],
)
def test_an_archive_that_lies_is_refused_before_it_is_unpacked(
    name: str, compression: int, message: str
) -> None:
    """In bzip2, 1,600 bytes took 3.4 GB."""
    data = lying(name, compression)
    read = beir.read_retrieval if name == "a.zip" else columns.read_texts
    tracemalloc.start()
    try:
        with pytest.raises(CorpusError, match=message) as raised:
            read(name, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_one_sentence(raised.value)
    assert peak < 10e6


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_spreadsheet_whose_texts_unfold_is_refused(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 12 KB, one cell took 320 MB where defusedxml is not installed."""
    entity = f'<?xml version="1.0"?><!-- --><!DOCTYPE a [<!ENTITY a "{"x" * 4_000_000}">]>'
    cell = f'<row r="1"><c r="A1" t="inlineStr"><is><t>{"&a;" * 180}</t></is></c></row>'
    sheet = sheet_of(cell, before=entity, encoding=encoding)
    monkeypatch.setattr(hosting, "hosted", lambda: hosting.Hosting())
    start = time.perf_counter()
    with pytest.raises(CorpusError, match="has a document type declaration") as raised:
        columns.read_texts("a.xlsx", sheet)
    assert_one_sentence(raised.value)
    assert time.perf_counter() - start < 2


def test_a_file_that_is_one_byte_longer_than_stated_is_refused() -> None:
    """Also where the checksum is that of what is there."""
    corpus = b'{"_id": "a", "text": "one"} '
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("corpus.jsonl", corpus)
        archive.writestr("queries.jsonl", '{"_id": "q", "text": "one"}')
        archive.writestr("qrels.tsv", "query-id\tcorpus-id\tscore\nq\ta\t1\n")
    sound = out.getvalue()
    assert beir.read_retrieval("a.zip", sound).documents == ("one",)
    sizes = struct.pack("<L", len(corpus))
    assert sound.count(sizes) == 2
    with pytest.raises(CorpusError, match="unpacks to more than it states") as raised:
        beir.read_retrieval("a.zip", sound.replace(sizes, struct.pack("<L", len(corpus) - 1)))
    assert_one_sentence(raised.value)


def test_a_hosted_server_takes_fewer_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosting, "hosted", lambda: hosting.Hosting(cells=50))
    assert tables.most_cells() == 50
    for name, data in {
        "a.jsonl": b'{"a": "x"}\n{"b": "y"}\n' * 13,
        "a.csv": b"text,b,c\n" + b"x,y,z\n" * 20,
        "a.txt": b"x\n" * 60,
        "a.parquet": in_parquet(text=pa.array(["x"] * 51)),
        "a.arrow": in_arrow(text=pa.array(["x"] * 51)),
        "a.xlsx": sheet_of("".join(map(row, range(1, 60)))),
    }.items():
        with pytest.raises(CorpusError, match=r"50 cells|than are read|rows of") as raised:
            columns.read_texts(name, data)
        assert_one_sentence(raised.value)


def test_values_of_a_dictionary_are_read_as_they_are() -> None:
    words = pa.array(["a", "b", None, "a"])
    for name, write in {"a.parquet": in_parquet, "a.arrow": in_arrow}.items():
        data = write(
            **{"text": pa.array(["one", "two", "three", "four"]), "label": words},
            **{"other": words.dictionary_encode(), "number": pa.array([1.0, 2.5, None, 3])},
            **{"nested": pa.array([["x"], [], None, ["y"]])},
        )
        table = parsing.read_table(name, data)
        assert [cells[1] for _, cells in table.rows] == ["a", "b", None, "a"]
        assert [cells[2] for _, cells in table.rows] == ["a", "b", None, "a"]
        assert [cells[3] for _, cells in table.rows] == ["1", "2.5", None, "3"]
        assert [cells[4] for _, cells in table.rows] == [None] * 4
