"""Texts, labelled texts or rated pairs from the columns of a table.

Files are read from bytes, so an upload and a local path are handled alike and fail with the same
sentence: whatever the content, the only error raised is :class:`~analysis.errors.CorpusError`. A
table is whatever :mod:`~analysis.corpora.parsing` reads. Which of its columns to read is a value,
:class:`Columns`, that a page can show and a user can change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import CorpusError
from . import usual_names
from .parsing import read_table
from .tables import Table, list_columns, shorten
from .types import Pairs, Texts

Reading = Literal["texts", "labelled", "pairs"]


@dataclass(frozen=True)
class Columns:
    """Which columns of a table to read, by name; ``None`` where there is none or it is unclear.

    :func:`guess_columns` proposes a value, every ``read_`` function takes one. A user's choice is
    another value: ``Columns("question", label="domain")``.

    Attributes:
        text: The texts, or the first text of each pair.
        other: The second text of each pair.
        score: The rating of each pair.
        label: The label of each text.
        guessed: Those of the columns above that were guessed, from content or among several of
            the same name; the others have a usual name.
        available: All columns of the table, in order.
    """

    text: str | None
    other: str | None = None
    score: str | None = None
    label: str | None = None
    guessed: tuple[str, ...] = ()
    available: tuple[str, ...] = ()


def guess_columns(name: str, data: bytes | Table, kind: Reading) -> Columns:
    """Propose which columns of a file to read.

    Columns are recognised by their usual names (text, sentence, content; label, domain, topic;
    sentence1 and sentence2; score, relatedness). Failing that, a column is guessed where the
    content leaves one choice: the first column that is neither numbers nor labels as texts, the
    only two columns of words as a pair, the only one of numbers as score, the only one of words
    that repeat as label (for ``"labelled"`` only). Otherwise it is ``None``: the user chooses.

    Args:
        name: Name of the file; its suffix says how to read it.
        data: Content of the file, or the table that it was parsed to.
        kind: What the file is to be read as.

    Returns:
        The proposed columns, and all that there are.

    Raises:
        CorpusError: The file is not a table that can be read.
    """
    return _guess(_table(name, data), kind)


def read_texts(name: str, data: bytes | Table, columns: Columns | None = None) -> Texts:
    """Parse the content of a file of texts, with labels if it has a column of them.

    A file of pairs, or ``columns`` with ``other``, gives the distinct texts of its pairs.

    Args:
        name: Name of the file; its suffix says how to read it.
        data: Content of the file, or the table that it was parsed to.
        columns: Which columns to read; by default what :func:`guess_columns` proposes.

    Returns:
        The texts in the order of the file, repeated ones included.

    Raises:
        CorpusError: The file cannot be read or has no column of text.
    """
    table = _table(name, data)
    if columns is None:
        _check_name_is_clear(table)
    columns = columns or _guess(table, "texts")
    if columns.text is not None and columns.other is not None:
        pair = _position(table, columns.text), _position(table, columns.other)
        return Texts(name, _pair_texts(table, pair), f"The distinct texts of the pairs in {name}.")
    return _texts(table, columns)


def read_labelled(name: str, data: bytes | Table, columns: Columns | None = None) -> Texts:
    """Parse the content of a file of texts that each have a label.

    Args:
        name: Name of the file; its suffix says how to read it.
        data: Content of the file, or the table that it was parsed to.
        columns: Which columns to read; by default what :func:`guess_columns` proposes.

    Returns:
        The texts with their labels, of which there are at least two.

    Raises:
        CorpusError: The file cannot be read, has no column of text or of labels, a row without
            a label, or the same label in every row.
    """
    table = _table(name, data)
    columns = columns or _guess(table, "labelled")
    if columns.text is not None and columns.label is None:
        raise CorpusError(
            f"{name} has no column of labels with a usual name (label, topic, category, ...); "
            f"{list_columns(table)}."
        )
    texts = _texts(table, columns)
    for (line, _), label in zip(table.rows, texts.labels or (), strict=True):
        if not label:
            raise table.error(line, f"no label in column {shorten(columns.label or '')!r}")
    distinct = set(texts.labels or ())
    if len(distinct) == 1:
        raise CorpusError(
            f"{name} labels every text {shorten(distinct.pop())!r} in column "
            f"{shorten(columns.label or '')!r}; at least two labels are needed."
        )
    return texts


def _table(name: str, data: bytes | Table) -> Table:
    return data if isinstance(data, Table) else read_table(name, data)


def _check_name_is_clear(table: Table) -> None:
    """Refuse a single column whose name may be its first text."""
    if table.named_by == "first row" and len(table.columns) == 1 and not table.has_usual_name:
        raise CorpusError(
            f"{table.name} has one column, and {shorten(table.columns[0])!r} above it may be its "
            "name or a text: write text above it, or save it as .txt, with a text on each line."
        )


def _texts(table: Table, columns: Columns) -> Texts:
    """The texts of one column, with labels if there is a column of them."""
    if columns.text is None:
        raise CorpusError(f"{table.name} has no column of text; {list_columns(table)}.")
    source = f"Column {shorten(columns.text)!r} of {table.name}"
    texts = table.texts(_position(table, columns.text))
    if columns.label is None:
        return Texts(table.name, texts, f"{source}.")
    label = _position(table, columns.label)
    labels = tuple((cells[label] or "").strip() for _, cells in table.rows)
    return Texts(table.name, texts, f"{source}, labelled by {shorten(columns.label)!r}.", labels)


def read_pairs(name: str, data: bytes | Table, columns: Columns | None = None) -> Pairs:
    """Parse the content of a file of rated pairs.

    Args:
        name: Name of the file; its suffix says how to read it.
        data: Content of the file, or the table that it was parsed to.
        columns: Which columns to read; by default what :func:`guess_columns` proposes.

    Returns:
        The pairs; ``note`` names the columns if one was guessed.

    Raises:
        CorpusError: The file cannot be read, lacks one of the three columns, or its pairs cannot
            be ranked (:func:`rated_pairs`).
    """
    table = _table(name, data)
    columns = columns or _guess(table, "pairs")
    if columns.text is None or columns.other is None or columns.score is None:
        tabs = name.lower().endswith(".txt") and any(
            "\t" in (row[1][0] or "") for row in table.rows
        )
        rename = "; its lines have tabs, so name it .tsv" if tabs else ""
        raise CorpusError(
            f"{name} needs columns sentence1, sentence2 and score; {list_columns(table)}{rename}."
        )
    left, right = (table.texts(_position(table, side)) for side in (columns.text, columns.other))
    scores = table.numbers(_position(table, columns.score))
    quoted = [repr(shorten(c)) for c in (columns.text, columns.other, columns.score)]
    roles = "{} and {} as texts, {} as score".format(*quoted)
    note = f"Columns guessed: {roles}." if columns.guessed else ""
    return rated_pairs(name, left, right, scores.tolist(), f"The columns {roles}, of {name}.", note)


def rated_pairs(
    name: str,
    left: Sequence[str],
    right: Sequence[str],
    scores: Sequence[float],
    source: str,
    note: str = "",
) -> Pairs:
    """Build rated pairs from texts and scores.

    Args:
        name: Name of the set.
        left: The first text of each pair; length P.
        right: The second text of each pair; length P.
        scores: The rating of each pair; length P, finite.
        source: One sentence on where the pairs are from.
        note: What a reader should know about how they were read.

    Returns:
        The pairs, each distinct text once.

    Raises:
        CorpusError: There are fewer than 3 pairs, all are rated the same, or the square of a
            score does not fit into float64.
    """
    if len(scores) < 3:
        raise CorpusError(f"{name} has {len(scores)} pairs; a rank correlation needs at least 3.")
    if len(set(scores)) == 1:
        raise CorpusError(f"{name} rates every pair {scores[0]:g}, so they cannot be ranked.")
    if not all(
        abs(score) < _LARGEST and (abs(score) > 1 / _LARGEST or not score) for score in scores
    ):
        raise CorpusError(
            f"{name} has scores from {min(scores):g} to {max(scores):g}, for which no correlation "
            f"can be computed; use a scale such as 0 to 5."
        )
    texts = tuple(dict.fromkeys(text for row in zip(left, right, strict=True) for text in row))
    index = {text: i for i, text in enumerate(texts)}
    return Pairs(
        name,
        texts,
        np.array([index[text] for text in left], dtype=np.int64),
        np.array([index[text] for text in right], dtype=np.int64),
        np.array(scores, dtype=np.float64),
        source,
        note,
    )


_LARGEST = 1e100
"""The squares of larger scores, or of those nearer to 0 than its inverse, do not fit float64."""


def _guess(table: Table, kind: Reading) -> Columns:
    numeric = [*map(table.numeric, range(len(table.columns)))]
    words = [column for column, number in enumerate(numeric) if not number]
    numbers = [column for column, number in enumerate(numeric) if number]
    pair = _find_pair(table)
    if kind == "pairs":
        score = table.find(*usual_names.SCORE)
        guessed_pair = (words[0], words[1]) if pair is None and len(words) == 2 else (None, None)
        guessed_score = numbers[0] if score is None and len(numbers) == 1 else None
        left, right = pair or guessed_pair
        chosen = (left, right, guessed_score if score is None else score, None)
        return _columns(table, chosen, (*guessed_pair, guessed_score))
    text, label = table.find(*usual_names.TEXT), table.find(*usual_names.LABEL)
    if kind == "texts" and text is None and pair is not None:
        return _columns(table, (*pair, None, None), ())
    guesses: list[int | None] = []
    if kind == "labelled" and label is None:
        repeating = [column for column in words if column != text and _repeats(table, column)]
        if len(repeating) == 1:
            label = repeating[0]
            guesses.append(label)
    if text is None:
        text = next((column for column in words if column != label), None)
        guesses.append(text)
    return _columns(table, (text, None, None, label), guesses)


def _columns(table: Table, chosen: Sequence[int | None], guessed: Iterable[int | None]) -> Columns:
    text, other, score, label = (None if c is None else table.columns[c] for c in chosen)
    repeated = (c for c in chosen if c is not None and f"{table.columns[c]} (2)" in table.columns)
    names = tuple(table.columns[c] for c in dict.fromkeys([*guessed, *repeated]) if c is not None)
    return Columns(text, other, score, label, names, table.columns)


def _repeats(table: Table, column: int) -> bool:
    return 2 <= len({cells[column] for _, cells in table.rows}) <= len(table.rows) / 2


def _find_pair(table: Table) -> tuple[int, int] | None:
    for spelling in usual_names.SIDES:
        left, right = (table.find(side) for side in spelling)
        if left is not None and right is not None:
            return left, right
    return None


def _position(table: Table, column: str) -> int:
    if column not in table.columns:
        raise CorpusError(f"{table.name} has no column {shorten(column)!r}; {list_columns(table)}.")
    return table.columns.index(column)


def _pair_texts(table: Table, pair: tuple[int, int]) -> tuple[str, ...]:
    """The distinct texts of a pair of columns, row by row."""
    rows = zip(*map(table.texts, pair), strict=True)
    return tuple(dict.fromkeys(text for row in rows for text in row))
