"""The bytes of a file as texts, labelled texts, rated pairs, or queries with documents.

Files are parsed from bytes, so an upload and a local path take the same way and fail with the
same sentence: whatever the content, the only error raised is
:class:`~analysis.errors.CorpusError`. A table is a ``.txt`` (one text a line), ``.tsv``, ``.csv``
(both with a header line) or ``.jsonl`` (one object a line), in UTF-8, or in UTF-16 with its byte
order mark. Which of its columns are meant is a value, :class:`Columns`, that a page can show and
a reader change. Queries with documents are a folder in the layout of BEIR, or a ZIP of one.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from analysis.errors import CorpusError
from analysis.tables import Table, read_table
from analysis.texts import Pairs, Retrieval, Texts

LARGEST_ARCHIVE = 1 << 30
"""Most bytes that the three files of a ZIP may unpack to."""


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
    """Those of the columns taken that were guessed from content; the others have a known name."""
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
        raise CorpusError(f"{name} has no column of text; {_offer(table)}.")
    if columns.other is not None:
        pair = _at(table, columns.text), _at(table, columns.other)
        return Texts(name, _pair_texts(table, pair), f"The distinct texts of the pairs in {name}.")
    source = f"Column {columns.text!r} of {name}"
    texts = table.texts(_at(table, columns.text))
    if columns.label is None:
        return Texts(name, texts, f"{source}.")
    label = _at(table, columns.label)
    labels = tuple((cells[label] or "").strip() for _, cells in table.rows)
    return Texts(name, texts, f"{source}, labelled by {columns.label!r}.", labels)


def read_labelled(name: str, data: bytes, columns: Columns | None = None) -> Texts:
    """Parse the content of a file of texts that each have a label; see :func:`read_texts`.

    Raises:
        CorpusError: as :func:`read_texts`; or no column of labels, a row without a label, or
            the same label everywhere.
    """
    table = read_table(name, data)
    columns = columns or _guess(table, "labelled")
    if columns.text is None:
        raise CorpusError(f"{name} has no column of text; {_offer(table)}.")
    if columns.label is None:
        raise CorpusError(
            f"{name} has no column of labels by a usual name (label, topic, category, ...); "
            f"{_offer(table)}."
        )
    place = _at(table, columns.label)
    for line, cells in table.rows:
        if not (cells[place] or "").strip():
            raise table.error(line, f"no label in column {columns.label!r}")
    texts = table.texts(_at(table, columns.text))
    labels = tuple((cells[place] or "").strip() for _, cells in table.rows)
    if len(set(labels)) == 1:
        raise CorpusError(
            f"{name} labels every text {_short(labels[0])!r} in column {columns.label!r}; at least "
            f"two labels are needed."
        )
    source = f"Column {columns.text!r} of {name}, labelled by {columns.label!r}."
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
        raise CorpusError(f"{name} needs columns sentence1, sentence2 and score; {_offer(table)}.")
    left, right = (table.texts(_at(table, side)) for side in (columns.text, columns.other))
    scores = table.numbers(_at(table, columns.score))
    taken = f"{columns.text!r} and {columns.other!r} as texts, {columns.score!r} as score"
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
        CorpusError: fewer than 3 pairs, or all rated alike.
    """
    if len(scores) < 3:
        raise CorpusError(f"{name} has {len(scores)} pairs; a rank correlation needs at least 3.")
    if len(set(scores)) == 1:
        raise CorpusError(f"{name} rates every pair {scores[0]:g}, so nothing can be ranked.")
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


def read_retrieval(name: str, data: bytes) -> Retrieval:
    """Parse the content of a ZIP of a folder in the layout of BEIR; see :func:`read_folder`.

    Nothing is unpacked onto the disk. The files may lie at the top or in one folder.

    Raises:
        CorpusError: not a ZIP that can be read, a file is missing, or they unpack to more than
            :data:`LARGEST_ARCHIVE` bytes; or as :func:`read_folder`.
    """
    # zipfile answers damaged archives with some ten unrelated exceptions.
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {member.filename: member for member in archive.infolist()}
            roots = [
                PurePosixPath(path).parent
                for path in members
                if PurePosixPath(path).name == "corpus.jsonl" and ".." not in path
            ]
            depth = min((len(root.parts) for root in roots), default=0)
            top = [root for root in roots if len(root.parts) == depth]
            if len(top) > 1:
                raise CorpusError(
                    f"{name} holds {len(top)} files corpus.jsonl; make one ZIP of each folder."
                )
            root = top[0] if top else PurePosixPath()
            wanted = {
                path: members[str(root / path)] for path in _BEIR if str(root / path) in members
            }
            if sum(member.file_size for member in wanted.values()) > LARGEST_ARCHIVE:
                raise CorpusError(
                    f"{name} unpacks to more than {LARGEST_ARCHIVE / 2**30:.3g} GiB; unpack it "
                    f"and name the folder instead."
                )
            files = {path: archive.read(member) for path, member in wanted.items()}
    except CorpusError:
        raise
    except Exception:
        raise CorpusError(
            f"{name} is not a ZIP archive that can be read; make one of a folder with {_LAYOUT}."
        ) from None
    return _beir(name, files)


