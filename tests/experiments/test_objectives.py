"""Objectives have the values that their definitions give by hand."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from analysis.experiments import objectives

RNG = np.random.default_rng(0)


def unit(*shape: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(RNG.standard_normal(shape)), dim=-1)


def test_pearson_is_scipys() -> None:
    cosines, ratings = RNG.uniform(-1, 1, 9), RNG.uniform(0, 5, 9)
    value = objectives.pearson(torch.from_numpy(cosines), torch.from_numpy(ratings))
    assert float(value) == pytest.approx(pearsonr(cosines, ratings).statistic)


def test_the_margin_is_between_the_nearest_of_the_same_label_and_of_another() -> None:
    angles = torch.tensor([0.0, 0.1, 0.5, 0.7, 2.0], dtype=torch.float64)
    embeddings = torch.stack([angles.cos(), angles.sin()], 1)
    value = objectives.nearest_margin(embeddings, ["a", "a", "b", "b", "alone"])
    gaps = [(0.1, 0.5), (0.1, 0.4), (0.2, 0.4), (0.2, 0.6)]  # the last text has no other of its own
    assert float(value) == pytest.approx(np.mean([math.cos(s) - math.cos(o) for s, o in gaps]))


def test_the_margin_of_a_query_leaves_its_own_document_out() -> None:
    angles = torch.tensor([0.0, 0.3, 0.9], dtype=torch.float64)
    documents = torch.stack([angles.cos(), angles.sin()], 1)
    value = objectives.retrieval_margin(documents, documents[:1], [{1: 1}], {0: 0})
    assert float(value) == pytest.approx(math.cos(0.3) - math.cos(0.9))


def test_halves_that_are_alike_and_apart_from_others_match() -> None:
    same = torch.eye(8, dtype=torch.float64)
    assert float(objectives.halves_match(same, same)) == pytest.approx(0, abs=1e-6)
    assert float(objectives.halves_match(same, same.roll(1, 0))) < -19


def test_uniformity_is_by_pairs() -> None:
    embeddings = unit(5, 3)
    pairs = [(i, j) for i in range(5) for j in range(i)]
    terms = [math.exp(-2 * float(((embeddings[i] - embeddings[j]) ** 2).sum())) for i, j in pairs]
    assert float(objectives.uniformity(embeddings)) == pytest.approx(-math.log(np.mean(terms)))


@pytest.mark.parametrize("name", ["pearson", "nearest", "retrieval", "halves", "uniformity"])
def test_derivatives_are_the_slopes(name: str) -> None:
    target = torch.from_numpy(RNG.uniform(0, 5, 6))
    value = {
        "pearson": lambda x: objectives.pearson(x[:, 0], target),
        "nearest": lambda x: objectives.nearest_margin(x, list("aabbcc")),
        "retrieval": lambda x: objectives.retrieval_margin(x[:4], x[4:], [{0: 1}, {2: 1}], {0: 3}),
        "halves": lambda x: objectives.halves_match(x[:3], x[3:]),
        "uniformity": objectives.uniformity,
    }[name]
    assert torch.autograd.gradcheck(value, unit(6, 4).requires_grad_())
