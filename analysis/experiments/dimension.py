"""Intrinsic-dimension curves of a backbone on texts, stored as soon as they are computed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora import sampling
from ..corpora.types import Texts
from ..dimension import curve as curves
from ..dimension import selection
from ..dimension import states as clouds
from ..dimension.estimators import CLOUDS, Cloud, estimator_named
from ..errors import PlanError, quoted
from ..evaluation import isotropy
from ..rerouting import layer_lists
from ..runtime import plotting
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..runtime.lookup import by_name, whole_number
from ..storage import provenance, result_store
from ..storage.provenance import Provenance, plain_fields, rebuilt

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SAMPLES = 1000
"""Default number of calibration texts, as in the paper."""


@dataclass(frozen=True, eq=False)
class Dimensions:
    """A backbone's intrinsic-dimension curve on texts of a corpus.

    Attributes:
        curve: the dimension of each layer (L,), with its band.
        corpus: name of the corpus.
        drawn: number of distinct texts that were drawn.
        texts_dropped: number of duplicate texts left out before the draw.
        prompted: whether each text was put into the compression prompt.
        seed: seed of the draw and the resamples.
        provenance: where the curve comes from.
        anisotropy: mean cosine of two different texts' states at the output of each layer, (L,).
        cloud: whose states were measured, a key of :data:`CLOUDS`.
    """

    curve: curves.Curve
    corpus: str
    drawn: int
    texts_dropped: int
    prompted: bool
    seed: int
    provenance: Provenance
    anisotropy: NDArray[np.float64]
    cloud: Cloud = "last"

    @property
    def duplicates_dropped(self) -> int:
        """Duplicate texts left out before the draw and coinciding rows left out after it."""
        return self.texts_dropped + self.curve.duplicates_dropped

    def selected(self, rule: str = "paper") -> tuple[int, ...]:
        """The layers that ``rule`` selects from the curve."""
        return selection.select(self.curve.dims, rule)

    def frequency(self, rule: str = "paper") -> NDArray[np.float64]:
        """How often ``rule`` selects each layer over the resampled curves, (L,) from 0 to 1."""
        return selection.frequency(self.curve.resampled, rule)

    def choices(self, rule: str = "paper") -> dict[layer_lists.Layers, float]:
        """The choices of ``rule`` over resampled curves and their shares, most frequent first."""
        return selection.choices(self.curve.resampled, rule)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, without the resampled curves; None where there is no number."""
        return {
            "backbone": self.provenance.backbone,
            "dtype": self.provenance.dtype,
            "corpus": self.corpus,
            "estimator": self.curve.estimator,
            "cloud": self.cloud,
            "prompted": self.prompted,
            "seed": self.seed,
            "samples": self.curve.samples,
            "duplicates_dropped": self.duplicates_dropped,
            "curve": _numbers(self.curve.dims),
            "band": [_numbers(ends) for ends in zip(self.curve.low, self.curve.high, strict=True)],
        }

    def to_dataframe(self) -> "pd.DataFrame":
        """One row a layer: its dimension with the ends of the band, and what was measured."""
        import pandas as pd

        by_layer = {
            "layer": range(len(self.curve.dims)),
            "dimension": self.curve.dims,
            "low": self.curve.low,
            "high": self.curve.high,
        }
        settings = self.to_dict()
        del settings["curve"], settings["band"]
        return pd.DataFrame(by_layer).assign(**settings)

    def plot(self) -> "go.Figure":
        """The curve with its band and the layers of the paper's rule."""
        return plotting.plot(self)


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def dimensions(
    backbone: Backbone,
    texts: Texts,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    estimator: str = "twonn",
    prompted: bool = True,
    cloud: Cloud = "last",
    progress: Progress = quiet,
) -> Dimensions:
    """The intrinsic-dimension curve of ``samples`` distinct texts.

    Args:
        backbone: the decoder.
        texts: the corpus to draw from.
        samples: number of distinct texts.
        seed: seed of the draw and the resamples.
        estimator: a key of :data:`analysis.dimension.estimators.ESTIMATORS`.
        prompted: whether each text is put into the compression prompt.
        cloud: whose states are measured, see :data:`CLOUDS`.
        progress: counts texts while they are encoded, then layers while they are measured.

    Raises:
        CorpusError: fewer than 20 distinct texts.
        PlanError: there is no such estimator or cloud.
    """
    return dimension_curves(
        backbone,
        texts,
        [estimator],
        samples=samples,
        seed=seed,
        prompted=prompted,
        cloud=cloud,
        progress=progress,
    )[0]


