"""The library in a few words: load, select, encode, score, compare, plot.

More than 300 lines, most of them the reference that its users read.

Everything here is exported by the package itself: ``from analysis import encode``. Arguments may be
names instead of objects; results are frozen values with their provenance.
"""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .backbones import backbone as backbones
from .backbones.backbone import Backbone
from .backbones.catalog import DtypeName, SpecialTokens
from .backbones.devices import Memory
from .corpora import registry
from .corpora.packaged import CALIBRATION
from .corpora.text_lists import as_texts
from .corpora.types import Texts
from .dimension.estimators import Cloud, EstimatorName
from .dimension.selection import RuleName
from .embedding import cached_encoder, methods
from .embedding.methods import Method, MethodName
from .embedding.postprocessing import PostprocessingName
from .embedding.prompts import Role
from .errors import BackboneError, CorpusError, PlanError, quoted
from .evaluation import comparison
from .evaluation.comparison import Difference
from .experiments import dimension
from .experiments import score as score_experiment
from .experiments import sensitivity as sensitivity_experiment
from .experiments.dimension import Dimensions
from .experiments.head_choices import ObjectiveName
from .experiments.plans import Heads, Layers, plan_of
from .experiments.score_result import Corpus, Score
from .experiments.sensitivity import Sensitivity
from .rerouting.plan import PLAIN, KeyPosition, Plan
from .runtime import events
from .runtime.events import Progress, quiet

if TYPE_CHECKING:
    import plotly.graph_objects as go


def load_backbone(
    name: str | PathLike[str] = "smollm2",
    *,
    dtype: DtypeName = "auto",
    device: str = "auto",
    max_memory: Memory | None = None,
    special_tokens: SpecialTokens = "text",
) -> Backbone:
    """Load a frozen decoder.

    Args:
        name: a packaged name, a hub id (``owner/name@revision``), a folder or a GGUF file.
        dtype: dtype of weights and states; ``"auto"`` is bfloat16 where the hardware has units for
            it.
        device: ``"auto"``, a device of torch, or ``"spread"`` over all GPUs, memory and disk.
        max_memory: bytes that ``"spread"`` may use of each device; None for what is free.
        special_tokens: ``"text"`` reads a control token that a text spells, such as ``</s>``, as
            the text it is; ``"parse"`` makes it the token.

    Raises:
        BackboneError: it does not exist, cannot be read, or does not fit into memory.
    """
    return backbones.load(
        name,
        dtype=dtype,
        device=device,
        max_memory=max_memory,
        special_tokens=special_tokens,
        progress=events.say,
    )


def dimensions(
    backbone: Backbone,
    texts: str | PathLike[str] | Texts | Iterable[str] = CALIBRATION,
    *,
    samples: int = dimension.SAMPLES,
    seed: int = 0,
    estimator: EstimatorName = "twonn",
    cloud: Cloud = "last",
    prompted: bool = True,
    progress: Progress = quiet,
) -> Dimensions:
    """Estimate the intrinsic dimension of every layer, with a 95% band.

    Args:
        backbone: the decoder.
        texts: a corpus, the name or file of one, or texts as :func:`encode` takes them.
        samples: number of distinct texts to draw, at least 20.
        seed: seed of the draw and of the resamples.
        estimator: TwoNN by default, see :data:`analysis.dimension.estimators.ESTIMATORS`.
        cloud: whose states are measured: each text's last token, or tokens drawn from all.
        prompted: whether each text is put into the compression prompt.
        progress: called with the number of texts encoded and the total, then with layers.

    Returns:
        The curve (L,), its 95% band, and ``selected(rule)``, the layers that a rule selects.

    Raises:
        CorpusError: fewer than 20 distinct texts, or the corpus cannot be read.
    """
    _check_loaded(backbone)
    if isinstance(texts, str | PathLike):
        corpus = registry.load_texts(texts)
    else:
        corpus = texts if isinstance(texts, Texts) else Texts("own texts", as_texts(texts), "")
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
    """Choose the layers to re-route.

    Args:
        backbone: the decoder.
        layers: ``"auto"`` are those that ``rule`` selects from the curve of the calibration
            corpus, none where the backbone cannot be re-routed; see :data:`Layers`.
        rule: the selection rule of ``"auto"``.

    Returns:
        Layers from 0, ascending.

    Raises:
        PlanError: there is no such layer.
    """
    _check_loaded(backbone)
    return dimension.select_layers(backbone, layers, rule=rule)


