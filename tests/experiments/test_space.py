"""A text of one's own in an embedding space: its nearest texts, and its place on the map."""

import numpy as np
import pytest

from analysis.backbones.backbone import Backbone
from analysis.corpora import registry
from analysis.embedding.external import MissingVectorError, Precomputed
from analysis.embedding.methods import METHODS, Method
from analysis.experiments.space import Space, aligned, located, projected
from analysis.rerouting.plan import Plan
from tests.support.tiny_models import backbone_of, byte_tokenizer, plain

TEXTS = registry.load_texts("chatterbot").texts[:40]
MINE = "Which language is a program written in?"


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return backbone_of(plain("llama"), byte_tokenizer())


def spaces(backbone: Backbone, how: str) -> tuple[tuple[Method, Space], tuple[Method, Space]]:
    """Two spaces by mean and by re-routing, the second aligned with the first."""
    mean, rerouted = METHODS["mean"], METHODS["kv-embedding"].under(Plan((0, 1)))
    left, right = (projected(backbone, TEXTS, each, how=how) for each in (mean, rerouted))  # type: ignore[arg-type]
    return (mean, left), (rerouted, aligned(right, left))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["umap", "pca"])
def test_a_text_of_the_space_is_found_at_its_dot_with_the_cosine_one(
    backbone: Backbone, how: str
) -> None:
    for method, space in spaces(backbone, how):
        assert space.projection.how == how
        found = located(backbone, TEXTS[7], method, space, TEXTS)
        assert found.rows[0] == 7
        assert found.cosines[0] == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(found.point, space.projection.points[7], atol=1e-9)
        assert (np.diff(found.cosines) <= 0).all()


@pytest.mark.slow
def test_a_new_text_is_encoded_as_the_texts_are_and_goes_with_the_aligned_map(
    backbone: Backbone,
) -> None:
    (mean, left), (rerouted, right) = spaces(backbone, "pca")
    vectors = []
    for method, space in ((mean, left), (rerouted, right)):
        together = projected(backbone, [*TEXTS, MINE], method, how="pca")
        vector = together.embeddings[-1].astype(np.float64)
        found = located(backbone, MINE, method, space, TEXTS, nearest=3)
        cosines = space.embeddings.astype(np.float64) @ vector
        np.testing.assert_array_equal(found.rows, np.argsort(-cosines)[:3])
        np.testing.assert_allclose(found.cosines, np.sort(cosines)[:-4:-1], atol=1e-5)
        vectors.append(vector)
    # PCA is linear: the map of each space and its own vectors say where another vector lies
    for (space, vector), method in zip(
        zip((left, right), vectors, strict=True), (mean, rerouted), strict=True
    ):
        rows = np.column_stack([space.embeddings.astype(np.float64), np.ones(len(TEXTS))])
        linear, *_ = np.linalg.lstsq(rows, space.projection.points, rcond=None)
        found = located(backbone, MINE, method, space, TEXTS)
        if np.linalg.matrix_rank(rows) == rows.shape[1]:
            np.testing.assert_allclose(found.point, [*vector, 1] @ linear, atol=1e-4)


def test_vectors_from_elsewhere_find_only_texts_that_they_have(backbone: Backbone) -> None:
    rows = np.random.default_rng(0).standard_normal((41, 8), np.float32)
    given = Precomputed("given", rows, (*TEXTS, MINE))
    space = projected(backbone, TEXTS, given, how="pca")
    found = located(backbone, MINE, given, space, TEXTS)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert found.rows[0] == np.argmax(unit[:40] @ unit[40])
    with pytest.raises(MissingVectorError, match="no vector for 1 of 1 texts"):
        located(backbone, "another", given, space, TEXTS)
