"""The library in a few words: load, select, encode, score, compare, plot.

Everything here is offered by the package itself, ``from analysis import encode``; names stand for
objects where that is shorter, results are frozen values that know what made them.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .backbones import backbone as backbones
from .backbones.backbone import Backbone
from .backbones.catalog import DtypeName
from .backbones.devices import Memory
from .corpora import registry
from .corpora.packaged import CALIBRATION
from .corpora.types import Texts
from .dimension.estimators import Cloud, EstimatorName
from .dimension.selection import RuleName
from .embedding import cached_encoder, methods
from .embedding.methods import Method, MethodName
from .embedding.postprocessing import PostprocessingName
from .embedding.prompts import Role
from .errors import PlanError
from .evaluation import comparison
from .evaluation.comparison import Difference
from .experiments import dimension
from .experiments import score as score_experiment
from .experiments.dimension import Dimensions
from .experiments.score import Corpus, Score
from .rerouting.plan import KeyPosition, Plan
from .runtime import events
from .runtime.events import Progress, quiet

if TYPE_CHECKING:
    import plotly.graph_objects as go

Layers = str | Sequence[int]
"""``"auto"``, ``"none"``, ``"all"``, a list as ``"26-29"`` or ``"3,5,9"``, or numbers from 0."""


def load_backbone(
    name: str = "smollm2",
    *,
    dtype: DtypeName = "auto",
    device: str = "auto",
    max_memory: Memory | None = None,
) -> Backbone:
    """Load a frozen decoder.

    Args:
        name: a packaged name, a hub id (``owner/name@revision``), a folder or a GGUF file.
        dtype: what is computed in; ``"auto"`` is bfloat16 where the hardware has units for it.
        device: ``"auto"``, one that torch knows, or ``"spread"`` over all there are.
        max_memory: bytes of each device, for ``"spread"``.

    Raises:
        BackboneError: it does not exist, cannot be read, or does not fit into memory.
    """
    return backbones.load(
        name, dtype=dtype, device=device, max_memory=max_memory, progress=events.say
    )


def dimensions(
    backbone: Backbone,
    texts: str | Texts = CALIBRATION,
    *,
    samples: int = dimension.SAMPLES,
    seed: int = 0,
    estimator: EstimatorName = "twonn",
    cloud: Cloud = "last",
    prompted: bool = True,
    progress: Progress = quiet,
) -> Dimensions:
    """The intrinsic dimension of every layer, with its band.

    Args:
        backbone: the decoder.
        texts: a corpus, or the name or file of one.
        samples: distinct texts that are drawn, at least 20.
        seed: of the draw and of the resamples.
        estimator: TwoNN by default, see :data:`analysis.dimension.estimators.ESTIMATORS`.
        cloud: whose states are measured: each text's last token, or tokens drawn from all.
        prompted: whether each text stands in the compression prompt.
        progress: called with texts encoded, then with layers measured.

    Returns:
        The curve (L,), its 95% band, and ``selected(rule)``, the layers that a rule selects.

    Raises:
        CorpusError: fewer than 20 distinct texts, or the corpus cannot be read.
    """
    corpus = registry.load_texts(texts) if isinstance(texts, str) else texts
    return dimension.dimensions(
        backbone,
        corpus,
        samples=samples,
        seed=seed,
        estimator=estimator,
        cloud=cloud,
        prompted=prompted,
        progress=progress,
    )


def select_layers(
    backbone: Backbone, layers: Layers = "auto", *, rule: RuleName = "paper"
) -> tuple[int, ...]:
    """The layers to re-route, 0-based and ascending.

    Args:
        backbone: the decoder.
        layers: ``"auto"`` are those that ``rule`` selects from the curve of the calibration
            corpus, none where the backbone cannot be re-routed; see :data:`Layers`.
        rule: how ``"auto"`` selects.

    Raises:
        PlanError: there is no such layer.
    """
    return dimension.select_layers(backbone, layers, rule=rule)


def encode(
    backbone: Backbone,
    texts: Sequence[str],
    method: MethodName | Method = "kv-embedding",
    *,
    layers: Layers = "auto",
    rule: RuleName = "paper",
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    role: Role = "Context",
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> NDArray[np.float32]:
    """Embed texts; those met before are read from the disk.

    Args:
        backbone: the decoder.
        texts: N texts.
        method: a name of :data:`analysis.embedding.methods.METHODS`, or a method of your own. One
            that has a plan keeps it; then ``layers`` to ``key_position`` do not count.
        layers: what is re-routed, see :data:`Layers`.
        rule: how ``"auto"`` selects layers.
        bias: added to the re-routed pair's attention logit, after scaling and before softmax.
        key_position: where the re-routed key stands.
        role: what the texts are to the prompt: a ``"Query"``, or a ``"Context"``.
        max_tokens: where texts are cut so that no prompt is longer.
        progress: called with texts encoded.

    Returns:
        float32 (N, D), rows of unit length.

    Raises:
        CorpusError: a text is blank or cannot be encoded.
        PlanError: there is no such method or layer.
        BackboneError: the backbone cannot carry the method out, or its states overflowed.
    """
    planned = _planned(backbone, [method], layers, rule, bias, key_position)
    (result,) = cached_encoder.encode_methods(
        backbone, texts, planned, role=role, max_tokens=max_tokens, progress=progress
    )
    return result.embeddings


def score(
    backbone: Backbone,
    corpus: str | Corpus,
    methods: MethodName | Method | Iterable[MethodName | Method] = "kv-embedding",
    *,
    layers: Layers = "auto",
    rule: RuleName = "paper",
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    post_processing: PostprocessingName = "none",
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> list[Score]:
    """Score methods on rated pairs, labelled texts, or queries with documents.

    Args:
        backbone: the decoder.
        corpus: what is scored on; a name or a file is read as rated pairs.
        methods: one or several, see :func:`encode`, as for the arguments up to ``key_position``.
        layers: what is re-routed, see :data:`Layers`.
        rule: how ``"auto"`` selects layers.
        bias: added to the re-routed pair's attention logit.
        key_position: where the re-routed key stands.
        post_processing: fitted on calibration texts, never on those scored.
        max_tokens: where texts are cut so that no prompt is longer.
        progress: called with texts encoded.

    Returns:
        One score a method: its measures, times 100, with 95% bootstrap intervals.

    Raises:
        CorpusError, PlanError, BackboneError: as :func:`encode`, or too little data.
    """
    several = [methods] if isinstance(methods, str | Method) else list(methods)
    scored_on = registry.load_pairs(corpus) if isinstance(corpus, str) else corpus
    return score_experiment.score(
        backbone,
        scored_on,
        _planned(backbone, several, layers, rule, bias, key_position),
        processing=post_processing,
        max_tokens=max_tokens,
        progress=progress,
    )


def compare(scores: Sequence[Score], measure: str | None = None) -> list[Difference]:
    """Each score minus the first, paired on the same bootstrap draws.

    Args:
        scores: of the same corpus, as :func:`score` gives them; two at least.
        measure: the measure's name; the corpus's first by default.

    Returns:
        One difference for each score but the first, p-values corrected by Holm's method.

    Raises:
        CorpusError: the scores are not of the same things.
        PlanError: there are fewer than two scores, or no such measure.
    """
    if len(scores) < 2:
        raise PlanError(f"A comparison takes two scores at least, not {len(scores)}.")
    base, *others = scores
    names = [each.name for each in base.measures]
    name = measure or names[0]
    if name not in names:
        raise PlanError(f"There is no measure {name!r}; choose one of {', '.join(names)}.")
    return comparison.differences(
        {each.name: each.measure(name) for each in others},
        base.measure(name),
        base.name,
        base.of,
    )


def plot(result: "Dimensions | Score | Sequence[Score]") -> "go.Figure":
    """The figure of a curve of dimensions, or of scores with their intervals.

    Raises:
        PlanError: there is no figure for it.
    """
    from .figures import results

    return results.figure(list(result) if isinstance(result, tuple) else result)


def _planned(
    backbone: Backbone,
    several: Sequence[MethodName | Method],
    layers: Layers,
    rule: RuleName,
    bias: float,
    key_position: KeyPosition,
) -> list[Method]:
    """Methods with their plan; layers are looked up only where a method re-routes."""
    named = [methods.method(each) if isinstance(each, str) else each for each in several]
    lacking = [each for each in named if each.reroutes and not each.plan.layers]
    plan = Plan(select_layers(backbone, layers, rule=rule) if lacking else (), bias, key_position)
    return [each.under(plan) if each in lacking else each for each in named]
