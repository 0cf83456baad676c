"""Embedding spaces and their projections to the plane."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora import sampling
from ..corpora.types import Texts
from ..embedding.cached_encoder import CachedEncoder
from ..embedding.encoder import MethodEncoder
from ..embedding.external import MethodOrVectors
from ..embedding.methods import Method
from ..errors import CorpusError
from ..rerouting.plan import Plan
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..spaces import placing
from ..spaces import projection as space
from ..spaces.comparison import NEAREST
from ..spaces.neighbours import nearest_to
from ..storage import result_store
from ..storage.provenance import Provenance, rebuilt

MAP_CORPUS, MAP_TEXTS = "chatterbot", 200
"""Settings that the embedding-space page opens with."""
FEWEST = 3
"""Minimum number of distinct texts of which two maps can be compared."""


@dataclass(frozen=True, eq=False)
class Space:
    """Embeddings float32 (N, D) of some texts, and their projection to the plane.

    ``alignment`` is how the map was laid onto another one, where it was.
    """

    method: str
    plan: Plan
    embeddings: NDArray[np.float32]
    projection: space.Projection
    provenance: Provenance
    alignment: space.Alignment | None = None


@dataclass(frozen=True, eq=False)
class Located:
    """A text of one's own in a space.

    Attributes:
        rows: (k,) the nearest of the space's texts by cosine in the full space, nearest first.
        cosines: (k,) their cosines.
        point: (2,) its place on the map, aligned as the map is.
    """

    rows: NDArray[np.intp]
    cosines: NDArray[np.float64]
    point: NDArray[np.float64]


def drawn(corpus: Texts, samples: int | None) -> tuple[Texts, int]:
    """The texts that are mapped, and how many distinct ones the corpus has.

    Args:
        corpus: the full corpus.
        samples: how many distinct texts are drawn, with seed 0; all if None or if there are fewer.

    Raises:
        CorpusError: fewer than :data:`FEWEST`.
    """
    distinct = len(sampling.first_places(corpus.texts))
    texts = sampling.sample(corpus, samples or max(distinct, 1), 0)
    if len(texts.texts) < FEWEST:
        raise CorpusError(
            f"Maps are compared on at least {FEWEST} distinct texts, not {len(texts.texts)}; "
            "choose more."
        )
    return texts, distinct


def projected(
    backbone: Backbone,
    texts: Sequence[str],
    method: MethodOrVectors,
    *,
    how: space.ProjectionName = "umap",
    neighbours: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
    traced: bool = False,
    progress: Progress = quiet,
) -> Space:
    """The embedding space of texts under one method, projected to the plane.

    Args:
        backbone: the decoder.
        texts: N texts.
        method: the method, its plan included.
        how: the projection, with its settings as in :func:`analysis.spaces.projection.project`.
        neighbours: UMAP's neighbourhood.
        min_dist: UMAP's least distance between points.
        seed: UMAP's seed.
        traced: keep the pass in memory, so that the next plan costs only the layers it changes.
        progress: counts texts.

    Raises:
        CorpusError, PlanError, BackboneError: as encoding and projecting.
    """
    if isinstance(method, Method):
        encoder = CachedEncoder(MethodEncoder(backbone, method), traced=traced, stored=True)
        encoding = encoder.encode(texts, progress=progress)
    else:
        encoding = method.encode(texts, progress=progress)
    vectors = encoding.embeddings
    settings: dict[str, Any] = {"neighbours": neighbours, "min_dist": min_dist, "seed": seed}
    if how != "umap":
        settings = {"how": how}
    name = result_store.key(
        "projection", vectors=result_store.digest(vectors.tobytes().hex()), **settings
    )
    with lock_for(name):
        if (stored := result_store.get(name)) is None:
            projection = space.project(vectors, **settings)
            facts = {"how": projection.how, "reason": projection.reason}
            result_store.put(name, facts, {"points": projection.points})
            stored = facts, {"points": projection.points}
    facts, arrays = stored
    projection = rebuilt(space.Projection, facts, arrays)
    return Space(method.name, method.plan, vectors, projection, encoding.provenance)


def aligned(moving: Space, fixed: Space) -> Space:
    """``moving`` with its map rotated, scaled and shifted onto that of ``fixed``."""
    alignment = space.alignment(moving.projection.points, fixed.projection.points)
    points = alignment(moving.projection.points)
    return replace(
        moving, projection=replace(moving.projection, points=points), alignment=alignment
    )


def located(
    backbone: Backbone,
    text: str,
    method: MethodOrVectors,
    mapped: Space,
    texts: Sequence[str],
    *,
    nearest: int = NEAREST,
    neighbours: int = 15,
    min_dist: float = 0.1,
) -> Located:
    """Find a text in a space: its nearest texts by meaning, and its place on the map.

    It is encoded as the texts were: by the same method and plan, in the role of a text. One that
    is among them has that text's vector, and so its dot.

    Args:
        backbone: the decoder.
        text: the text to find.
        method: what the space was made by.
        mapped: the space, see :func:`projected` and :func:`aligned`.
        texts: its N texts.
        nearest: how many of them to find.
        neighbours: UMAP's neighbourhood, as the map was made with.
        min_dist: UMAP's least distance, as the map was made with.

    Raises:
        MissingVectorError: the space is of vectors made elsewhere, none of which is of this text.
        CorpusError, BackboneError: as encoding.
    """
    if text in texts:
        vector = mapped.embeddings[[texts.index(text)]]
    elif isinstance(method, Method):
        vector = CachedEncoder(MethodEncoder(backbone, method)).encode([text]).embeddings
    else:
        vector = method.encode([text]).embeddings
    near = nearest_to(vector, mapped.embeddings, nearest)
    points = mapped.projection.points
    if mapped.alignment is not None:
        points = mapped.alignment.undone(points)
    placed = placing.place(
        *(vector, mapped.embeddings, points),
        how=mapped.projection.how,
        neighbours=neighbours,
        min_dist=min_dist,
    )
    if mapped.alignment is not None:
        placed = mapped.alignment(placed)
    return Located(near.rows[0], near.cosines[0], placed[0])
