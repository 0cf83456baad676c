"""Claim: the same request again is read from disk, by another process too."""

import tempfile
from pathlib import Path

from analysis import store, study, vectors
from analysis.methods import DEFAULT
from analysis.plans import Plan
from benchmarks.measuring import Ratio, backbone, compare, described, pairs

PLAN = Plan((29,))


def measure() -> list[Ratio]:
    """A stored score against computing it; the same texts in another corpus likewise."""
    loaded, rated = backbone(), pairs(200)
    with tempfile.TemporaryDirectory() as folder, store.only(Path(folder)):
        study.score(loaded, rated, DEFAULT, PLAN)

        def anew() -> None:
            with tempfile.TemporaryDirectory() as empty, store.only(Path(empty)):
                study.score(loaded, rated, DEFAULT, PLAN)

        again = compare(
            "the same request again",
            lambda: study.score(loaded, rated, DEFAULT, PLAN),
            "computing it",
            anew,
            on=described(rated.texts, rated.name),
            target=0.02,
            repetitions=3,
            note="nothing is held in memory, so a restart changes nothing",
        )
    requests = [(DEFAULT, PLAN)]
    study.embedded(loaded, rated.texts, requests)

    def reopened() -> None:
        vectors._opened.cache_clear()
        study.embedded(loaded, rated.texts[::-1], requests)

    def encoded() -> None:
        with tempfile.TemporaryDirectory() as empty, store.only(Path(empty)):
            study.embedded(loaded, rated.texts[::-1], requests)

    return [
        again,
        compare(
            "texts that were encoded before, in another request",
            reopened,
            "encoding them",
            encoded,
            on=described(rated.texts, rated.name),
            target=0.02,
            repetitions=3,
        ),
    ]
