"""The library in a few words: load, choose, encode, score, plot.

``from analysis import library``. Each word is a short way into the modules that do the work, with
names where those take objects; results are theirs, and so is everything that is not here.
"""

from collections.abc import Sequence
from functools import partial, singledispatch
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from .backbones.backbone import Backbone, load
from .corpora.packaged import CALIBRATION
from .corpora.registry import load_labelled, load_pairs, load_retrieval, load_texts
from .corpora.types import Texts
from .embedding import cached_encoder
from .embedding.methods import DEFAULT, METHODS, Method
from .embedding.prompts import Role
from .errors import ExplorerError, PlanError
from .experiments import dimension as dimension_experiment
from .experiments import scoring
from .experiments.dimension import Dimensions
from .experiments.scoring import Corpus, Measured
from .figures import dimension, scores
from .integrations.sentence_transformers import Embedder
from .rerouting import layer_lists
from .rerouting.plan import Plan

__all__ = [
    "METHODS",
    "Embedder",
    "ExplorerError",
    "Plan",
    "choose",
    "dimensions",
    "encode",
    "load",
    "load_labelled",
    "load_pairs",
    "load_retrieval",
    "load_texts",
    "plot",
    "score",
]


def dimensions(backbone: Backbone, texts: str | Texts = CALIBRATION, **how: Any) -> Dimensions:
    """The intrinsic dimension of every layer on some texts, with its band.

    ``texts`` are a corpus, or the name or file of one; ``how`` are the options of
    :func:`analysis.experiments.dimension.dimensions`, as ``samples=1000``.

    Raises:
        CorpusError, PlanError: as that function.
    """
    found = load_texts(texts) if isinstance(texts, str) else texts
    return dimension_experiment.dimensions(backbone, found, **how)


def choose(backbone: Backbone, layers: str = "auto", rule: str = "paper", **how: Any) -> Plan:
    """The plan that re-routes ``layers``, written as on the command line: ``26-29``, ``3,5,9``.

    ``auto`` are those that ``rule`` selects from the curve of the calibration corpus, none where
    the backbone cannot be re-routed. ``how`` are a plan's others: ``bias``, ``key_position``.

    Raises:
        PlanError: there is no such layer or rule.
    """
    auto = partial(_selected, backbone, rule)
    return Plan(layer_lists.parse_layers(layers, backbone.layers, auto), **how)


def encode(
    backbone: Backbone,
    texts: Sequence[str],
    method: str | Method = DEFAULT,
    *,
    role: Role = "Context",
) -> NDArray[np.float32]:
    """Embeddings float32 (N, D) of unit length, of N texts; those met before are read from disk.

    A method that re-routes has its plan with it, as ``METHODS["kv-embedding"].under(plan)``.

    Raises:
        CorpusError, PlanError, BackboneError: what encoding raises; or there is no such method.
    """
    (found,) = cached_encoder.embedded(backbone, texts, [_method(method)], role=role)
    return found.embeddings


def score(
    backbone: Backbone,
    corpus: Corpus,
    methods: Sequence[str | Method] = (DEFAULT,),
    **how: Any,
) -> list[Measured]:
    """The measures of each method on rated pairs, labelled texts or queries, with intervals.

    ``how`` are the options of :func:`analysis.experiments.scoring.measured`, as ``processing="centre"``.

    Raises:
        CorpusError, PlanError, BackboneError: as that function; or there is no such method.
    """
    return scoring.measured(backbone, corpus, [_method(one) for one in methods], **how)


@singledispatch
def plot(result: object) -> go.Figure:
    """The figure of what ``dimensions`` or ``score`` found: a curve, or bars with intervals.

    Raises:
        PlanError: it is neither.
    """
    raise PlanError(
        f"There is no figure for a {type(result).__name__}; plot what dimensions or score found."
    )


@plot.register
def _(result: Dimensions) -> go.Figure:
    return dimension.dimension_curves([result], "paper", result.selected("paper"))


@plot.register
def _(result: list) -> go.Figure:  # type: ignore[type-arg]  # what it holds is not dispatched on
    if not result or not isinstance(result[0], Measured):
        raise PlanError("There is no figure for this list; plot what dimensions or score found.")
    return scores.measure_bars(result, result[0].measures[0].name)


def _method(method: str | Method) -> Method:
    if isinstance(method, Method):
        return method
    if method not in METHODS:
        raise PlanError(f"There is no method {method!r}; choose one of {', '.join(METHODS)}.")
    return METHODS[method]


def _selected(backbone: Backbone, rule: str) -> tuple[int, ...]:
    return () if backbone.refusal else dimensions(backbone).selected(rule)
