"""Time two ways in turn, repeatedly, after a warm-up: medians, spread and ratio."""

import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from analysis.backbones import backbone as backbones
from analysis.backbones.backbone import Backbone
from analysis.corpora import registry, sampling
from analysis.corpora.types import Pairs
from analysis.errors import CorpusError

REPETITIONS = 5
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "evaldata"
if BESIDE.is_dir():
    os.environ.setdefault("KVE_CORPORA", str(BESIDE))


@dataclass(frozen=True)
class Ratio:
    """Our cost divided by that of the alternative, the median of paired repetitions.

    ``low`` and ``high`` are the smallest and largest ratio of one repetition; ``ours`` and
    ``theirs`` medians in ``unit``; ``target`` the most that the ratio should be, or with
    ``at_least`` the least.
    """

    claim: str
    against: str
    on: str
    ratio: float
    low: float
    high: float
    ours: float
    theirs: float
    repetitions: int
    target: float | None
    at_least: bool = False
    unit: str = "s"
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the median keeps to the target; None where there is none."""
        if self.target is None:
            return None
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target


@dataclass(frozen=True)
class Point:
    """One point of a growing cost: ``seconds`` at ``size`` on ``axis``.

    ``each`` is the cost of one more unit, named by ``unit``, or a ratio to the plain model's.
    """

    axis: str
    size: int
    seconds: float
    each: float
    unit: str


def compare(
    claim: str,
    ours: Callable[[], object],
    against: str,
    theirs: Callable[[], object],
    *,
    on: str,
    target: float | None,
    at_least: bool = False,
    scale: float = 1.0,
    repetitions: int = REPETITIONS,
    note: str = "",
) -> Ratio:
    """Time both in turn, after one warm-up round; they alternate in going first.

    ``scale`` multiplies the alternative's seconds where it is measured once and done many times.
    ``at_least`` turns the ratio round: the alternative's seconds over ours, a speed-up.
    """
    seconds = np.array([_round(ours, theirs, i % 2 == 1) for i in range(repetitions + 1)])[1:]
    seconds[:, 1] *= scale
    return of_repetitions(
        claim, against, seconds, on=on, target=target, at_least=at_least, note=note
    )


def of_repetitions(
    claim: str,
    against: str,
    found: Sequence[tuple[float, float]] | np.ndarray,
    *,
    on: str,
    target: float | None,
    at_least: bool = False,
    unit: str = "s",
    note: str = "",
) -> Ratio:
    """The ratio of paired repetitions (R, 2): ours and the alternative's."""
    pairs = np.asarray(found, dtype=float)
    ratios = pairs[:, 1] / pairs[:, 0] if at_least else pairs[:, 0] / pairs[:, 1]
    medians = np.median(pairs, axis=0)
    return Ratio(
        claim=claim,
        against=against,
        on=on,
        ratio=float(np.median(ratios)),
        low=float(ratios.min()),
        high=float(ratios.max()),
        ours=float(medians[0]),
        theirs=float(medians[1]),
        repetitions=len(pairs),
        target=target,
        at_least=at_least,
        unit=unit,
        note=note,
    )


def _round(
    ours: Callable[[], object], theirs: Callable[[], object], swapped: bool
) -> tuple[float, float]:
    if swapped:
        last, first = seconds(theirs), seconds(ours)
        return first, last
    return seconds(ours), seconds(theirs)


def seconds(work: Callable[[], object]) -> float:
    """The seconds that ``work`` takes."""
    gc.collect()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@cache
def backbone(dtype: str = "auto") -> Backbone:
    """SmolLM2 on the CPU, by default in the dtype that is chosen there automatically."""
    return backbones.load("smollm2", dtype=dtype, device="cpu")


@cache
def pairs(number: int) -> Pairs:
    """``number`` pairs of STS-B's dev set if it is available, else of the packaged lee50."""
    try:
        whole = registry.load_pairs("stsb-dev")
    except CorpusError:
        whole = registry.load_pairs("lee50")
    return sampling.draw(whole, min(number, len(whole.scores)), 0)


@cache
def distinct(number: int) -> tuple[str, ...]:
    """At most ``number`` distinct sentences: rated ones if available, else packaged."""
    found: dict[str, None] = {}
    for name in ("stsb-dev", "sickr-test", "sts12"):
        try:
            found |= dict.fromkeys(registry.load_pairs(name).texts)
        except CorpusError:
            break
        if len(found) >= number:
            break
    if not found:
        for corpus in ("news-sentences", "chatterbot"):
            found |= dict.fromkeys(registry.load_texts(corpus).texts)
    drawn = np.random.default_rng(0).permutation(list(found))[:number]
    return tuple(drawn.tolist())


def long_texts(loaded: Backbone, tokens: int, number: int = 1) -> list[str]:
    """Texts of about the given number of tokens each, cut from packaged news."""
    news = " ".join(registry.load_texts("lee-background").texts)
    ids = loaded.tokenizer(news, add_special_tokens=False)["input_ids"]
    while len(ids) < tokens * number:
        ids = ids * 2
    return [loaded.tokenizer.decode(ids[i * tokens : (i + 1) * tokens]) for i in range(number)]


def described(texts: Sequence[str], of: str) -> str:
    """How many texts of which corpus, in words for the table."""
    return f"{len(texts):,} texts of {of}"
