"""Long documents made of passages: does it matter where an answer stands, and how long a text is?

For the place, each document of a retrieval set is put among others, once first, once in the middle
and once last; fillers and their order are the same in all three, so that only the place differs.
For the length, news texts are strung together to documents of equally many words, and the opening
sentence of each text asks for the document that holds the rest of it.
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
"""What stands between two sentences of English prose."""


def position_variants(
    retrieval: Retrieval, *, around: int = 4, seed: int = 0
) -> dict[Place, Retrieval]:
    """Three sets with each document first, in the middle or last among ``around`` fillers.

    Fillers are drawn per document from those relevant to no query at all, so that no long
    document answers a query by its fillers. If there are not more than twice ``around`` of them,
    they are drawn from those not relevant to any query that the document is relevant to, and
    ``note`` says so. Passages are separated by a blank line.

    Args:
        retrieval: the set whose documents are the passages.
        around: how many other passages each is put among, at least 1.
        seed: of the draw, together with the document's index.

    Returns:
        The variants; queries, relevance and the order of documents are those of ``retrieval``.

    Raises:
        CorpusError: ``around`` is less than 1, or a document has too few others to draw from.
    """
    if around < 1:
        raise CorpusError(f"A passage has to stand among at least 1 other, not {around}.")
    answers: dict[int, set[int]] = {}
    for grades in retrieval.relevance:
        for document in grades:
            answers.setdefault(document, set()).update(grades)
    count = len(retrieval.documents)
    free = [document for document in range(count) if document not in answers]
    clean = len(free) > 2 * around
    pool = np.array(free if clean else range(count), dtype=np.int64)
    longer: dict[Place, list[str]] = {"start": [], "middle": [], "end": []}
    for document, passage in enumerate(retrieval.documents):
        barred = answers.get(document, set()) | {document}
        draw = min(len(pool), around + len(barred))
        drawn = np.random.default_rng([seed, document]).choice(pool, draw, replace=False)
        fillers = [retrieval.documents[i] for i in drawn if int(i) not in barred][:around]
        if len(fillers) < around:
            raise CorpusError(
                f"{retrieval.name} has {len(fillers)} documents to put around one of its own, not "
                f"{around}; ask for fewer, or take a larger set."
            )
        for place, before in (("start", 0), ("middle", around // 2), ("end", around)):
            parts = (*fillers[:before], passage, *fillers[before:])
            longer[place].append("\n\n".join(parts))  # type: ignore[index]
    said = "" if clean else " Fillers may answer other queries than their document's."
    return {
        place: replace(
            retrieval,
            name=f"{retrieval.name}-{place}",
            documents=tuple(documents),
            note=f"{retrieval.note} Each document is at the {place}, {around} others around "
            f"it.{said}".strip(),
        )
        for place, documents in longer.items()
    }


def compiled(
    name: str, articles: Sequence[str], documents: int, words: int, most: int
) -> Retrieval:
    """Documents of exactly ``words`` words, strung together of articles in a fixed random order.

    An article's opening sentence is taken off and becomes the query for the document that holds
    the whole rest of the article, or for all such documents where articles open alike. Documents
    are begun ``most`` words apart in the stream of articles, so that a shorter set is the
    beginnings of a longer one's documents, and its queries are among that one's. The last article
    of a document is cut where the words end and asks for nothing. A document without a whole
    article stays, as one that answers no query.

    Args:
        name: of the set.
        articles: distinct texts; those of a single sentence are left out.
        documents: how many documents.
        words: words of each, at most ``most``.
        most: words of each document in the longest set of its kind.

    Raises:
        CorpusError: there are too few articles for so many words.
    """
    order = np.random.default_rng(0).permutation(len(articles))
    parts = (SENTENCE_END.split(articles[i], maxsplit=1) for i in order)
    stream = iter([(part[0], part[1].split()) for part in parts if len(part) == 2])
    asked: dict[str, dict[int, int]] = {}
    found: list[str] = []
    for document in range(documents):
        held: list[str] = []
        while len(held) < most:
            if (following := next(stream, None)) is None:
                raise CorpusError(
                    f"{name} takes more articles than there are; ask for fewer documents."
                )
            opening, rest = following
            held += rest
            if len(held) <= words:
                asked.setdefault(opening, {})[document] = 1
        found.append(" ".join(held[:words]))
    return Retrieval(name, tuple(asked), tuple(found), tuple(asked.values()), "")
