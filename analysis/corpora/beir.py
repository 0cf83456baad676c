"""Queries with documents in BEIR's layout: from a folder, a ZIP of one, or tables in memory.

The layout is that of the BEIR benchmark (https://github.com/beir-cellar/beir): ``corpus.jsonl``
(objects with ``_id``, ``text`` and perhaps ``title``), ``queries.jsonl`` (``_id`` and ``text``) and
``qrels.tsv`` or ``qrels/test.tsv`` (columns query-id, corpus-id and score); each may be compressed,
as ``corpus.jsonl.gz``. Whatever the files
contain, the only error raised is :class:`~analysis.errors.CorpusError`.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from ..errors import CorpusError
from ..runtime import hosting
from . import usual_names, zip_archives
from .parsing import read_table
from .tables import list_columns, shorten
from .types import LARGEST_GRADE, Retrieval

Document = tuple[str | None, str | None]
"""The title and the text of a document."""
LARGEST_ARCHIVE = 1 << 30
"""How many bytes the three files of a ZIP may unpack to."""


def read_retrieval(name: str, data: bytes) -> Retrieval:
    """Parse the content of a ZIP of a folder in BEIR's layout.

    Nothing is unpacked onto the disk. The files may be at the top or in one folder.

    Args:
        name: Name of the file.
        data: Content of the file.

    Returns:
        The queries that have a relevant document; ``note`` counts what was left out.

    Raises:
        CorpusError: It is not a ZIP that can be read, a file is missing, they unpack to more than
            :data:`LARGEST_ARCHIVE` bytes, than they state or than a hosted server accepts; or as
            :func:`read_folder`.
    """
    hosting.check_size(name, len(data))
    # zipfile raises some ten unrelated exceptions on damaged archives.
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {member.filename: member for member in archive.infolist()}
            roots = [
                PurePosixPath(path).parent
                for path in members
                if PurePosixPath(path).name in (_BEIR[0], f"{_BEIR[0]}.gz") and ".." not in path
            ]
            depth = min((len(root.parts) for root in roots), default=0)
            top = [root for root in roots if len(root.parts) == depth]
            if len(top) > 1:
                raise CorpusError(
                    f"{name} contains {len(top)} files corpus.jsonl; make one ZIP of each folder."
                )
            root = top[0] if top else PurePosixPath()
            wanted = {
                path: members[str(root / path)] for path in _FILES if str(root / path) in members
            }
            unpacked = sum(member.file_size for member in wanted.values())
            hosting.check_size(f"{name}, unpacked,", unpacked)
            if unpacked > LARGEST_ARCHIVE:
                raise CorpusError(
                    f"{name} unpacks to more than {LARGEST_ARCHIVE / 2**30:.3g} GiB; unpack it "
                    f"and name the folder instead."
                )
            zip_archives.check_stated_sizes(name, archive, wanted.values())
            files = {path: archive.read(member) for path, member in wanted.items()}
    except CorpusError:
        raise
    except Exception:
        raise CorpusError(
            f"{name} is not a ZIP archive that can be read; make one of a folder with {_LAYOUT}."
        ) from None
    return _beir(name, files)


def read_folder(name: str, folder: Path) -> Retrieval:
    """Read a folder in BEIR's layout.

    Args:
        name: Name of the set.
        folder: Where it is.

    Returns:
        The queries that have a relevant document, and the documents that have a text; ``note``
        counts what was left out.

    Raises:
        CorpusError: A file is missing or cannot be read, an ``_id`` is missing or appears twice,
            a grade is not a whole number, or no query is left.
    """
    try:
        files = {path: (folder / path).read_bytes() for path in _FILES if (folder / path).is_file()}
    except OSError as error:
        raise CorpusError(f"{name} cannot be read: {error.strerror}.") from None
    return _beir(name, files)


def with_judgements(
    name: str,
    documents: Mapping[str, Document],
    queries: Mapping[str, str],
    judgements: Iterable[tuple[str, str, int]],
    source: str,
) -> Retrieval:
    """Build a retrieval set from texts and judgements.

    A query that is one of the documents, with the same id and text, is not searched for itself, as
    in BEIR and mteb (ArguAna, Quora), unless the judgements name it as relevant. The same id with
    another text means nothing: queries and documents are often numbered apart.

    Args:
        name: Name of the set.
        documents: Title and text of each document by its id.
        queries: Text of each query by its id.
        judgements: Query id, document id and grade. Grades below 1 mean not relevant; of two
            grades for the same document the higher counts.
        source: One sentence on where the set is from.

    Returns:
        The queries that have a relevant document, and the documents that have a text; ``note``
        counts what was left out.

    Raises:
        CorpusError: No query has a relevant document.
    """
    texts = {key: joined for key, each in documents.items() if (joined := join_title(*each))}
    index = {key: i for i, key in enumerate(texts)}
    grades: dict[str, dict[int, int]] = {key: {} for key in queries}
    unknown = 0
    for query, document, grade in judgements:
        if query not in grades or document not in index:
            unknown += 1
        elif grade >= 1:
            relevant = grades[query]
            relevant[index[document]] = max(grade, relevant.get(index[document], 0))
    answered = [key for key in queries if grades[key]]
    if not answered:
        raise CorpusError(
            f"{name} has no query with a relevant document; check that the judgements name the "
            f"_id of queries and documents and have scores of 1 or more."
        )
    own_documents = {
        i: index[key]
        for i, key in enumerate(answered)
        if index.get(key) not in (None, *grades[key]) and _same_text(queries[key], documents[key])
    }
    notes = (
        (
            len(queries) - len(answered),
            f"Of {len(queries):,} queries {{:,}} have no relevant document here and are left out.",
        ),
        (unknown, "Judgements that name a query or document that is not here: {:,}."),
        (len(documents) - len(index), "Documents without a text, left out: {:,}."),
        (
            len(own_documents),
            "Queries that are documents themselves, each left out of its own ranking: {:,}.",
        ),
        (
            len(texts) - len(set(texts.values())),
            "Documents that repeat the text of another: {:,}; they share its rank.",
        ),
    )
    return Retrieval(
        name,
        tuple(queries[key] for key in answered),
        tuple(texts.values()),
        tuple(grades[key] for key in answered),
        source,
        " ".join(sentence.format(count) for count, sentence in notes if count),
        own_documents=own_documents,
    )


def _same_text(query: str, document: Document) -> bool:
    """Whether a query is a document, with or without its title, but for white space and case."""
    title, text = document
    spellings = {
        " ".join(each.split()).casefold() for each in (text or "", join_title(title, text))
    }
    return " ".join(query.split()).casefold() in spellings


_BEIR = ("corpus.jsonl", "queries.jsonl", "qrels.tsv", "qrels/test.tsv")
_FILES = (*_BEIR, *(f"{path}.gz" for path in _BEIR))
_LAYOUT = "corpus.jsonl, queries.jsonl and qrels.tsv or qrels/test.tsv"


def _beir(name: str, files: Mapping[str, bytes]) -> Retrieval:
    present = {path.removesuffix(".gz"): path for path in reversed(_FILES) if path in files}
    qrels = next((path for path in _BEIR[2:] if path in present), None)
    missing = [path for path in _BEIR[:2] if path not in present]
    if missing or qrels is None:
        absent = " or ".join(_BEIR[2:]) if not missing else missing[0]
        raise CorpusError(f"{name} has no {absent}; a retrieval set is a folder with {_LAYOUT}.")

    def content(path: str) -> tuple[str, bytes]:
        return f"{name}/{present[path]}", files[present[path]]

    documents = _texts_by_id(*content("corpus.jsonl"))
    asked = _texts_by_id(*content("queries.jsonl"))
    queries = {key: join_title(*each) for key, each in asked.items()}
    for key, text in queries.items():
        if not text.strip():
            raise CorpusError(f"{name}/queries.jsonl has no text in the query {shorten(key)!r}.")
    judgements = read_judgements(*content(qrels))
    return with_judgements(
        name, documents, queries, judgements, f"The folder {name}, in BEIR's layout."
    )


def read_judgements(name: str, data: bytes) -> list[tuple[str, str, int]]:
    """Parse a table of judgements.

    Args:
        name: Name of the file; its suffix says how to read it.
        data: Content of the file.

    Returns:
        Query id, document id and grade of each row, in order.

    Raises:
        CorpusError: A column is missing, or a grade is not a whole number.
    """
    table = read_table(name, data)
    places = [table.find(*spellings) for spellings in usual_names.JUDGEMENT]
    columns = [column for column in places if column is not None]
    if len(columns) < 3:
        raise CorpusError(
            f"{name} needs a header line with query-id, corpus-id and score; {list_columns(table)}."
        )
    query, document, score = columns
    scores = table.numbers(score)
    for (line, _), grade in zip(table.rows, scores, strict=True):
        if not grade.is_integer() or grade > LARGEST_GRADE:
            raise table.error(
                line, f"the score {grade:g} is not a whole number of at most {LARGEST_GRADE:,}"
            )
    ids = ((cells[query] or "", cells[document] or "") for _, cells in table.rows)
    return [(*pair, int(grade)) for pair, grade in zip(ids, scores, strict=True)]


def join_title(title: str | None, text: str | None) -> str:
    """Return a document as BEIR embeds it: its title, if any, a space, and its text."""
    return f"{title or ''} {text or ''}".strip()


def _texts_by_id(name: str, data: bytes) -> dict[str, Document]:
    table = read_table(name, data, keys=("_id", "title", "text"))
    texts: dict[str, Document] = {}
    for line, (key, title, text) in table.rows:
        if not key:
            raise table.error(line, "no _id")
        if key in texts:
            raise table.error(line, f"the _id {shorten(key)!r} appears twice")
        texts[key] = title, text
    return texts