def read_folder(name: str, folder: Path) -> Retrieval:
    """Read a folder in the layout of BEIR.

    It holds ``corpus.jsonl`` (objects with ``_id``, ``text`` and perhaps ``title``),
    ``queries.jsonl`` (``_id`` and ``text``) and ``qrels.tsv`` or ``qrels/test.tsv`` (columns
    query-id, corpus-id and score). Queries without a relevant document among those of the corpus
    are left out, as are documents without a text, and ``note`` says so.

    Raises:
        CorpusError: a file is missing or cannot be read, an ``_id`` is missing or appears twice,
            a grade is no whole number, or no query is left.
    """
    try:
        files = {path: (folder / path).read_bytes() for path in _BEIR if (folder / path).is_file()}
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror}.") from None
    return _beir(name, files)


def judged(
    name: str,
    documents: Mapping[str, str],
    queries: Mapping[str, str],
    judgements: Iterable[tuple[str, str, int]],
    source: str,
) -> Retrieval:
    """Queries with documents from texts by their ids and judgements (query, document, grade).

    Grades below 1 mean not relevant; of two grades for the same document the higher counts.

    Raises:
        CorpusError: no query has a relevant document.
    """
    place = {key: i for i, key in enumerate(key for key, text in documents.items() if text.strip())}
    grades: dict[str, dict[int, int]] = {key: {} for key in queries}
    astray = 0
    for query, document, grade in judgements:
        if query not in grades or document not in place:
            astray += 1
        elif grade >= 1:
            known = grades[query]
            known[place[document]] = max(grade, known.get(place[document], 0))
    kept = [key for key in queries if grades[key]]
    if not kept:
        raise CorpusError(
            f"{name} has no query with a relevant document; check that the judgements name the "
            f"_id of queries and documents and have scores of 1 or more."
        )
    notes = (
        (
            len(queries) - len(kept),
            f"Of {len(queries):,} queries {{:,}} have no relevant document here and are left out.",
        ),
        (astray, "Judgements that name a query or document that is not here: {:,}."),
        (len(documents) - len(place), "Documents without a text, left out: {:,}."),
    )
    return Retrieval(
        name,
        tuple(queries[key] for key in kept),
        tuple(documents[key] for key in place),
        tuple(grades[key] for key in kept),
        source,
        " ".join(said.format(count) for count, said in notes if count),
    )


_BEIR = ("corpus.jsonl", "queries.jsonl", "qrels.tsv", "qrels/test.tsv")
_LAYOUT = "corpus.jsonl, queries.jsonl and qrels.tsv or qrels/test.tsv"


def _beir(name: str, files: Mapping[str, bytes]) -> Retrieval:
    qrels = next((path for path in _BEIR[2:] if path in files), None)
    missing = [path for path in _BEIR[:2] if path not in files]
    if missing or qrels is None:
        absent = " or ".join(_BEIR[2:]) if not missing else missing[0]
        raise CorpusError(f"{name} has no {absent}; a retrieval set is a folder with {_LAYOUT}.")
    documents = _identified(f"{name}/corpus.jsonl", files["corpus.jsonl"])
    queries = _identified(f"{name}/queries.jsonl", files["queries.jsonl"])
    for key, text in queries.items():
        if not text.strip():
            raise CorpusError(f"{name}/queries.jsonl has no text in the query {_short(key)!r}.")
    judgements = read_judgements(f"{name}/{qrels}", files[qrels])
    return judged(name, documents, queries, judgements, f"The folder {name}, in the BEIR layout.")


def read_judgements(name: str, data: bytes) -> list[tuple[str, str, int]]:
    """Parse a table of judgements: query, document and grade of each, in order.

    Raises:
        CorpusError: a column is missing, or a grade is no whole number.
    """
    table = read_table(name, data)
    found = [table.find(*spellings) for spellings in _JUDGEMENT]
    columns = [column for column in found if column is not None]
    if len(columns) < 3:
        raise CorpusError(
            f"{name} needs a header line with query-id, corpus-id and score; {_offer(table)}."
        )
    query, document, score = columns
    scores = table.numbers(score)
    for (line, _), grade in zip(table.rows, scores, strict=True):
        if not grade.is_integer():
            raise table.error(line, f"the score {grade:g} is not a whole number")
    ids = ((cells[query] or "", cells[document] or "") for _, cells in table.rows)
    return [(*pair, int(grade)) for pair, grade in zip(ids, scores, strict=True)]


def titled(title: str | None, text: str | None) -> str:
    """A document as BEIR has it embedded: its title, if any, a space, and its text."""
    return f"{title or ''} {text or ''}".strip()


def _identified(name: str, data: bytes) -> dict[str, str]:
    table = read_table(name, data, keys=("_id", "title", "text"))
    found: dict[str, str] = {}
    for line, (key, title, text) in table.rows:
        if not key:
            raise table.error(line, "no _id")
        if key in found:
            raise table.error(line, f"the _id {_short(key)!r} appears twice")
        found[key] = titled(title, text)
    return found


_JUDGEMENT = (
    ("queryid", "qid", "query"),
    ("corpusid", "docid", "documentid", "did"),
    ("score", "relevance", "rel", "label", "grade"),
)
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
    names = tuple(table.columns[c] for c in guessed if c is not None)
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
        raise CorpusError(f"{table.name} has no column {_short(column)!r}; {_offer(table)}.")
    return table.columns.index(column)


def _pair_texts(table: Table, pair: tuple[int, int]) -> tuple[str, ...]:
    """The distinct texts of a pair of columns, row by row."""
    both = zip(*(table.texts(side) for side in pair), strict=True)
    return tuple(dict.fromkeys(text for row in both for text in row))


def _offer(table: Table) -> str:
    shown = [repr(_short(column)) for column in table.columns[:8]]
    more = len(table.columns) - len(shown)
    return "its columns are " + ", ".join(shown) + (f" and {more} more" if more else "")


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:21]}..."
