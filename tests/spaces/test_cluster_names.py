"""Names of clusters: the words that only they have."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from analysis.spaces.cluster_names import cluster_names

TEXTS = [
    "The boat crossed the river by night.",
    "A river boat, and another boat.",
    "The bank gave a loan at night.",
    "A loan of the bank is a loan.",
    "12 34",
]
CODES = np.array([0, 0, 1, 1, 2])


def test_a_name_has_the_words_that_set_a_cluster_apart() -> None:
    assert cluster_names(TEXTS, CODES, 2) == ["boat, river", "loan, bank", ""]


def test_weights_are_those_of_the_formula() -> None:
    words = ["boat", "river", "loan", "bank", "night", "gave", "crossed"]
    of = [" ".join(TEXTS[:2]), " ".join(TEXTS[2:4])]
    counts = CountVectorizer(vocabulary=words).fit_transform(of).toarray()
    totals = counts.sum(axis=1)
    mean = totals.sum() / 3  # the third cluster has no word
    weights = counts / totals[:, None] * np.log(1 + mean / counts.sum(axis=0))
    for row, name in zip(weights, cluster_names(TEXTS, CODES, 5), strict=False):
        ranked = [words[i] for i in np.argsort(-row) if row[i] > 0]
        assert name.split(", ")[:2] == ranked[:2]
        assert set(name.split(", ")) == set(ranked)


@pytest.mark.parametrize("texts", [["the of and"] * 3, ["", " ", "1"], ["日本", "中国", "日本"]])
def test_texts_without_telling_words_have_no_name_and_no_error(texts: list[str]) -> None:
    names = cluster_names(texts, np.array([0, 1, 0]))
    assert len(names) == 2


def test_names_do_not_depend_on_the_order_of_texts() -> None:
    order = np.array([3, 0, 4, 2, 1])
    assert cluster_names([TEXTS[i] for i in order], CODES[order]) == cluster_names(TEXTS, CODES)