def dimension_curves(
    backbone: Backbone,
    texts: Texts,
    estimators: Sequence[str],
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    prompted: bool = True,
    cloud: Cloud = "last",
    progress: Progress = quiet,
) -> list[Dimensions]:
    """``dimensions`` for each of several estimators; the texts are encoded at most once."""
    for name in estimators:
        estimator_named(name)
    if not isinstance(prompted, bool | np.bool_):
        raise PlanError(f"prompted is True or False, not {quoted(prompted)}.")
    seed, prompted = whole_number(seed, "seed", 0), bool(prompted)
    read_stored = partial(
        known_dimensions,
        backbone,
        texts,
        samples=samples,
        seed=seed,
        prompted=prompted,
        cloud=cloud,
    )
    by_estimator: dict[str, Dimensions] = {}

    def missing() -> list[str]:
        """The estimators whose curves are not stored, after reading those that are."""
        unread = [name for name in dict.fromkeys(estimators) if name not in by_estimator]
        by_estimator.update(
            (name, stored) for name in unread if (stored := read_stored(estimator=name)) is not None
        )
        return [name for name in unread if name not in by_estimator]

    if missing():
        drawn = clouds.draw_texts(texts, samples, seed, cloud)
        with lock_for(_dimensions_key(backbone, drawn, "any", seed, prompted, cloud)):
            if lacking := missing():
                encode = clouds.last_token_states
                if cloud == "all":
                    encode = partial(clouds.any_token_states, points=len(drawn), seed=seed)
                states = encode(backbone, drawn, prompted=prompted, progress=progress)
                cone = isotropy.anisotropy_by_layer(states)
                _, dropped = sampling.distinct(texts.texts)
                computed_by = backbone.provenance()
            for name in lacking:
                curve = curves.curve(states, estimator=name, seed=seed, progress=progress)
                arrays = {key: getattr(curve, key) for key in ("dims", "low", "high", "resampled")}
                facts = {key: getattr(curve, key) for key in plain_fields(curve, arrays)}
                result_store.put(
                    _dimensions_key(backbone, drawn, name, seed, prompted, cloud),
                    facts | computed_by.facts,
                    arrays | {"anisotropy": cone},
                )
                by_estimator[name] = Dimensions(
                    curve, texts.name, len(drawn), dropped, prompted, seed, computed_by, cone, cloud
                )
    return [by_estimator[name] for name in estimators]


def known_dimensions(
    backbone: Backbone,
    texts: Texts,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    estimator: str = "twonn",
    prompted: bool = True,
    cloud: Cloud = "last",
) -> Dimensions | None:
    """The stored curve, or None; computes nothing.

    Raises:
        PlanError: there is no such cloud.
    """
    by_name(CLOUDS, cloud, "cloud")
    drawn = sampling.sample(texts, samples, seed).texts
    stored = result_store.get(_dimensions_key(backbone, drawn, estimator, seed, prompted, cloud))
    if stored is None or "anisotropy" not in stored[1]:
        return None
    facts, arrays = stored
    cone = arrays.pop("anisotropy")
    curve = rebuilt(curves.Curve, facts, arrays)
    _, dropped = sampling.distinct(texts.texts)
    computed_by = provenance.restored(facts, backbone.provenance())
    return Dimensions(
        curve, texts.name, len(drawn), dropped, prompted, seed, computed_by, cone, cloud
    )


def _dimensions_key(
    backbone: Backbone,
    drawn: Sequence[str],
    estimator: str,
    seed: int,
    prompted: bool,
    cloud: Cloud,
) -> str:
    return result_store.key(
        "dimensions",
        **backbone.identity,
        texts=result_store.digest(drawn),
        estimator=estimator,
        prompted=prompted,
        seed=seed,
        **({} if cloud == "last" else {"cloud": cloud}),
    )
