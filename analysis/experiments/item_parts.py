"""Parts of a corpus's items that share no text where possible, to choose on one of them only.

Items that share a text, by way of others too, stay together. Where that leaves nothing to divide,
because nearly all hang together, the texts of rated pairs are divided and pairs across parts left
out; queries are divided and search the same documents.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ..corpora import sampling
from ..corpora.types import Pairs, Retrieval, Texts
from ..errors import CorpusError
from ..evaluation import bootstrap
from ..runtime.lookup import whole_number
from .corpus_objective import LEAST_ITEMS, items_of
from .score_result import Corpus

Divided = TypeVar("Divided", bound=Texts | Pairs | Retrieval)
Indices = NDArray[np.int64]


def parts_of(corpus: Divided, number: int = 2, seed: int = 0) -> tuple[Divided, ...]:
    """Divide the items of a corpus at random into parts of about equal size.

    Args:
        corpus: rated pairs, texts, or queries with documents. Labels are spread over all parts.
        number: how many parts, two at least.
        seed: seed of the draw.

    Raises:
        CorpusError: a part has fewer than :data:`.corpus_objective.LEAST_ITEMS` items.
        PlanError: ``number`` is no whole number of at least 2.
    """
    number = whole_number(number, "number of parts", 2)
    total, noun = items_of(corpus)
    too_few = CorpusError(
        f"{corpus.name} has {total} {noun}, too few for {number} parts of {LEAST_ITEMS} that "
        "share no text where they can; take more or, if their number was to be found, say how "
        "many heads to choose."
    )
    if number * LEAST_ITEMS > total:
        raise too_few
    draw = np.random.default_rng(seed)
    component = _components(corpus)
    of_item = component[_first_text(corpus)]
    labels = corpus.labels if isinstance(corpus, Texts) else None
    part_of = _places(of_item, number, draw, labels)
    documents: list[list[int] | None] = [None] * number
    if isinstance(corpus, Retrieval):
        of_document = component[len(corpus.queries) :]
        alone = draw.permutation(np.unique(of_document[~np.isin(of_document, of_item)]))
        part_of |= dict(zip(alone.tolist(), _in_turn(len(alone), number), strict=True))
        documents = [_where(of_document, part_of, part) for part in range(number)]
    items = [_where(of_item, part_of, part) for part in range(number)]
    if 1.5 * number * min(map(len, items)) < len(of_item):
        items, documents = _connected(corpus, items, draw), [None] * number
    if min(map(len, items)) < LEAST_ITEMS:
        raise too_few
    return tuple(
        cast(Divided, sampling.part_at(corpus, *part))
        for part in zip(items, documents, strict=True)
    )


def _where(groups: Indices, part_of: Mapping[int, int], part: int) -> list[int]:
    """The numbers of the items whose group is in a part."""
    return [number for number, group in enumerate(groups) if part_of[group] == part]


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


def _places(
    of_item: Indices, number: int, draw: np.random.Generator, labels: Sequence[str] | None
) -> dict[int, int]:
    """The part of each group, in random order to the part with the fewest items so far."""
    groups, first, sizes = np.unique(of_item, return_index=True, return_counts=True)
    order = draw.permutation(len(groups)).tolist()
    if labels is not None:
        order.sort(key=lambda group: labels[int(first[group])])
    part_of, filled = {}, [0] * number
    for group in order:
        smallest = filled.index(min(filled))
        part_of[int(groups[group])] = smallest
        filled[smallest] += int(sizes[group])
    return part_of


def _in_turn(size: int, number: int) -> list[int]:
    return [place % number for place in range(size)]


def _connected(
    corpus: Corpus, items: list[list[int]], draw: np.random.Generator
) -> list[list[int]]:
    """Parts of items that hang together; unchanged where equal texts are the reason."""
    number = len(items)
    if isinstance(corpus, Pairs):
        part = draw.permutation(_in_turn(len(corpus.texts), number))
        left, right = part[corpus.left], part[corpus.right]
        return [np.flatnonzero((left == p) & (right == p)).tolist() for p in range(number)]
    if isinstance(corpus, Retrieval):
        same = [sampling.normalised(query) for query in corpus.queries]
        _, of_query = np.unique(same, return_inverse=True)
        part_of = _places(of_query, number, draw, None)
        return [_where(of_query, part_of, part) for part in range(number)]
    return items
