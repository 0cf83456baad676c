"""Two halves of a corpus's items that share no text where possible, to choose on one of them only.

Items that share a text, by way of others too, stay together. Where that leaves nothing to halve,
because nearly all hang together, the texts of rated pairs are halved and pairs across both left
out; queries are halved and search the same documents.
"""

from collections.abc import Sequence
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ..corpora import sampling
from ..corpora.types import Pairs, Retrieval, Texts
from ..errors import CorpusError
from ..evaluation import bootstrap
from .corpus_objective import LEAST_ITEMS, items_of
from .score_result import Corpus

Halved = TypeVar("Halved", bound=Texts | Pairs | Retrieval)
Indices = NDArray[np.int64]


def halves(corpus: Halved, seed: int = 0) -> tuple[Halved, Halved]:
    """Halve the items of a corpus at random.

    Args:
        corpus: rated pairs, texts, or queries with documents. Labels are spread over both halves.
        seed: seed of the draw.

    Raises:
        CorpusError: a half has fewer than :data:`.corpus_objective.LEAST_ITEMS` items.
    """
    draw = np.random.default_rng(seed)
    component = _components(corpus)
    of_item = component[_first_text(corpus)]
    side = _sides(of_item, draw, corpus.labels if isinstance(corpus, Texts) else None)
    documents: list[list[int] | None] = [None, None]
    if isinstance(corpus, Retrieval):
        of_document = component[len(corpus.queries) :]
        alone = np.unique(of_document[~np.isin(of_document, of_item)])
        side |= dict(zip(draw.permutation(alone).tolist(), _alternating(len(alone)), strict=True))
        documents = [
            [number for number, group in enumerate(of_document) if side[group] == half]
            for half in (0, 1)
        ]
    items = [[number for number, group in enumerate(of_item) if side[group] == h] for h in (0, 1)]
    if 3 * min(map(len, items)) < len(of_item):
        items, documents = _connected(corpus, items, draw), [None, None]
    number, noun = items_of(corpus)
    if min(map(len, items)) < LEAST_ITEMS:
        raise CorpusError(
            f"{corpus.name} has {number} {noun}, too few to halve so that each half has "
            f"{LEAST_ITEMS}; say how many heads to choose, or take more."
        )
    first, second = (
        cast(Halved, sampling.part_at(corpus, *part)) for part in zip(items, documents, strict=True)
    )
    return first, second


def _first_text(corpus: Corpus) -> Indices:
    """The number of each item's first text among all texts, queries before documents."""
    return corpus.left if isinstance(corpus, Pairs) else np.arange(items_of(corpus)[0])


def _components(corpus: Corpus) -> Indices:
    """Which texts hang together, by pairs, by relevance, or because they are equal."""
    texts: Sequence[str]
    if isinstance(corpus, Retrieval):
        texts = (*corpus.queries, *corpus.documents)
        relevant = [(query, each) for query, row in enumerate(corpus.relevance) for each in row]
        links = [
            (query, len(corpus.queries) + document)
            for query, document in [*relevant, *corpus.own_documents.items()]
        ]
    else:
        texts = corpus.texts
        links = (
            list(zip(corpus.left, corpus.right, strict=True)) if isinstance(corpus, Pairs) else []
        )
    same = [sampling.normalised(text) for text in texts]
    first = {text: number for number, text in reversed(list(enumerate(same)))}
    links += [(first[text], number) for number, text in enumerate(same)]
    one, other = np.array(links, dtype=np.int64).T
    return bootstrap.components(one, other, len(texts))


def _sides(
    of_item: Indices, draw: np.random.Generator, labels: Sequence[str] | None
) -> dict[int, int]:
    """A side, 0 or 1, for each group, in random order to the side with fewer items so far."""
    groups, first, sizes = np.unique(of_item, return_index=True, return_counts=True)
    order = draw.permutation(len(groups)).tolist()
    if labels is not None:
        order.sort(key=lambda group: labels[int(first[group])])
    side, filled = {}, [0, 0]
    for group in order:
        smaller = int(filled[1] < filled[0])
        side[int(groups[group])] = smaller
        filled[smaller] += int(sizes[group])
    return side


def _alternating(number: int) -> list[int]:
    return [place % 2 for place in range(number)]


def _connected(
    corpus: Corpus, items: list[list[int]], draw: np.random.Generator
) -> list[list[int]]:
    """Halves of items that hang together; unchanged where equal texts are the reason."""
    if isinstance(corpus, Pairs):
        side = draw.permutation(_alternating(len(corpus.texts)))
        left, right = side[corpus.left], side[corpus.right]
        return [np.flatnonzero((left == h) & (right == h)).tolist() for h in (0, 1)]
    if isinstance(corpus, Retrieval):
        same = [sampling.normalised(query) for query in corpus.queries]
        _, of_query = np.unique(same, return_inverse=True)
        side_of = _sides(of_query, draw, None)
        return [[n for n, query in enumerate(of_query) if side_of[query] == h] for h in (0, 1)]
    return items
