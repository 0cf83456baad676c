"""Long documents made of passages: does it matter where in a document the answer stands?

Each document of a retrieval set is put among others, once first, once in the middle and once
last. Fillers and their order are the same in all three, so that only the place differs.
"""

from dataclasses import replace
from typing import Literal

import numpy as np

from analysis.errors import CorpusError
from analysis.texts import Retrieval

Place = Literal["start", "middle", "end"]


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
