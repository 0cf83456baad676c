"""Intrinsic-dimension curves of a backbone on texts, stored as they are measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..corpora import registry, sampling
from ..corpora.packaged import CALIBRATION
from ..corpora.types import Texts
from ..dimension import curve as curves
from ..dimension import selection
from ..dimension import states as clouds
from ..dimension.estimators import CLOUDS, Cloud, check_enough
from ..dimension.selection import RuleName
from ..errors import PlanError
from ..evaluation import isotropy
from ..rerouting import layer_lists
from ..rerouting.plan import Plan
from ..runtime.events import Progress, quiet
from ..runtime.fair_lock import lock_for
from ..storage import provenance, result_store
from ..storage.provenance import Provenance, others, rebuilt

SAMPLES = 1000
"""Calibration texts by default, as in the paper."""


@dataclass(frozen=True, eq=False)
class Dimensions:
    """A backbone's intrinsic-dimension curve on ``drawn`` distinct texts of a corpus."""

    curve: curves.Curve
    corpus: str
    drawn: int
    texts_dropped: int
    prompted: bool
    seed: int
    provenance: Provenance
    anisotropy: NDArray[np.float64]
    """Mean cosine of two different texts' states at the output of each layer, (L,)."""
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
        """What ``rule`` selects over the resampled curves, and how often, most often first."""
        return selection.choices(self.curve.resampled, rule)


def select_layers(
    backbone: Backbone,
    layers: str | Sequence[int] = "auto",
    *,
    rule: RuleName = "paper",
    progress: Progress = quiet,
) -> tuple[int, ...]:
    """The layers to re-route, 0-based and ascending.

    Args:
        backbone: the decoder.
        layers: ``"auto"``, ``"none"``, ``"all"``, a list as ``"26-29"`` or ``"3,5,9"``, or numbers.
            ``"auto"`` reads the curve of the calibration corpus, and selects none where the
            backbone cannot be re-routed.
        rule: how ``"auto"`` selects, see :data:`analysis.dimension.selection.RULES`.
        progress: counts what measuring the curve counts, where it is not known.

    Raises:
        PlanError: there is no such layer or rule, or the numbers are no list of layers.
    """
    if not isinstance(layers, str):
        return Plan(tuple(layers)).layers

    def auto() -> tuple[int, ...]:
        if backbone.refusal:
            return ()
        calibration = registry.load_texts(CALIBRATION)
        return dimensions(backbone, calibration, progress=progress).selected(rule)

    return layer_lists.parse_layers(layers, backbone.layers, auto)


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

    ``cloud`` says whose states are measured, see :data:`CLOUDS`. ``progress`` counts texts while
    they are encoded, then layers while they are measured.

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
    """What ``dimensions`` gives for each of several estimators, the texts encoded at most once."""
    known = partial(
        known_dimensions,
        backbone,
        texts,
        samples=samples,
        seed=seed,
        prompted=prompted,
        cloud=cloud,
    )
    found: dict[str, Dimensions] = {}

    def missing() -> list[str]:
        """The estimators whose curves are not known, after looking for them."""
        asked = [name for name in dict.fromkeys(estimators) if name not in found]
        found.update((name, one) for name in asked if (one := known(estimator=name)) is not None)
        return [name for name in asked if name not in found]

    if missing():
        drawn = sampling.sample(texts, samples, seed).texts
        with lock_for(_dimensions_key(backbone, drawn, "any", seed, prompted, cloud)):
            if lacking := missing():
                if cloud == "last":
                    check_enough(len(drawn), len(texts.texts))
                encode = clouds.last_token_states
                if cloud == "all":
                    encode = partial(clouds.any_token_states, points=len(drawn), seed=seed)
                states = encode(backbone, drawn, prompted=prompted, progress=progress)
                cone = isotropy.anisotropy_by_layer(states)
                _, dropped = sampling.distinct(texts.texts)
                by = backbone.provenance()
            for name in lacking:
                curve = curves.curve(states, estimator=name, seed=seed, progress=progress)
                arrays = {key: getattr(curve, key) for key in ("dims", "low", "high", "resampled")}
                facts = {key: getattr(curve, key) for key in others(curve, arrays)}
                result_store.put(
                    _dimensions_key(backbone, drawn, name, seed, prompted, cloud),
                    facts | by.facts,
                    arrays | {"anisotropy": cone},
                )
                found[name] = Dimensions(
                    curve, texts.name, len(drawn), dropped, prompted, seed, by, cone, cloud
                )
    return [found[name] for name in estimators]


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
    """The stored curve, or None; measures nothing.

    Raises:
        PlanError: there is no such cloud.
    """
    if cloud not in CLOUDS:
        raise PlanError(f"There is no cloud {cloud!r}; choose one of {', '.join(CLOUDS)}.")
    drawn = sampling.sample(texts, samples, seed).texts
    stored = result_store.get(_dimensions_key(backbone, drawn, estimator, seed, prompted, cloud))
    if stored is None or "anisotropy" not in stored[1]:
        return None
    facts, arrays = stored
    cone = arrays.pop("anisotropy")
    curve = rebuilt(curves.Curve, facts, arrays)
    _, dropped = sampling.distinct(texts.texts)
    by = provenance.restored(facts, backbone.provenance())
    return Dimensions(curve, texts.name, len(drawn), dropped, prompted, seed, by, cone, cloud)


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
