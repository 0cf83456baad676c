"""Projection of embedding spaces to the plane: UMAP or PCA, and the alignment of two maps.

A map names its method and settings. Two maps are aligned, so that texts that keep their place in
the space keep it on the map.

scikit-learn and UMAP take seconds to import and are imported where first used; UMAP compiles for
another ten to twenty seconds, which :func:`warm_up` does ahead of time.
"""

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import PlanError, SettingsError
from ..runtime import events
from ..runtime.fair_lock import FairLock
from .neighbours import Floats, checked

ProjectionName = Literal["umap", "pca"]
PROJECTIONS: tuple[ProjectionName, ...] = ("umap", "pca")
"""The methods of projection."""
FEWEST_FOR_UMAP = 15
"""With fewer distinct texts neighbourhoods say little and UMAP's initialisation fails."""

FITTING = FairLock("another projection")
"""Two fits at once abort the process under numba's workqueue layer."""


@dataclass(frozen=True, eq=False)
class Projection:
    """A map of an embedding space.

    Attributes:
        points: (N, 2) float64.
        how: the projection that was used.
        reason: a caption: the projection with its settings, or why it was chosen.
    """

    points: Floats
    how: ProjectionName
    reason: str


def _pca(rows: Floats) -> Floats:
    """(N, 2) coordinates along the two directions of largest variance, 0 where there are fewer."""
    directions, scales, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    points = np.zeros((len(rows), 2))
    points[:, : len(scales)] = (directions * scales)[:, :2]
    return points


def umap_class() -> Any:
    """UMAP's class, imported with a folder where numba can keep what it compiles.

    numba keeps it beside UMAP's own files or in the user's cache, and refuses to compile where
    neither can be written.

    Raises:
        SettingsError: no folder at all can be written.
    """
    from numba.core import config

    settings: Any = config  # numba fills the module when it is imported
    try:
        from umap import UMAP
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        try:
            settings.CACHE_DIR = tempfile.mkdtemp(prefix="numba-")
        except OSError:
            raise SettingsError(
                "UMAP needs a folder for what it compiles, and none can be written; set "
                "NUMBA_CACHE_DIR to one, or choose the projection pca."
            ) from None
        atexit.register(shutil.rmtree, settings.CACHE_DIR, ignore_errors=True)
        from umap import UMAP
    return UMAP


class _Epochs:
    """What UMAP's bar of epochs is written to: it asks whether to stop, and shows nothing."""

    def __init__(self) -> None:
        self._stopped = False

    def write(self, _text: str) -> None:
        """Ask once more, unless the fit is ending since the answer was yes."""
        if not self._stopped:
            self._stopped = True
            events.may_stop()
            self._stopped = False

    def flush(self) -> None:
        """Nothing is kept."""


def _umap(rows: Floats, neighbours: int, min_dist: float, seed: int) -> Floats:
    events.may_stop()
    with FITTING:
        fitted = umap_class()(
            n_neighbors=neighbours,
            min_dist=min_dist,
            metric="cosine",
            random_state=seed,
            n_jobs=1,
            tqdm_kwds={"file": _Epochs(), "disable": False},
        ).fit(rows)
    return np.asarray(fitted.embedding_, dtype=np.float64)


def check(how: ProjectionName, neighbours: int, min_dist: float) -> None:
    """Refuse settings outside of UMAP's range.

    Raises:
        PlanError: a setting is outside.
    """
    if how == "umap" and not (neighbours >= 2 and 0 <= min_dist <= 1):
        raise PlanError(
            f"A map takes at least 2 neighbours and a least distance of 0 to 1, not {neighbours} "
            f"and {min_dist:g}."
        )


def project(
    embeddings: NDArray[np.floating],
    *,
    how: ProjectionName = "umap",
    neighbours: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
) -> Projection:
    """Project embeddings to the plane: by UMAP on cosine, or by PCA if chosen or for few texts.

    UMAP: https://arxiv.org/abs/1802.03426. Texts with equal embeddings share one point. Only one
    UMAP runs in the process at a time.

    Args:
        embeddings: (N, D), any float type.
        how: the projection; the other settings are UMAP's.
        neighbours: UMAP's neighbourhood, at least 2; capped at the distinct texts less one.
        min_dist: UMAP's least distance between points on the map, 0 to 1.
        seed: UMAP's seed; equal seeds give equal maps.

    Raises:
        CorpusError: no texts, or an embedding is not finite.
        PlanError: a setting is outside of UMAP's range.
        ValueError: the embeddings are not two-dimensional.
    """
    rows = checked(embeddings)
    check(how, neighbours, min_dist)
    if how == "pca":
        return Projection(_pca(rows), "pca", f"PCA: {len(rows)} texts")
    _, first, place = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    if len(first) < FEWEST_FOR_UMAP:
        return Projection(_pca(rows), "pca", f"PCA: fewer than {FEWEST_FOR_UMAP} distinct texts")
    neighbours = min(neighbours, len(first) - 1)
    # np.unique sorts; the texts' own order keeps the maps of two spaces alike
    rank = np.argsort(np.argsort(first))
    points = _umap(rows[np.sort(first)], neighbours, min_dist, seed)[rank[place]]
    return Projection(points, "umap", f"UMAP: {len(rows)} texts, {neighbours} neighbours, cosine")


def warm_up() -> None:
    """Import and compile UMAP on toy data, holding the lock; meant for a background thread."""
    project(np.random.default_rng(0).standard_normal((2 * FEWEST_FOR_UMAP, 4)))


@dataclass(frozen=True, eq=False)
class Alignment:
    """How a map is laid onto another: turned and mirrored, scaled, and shifted.

    Attributes:
        centre: (2,) the middle of the map before.
        rotation: (2, 2) orthogonal, from the right.
        scale: by how much distances grow.
        onto: (2,) the middle of the map afterwards.
    """

    centre: Floats
    rotation: Floats
    scale: float
    onto: Floats

    def __call__(self, points: Floats) -> Floats:
        """Points (M, 2) of the map, or beside it, where they are afterwards."""
        return np.asarray((points - self.centre) @ self.rotation * self.scale + self.onto)

    def undone(self, points: Floats) -> Floats:
        """Points (M, 2) of the aligned map where they were; in its middle if it is one point."""
        inverse = 1 / self.scale if self.scale else 0.0
        return np.asarray((points - self.onto) * inverse @ self.rotation.T + self.centre)


def alignment(moving: Floats, fixed: Floats) -> Alignment:
    """How to align one map with another.

    Orthogonal Procrustes (Schönemann 1966, https://doi.org/10.1007/BF02289451), scaled to the fixed
    map's spread rather than by least squares, which would shrink a very different map to a dot.

    Args:
        moving: (N, 2) points to move.
        fixed: (N, 2) points of the same texts in the same order.

    Raises:
        ValueError: the shapes differ.
    """
    from scipy.linalg import orthogonal_procrustes

    centre, onto = moving.mean(axis=0), fixed.mean(axis=0)
    source, target = moving - centre, fixed - onto
    rotation, _ = orthogonal_procrustes(source, target)
    spread = np.linalg.norm(source)
    scale = np.linalg.norm(target) / spread if spread > 0 else 1.0
    return Alignment(centre, np.asarray(rotation), float(scale), onto)


def align(moving: Floats, fixed: Floats) -> Floats:
    """The points (N, 2) of a map aligned with those of another, see :func:`alignment`.

    Raises:
        ValueError: the shapes differ.
    """
    return alignment(moving, fixed)(moving)
