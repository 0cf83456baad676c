"""Objectives: measures of embeddings that have a derivative, to be raised by a choice of heads.

Each is a function of float64 embeddings of unit length, and higher is better.
"""

from collections.abc import Mapping, Sequence

import torch

MARGIN_TEMPERATURE = 0.05
"""Temperature of the contrastive objective, as SimCSE's (https://arxiv.org/abs/2104.08821)."""


def pearson(values: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Pearson's correlation of P cosines with a target.

    Args:
        values: (P,).
        target: (P,) float64, ratings or another method's cosines.
    """
    a, b = values - values.mean(), target - target.mean()
    product: torch.Tensor = (a * b).sum() / (a.norm() * b.norm())
    return product


def nearest_margin(embeddings: torch.Tensor, labels: Sequence[str]) -> torch.Tensor:
    """How much nearer the nearest text of the same label is than the nearest of another.

    Args:
        embeddings: (N, D).
        labels: N labels. A text that is alone with its label, or in a corpus of one label, counts
            for nothing.

    Returns:
        The mean difference of the two cosines.
    """
    names = {name: number for number, name in enumerate(dict.fromkeys(labels))}
    of_text = torch.tensor([names[label] for label in labels])
    same = of_text[:, None] == of_text
    itself = torch.eye(len(of_text), dtype=torch.bool)
    return _margin(embeddings @ embeddings.T, same & ~itself, ~same)


def retrieval_margin(
    documents: torch.Tensor,
    queries: torch.Tensor,
    relevance: Sequence[Mapping[int, int]],
    own_documents: Mapping[int, int],
) -> torch.Tensor:
    """How much nearer to a query its nearest relevant document is than the nearest other one.

    Args:
        documents: (M, D).
        queries: (N, D).
        relevance: for each query the grades of its relevant documents by index.
        own_documents: the document that is the query itself, which is left out.

    Returns:
        The mean difference of the two cosines.
    """
    relevant = torch.zeros(len(queries), len(documents), dtype=torch.bool)
    others = torch.ones_like(relevant)
    for query, grades in enumerate(relevance):
        relevant[query, list(grades)] = True
        if query in own_documents:
            others[query, own_documents[query]] = False
    return _margin(queries @ documents.T, relevant & others, ~relevant & others)


def _margin(cosines: torch.Tensor, near: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
    """The largest cosine among ``near`` minus that among ``far``, averaged over rows with both."""
    rows = near.any(1) & far.any(1)
    best, other = (
        cosines[rows].masked_fill(~mask[rows], -torch.inf).amax(1) for mask in (near, far)
    )
    return (best - other).mean()


def halves_match(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """How well each text's first half finds its second among all, and the reverse.

    Args:
        first: (N, D), embeddings of the texts' first halves.
        second: (N, D), of their second halves.

    Returns:
        The mean log-probability of the right half at :data:`MARGIN_TEMPERATURE`, the objective of
        contrastive predictive coding (https://arxiv.org/abs/1807.03748).
    """
    logits = first @ second.T / MARGIN_TEMPERATURE
    return (logits.log_softmax(1).diagonal() + logits.log_softmax(0).diagonal()).mean() / 2


def uniformity(embeddings: torch.Tensor) -> torch.Tensor:
    """How evenly embeddings spread over the sphere, -log of the mean of exp(-2 |x - y|^2).

    Wang & Isola, https://arxiv.org/abs/2005.10242, with the sign turned: higher is more even.

    Args:
        embeddings: (N, D).
    """
    cosines = embeddings @ embeddings.T
    above = torch.triu(torch.ones_like(cosines, dtype=torch.bool), 1)
    return -torch.exp(-2 * (2 - 2 * cosines[above])).mean().log()
