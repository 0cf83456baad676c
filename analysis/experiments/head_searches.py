"""The ways to choose heads, each a function of trials: derivatives and exact values on some items.

All but ``single`` leave out the first fifth of the layers, where a derivative says little about a
head at full strength; ``single`` knows its effect there exactly.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..rerouting.plan import Head
from .head_choices import ChoiceName, largest, outside_the_first, ranked, top
from .head_trials import Heads, Trials

ROUNDS = 4
"""How often the derivative is taken by ``relinearised``."""
CANDIDATES = 4
"""How many heads ``greedy`` tries at each step."""
STEPS, WEAK = 8, 0.05
"""How many gradient steps ``steps`` tries, and the strength below which a head is left out."""


def by_derivative(trials: Trials, counts: Sequence[int]) -> dict[int, Heads]:
    """The heads of largest derivative where nothing re-routes.

    Args:
        trials: of the items to choose on.
        counts: numbers of heads at most.
    """
    values = trials.sensitivity().values
    return {count: top(values, count) for count in counts}


def relinearised(trials: Trials, counts: Sequence[int], rounds: int = ROUNDS) -> dict[int, Heads]:
    """The heads of largest derivative where those chosen in earlier rounds re-route.

    A head stays chosen where its derivative has turned negative since: leaving such heads out
    lowers the objective (docs/method.md), as they are past the best strength, not without use.

    Args:
        trials: of the items to choose on.
        counts: numbers of heads at most.
        rounds: how often the derivative is taken for each number.
    """
    return {count: _in_rounds(trials, count, rounds) for count in counts}


def _in_rounds(trials: Trials, count: int, rounds: int) -> Heads:
    chosen: Heads = ()
    for number in sorted({math.ceil(count * step / rounds) for step in range(1, rounds + 1)}):
        values = trials.sensitivity(chosen).values
        new = [head for head in ranked(outside_the_first(values)) if head not in chosen]
        chosen = tuple(sorted([*chosen, *new[: number - len(chosen)]]))
    return chosen


def by_effect(trials: Trials, counts: Sequence[int]) -> dict[int, Heads]:
    """The heads that alone raise the objective most.

    Args:
        trials: of the items to choose on.
        counts: numbers of heads at most.
    """
    effects = trials.effects()
    return {count: largest(effects, count) for count in counts}


def greedy(trials: Trials, counts: Sequence[int]) -> dict[int, Heads]:
    """Add heads one by one, each the best of a few of largest derivative, while one helps.

    Args:
        trials: of the items to choose on.
        counts: numbers of heads at most; the smaller choices are the beginnings of the largest.
    """
    waiting, path = ranked(outside_the_first(trials.sensitivity().values)), list[Head]()
    trials.keep()
    best = trials.value()
    while waiting and len(path) < max(counts):
        trials.progress(len(path), max(counts))
        candidates = waiting[:CANDIDATES]
        values = [trials.value(tuple(sorted([*path, head]))) for head in candidates]
        if max(values) <= best:
            break
        best, chosen = max(values), candidates[int(np.argmax(values))]
        path.append(chosen)
        waiting.remove(chosen)
        if waiting and len(path) < max(counts):
            trials.keep(tuple(sorted(path)))
    return {count: tuple(sorted(path[:count])) for count in counts}


def steps(trials: Trials, counts: Sequence[int]) -> dict[int, Heads]:
    """A strength for each head by projected gradient ascent, as a bias of its own.

    Args:
        trials: of the items to choose on.
        counts: numbers of heads at most.
    """
    return {count: _ascended(trials, count) for count in counts}


def _ascended(trials: Trials, count: int) -> Heads:
    """The best of some steps along the gradient; a step that does not help is halved.

    The first goes as far as to bring the mean of the ``count`` largest derivatives to strength 1.
    """
    gradient = trials.sensitivity().values
    steepest = [gradient[head[:2]] for head in top(gradient, count)]
    strengths, heads = np.zeros_like(gradient), Heads()
    if not steepest:
        return heads
    rate = 1 / float(np.mean(steepest))
    for step in range(STEPS):
        trials.progress(step, STEPS)
        ahead = projected(strengths + rate * outside_the_first(gradient), count)
        tried = with_biases(ahead, trials.method.plan.bias)
        if tried == heads:
            break
        if trials.value(tried) <= trials.value(heads):
            rate /= 2
            continue
        strengths, heads = ahead, tried
        if step + 1 < STEPS:
            # there it is of a share of the head's own, weaker gate: m times that of m
            gradient = trials.sensitivity(heads).values / np.where(strengths > 0, strengths, 1)
    return heads


def projected(strengths: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Strengths in [0, 1] of at most so many heads, the strongest; weak ones are 0.

    Args:
        strengths: (L, H), any numbers; -inf is 0.
        count: number of heads at most.
    """
    places = tuple(np.array([head[:2] for head in ranked(strengths)[:count]], int).reshape(-1, 2).T)
    bounded = np.zeros_like(strengths)
    bounded[places] = np.minimum(strengths[places], 1)
    bounded[bounded < WEAK] = 0
    return bounded


def with_biases(strengths: NDArray[np.float64], bias: float) -> Heads:
    """Heads whose own biases scale the odds of their gates by strengths.

    A gate is g = sigmoid(x + b), with b its bias, so its odds g / (1 - g) = e^(x + b): a bias of
    b + log(m) scales the odds by m, exactly, and the gate by m / (1 - (1 - m) g), which is m where
    the gate is small.

    Args:
        strengths: (L, H) in [0, 1]; heads of 0 are left out.
        bias: the bias of strength 1.
    """
    return tuple(
        Head(int(layer), int(head), None if m == 1 else bias + math.log(m))
        for layer, head in np.argwhere(strengths > 0)
        for m in [float(strengths[layer, head])]
    )


SEARCHES: dict[ChoiceName, Callable[[Trials, Sequence[int]], dict[int, Heads]]] = {
    "top": by_derivative,
    "relinearised": relinearised,
    "single": by_effect,
    "greedy": greedy,
    "steps": steps,
}
"""The function of each name of :data:`.head_choices.CHOICES`."""
