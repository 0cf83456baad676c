"""How cost grows: with the number of texts, with their length, with the layers re-routed."""

from functools import partial

import torch

from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT, METHODS
from analysis.rerouting import forward_pass
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import PLAIN, Plan
from benchmarks.measuring import Point, backbone, distinct, long_texts, pairs, seconds

TEXTS = (100, 1000, 10_000)
TOKENS = (32, 64, 128, 256, 512, 1024, 2048, 4096)


def measure() -> list[Point]:
    """Points along the three axes."""
    loaded = backbone()
    every = Plan(tuple(range(loaded.layers)))
    found = []
    encode(loaded, distinct(50), METHODS["mean"])
    for size in TEXTS:
        texts = distinct(size)
        result = encode(loaded, texts, METHODS["mean"])
        per_token = 1e6 * result.seconds / result.tokens
        found.append(Point("texts", len(texts), result.seconds, per_token, "µs a token"))
    ids = loaded.tokenizer(long_texts(loaded, max(TOKENS)), return_tensors="pt")["input_ids"]
    for size in TOKENS:
        rows = max(1, 1024 // size)
        given = ids[:, :size].expand(rows, -1)
        lengths = torch.full((rows,), given.shape[1])

        def run(plan: Plan, given: torch.Tensor = given, at: torch.Tensor = lengths) -> float:
            request = PassRequest(given, at, plan)
            return seconds(lambda: forward_pass.run(loaded.model, request))

        times = sorted((run(every) / run(PLAIN), run(every) / rows) for _ in range(2))[1:]
        ratio, taken = times[len(times) // 2]
        found.append(Point("tokens of a text", size, taken, ratio, "times the plain model"))
    rated = pairs(100)
    for size in range(0, loaded.layers + 1, 5):
        plan = Plan(tuple(range(loaded.layers - size, loaded.layers)))
        taken, plain = (
            min(seconds(partial(encode, loaded, rated.texts, method)) for _ in range(2))
            for method in (DEFAULT.under(plan), DEFAULT)
        )
        found.append(
            Point("layers re-routed", size, taken, taken / plain, "times nothing re-routed")
        )
    return found
