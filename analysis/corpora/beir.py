"""Queries with documents in the layout of BEIR: from a folder, a ZIP of one, or tables at hand.

The files are ``corpus.jsonl`` (objects with ``_id``, ``text`` and perhaps ``title``),
``queries.jsonl`` (``_id`` and ``text``) and ``qrels.tsv`` or ``qrels/test.tsv`` (columns query-id,
corpus-id and score). Whatever they hold, the only error raised is
:class:`~analysis.errors.CorpusError`.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from ..errors import CorpusError
from ..runtime import hosting
from .tables import offer, read_table, short
from .types import Retrieval

LARGEST_ARCHIVE = 1 << 30
"""Most bytes that the three files of a ZIP may unpack to."""


def read_retrieval(name: str, data: bytes) -> Retrieval:
    """Parse the content of a ZIP of a folder in the layout of BEIR; see :func:`read_folder`.

    Nothing is unpacked onto the disk. The files may lie at the top or in one folder.

    Raises:
        CorpusError: not a ZIP that can be read, a file is missing, or they unpack to more than
            :data:`LARGEST_ARCHIVE` bytes or a hosted server takes; or as :func:`read_folder`.
    """
    hosting.check_size(name, len(data))
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
            unpacked = sum(member.file_size for member in wanted.values())
            hosting.check_size(f"{name}, unpacked,", unpacked)
            if unpacked > LARGEST_ARCHIVE:
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

    Queries without a relevant document among those of the corpus
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
            raise CorpusError(f"{name}/queries.jsonl has no text in the query {short(key)!r}.")
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
            f"{name} needs a header line with query-id, corpus-id and score; {offer(table)}."
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
            raise table.error(line, f"the _id {short(key)!r} appears twice")
        found[key] = titled(title, text)
    return found


_JUDGEMENT = (
    ("queryid", "qid", "query"),
    ("corpusid", "docid", "documentid", "did"),
    ("score", "relevance", "rel", "label", "grade"),
)
