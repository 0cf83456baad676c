"""Claim: the same request again is read from disk, by another process too."""

import tempfile
from pathlib import Path

from analysis.embedding import cached_encoder
from analysis.embedding.methods import DEFAULT
from analysis.experiments.score import score
from analysis.rerouting.plan import Plan
from analysis.storage import result_store
from benchmarks.measuring import Ratio, backbone, compare, described, pairs

PLAN = Plan((29,))


def measure() -> list[Ratio]:
    """A stored score against computing it; the same texts in another corpus likewise."""
    loaded, rated = backbone(), pairs(200)
    with tempfile.TemporaryDirectory() as folder, result_store.only(Path(folder)):
        score(loaded, rated, [DEFAULT.under(PLAN)])

        def anew() -> None:
            with tempfile.TemporaryDirectory() as empty, result_store.only(Path(empty)):
                score(loaded, rated, [DEFAULT.under(PLAN)])

        again = compare(
            "the same request again",
            lambda: score(loaded, rated, [DEFAULT.under(PLAN)]),
            "computing it",
            anew,
            on=described(rated.texts, rated.name),
            target=0.02,
            repetitions=3,
            note="nothing is held in memory, so a restart changes nothing",
        )
    requests = [DEFAULT.under(PLAN)]
    cached_encoder.encode_methods(loaded, rated.texts, requests)

    def read() -> None:
        cached_encoder.encode_methods(loaded, rated.texts[::-1], requests)

    def encoded() -> None:
        with tempfile.TemporaryDirectory() as empty, result_store.only(Path(empty)):
            cached_encoder.encode_methods(loaded, rated.texts[::-1], requests)

    return [
        again,
        compare(
            "texts that were encoded before, in another request",
            read,
            "encoding them",
            encoded,
            on=described(rated.texts, rated.name),
            target=0.02,
            repetitions=3,
        ),
    ]
