"""The bytes of a file as texts, labelled texts or rated pairs.

Files are parsed from bytes, so an upload and a local path take the same way and fail with the
same sentence: whatever the content, the only error raised is
:class:`~analysis.errors.CorpusError`. A table is a ``.txt`` (one text a line), ``.tsv``, ``.csv``
(both with a header line) or ``.jsonl`` (one object a line), in UTF-8, or in UTF-16 with its byte
order mark. Which of its columns are meant is a value, :class:`Columns`, that a page can show and
a reader change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import CorpusError
from .tables import Table, offer, read_table, short
from .types import Pairs, Texts


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are taken, by name; ``None`` for those it lacks or that are unclear.

    :func:`guess_columns` proposes one, every ``read_`` function takes one. A reader's choice is
    simply another: ``Columns("question", label="domain")``.
    """

    text: str | None
    """The texts, or the first text of each pair."""
    other: str | None = None
    """The second text of each pair."""
    score: str | None = None
    label: str | None = None
    guessed: tuple[str, ...] = ()
    """Those of the columns taken that were guessed, from content or among several of one name; the
    others have a known name."""
    available: tuple[str, ...] = ()
    """All columns of the table, in order."""


def guess_columns(name: str, data: bytes, kind: Literal["texts", "labelled", "pairs"]) -> Columns:
    """Propose which columns of a file to take; ``name`` tells the kind of file by its suffix.

    Columns go by their usual names (text, sentence, content; label, domain, topic; sentence1 and
    sentence2; score, relatedness). Failing that, a guess is made where content leaves one
    choice: the first column that is neither numbers nor labels as texts, the only two columns of
    words as a pair, the only one of numbers as score, the only one of words that repeat as
    label (for ``"labelled"`` only). Otherwise a column is ``None``, and a reader has to choose.

    Raises:
        CorpusError: the file is not a table that can be read.
    """
    return _guess(read_table(name, data), kind)


def read_texts(name: str, data: bytes, columns: Columns | None = None) -> Texts:
    """Parse the content of a file of texts, with its labels if it has a column of them.

    A file of pairs, or ``columns`` with ``other``, gives the distinct texts of its pairs.

    Args:
        name: the file's name, whose suffix tells its kind.
        data: its content.
        columns: which columns to take; by default what :func:`guess_columns` proposes.

    Raises:
        CorpusError: one sentence that says what is wrong, with the line where there is one.
    """
    table = read_table(name, data)
    columns = columns or _guess(table, "texts")
    if columns.text is None:
        raise CorpusError(f"{name} has no column of text; {offer(table)}.")
    if columns.other is not None:
        pair = _at(table, columns.text), _at(table, columns.other)
        return Texts(name, _pair_texts(table, pair), f"The distinct texts of the pairs in {name}.")
    source = f"Column {short(columns.text)!r} of {name}"
    texts = table.texts(_at(table, columns.text))
    if columns.label is None:
        return Texts(name, texts, f"{source}.")
    label = _at(table, columns.label)
    labels = tuple((cells[label] or "").strip() for _, cells in table.rows)
    return Texts(name, texts, f"{source}, labelled by {short(columns.label)!r}.", labels)


def read_labelled(name: str, data: bytes, columns: Columns | None = None) -> Texts:
    """Parse the content of a file of texts that each have a label; see :func:`read_texts`.

    Raises:
        CorpusError: as :func:`read_texts`; or no column of labels, a row without a label, or
            the same label everywhere.
    """
    table = read_table(name, data)
    columns = columns or _guess(table, "labelled")
    if columns.text is None:
        raise CorpusError(f"{name} has no column of text; {offer(table)}.")
    if columns.label is None:
        raise CorpusError(
            f"{name} has no column of labels by a usual name (label, topic, category, ...); "
            f"{offer(table)}."
        )
    place = _at(table, columns.label)
    for line, cells in table.rows:
        if not (cells[place] or "").strip():
            raise table.error(line, f"no label in column {short(columns.label)!r}")
    texts = table.texts(_at(table, columns.text))
    labels = tuple((cells[place] or "").strip() for _, cells in table.rows)
    if len(set(labels)) == 1:
        raise CorpusError(
            f"{name} labels every text {short(labels[0])!r} in column {short(columns.label)!r}; "
            f"at least two labels are needed."
        )
    source = f"Column {short(columns.text)!r} of {name}, labelled by {short(columns.label)!r}."
    return Texts(name, texts, source, labels)


