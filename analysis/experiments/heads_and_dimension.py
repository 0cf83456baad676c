"""Do the layers of low dimension hold the heads that help?

Over layers, the correlation of the intrinsic dimension with the mean, and with the best, of a value
of their heads (:mod:`analysis.evaluation.over_layers`).
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..dimension.selection import skipped
from ..evaluation.over_layers import Relation, relation

Floats = NDArray[np.float64]
Summary = Literal["mean", "best"]


def relations(dims: Floats, values: Floats, *, seed: int = 0) -> dict[Summary, Relation]:
    """How the dimension of layers goes with the mean and the best value of their heads.

    The first fifth of the layers is left out, as it is where heads are chosen.

    Args:
        dims: the intrinsic dimension of each layer, (L,); NaN where there is none.
        values: (L, H), NaN where a layer cannot be re-routed.
        seed: seed of the draws.

    Returns:
        Nothing where too few layers have both, or one of the two is the same at all of them.
    """
    usable = np.isfinite(dims) & np.isfinite(values).all(axis=1)
    usable[: skipped(len(dims))] = False
    if not usable.any():
        return {}
    each: dict[Summary, Floats] = {
        "mean": values[usable].mean(axis=1),
        "best": values[usable].max(axis=1),
    }
    found = {name: relation(dims[usable], y, seed=seed) for name, y in each.items()}
    return {} if None in found.values() else {name: r for name, r in found.items() if r}


def sentence(found: dict[Summary, Relation], value: str) -> str:
    """The answer in words.

    Args:
        found: what :func:`relations` gives.
        value: what the value of a head is called, such as "derivative".
    """
    if not found:
        return (
            "It cannot be told from this backbone: too few layers outside the first fifth have a "
            "dimension and heads that differ."
        )
    mean, best = found["mean"], found["best"]
    answer = "It cannot be told"
    if mean.clear:
        answer = "Yes" if mean.rho < 0 else "No, rather those of high dimension"
    return (
        f"{answer}: over {mean.layers} layers outside the first fifth, Spearman's correlation of "
        f"the dimension with the mean {value} of a layer's heads is {mean.text}, with that of its "
        f"best head {best.text}."
    )
