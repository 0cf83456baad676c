"""Clouds of known dimension."""

import numpy as np
from numpy.typing import NDArray


def gaussian(texts: int, dims: int, seed: int, features: int = 50) -> NDArray[np.float64]:
    """(texts, features) cloud of a Gaussian that fills ``dims`` directions."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((features, dims)))
    return np.asarray(rng.standard_normal((texts, dims)) @ basis.T)