def read_pairs(name: str, data: bytes, columns: Columns | None = None) -> Pairs:
    """Parse the content of a ``.tsv``, ``.csv`` or ``.jsonl`` file of rated pairs.

    Args:
        name: the file's name, whose suffix tells its kind.
        data: its content.
        columns: which columns to take; by default what :func:`guess_columns` proposes. ``note``
            says so where one was guessed.

    Raises:
        CorpusError: one sentence that says what is wrong, with the line where there is one.
    """
    table = read_table(name, data)
    columns = columns or _guess(table, "pairs")
    if columns.text is None or columns.other is None or columns.score is None:
        raise CorpusError(f"{name} needs columns sentence1, sentence2 and score; {offer(table)}.")
    left, right = (table.texts(_at(table, side)) for side in (columns.text, columns.other))
    scores = table.numbers(_at(table, columns.score))
    one, other, score = (repr(short(c)) for c in (columns.text, columns.other, columns.score))
    taken = f"{one} and {other} as texts, {score} as score"
    note = f"Columns guessed: {taken}." if columns.guessed else ""
    return rated(name, left, right, scores.tolist(), f"The columns {taken}, of {name}.", note)


def rated(
    name: str,
    left: Sequence[str],
    right: Sequence[str],
    scores: Sequence[float],
    source: str,
    note: str = "",
) -> Pairs:
    """Rated pairs from their left texts, right texts and scores, each of length P.

    Raises:
        CorpusError: fewer than 3 pairs, all rated alike, or on a scale beyond float64's squares.
    """
    if len(scores) < 3:
        raise CorpusError(f"{name} has {len(scores)} pairs; a rank correlation needs at least 3.")
    if len(set(scores)) == 1:
        raise CorpusError(f"{name} rates every pair {scores[0]:g}, so nothing can be ranked.")
    if not all(
        abs(score) < _LARGEST and (abs(score) > 1 / _LARGEST or not score) for score in scores
    ):
        raise CorpusError(
            f"{name} has scores from {min(scores):g} to {max(scores):g}, of which no correlation "
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
"""Scores beyond it, or nearer to 0 than its inverse, have squares that float64 cannot hold."""

_TEXT = (
    *("text", "texts", "sentence", "sentences", "content", "document", "passage", "body"),
    *("utterance", "query", "question", "abstract", "review", "comment", "title"),
)
_LABEL = ("label", "labels", "domain", "category", "topic", "class", "intent", "target", "genre")
_SIDES = (
    *(("sentence1", "sentence2"), ("text1", "text2"), ("sentencea", "sentenceb")),
    *(("texta", "textb"), ("sent1", "sent2"), ("s1", "s2"), ("question1", "question2")),
    ("premise", "hypothesis"),
)
_SCORE = (
    *("score", "similarity", "similarityscore", "relatedness", "relatednessscore", "rating"),
    *("humanscore", "goldscore", "gold", "stsscore", "label"),
)


def _guess(table: Table, kind: Literal["texts", "labelled", "pairs"]) -> Columns:
    numeric = [table.numeric(column) for column in range(len(table.columns))]
    words = [column for column, number in enumerate(numeric) if not number]
    numbers = [column for column, number in enumerate(numeric) if number]
    pair = _find_pair(table)
    if kind == "pairs":
        score = table.find(*_SCORE)
        guessed_pair = (words[0], words[1]) if pair is None and len(words) == 2 else (None, None)
        guessed_score = numbers[0] if score is None and len(numbers) == 1 else None
        left, right = pair or guessed_pair
        taken = (left, right, guessed_score if score is None else score, None)
        return _columns(table, taken, (*guessed_pair, guessed_score))
    text, label = table.find(*_TEXT), table.find(*_LABEL)
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


def _columns(table: Table, taken: Sequence[int | None], guessed: Iterable[int | None]) -> Columns:
    text, other, score, label = (None if c is None else table.columns[c] for c in taken)
    twins = (c for c in taken if c is not None and f"{table.columns[c]} (2)" in table.columns)
    names = tuple(table.columns[c] for c in dict.fromkeys([*guessed, *twins]) if c is not None)
    return Columns(text, other, score, label, names, table.columns)


def _repeats(table: Table, column: int) -> bool:
    values = {cells[column] for _, cells in table.rows}
    return 2 <= len(values) <= len(table.rows) / 2


def _find_pair(table: Table) -> tuple[int, int] | None:
    for spelling in _SIDES:
        left, right = (table.find(side) for side in spelling)
        if left is not None and right is not None:
            return left, right
    return None


def _at(table: Table, column: str) -> int:
    if column not in table.columns:
        raise CorpusError(f"{table.name} has no column {short(column)!r}; {offer(table)}.")
    return table.columns.index(column)


def _pair_texts(table: Table, pair: tuple[int, int]) -> tuple[str, ...]:
    """The distinct texts of a pair of columns, row by row."""
    both = zip(*(table.texts(side) for side in pair), strict=True)
    return tuple(dict.fromkeys(text for row in both for text in row))
