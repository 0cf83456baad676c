"""Long documents built from passages: does the place of an answer matter, or a text's length?

For the place, each document of a retrieval set is put among others: at the start, in the middle and
at the end. The other passages and their order are the same in all three, so that only the place
differs. For the length, news texts are joined into documents with the same number of words, and the
opening sentence of each text is the query for the document that contains the rest of it.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ..errors import CorpusError
from .types import Retrieval

Place = Literal["start", "middle", "end"]
SENTENCE_END = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"])")
"""White space between two sentences of English prose."""


def position_variants(
    retrieval: Retrieval, *, around: int = 4, seed: int = 0
) -> dict[Place, Retrieval]:
    """Put each document at the start, in the middle and at the end of a long one.

    The other passages, the fillers, are drawn for each document from those that are relevant to no
    query, so that no long document answers a query by its fillers. If there are not more than
    twice ``around`` of those, fillers are drawn from the documents not relevant to any query that
    this document is relevant to, and ``note`` says so. Passages are separated by a blank line.

    Args:
        retrieval: The set whose documents are the passages.
        around: How many fillers each document gets, at least 1.
        seed: Seed of the draw, together with the document's index.

    Returns:
        A set for each place; queries, relevance and the order of documents are those of
        ``retrieval``.

    Raises:
        CorpusError: ``around`` is less than 1, or there are too few fillers for a document.
    """
    if around < 1:
        raise CorpusError(f"A passage needs at least 1 other around it, not {around}.")
    answers: dict[int, set[int]] = {}
    for grades in retrieval.relevance:
        for document in grades:
            answers.setdefault(document, set()).update(grades)
    count = len(retrieval.documents)
    free = [document for document in range(count) if document not in answers]
    enough = len(free) > 2 * around
    pool = np.array(free if enough else range(count), dtype=np.int64)
    longer: dict[Place, list[str]] = {"start": [], "middle": [], "end": []}
    for document, passage in enumerate(retrieval.documents):
        excluded = answers.get(document, set()) | {document}
        size = min(len(pool), around + len(excluded))
        drawn = np.random.default_rng([seed, document]).choice(pool, size, replace=False)
        fillers = [retrieval.documents[i] for i in drawn if int(i) not in excluded][:around]
        if len(fillers) < around:
            raise CorpusError(
                f"{retrieval.name} has {len(fillers)} documents to put around one of its own, not "
                f"{around}; ask for fewer, or take a larger set."
            )
        for place, before in (("start", 0), ("middle", around // 2), ("end", around)):
            passages = (*fillers[:before], passage, *fillers[before:])
            longer[place].append("\n\n".join(passages))  # type: ignore[index]
    caveat = "" if enough else " Fillers may answer other queries than their document's."
    return {
        place: replace(
            retrieval,
            name=f"{retrieval.name}-{place}",
            documents=tuple(documents),
            note=f"{retrieval.note} Each document is at the {place}, {around} others around "
            f"it.{caveat}".strip(),
        )
        for place, documents in longer.items()
    }


def long_documents(
    name: str, articles: Sequence[str], documents: int, words: int, longest: int
) -> Retrieval:
    """Join articles, in a fixed random order, into documents of exactly ``words`` words.

    The opening sentence of each article is removed and becomes the query for the document that
    contains all the rest of the article, or for all such documents if articles open alike.
    Documents start ``longest`` words apart in the stream of articles, so that the documents of a
    shorter set are the beginnings of those of a longer one, and its queries are among that set's.
    The last article of a document is cut where the words end and gives no query. A document without
    a complete article stays, as one that answers no query.

    Args:
        name: Name of the set.
        articles: Distinct texts; those of a single sentence are left out.
        documents: How many documents.
        words: Words of each document, at most ``longest``.
        longest: Words of each document in the longest set of its kind.

    Returns:
        The set, with an empty ``source``.

    Raises:
        CorpusError: There are too few articles for so many words.
    """
    order = np.random.default_rng(0).permutation(len(articles))
    split_articles = (SENTENCE_END.split(articles[i], maxsplit=1) for i in order)
    stream = iter([(pieces[0], pieces[1].split()) for pieces in split_articles if len(pieces) == 2])
    relevance: dict[str, dict[int, int]] = {}
    texts: list[str] = []
    for document in range(documents):
        content: list[str] = []
        while len(content) < longest:
            if (following := next(stream, None)) is None:
                raise CorpusError(
                    f"{name} needs more articles than there are; ask for fewer documents."
                )
            opening, rest = following
            content += rest
            if len(content) <= words:
                relevance.setdefault(opening, {})[document] = 1
        texts.append(" ".join(content[:words]))
    return Retrieval(name, tuple(relevance), tuple(texts), tuple(relevance.values()), "")
