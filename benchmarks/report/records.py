"""What one method scored on one corpus, stored with its bootstrap draws.

A file each, ``assets/report/<backbone>/<corpus>/<method>.npz``. With the draws, methods that were
computed on different days are compared in pairs and ranked together, and the page is made without
backbone or corpus. No text and no rating of a corpus is in them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.evaluation.measures import Draws, Measure, measure
from analysis.experiments.score_result import Score

STEP = 1e-4
"""What draws are rounded to, as a share of 1: a hundredth of a point."""
_UNDEFINED = np.iinfo(np.int16).min


@dataclass(frozen=True)
class Record:
    """One method's scores on one corpus.

    Attributes:
        method: its name in the tables.
        measures: with their draws, by name.
        facts: plain data: ``made`` (provenance), ``layers``, ``bias``, ``of`` (size of the corpus
            if a part was scored), ``documents``, ``tokens`` and ``cut`` (texts that were cut).
    """

    method: str
    measures: Mapping[str, Measure]
    facts: Mapping[str, Any]


def record(method: str, score: Score, wanted: Iterable[str], facts: Mapping[str, Any]) -> Record:
    """What a score says, with the measures that are wanted.

    Args:
        method: the method's name in the tables.
        score: its score.
        wanted: names of measures.
        facts: plain data beside the score's own.
    """
    own = {"of": score.of, "cut": score.texts_cut, **score.provenance.facts}
    return Record(method, {name: score.measure(name) for name in wanted}, {**own, **facts})


def write(path: Path, found: Record) -> None:
    """Store a record; its draws are rounded to :data:`STEP`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {
        **found.facts,
        "method": found.method,
        "measures": [
            {
                part: round(value, 4) if isinstance(value, float) else value
                for part, value in one.to_dict().items()
            }
            for one in found.measures.values()
        ],
    }
    draws = {name: _packed(one.drawn) for name, one in found.measures.items()}
    np.savez_compressed(path, facts=json.dumps(plain), **draws)  # type: ignore[arg-type]


def read(path: Path) -> Record:
    """The record that is stored in a file."""
    with np.load(path, allow_pickle=False) as file:
        facts = json.loads(str(file["facts"]))
        measures = {
            plain["name"]: Measure(**plain, source=_unpacked(file[plain["name"]]))
            for plain in facts.pop("measures")
        }
    return Record(facts.pop("method"), measures, facts)


def mean(measures: Iterable[Measure], things: str) -> Measure:
    """The mean of one measure over corpora, its draws the means of theirs.

    The corpora are different samples, so their draws are independent of each other.

    Args:
        measures: the same measure of one method on each corpus.
        things: what the corpora are, such as "sets".
    """
    each = list(measures)
    drawn = np.mean([one.drawn for one in each], axis=0)
    value = float(np.mean([one.value for one in each])) / 100
    return measure(each[0].name, value, drawn, len(each), things, "items of each")


def _packed(drawn: Draws) -> np.ndarray[Any, np.dtype[np.int16]]:
    defined = np.isfinite(drawn)
    steps = np.rint(np.where(defined, drawn, 0) / STEP)
    return np.where(defined, steps, _UNDEFINED).astype(np.int16)


def _unpacked(steps: np.ndarray[Any, np.dtype[np.int16]]) -> Draws:
    shares = steps.astype(np.float32) * np.float32(STEP)
    return np.where(steps == _UNDEFINED, np.float32("nan"), shares)
