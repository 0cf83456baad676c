"""How long a short request waits beside long texts: ``python -m benchmarks.waiting``.

Tabs of one visitor encode a long text over and over, and another visitor a few sentences, alone and
beside them. What counts is the ratio of its times in the same run, since other load on the machine
changes both.
"""

import argparse
import json
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass

import numpy as np

from analysis.backbones.backbone import Backbone
from analysis.embedding import encoder
from analysis.embedding.methods import DEFAULT
from analysis.rerouting.plan import Plan
from analysis.runtime import events
from analysis.runtime.visitors import visiting
from benchmarks import measuring

TARGET = 5.0
"""The most that a short request may take beside long texts, in times of what it takes alone."""
SENTENCES = 8
PAUSE = 0.7
"""Seconds that a long pass is kept waiting, so that it hears that it is to stop."""


@dataclass
class Waiting:
    """Seconds of a short request: ``alone`` and ``beside`` long texts, in the order measured.

    ``tokens`` are those of the long text; ``long_done`` counts the long passes that ended.
    """

    tabs: int
    tokens: int
    alone: list[float]
    beside: list[float]
    long_done: int
    equal: bool

    @property
    def ratio(self) -> float:
        """The median beside long texts, in times of the median alone."""
        return float(np.median(self.beside) / np.median(self.alone))

    @property
    def worst(self) -> float:
        """The slowest beside long texts, in times of the median alone."""
        return float(np.max(self.beside) / np.median(self.alone))


class _StopError(Exception):
    """Ends a long request, as a closed tab does."""


def measure(backbone: Backbone, tabs: int, tokens: int, repetitions: int) -> Waiting:
    """Time a short request alone, then beside ``tabs`` long ones of one visitor.

    Args:
        backbone: the decoder.
        tabs: number of long requests at a time.
        tokens: tokens of the long text.
        repetitions: how often the short request is timed, each time.
    """
    method = DEFAULT.under(Plan(backbone.reroutable[-4:]))
    (text,) = measuring.long_texts(backbone, tokens)
    sentences = measuring.distinct(SENTENCES)
    stop, long_done = threading.Event(), [0]

    def wait(place: int, _resource: str) -> None:
        if stop.is_set() and place:
            raise _StopError

    def read_long_text(tab: int) -> None:
        with (
            suppress(_StopError),
            visiting("reader of long texts", str(tab)),
            events.listening(print, wait),
        ):
            while not stop.is_set():
                encoder.encode(backbone, [text], method)
                long_done[0] += 1

    def short() -> tuple[float, np.ndarray]:
        began = time.perf_counter()
        with visiting("other", "short"):
            embeddings = encoder.encode(backbone, sentences, method).embeddings
        return time.perf_counter() - began, embeddings

    short()  # to warm up
    alone = [short() for _ in range(repetitions)]
    threads = [threading.Thread(target=read_long_text, args=(tab,)) for tab in range(tabs)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(2)
        beside = []
        for _ in range(repetitions):
            beside.append(short())
            time.sleep(1)
    finally:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            with backbone.lock:
                time.sleep(PAUSE)
            time.sleep(0.01)
    return Waiting(
        *(tabs, tokens, [seconds for seconds, _ in alone], [seconds for seconds, _ in beside]),
        long_done[0],
        all(np.array_equal(rows, alone[0][1]) for _, rows in (*alone, *beside)),
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure as the options say; code 1 if the target is missed or a vector differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tabs", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=8_100, help="of the long text")
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args(arguments)
    loaded = measuring.backbone("float32")
    result = measure(loaded, options.tabs, options.tokens, options.repetitions)
    print(json.dumps(asdict(result) | {"ratio": result.ratio, "worst": result.worst}, indent=1))
    return 1 if result.ratio > TARGET or not result.equal else 0


if __name__ == "__main__":
    sys.exit(main())
