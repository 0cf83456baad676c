"""Several prompts under several methods: how much hangs on the words of the prompt?

Each method keeps its change of the pass, its reading and its pooling, and gets each prompt in turn.
Methods that differ by their pooling or output layer share one pass a prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..backbones.backbone import Backbone
from ..embedding import method_spelling
from ..embedding.methods import Method
from ..embedding.named_prompts import PROMPTS, Prompt, own_prompt
from ..errors import PlanError, quoted
from ..evaluation import comparison
from ..evaluation.bootstrap import interval
from ..evaluation.comparison import Difference
from ..runtime.events import Progress, quiet
from .score import score
from .score_result import Corpus, Score


@dataclass(frozen=True)
class Spread:
    """A standard deviation, times 100, with a 95% interval over the bootstrap draws.

    Chance in the sample is in it, too: it is above 0 where all scores are the same in truth.
    """

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, eq=False)
class PromptBench:
    """The scores of methods under prompts, by one measure.

    Attributes:
        labels: the prompts, by name or as templates.
        scores: for each method its scores, one for each prompt.
        changes: for each method the paired changes over the first prompt, for all but the first;
            corrected by Holm's method within a method.
        over_prompts: the standard deviation over prompts, averaged over methods; None for one
            prompt.
        over_methods: the standard deviation over methods, averaged over prompts; None for one
            method.
    """

    labels: tuple[str, ...]
    scores: tuple[tuple[Score, ...], ...]
    changes: tuple[tuple[Difference, ...], ...]
    over_prompts: Spread | None
    over_methods: Spread | None


def prompt_of(text: str) -> Prompt:
    """The prompt of a name, or a template with the field ``{text}``.

    Raises:
        PlanError: there is no such prompt, and no such field.
    """
    if text in PROMPTS:
        return PROMPTS[text]
    if "{text}" not in text:
        raise PlanError(
            f"The prompt {quoted(text)} is no name of one, such as eol, and has no field {{text}}, "
            "where the text stands."
        )
    return own_prompt(text)


def without_prompt(method: Method) -> str:
    """A method's parts but for its prompt, spelled: ``re-routing+mean``."""
    bare = replace(method, prompt=PROMPTS["bare"])
    return method_spelling.spelling(bare).removeprefix("bare+")


def prompt_bench(
    backbone: Backbone,
    corpus: Corpus,
    prompts: Sequence[str],
    methods: Sequence[Method],
    *,
    progress: Progress = quiet,
) -> PromptBench:
    """Score each method under each prompt.

    Args:
        backbone: the decoder.
        corpus: the corpus to score on.
        prompts: names, or templates with ``{text}``; the others are compared with the first.
        methods: the methods, with their plans; their own prompts do not count.
        progress: counts texts.

    Raises:
        PlanError: a prompt is given twice or is none, or does not go with a method.
        CorpusError, BackboneError: what scoring raises.
    """
    labels = tuple(prompts)
    if not labels or len(set(labels)) < len(labels):
        raise PlanError("Prompts are compared: give at least one, and each of them once.")
    parts = [without_prompt(method) for method in methods]
    if len(set(parts)) < len(parts):
        raise PlanError(
            f"Two methods are {parts[0]} apart from their prompts, which the prompts that are "
            "compared take the place of; give one of them."
        )
    asked = [
        replace(method, name=f"method {row} with prompt {column}", prompt=prompt_of(label))
        for row, method in enumerate(methods, 1)
        for column, label in enumerate(labels, 1)
    ]
    scored = score(backbone, corpus, asked, progress=progress)
    table = tuple(
        tuple(scored[start : start + len(labels)]) for start in range(0, len(scored), len(labels))
    )
    drawn = np.array([[each.first.drawn for each in row] for row in table], np.float64)
    values = np.array([[each.first.value for each in row] for row in table]) / 100
    return PromptBench(
        labels,
        table,
        tuple(map(_changes, table)),
        _spread(values, drawn, axis=1),
        _spread(values, drawn, axis=0),
    )


def _changes(row: Sequence[Score]) -> tuple[Difference, ...]:
    first, *others = row
    measures = {each.name: each.first for each in others}
    return tuple(comparison.differences(measures, first.first, first.name, first.of))


def _spread(values: NDArray[np.float64], drawn: NDArray[np.float64], axis: int) -> Spread | None:
    """The standard deviation along an axis of methods x prompts, averaged along the other."""
    if values.shape[axis] < 2:
        return None
    in_draws = drawn.std(axis=axis, ddof=1).mean(axis=0)
    low, high = interval(in_draws)
    return Spread(100 * float(values.std(axis=axis, ddof=1).mean()), low, high)
