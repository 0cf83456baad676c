"""The library in a few words: load, select, encode, score, compare, plot.

More than 300 lines, most of them the reference that its users read.

Everything here is exported by the package itself: ``from analysis import encode``. Arguments may be
names instead of objects; results are frozen values with their provenance.
"""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

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
from .embedding import cached_encoder, logit_lens, named_methods
from .embedding.external import External, MethodOrVectors
from .embedding.methods import Method, MethodName, variant
from .embedding.postprocessing import PostprocessingName
from .embedding.prompts import Role
from .errors import BackboneError, CorpusError, PlanError
from .evaluation import comparison
from .evaluation import ranks as ranking
from .evaluation.comparison import Difference
from .evaluation.ranks import MeanRanks, Rank
from .experiments import chosen_heads, dimension, plans, score_result
from .experiments import output_layers as layers_experiment
from .experiments import score as score_experiment
from .experiments import sensitivity as sensitivity_experiment
from .experiments import stability as stability_experiment
from .experiments import words as words_experiment
from .experiments.chosen_heads import Chosen
from .experiments.dimension import Dimensions
from .experiments.head_choices import PARTS, ChoiceName, ObjectiveName
from .experiments.layer_scores import ByLayer
from .experiments.plans import Heads, Layers, plan_of
from .experiments.score_result import Corpus, Score
from .experiments.sensitivity import Sensitivity
from .experiments.shared_options import WORD_TEXTS
from .experiments.stability import Stability
from .experiments.words_result import Words
from .rerouting.plan import PLAIN, KeyPosition, Plan
from .runtime import events
from .runtime.events import Progress, quiet
from .runtime.lookup import by_name

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
    return dimension.dimensions(
        backbone,
        _corpus_of(texts),
        samples=samples,
        seed=seed,
        estimator=estimator,
        cloud=cloud,
        prompted=prompted,
        progress=progress,
    )


def _corpus_of(texts: str | PathLike[str] | Texts | Iterable[str]) -> Texts:
    """Texts as a corpus: by name or path, or as they are given."""
    if isinstance(texts, str | PathLike):
        return registry.load_texts(texts)
    return texts if isinstance(texts, Texts) else Texts("own texts", as_texts(texts), "")


def select_layers(
    backbone: Backbone,
    layers: Layers = "auto",
    *,
    rule: RuleName = "paper",
    calibration: str | PathLike[str] | Texts | Iterable[str] = CALIBRATION,
) -> tuple[int, ...]:
    """Choose the layers to re-route.

    Args:
        backbone: the decoder.
        layers: ``"auto"`` are those that ``rule`` selects from the curve of the calibration
            texts, none where the backbone cannot be re-routed; see :data:`Layers`.
        rule: the selection rule of ``"auto"``.
        calibration: the texts of ``"auto"``, as :func:`dimensions` takes them.

    Returns:
        Layers from 0, ascending.

    Raises:
        PlanError: there is no such layer.
        CorpusError: fewer than 20 distinct calibration texts, or they cannot be read.
    """
    _check_loaded(backbone)
    return plans.select_layers(backbone, layers, rule=rule, calibration=_corpus_of(calibration))


