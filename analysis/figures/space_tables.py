"""Embedding spaces -> tables: their numbers, their texts, the neighbours of a text."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.isotropy import Geometry
from ..experiments.space import Space
from ..spaces.comparison import VOTES, Comparison, Side


def numbers_table(comparison: Comparison) -> pd.DataFrame:
    """Both spaces in numbers: one row for each measure, with its meaning."""
    left, right = _numbers(comparison.left), _numbers(comparison.right)
    rows = [
        {"measure": name, "left": left[name], "right": right[name], "meaning": meaning}
        for name, meaning in _MEANINGS.items()
        if name in left
    ]
    return pd.DataFrame(rows)


_MEANINGS = {
    "coordinates": "number of values of an embedding",
    "mean cosine": "of two different texts; near 1: a narrow cone",
    "isotropy": "1: no direction is preferred; near 0.14: all point one way",
    "uniformity": "the lower, the more evenly spread over the sphere",
    "trustworthiness of the map": "1: neighbours on the map are neighbours in the space",
    "label accuracy (%)": f"texts whose {VOTES} nearest neighbours vote for their label",
}


def _numbers(side: Side) -> dict[str, float]:
    numbers = {
        "coordinates": side.coordinates,
        "mean cosine": side.shape.anisotropy,
        "isotropy": side.shape.isotropy,
        "uniformity": side.shape.uniformity,
        "trustworthiness of the map": side.trust,
    }
    return numbers | ({"label accuracy (%)": side.accuracy.value} if side.accuracy else {})


def geometry_table(shapes: Sequence[Geometry], names: Sequence[str]) -> pd.DataFrame:
    """One row for each space, with its measures."""
    return pd.DataFrame(
        [
            {
                "space": name,
                "mean cosine": shape.anisotropy,
                "uniformity": shape.uniformity,
                "isotropy": shape.isotropy,
                **({} if shape.alignment is None else {"alignment": shape.alignment}),
                "texts": shape.texts,
            }
            for name, shape in zip(names, shapes, strict=True)
        ]
    )


def space_table(
    first: Space,
    second: Space,
    texts: Sequence[str],
    kept: NDArray[np.float64],
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """One row for each text, indexed by row id: share of neighbours kept, and both positions.

    Texts that kept the fewest come first.
    """
    a, b = first.projection.points, second.projection.points
    return pd.DataFrame(
        {
            "text": list(texts),
            **({"label": list(labels)} if labels else {}),
            "neighbours kept (%)": 100 * kept,
            "left x": a[:, 0],
            "left y": a[:, 1],
            "right x": b[:, 0],
            "right y": b[:, 1],
        }
    ).sort_values("neighbours kept (%)", kind="stable")


def moved_table(
    comparison: Comparison, texts: Sequence[str], labels: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row for each text, indexed by row id, fewest neighbours kept first."""
    order = comparison.most_moved
    k = comparison.left.nearest.rows.shape[1]
    return pd.DataFrame(
        {
            "text": list(texts),
            **({"label": list(labels)} if labels else {}),
            f"kept of {k} nearest (%)": 100 * comparison.kept,
            f"of {comparison.wider} nearest (%)": 100 * comparison.kept_wider,
        }
    ).iloc[order]


def neighbour_tables(
    comparison: Comparison, row: int, texts: Sequence[str], labels: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A text's nearest neighbours in the left and in the right space, those in both marked."""
    left, right = (side.nearest for side in (comparison.left, comparison.right))
    return (
        nearest_table(left.rows[row], left.cosines[row], right.rows[row], texts, labels),
        nearest_table(right.rows[row], right.cosines[row], left.rows[row], texts, labels),
    )


def nearest_table(
    rows: NDArray[np.intp],
    cosines: NDArray[np.float64],
    other: NDArray[np.intp] | None,
    texts: Sequence[str],
    labels: Sequence[str] | None = None,
) -> pd.DataFrame:
    """The texts nearest to one, nearest first.

    Args:
        rows: (k,) their rows.
        cosines: (k,) their cosines.
        other: rows of those that are nearest in the other space, which are marked; None where it
            has none.
        texts: the N texts.
        labels: their labels, if there are any.
    """
    both = {} if other is None else {"in both": ["yes" if i in other else "" for i in rows]}
    return pd.DataFrame(
        {
            "cosine": cosines,
            **both,
            "text": [texts[i] for i in rows],
            **({"label": [labels[i] for i in rows]} if labels else {}),
        }
    )
