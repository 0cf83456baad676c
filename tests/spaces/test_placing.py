"""New vectors on a map: UMAP's own transform, PCA's directions, and texts that the map has."""

import numpy as np
import pytest

from analysis.errors import CorpusError
from analysis.spaces import projection
from analysis.spaces.neighbours import nearest, nearest_to
from analysis.spaces.placing import place
from analysis.spaces.projection import Alignment, alignment, project

RNG = np.random.default_rng(0)
CLUSTERS = np.repeat(np.arange(3), 20)
EMBEDDINGS = (8 * np.eye(3, 16)[CLUSTERS] + RNG.standard_normal((60, 16))).astype(np.float32)
NEW = (8 * np.eye(3, 16)[[2, 0, 1]] + RNG.standard_normal((3, 16))).astype(np.float32)


@pytest.mark.slow
def test_a_stored_map_places_as_umaps_own_transform() -> None:
    fitted = projection.umap_class()(
        n_neighbors=15, min_dist=0.1, metric="cosine", random_state=3, n_jobs=1
    ).fit(EMBEDDINGS)
    points = fitted.embedding_.astype(np.float64)
    placed = place(NEW, EMBEDDINGS, points, how="umap")
    np.testing.assert_array_equal(placed, fitted.transform(NEW))
    for number, cluster in enumerate((2, 0, 1)):
        middles = [points[each == CLUSTERS].mean(axis=0) for each in range(3)]
        assert np.linalg.norm(placed[number] - middles, axis=1).argmin() == cluster


@pytest.mark.slow
def test_a_text_of_the_map_has_its_dot_and_one_like_it_is_near() -> None:
    points = project(EMBEDDINGS).points
    same = place(EMBEDDINGS[[7, 41]], EMBEDDINGS, points, how="umap")
    np.testing.assert_array_equal(same, points[[7, 41]])
    near = place(EMBEDDINGS[[7, 41]] * 1.5, EMBEDDINGS, points, how="umap")
    spread = np.linalg.norm(points - points.mean(axis=0), axis=1).mean()
    assert (np.linalg.norm(near - points[[7, 41]], axis=1) < spread / 5).all()
    repeated = EMBEDDINGS[[*range(60), 5, 5]]
    again = place(NEW, repeated, project(repeated).points, how="umap")
    np.testing.assert_array_equal(again, place(NEW, EMBEDDINGS, points, how="umap"))


def test_pca_places_along_the_maps_directions() -> None:
    points = project(EMBEDDINGS, how="pca").points
    centred = EMBEDDINGS.astype(np.float64) - EMBEDDINGS.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    expected = (NEW - EMBEDDINGS.mean(axis=0)) @ directions.T
    expected *= np.sign((points * (centred @ directions.T)).sum(axis=0))
    np.testing.assert_allclose(
        place(NEW, EMBEDDINGS, points, how="pca"), expected, rtol=1e-5, atol=1e-5
    )
    line = np.outer(np.arange(5.0), [1.0, 0, 0])
    flat = place(line[[3]] + [0, 9, 0], line, project(line, how="pca").points, how="pca")
    np.testing.assert_allclose(flat, project(line, how="pca").points[[3]], atol=1e-12)


def test_the_nearest_texts_are_those_of_largest_cosine() -> None:
    found = nearest_to(EMBEDDINGS[[4]], EMBEDDINGS, 11)
    assert found.rows[0, 0] == 4
    assert found.cosines[0, 0] == pytest.approx(1, abs=1e-12)
    others = nearest(EMBEDDINGS, 10)
    np.testing.assert_array_equal(found.rows[0, 1:], others.rows[4])
    np.testing.assert_allclose(found.cosines[0, 1:], others.cosines[4], atol=1e-9)
    assert nearest_to(NEW, EMBEDDINGS[:4], 10).rows.shape == (3, 4)


def test_an_alignment_moves_points_beside_the_map_and_is_undone() -> None:
    moving, fixed = RNG.standard_normal((2, 30, 2))
    beside = np.array([[5.0, -3.0]])
    moved: Alignment = alignment(moving, fixed)
    np.testing.assert_allclose(moved.undone(moved(moving)), moving, atol=1e-12)
    np.testing.assert_allclose(moved.undone(moved(beside)), beside, atol=1e-12)
    together = alignment(np.concatenate([moving]), fixed)(np.concatenate([moving, beside]))
    np.testing.assert_allclose(moved(beside), together[-1:], atol=1e-12)
    dot = alignment(moving, np.ones((30, 2)))
    np.testing.assert_allclose(dot.undone(dot(moving)), [moving.mean(axis=0)] * 30)


def test_what_has_no_place_is_refused() -> None:
    points = EMBEDDINGS[:, :2].astype(np.float64)
    with pytest.raises(CorpusError, match="not finite"):
        place(np.full((1, 16), np.nan), EMBEDDINGS, points, how="umap")
    with pytest.raises(ValueError, match="do not fit"):
        place(np.ones((1, 3)), EMBEDDINGS, points, how="umap")
    with pytest.raises(CorpusError, match="no direction"):
        nearest_to(np.zeros((1, 16)), EMBEDDINGS)