def encode(
    backbone: Backbone,
    texts: Iterable[str],
    method: MethodName | str | Method = "kv-embedding",
    *,
    layers: Layers = "auto",
    heads: Heads | None = None,
    rule: RuleName = "paper",
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    output_layer: int | None = None,
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
        output_layer: the layer whose output is read, from 0, or from -1 backwards; None for the
            method's own.
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
    chosen = _chosen(method, output_layer)
    planned = _planned(backbone, [chosen], layers, heads, rule, bias, key_position)
    (result,) = cached_encoder.encode_methods(
        backbone, texts, planned, role=role, max_tokens=max_tokens, progress=progress
    )
    return result.embeddings


def score(
    backbone: Backbone,
    corpus: str | PathLike[str] | Corpus,
    methods: MethodName
    | str
    | MethodOrVectors
    | Iterable[MethodName | str | MethodOrVectors] = "kv-embedding",
    *,
    layers: Layers = "auto",
    heads: Heads | None = None,
    rule: RuleName = "paper",
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    output_layer: int | None = None,
    post_processing: PostprocessingName = "none",
    max_tokens: int | None = None,
    progress: Progress = quiet,
) -> list[Score]:
    """Score methods on rated pairs, labelled texts, or queries with documents.

    Args:
        backbone: the decoder.
        corpus: the corpus to score on; a name or a file is read as rated pairs.
        methods: one or several methods, see :func:`encode`, and vectors made elsewhere, see
            :func:`load_vectors`.
        layers: the layers to re-route, see :data:`Layers`.
        heads: the heads to re-route in place of layers, see :data:`Heads`.
        rule: the selection rule of ``"auto"``.
        bias: added to the re-routed pair's attention logit.
        key_position: position of the re-routed key, see :class:`Plan`.
        output_layer: the layer whose output is read, see :func:`encode`.
        post_processing: a step after encoding, fitted on calibration texts.
        max_tokens: texts are cut so that no prompt is longer.
        progress: called with the number of texts encoded and the total.

    Returns:
        One score for each method: its measures, times 100, with 95% bootstrap intervals.

    Raises:
        CorpusError, PlanError, BackboneError: as :func:`encode`, or there is too little data.
    """
    _check_loaded(backbone)
    several = _several(methods)
    chosen: list[MethodOrVectors] = [
        each.processed(post_processing)
        if isinstance(each, External)
        else _chosen(each, output_layer, post_processing)
        for each in several
    ]
    return score_experiment.score(
        backbone,
        _scored_on(corpus),
        _planned(backbone, chosen, layers, heads, rule, bias, key_position),
        max_tokens=max_tokens,
        progress=progress,
    )


def words(
    backbone: Backbone,
    texts: str | Texts | Iterable[str],
    method: MethodName | Method = "prompt-eol",
    *,
    samples: int = WORD_TEXTS,
    layers: Layers = "auto",
    heads: Heads | None = None,
    rule: RuleName = "paper",
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    output_layer: int | None = None,
    progress: Progress = quiet,
) -> list[Words]:
    """The words that a prompt makes the backbone think of, layer by layer.

    The state of the last token goes through the backbone's own final norm and unembedding: at the
    last layer these are the probabilities of the next token, before it the logit lens
    (https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens).

    Args:
        backbone: the decoder.
        texts: a text or several, or a corpus, of which the most frequent words are counted.
        method: one that reads the last token, such as ``"prompt-eol"`` or ``"kv-embedding"``. A
            method with a plan keeps it; one that re-routes nothing gets the plan for its second
            side.
        samples: number of distinct texts drawn from a corpus.
        layers: the layers to re-route, see :data:`Layers`.
        heads: the heads to re-route in place of layers, see :data:`Heads`.
        rule: the selection rule of ``"auto"``.
        bias: added to the re-routed pair's attention logit.
        key_position: position of the re-routed key, see :class:`Plan`.
        output_layer: the layer whose word counts, see :func:`encode`.
        progress: counts distinct prompts.

    Returns:
        The words plain, and re-routed where the plan re-routes anything, each with ``to_rows``,
        ``to_dataframe`` and ``plot``.

    Raises:
        CorpusError: a text is missing, blank or cannot be encoded.
        PlanError: the method reads no state of the last token, or there is no such method or layer.
        BackboneError: the backbone has no unembedding, or its states overflowed.
    """
    _check_loaded(backbone)
    chosen = _chosen(method, output_layer)
    logit_lens.check_readable(chosen)
    if isinstance(texts, Texts):
        texts = words_experiment.drawn(texts, samples)
    else:
        texts = as_texts([texts] if isinstance(texts, str) else texts)
    words_experiment.check_texts(texts)
    plan = chosen.plan
    if not chosen.has_plan:
        # what has no words is refused before layers are selected
        words_experiment.words(backbone, texts, chosen, progress=progress)
        plan = plan_of(backbone, layers, heads, rule=rule, bias=bias, key_position=key_position)
    return words_experiment.words(backbone, texts, chosen, plan, progress=progress)


def output_layers(
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
) -> ByLayer:
    """Score methods at the output of every layer, beside the curve of intrinsic dimensions.

    All layers of a method come out of one pass for each of its prompts. Layers but the last are
    read without the final norm.

    Args:
        backbone: the decoder.
        corpus: the corpus to score on; a name or a file is read as rated pairs.
        methods: one or several methods that read token states, see :func:`encode`.
        layers: the layers to re-route, see :data:`Layers`.
        heads: the heads to re-route in place of layers, see :data:`Heads`.
        rule: the selection rule of ``"auto"``.
        bias: added to the re-routed pair's attention logit.
        key_position: position of the re-routed key, see :class:`Plan`.
        post_processing: a step after encoding, fitted on calibration texts for each layer.
        max_tokens: texts are cut so that no prompt is longer.
        progress: called with the number of texts encoded and the total.

    Returns:
        For each method its main measure at every layer with intervals and paired changes over the
        last layer, the best layer judged on held-out items, and how score and dimension go
        together.

    Raises:
        PlanError: a method reads sums of attention and has no output layer.
        CorpusError, PlanError, BackboneError: as :func:`score`.
        OutOfMemory: the vectors of all layers do not fit into memory.
    """
    _check_loaded(backbone)
    several = _several(methods)
    scored_on = _scored_on(corpus)
    chosen = [_chosen(each, None, post_processing) for each in several]
    planned = _planned(backbone, chosen, layers, heads, rule, bias, key_position)
    scored = layers_experiment.score_layers(
        *(backbone, scored_on, planned),
        max_tokens=max_tokens,
        progress=progress,
    )
    return ByLayer(tuple(scored), dimensions(backbone))


def sensitivity(
    backbone: Backbone,
    corpus: str | PathLike[str] | Corpus,
    method: MethodName | str | Method = "kv-embedding",
    *,
    objective: ObjectiveName = "judgements",
    teacher: MethodName | str | Method | None = None,
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    output_layer: int | None = None,
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
        output_layer: the layer whose output is read, see :func:`encode`.
        progress: counts distinct prompts.

    Returns:
        The derivative of each head, (L, H), and ``top(60)``, the heads to re-route.

    Raises:
        CorpusError: there is too little to choose by.
        PlanError: the method does not re-route, or a teacher is missing.
        BackboneError: the backbone cannot be re-routed.
    """
    return sensitivity_experiment.sensitivity(
        *_to_choose_by(backbone, corpus, method, bias, key_position, output_layer),
        objective=objective,
        teacher=_teacher(teacher),
        progress=progress,
    )


def choose_heads(
    backbone: Backbone,
    corpus: str | PathLike[str] | Corpus,
    method: MethodName | str | Method = "kv-embedding",
    *,
    how: ChoiceName = "top",
    count: int | None = 60,
    objective: ObjectiveName = "judgements",
    teacher: MethodName | str | Method | None = None,
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    output_layer: int | None = None,
    progress: Progress = quiet,
) -> Chosen:
    """Choose the heads to re-route, by one of several ways that differ in their cost.

    Args:
        backbone: the decoder.
        corpus: what to choose heads on; a name or a file is read as rated pairs.
        method: a method that re-routes. One with a plan keeps its bias and key position.
        how: a name of :data:`analysis.experiments.head_choices.CHOICES`.
        count: number of heads at most; None finds it on halves that did not choose.
        objective: a name of :data:`analysis.experiments.head_choices.OBJECTIVES`.
        teacher: the method to agree with, for the objective ``"agreement"``.
        bias: added to the re-routed pair's attention logit.
        key_position: position of the re-routed key, see :class:`Plan`.
        output_layer: the layer whose output is read, see :func:`encode`.
        progress: counts what the choice goes through: prompts, heads or steps.

    Returns:
        The plan of the chosen heads, the objective with and without it, and what choosing cost.

    Raises:
        CorpusError: there is too little to choose by.
        PlanError: the method does not re-route, a teacher is missing, or no such choice or count.
        BackboneError: the backbone cannot be re-routed.
    """
    return chosen_heads.choose(
        *_to_choose_by(backbone, corpus, method, bias, key_position, output_layer),
        how=how,
        count=count,
        objective=objective,
        teacher=_teacher(teacher),
        progress=progress,
    )


def stability(
    backbone: Backbone,
    corpus: str | PathLike[str] | Corpus,
    method: MethodName | str | Method = "kv-embedding",
    *,
    parts: int = PARTS,
    how: ChoiceName = "top",
    count: int | None = 60,
    objective: ObjectiveName = "judgements",
    teacher: MethodName | str | Method | None = None,
    bias: float = 1.0,
    key_position: KeyPosition = "own",
    output_layer: int | None = None,
    progress: Progress = quiet,
) -> Stability:
    """Choose heads on each of several parts of a corpus, and compare the choices.

    Args:
        backbone: the decoder.
        corpus: what to choose heads on; a name or a file is read as rated pairs.
        method: a method that re-routes. One with a plan keeps its bias and key position.
        parts: how many parts, which share no item, and no text where possible.
        how: see :func:`choose_heads`.
        count: see :func:`choose_heads`.
        objective: see :func:`choose_heads`.
        teacher: see :func:`choose_heads`.
        bias: added to the re-routed pair's attention logit.
        key_position: position of the re-routed key, see :class:`Plan`.
        output_layer: the layer whose output is read, see :func:`encode`.
        progress: counts what the choices go through: prompts, heads or steps.

    Returns:
        The choice of each part, what each two have in common, and the heads that all chose.

    Raises:
        CorpusError: there are too few items for so many parts.
        PlanError: as :func:`choose_heads`.
        BackboneError: the backbone cannot be re-routed.
    """
    return stability_experiment.stability(
        *_to_choose_by(backbone, corpus, method, bias, key_position, output_layer),
        parts=parts,
        how=how,
        count=count,
        objective=objective,
        teacher=_teacher(teacher),
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
    base, *further = _scores_to_compare(scores, "comparison")
    name = _measure_of(base, measure)
    return comparison.differences(
        {each.name: each.measure(name) for each in further},
        base.measure(name),
        base.name,
        base.of,
    )


def ranks(scores: Sequence[Score], measure: str | None = None) -> list[Rank]:
    """The rank of each score with the 95% interval of its ranks over the common bootstrap draws.

    Args:
        scores: at least two scores on the same corpus, as :func:`score` gives them.
        measure: name of the measure; the main one by default.

    Returns:
        A rank for each score, in their order: 1 is the best, equal scores share the mean of their
        ranks, and ``level_with`` names the neighbours that it cannot be told apart from.

    Raises:
        CorpusError: the scores are on different data.
        PlanError: there are fewer than two scores, or no such measure.
    """
    compared = _scores_to_compare(scores, "ranking")
    return score_result.ranks(compared, _measure_of(compared[0], measure))


def mean_ranks(scores: Sequence[Score]) -> MeanRanks:
    """The mean rank of each method over several corpora, by the main measure of each.

    Args:
        scores: of at least three methods on each of at least two corpora, in any order.

    Returns:
        The mean ranks, Friedman's test, and Nemenyi's critical difference (Demsar 2006,
        https://www.jmlr.org/papers/v7/demsar06a.html).

    Raises:
        CorpusError: too few corpora or methods, or a method lacks a score on one of the corpora.
        PlanError: there are fewer than two scores, or two of one method on one corpus.
    """
    values: dict[str, dict[str, float]] = {}
    for each in _scores_to_compare(scores, "summary"):
        by_method = values.setdefault(each.corpus, {})
        if each.name in by_method:
            raise PlanError(
                f"There are two scores of {each.name} on {each.corpus}; give one for each method."
            )
        by_method[each.name] = each.first.value
    return ranking.over_corpora(values)


def plot(
    result: "Dimensions | ByLayer | Score | Sequence[Score] | Sequence[Words]",
) -> "go.Figure":
    """The figure of a curve of dimensions, of scores, also by layer, or of words by layer.

    Raises:
        PlanError: there is no figure for it.
    """
    from .figures import results

    return results.figure(list(result) if isinstance(result, tuple) else result)


def _scores_to_compare(scores: Sequence[Score], what: str) -> Sequence[Score]:
    if not isinstance(scores, Sequence) or not all(isinstance(each, Score) for each in scores):
        raise PlanError(f"A {what} takes a list of scores, as score() gives them.")
    if len(scores) < 2:
        raise PlanError(f"A {what} takes at least two scores, not {len(scores)}.")
    return scores


def _measure_of(score: Score, measure: str | None) -> str:
    names = {each.name: each.name for each in score.measures}
    return next(iter(names)) if measure is None else by_name(names, measure, "measure")


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


def _to_choose_by(
    backbone: Backbone,
    corpus: object,
    method: MethodName | str | Method,
    bias: float,
    key_position: KeyPosition,
    output_layer: int | None,
) -> tuple[Backbone, Corpus, Method]:
    """What heads are chosen by; a method without a plan gets the bias and the key position."""
    _check_loaded(backbone)
    named = _chosen(method, output_layer)
    if named.plan == PLAIN:
        named = named.under(Plan((), bias, key_position))
    return backbone, _scored_on(corpus), named


def _check_loaded(backbone: object) -> None:
    if not isinstance(backbone, Backbone):
        raise BackboneError(
            f"A value of the type {type(backbone).__name__} is no loaded backbone; load one with "
            "load_backbone(name)."
        )


def _chosen(
    method: MethodName | str | Method,
    output_layer: int | None,
    processing: PostprocessingName = "none",
) -> Method:
    """A method by name, spelling or value, with an output layer or post-processing if given."""
    named = named_methods.method(method) if isinstance(method, str) else method
    return variant(named, output_layer=output_layer, processing=processing)


def _teacher(method: Any) -> Method | None:
    """The method that an objective of agreement is with, if any."""
    return None if method is None else _chosen(method, None)


def _several(methods: Any) -> list[Any]:
    """One or several methods as a list; what is none is refused by :func:`_chosen`."""
    alone = isinstance(methods, str) or not isinstance(methods, Iterable)
    return [methods] if alone else list(methods)


def _planned(
    backbone: Backbone,
    chosen: Sequence[MethodOrVectors],
    layers: Layers,
    heads: Heads | None,
    rule: RuleName,
    bias: float,
    key_position: KeyPosition,
) -> list[MethodOrVectors]:
    """Methods with their plans; layers are selected only if a method re-routes without a plan."""
    unplanned = [each for each in chosen if each.reroutes and not each.has_plan]
    plan = PLAIN
    if unplanned:
        plan = plan_of(backbone, layers, heads, rule=rule, bias=bias, key_position=key_position)
    return [each.under(plan) if each in unplanned else each for each in chosen]
