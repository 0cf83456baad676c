"""A file or a pasted list of own texts: what it holds, and which of its columns are read."""

import json
from dataclasses import dataclass, replace
from typing import Any

from analysis.corpora import columns, parsing, sampling
from analysis.corpora.columns import Columns
from analysis.corpora.tables import Table
from analysis.corpora.types import Texts


@dataclass(frozen=True)
class Given:
    """A file or a list as it was parsed, before its columns are confirmed.

    Attributes:
        number: tells it from what the visit gave before.
        name: of the file.
        table: its content.
        guess: the columns that are proposed.
        pasted: whether it is a list.
    """

    number: int
    name: str
    table: Table
    guess: Columns
    pasted: bool


@dataclass(frozen=True)
class Own:
    """Texts that were read.

    Attributes:
        texts: with the labels, if there are any, under the name of the file.
        distinct: how many of them are distinct.
        file: what a command reads as the same texts; None where the uploaded file is that.
    """

    texts: Texts
    distinct: int
    file: bytes | None


def parse(name: str, data: bytes, number: int, *, pasted: bool) -> Given:
    """Parse a file or a list, and propose its columns.

    Args:
        name: of the file; its suffix says how to read it.
        data: its content.
        number: see :class:`Given`.
        pasted: whether it is a list.

    Raises:
        CorpusError: it cannot be read.
    """
    table = parsing.read_table(name, data)
    return Given(number, name, table, columns.guess_columns(name, table, "texts"), pasted)


def read(given: Given, chosen: Columns) -> Own:
    """The texts of a table, under a name by which a command reads the same ones.

    Raises:
        CorpusError: a cell has no text, or a column's name may be a text.
    """
    proposed = chosen is given.guess
    texts = columns.read_texts(given.name, given.table, None if proposed else chosen)
    distinct = len(sampling.first_places(texts.texts))
    if given.pasted:
        content = "\n".join(texts.texts)
        texts = replace(texts, source="A list of your own.")
        return Own(texts, distinct, f"{content}\n".encode("utf-8", "surrogatepass"))
    if proposed:
        return Own(texts, distinct, None)
    saved = replace(texts, name=f"{parsing.stem_of(given.name)}-texts.jsonl")
    return Own(saved, distinct, _lines(saved))


def _lines(texts: Texts) -> bytes:
    """Texts with their labels as lines of JSON."""
    rows: list[dict[str, Any]] = [{"text": text} for text in texts.texts]
    for row, label in zip(rows, texts.labels or (), strict=False):
        row["label"] = label
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