def encode(
    backbone: Backbone,
    texts: Iterable[str],
    method: MethodName | Method = "kv-embedding",
    *,
    layers: Layers = "auto",
    heads: Heads | None = None,
    rule: RuleName = "paper",
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    role: Role = "Context",
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> NDArray[np.float32]:
    """Encode texts; vectors that are stored on disk are read.

    Args:
        backbone: the decoder.
        texts: N texts: a list, an iterator, a :class:`Texts`, a one-dimensional array of numpy, or
            a column of pandas, polars, Arrow or datasets.
        method: a name of :data:`analysis.embedding.methods.METHODS`, or a method of your own.
            A method with a plan keeps it and ignores ``layers`` to ``key_position``.
        layers: the layers to re-route, see :data:`Layers`.
        heads: the heads to re-route in place of layers, see :data:`Heads`.
        rule: the selection rule of ``"auto"``.
        bias: added to the re-routed pair's attention logit, after scaling and before softmax.
        key_position: position of the re-routed key, see :class:`Plan`.
        role: what the prompt calls the texts: ``"Query"`` or ``"Context"``.
        max_tokens: texts are cut so that no prompt is longer.
        progress: called with the number of texts encoded and the total.

    Returns:
        float32 (N, D), rows of unit length.

    Raises:
        CorpusError: what is given is no list of texts, or a text is missing, blank or cannot be
            encoded.
        PlanError: there is no such method or layer.
        BackboneError: the backbone cannot carry out the method, or its states overflowed.
    """
    _check_loaded(backbone)
    planned = _planned(backbone, [method], layers, heads, rule, bias, key_position)
    (result,) = cached_encoder.encode_methods(
        backbone, texts, planned, role=role, max_tokens=max_tokens, progress=progress
    )
    return result.embeddings


def score(
    backbone: Backbone,
    corpus: str | PathLike[str] | Corpus,
    methods: MethodName | Method | Iterable[MethodName | Method] = "kv-embedding",
    *,
    layers: Layers = "auto",
    heads: Heads | None = None,
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
        corpus: the corpus to score on; a name or a file is read as rated pairs.
        methods: one or several methods, see :func:`encode`.
        layers: the layers to re-route, see :data:`Layers`.
        heads: the heads to re-route in place of layers, see :data:`Heads`.
        rule: the selection rule of ``"auto"``.
        bias: added to the re-routed pair's attention logit.
        key_position: position of the re-routed key, see :class:`Plan`.
        post_processing: a step after encoding, fitted on calibration texts.
        max_tokens: texts are cut so that no prompt is longer.
        progress: called with the number of texts encoded and the total.

    Returns:
        One score for each method: its measures, times 100, with 95% bootstrap intervals.

    Raises:
        CorpusError, PlanError, BackboneError: as :func:`encode`, or there is too little data.
    """
    _check_loaded(backbone)
    chosen = [methods] if isinstance(methods, str | Method) else list(methods)
    return score_experiment.score(
        backbone,
        _scored_on(corpus),
        _planned(backbone, chosen, layers, heads, rule, bias, key_position),
        processing=post_processing,
        max_tokens=max_tokens,
        progress=progress,
    )


def sensitivity(
    backbone: Backbone,
    corpus: str | PathLike[str] | Corpus,
    method: MethodName | Method = "kv-embedding",
    *,
    objective: ObjectiveName = "judgements",
    teacher: MethodName | Method | None = None,
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    progress: Progress = quiet,
) -> Sensitivity:
    """How an objective would change as each head begins to re-route, from one backward pass.

    Args:
        backbone: the decoder.
        corpus: what to choose heads on; a name or a file is read as rated pairs.
        method: a method that re-routes. One with a plan keeps its bias and key position.
        objective: a name of :data:`analysis.experiments.head_choices.OBJECTIVES`.
        teacher: the method to agree with, for the objective ``"agreement"``.
        bias: added to the re-routed pair's attention logit.
        key_position: position of the re-routed key, see :class:`Plan`.
        progress: counts distinct prompts.

    Returns:
        The derivative of each head, (L, H), and ``top(60)``, the heads to re-route.

    Raises:
        CorpusError: there is too little to choose by.
        PlanError: the method does not re-route, or a teacher is missing.
        BackboneError: the backbone cannot be re-routed.
    """
    _check_loaded(backbone)
    chosen = methods.method(method) if isinstance(method, str) else method
    if chosen.plan == PLAIN:
        chosen = chosen.under(Plan((), bias, key_position))
    return sensitivity_experiment.sensitivity(
        backbone,
        _scored_on(corpus),
        chosen,
        objective=objective,
        teacher=methods.method(teacher) if isinstance(teacher, str) else teacher,
        progress=progress,
    )


def compare(scores: Sequence[Score], measure: str | None = None) -> list[Difference]:
    """Each score minus the first, paired on the same bootstrap draws.

    Args:
        scores: at least two scores on the same corpus, as :func:`score` gives them.
        measure: name of the measure; the main one by default.

    Returns:
        One difference for each score after the first, with 95% intervals and p-values corrected by
        Holm's method (https://www.jstor.org/stable/4615733).

    Raises:
        CorpusError: the scores are on different data.
        PlanError: there are fewer than two scores, or no such measure.
    """
    if not isinstance(scores, Sequence) or not all(isinstance(each, Score) for each in scores):
        raise PlanError("A comparison takes a list of scores, as score() gives them.")
    if len(scores) < 2:
        raise PlanError(f"A comparison takes at least two scores, not {len(scores)}.")
    base, *further = scores
    names = [each.name for each in base.measures]
    name = measure or names[0]
    if name not in names:
        raise PlanError(f"There is no measure {quoted(name)}; choose one of {', '.join(names)}.")
    return comparison.differences(
        {each.name: each.measure(name) for each in further},
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


def _scored_on(corpus: object) -> Corpus:
    """A corpus, or the rated pairs of a name or file.

    Raises:
        CorpusError: it is none.
    """
    found = registry.load_pairs(corpus) if isinstance(corpus, str | PathLike) else corpus
    if not isinstance(found, Corpus):
        raise CorpusError(
            f"A value of the type {type(found).__name__} cannot be scored; give a name, a file, "
            "Pairs, Texts with labels, or a Retrieval."
        )
    return found


def _check_loaded(backbone: object) -> None:
    if not isinstance(backbone, Backbone):
        raise BackboneError(
            f"A value of the type {type(backbone).__name__} is no loaded backbone; load one with "
            "load_backbone(name)."
        )


def _planned(
    backbone: Backbone,
    names_or_methods: Sequence[MethodName | Method],
    layers: Layers,
    heads: Heads | None,
    rule: RuleName,
    bias: float,
    key_position: KeyPosition,
) -> list[Method]:
    """Methods with their plans; layers are selected only if a method re-routes without a plan."""
    chosen = [methods.method(each) if isinstance(each, str) else each for each in names_or_methods]
    unplanned = [
        each for each in chosen if each.reroutes and not (each.plan.layers or each.plan.heads)
    ]
    plan = PLAIN
    if unplanned:
        plan = plan_of(backbone, layers, heads, rule=rule, bias=bias, key_position=key_position)
    return [each.under(plan) if each in unplanned else each for each in chosen]
