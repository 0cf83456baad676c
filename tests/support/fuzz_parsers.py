"""Any bytes through every reader of what people send: a value, or one sentence.

:func:`read_all` reads a table in every way; recipes, results, GGUF headers, layer lists and
command lines are in :mod:`tests.support.fuzz_targets`. Run as a program, atheris (libFuzzer) looks
for bytes that reach new lines of the readers::

    python -m tests.support.fuzz_parsers -max_total_time=60
"""

import gzip
import io
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from typing import Any

NAMES = (
    *("a.txt", "a.tsv", "a.csv", "a.jsonl", "a.json", "a.xlsx", "a.parquet", "a.feather"),
    *("a.arrow", "a.tsv.gz", "a.csv.gz", "a.zip", "a.xls", "a"),
)


def seeds() -> dict[str, bytes]:
    """Files that are read, to begin from."""
    import openpyxl
    import pyarrow as pa
    from pyarrow import feather, ipc, parquet

    table = pa.table(
        {"sentence1": ["a b", "c d", "e f"], "sentence2": ["g", "h", "i"], "score": [1.0, 2.5, 0]}
    )
    contents: dict[str, bytes] = {}
    writers: dict[str, Callable[[Any], Any]] = {
        "a.parquet": lambda sink: parquet.write_table(table, sink),
        "a.feather": lambda sink: feather.write_feather(table, sink),
        "a.arrow": lambda sink: ipc.new_stream(sink, table.schema).write_table(table),
    }
    for name, write in writers.items():
        sink = pa.BufferOutputStream()
        write(sink)
        contents[name] = sink.getvalue().to_pybytes()
    book = openpyxl.Workbook()
    for row in (table.column_names, *zip(*table.to_pydict().values(), strict=True)):
        book.active.append(list(row))
    book.active.merge_cells("A2:A3")
    sheet = io.BytesIO()
    book.save(sheet)
    contents["a.xlsx"] = sheet.getvalue()
    frame = table.to_pandas()
    contents["a.tsv"] = frame.to_csv(index=False, sep="\t").encode()
    contents["a.csv"] = b"sep=;\r\n" + frame.to_csv(index=False, sep=";", decimal=",").encode()
    contents["a.jsonl"] = frame.to_json(orient="records", lines=True).encode()
    contents["a.json"] = frame.to_json(orient="records").encode()
    contents["a.txt"] = b"one\ntwo\n\nthree"
    contents["a.tsv.gz"] = gzip.compress(contents["a.tsv"])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("corpus.jsonl", '{"_id": "a", "title": "t", "text": "one"}\n')
        file.writestr("queries.jsonl", '{"_id": "a", "text": "one"}\n{"_id": "b", "text": "x"}\n')
        file.writestr("qrels.tsv", "query-id\tcorpus-id\tscore\nb\ta\t1\n")
    contents["a.zip"] = archive.getvalue()
    return contents


def read_all(name: str, data: bytes) -> int:
    """Read a file in every way.

    Returns:
        How many readers made a corpus of it.

    Raises:
        AssertionError: the error of one is no sentence about the file.
        Exception: any other error of a reader, which is a defect.
    """
    from analysis.corpora import beir, columns
    from analysis.errors import CorpusError

    read: list[Callable[[str, bytes], Any]] = [
        *(columns.read_pairs, columns.read_texts, columns.read_labelled),
        *(beir.read_retrieval, beir.read_judgements),
    ]
    understood = 0
    for reader in read:
        try:
            reader(name, data)
            understood += 1
        except CorpusError as error:
            sentence = str(error)
            assert sentence.startswith(name), sentence
            assert sentence.endswith("."), sentence
            assert "\n" not in sentence, sentence
            assert len(sentence) < 700, sentence
    return understood


def main() -> None:
    """Fuzz the readers until an error or the time given to libFuzzer; count inputs by kind."""
    import atheris

    packages = ["analysis.corpora", "analysis.recipes", "analysis.runtime", "analysis.cli"]
    with atheris.instrument_imports(include=[*packages, "analysis.backbones.gguf_header"]):
        from analysis.corpora import beir, columns  # noqa: F401
        from tests.support.fuzz_targets import TARGETS

    tables, others = list(seeds().items()), list(TARGETS.items())
    counts: Counter[str] = Counter()

    def one_input(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        kind = provider.ConsumeIntInRange(0, 2 * len(others) - 1)
        if kind < len(others):
            name, (target, seed) = others[kind]
            content = _changed(provider, seed)
        else:
            name, seed = tables[provider.ConsumeIntInRange(0, len(tables) - 1)]
            content = _changed(provider, seed)
            if provider.ConsumeBool():
                name = NAMES[provider.ConsumeIntInRange(0, len(NAMES) - 1)]
        counts["tables" if kind >= len(others) else name] += 1
        if sum(counts.values()) % 5_000 == 0:
            print(dict(counts), file=sys.stderr, flush=True)
        if kind < len(others):
            target(content)
        else:
            read_all(name, content)

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


def _changed(provider: Any, seed: bytes) -> bytes:
    """A file with up to six places of it changed, or any bytes."""
    if not provider.ConsumeBool():
        return bytes(provider.ConsumeBytes(10_000))
    content = bytearray(seed)
    for _ in range(provider.ConsumeIntInRange(0, 6)):
        place = provider.ConsumeIntInRange(0, len(content))
        content[place : place + provider.ConsumeIntInRange(0, 4)] = provider.ConsumeBytes(4)
    return bytes(content)


if __name__ == "__main__":
    main()
