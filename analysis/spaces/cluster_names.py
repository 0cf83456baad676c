"""Names for clusters: the words that set the texts of each apart from those of the others."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def cluster_names(texts: Sequence[str], codes: NDArray[np.intp], words: int = 3) -> list[str]:
    """The words of largest class-based TF-IDF in each cluster.

    All texts of a cluster count as one: a word's share of them times log(1 + A / f), with f how
    often all clusters have the word and A the mean number of words in a cluster
    (https://arxiv.org/abs/2203.05794). Words in more than half of the texts, and English function
    words, are left out.

    Args:
        texts: N texts.
        codes: (N,), the cluster of each from 0.
        words: how many words make a name.

    Returns:
        A name for each cluster, ``river, boat``; "" where nothing sets it apart.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(stop_words="english", max_df=0.5, token_pattern=r"(?u)\b[^\W\d]\w+\b")
    count = int(codes.max()) + 1
    try:
        counts = counter.fit_transform(texts)
    except ValueError:  # no word is left
        return [""] * count
    member = np.zeros((count, len(texts)))
    member[codes, np.arange(len(texts))] = 1
    in_cluster = np.asarray(counts.T @ member.T).T
    total = in_cluster.sum(axis=1, keepdims=True)
    rarity = np.log1p(total.mean() / in_cluster.sum(axis=0))
    weights = in_cluster / np.maximum(total, 1) * rarity
    vocabulary = counter.get_feature_names_out()
    return [
        ", ".join(str(vocabulary[i]) for i in np.argsort(-row, kind="stable")[:words] if row[i] > 0)
        for row in weights
    ]
