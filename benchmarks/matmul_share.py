"""Claim: a pass spends most of its time in matrix products, near the machine's rate for them."""

from functools import partial

import numpy as np
import torch

from analysis.backbones.backbone import Backbone
from analysis.embedding.encoder import encode
from analysis.embedding.methods import METHODS
from benchmarks.measuring import (
    Ratio,
    backbone,
    described,
    distinct,
    long_texts,
    of_repetitions,
    seconds,
)

MEAN = METHODS["mean"]
ROWS = 1024
"""Tokens at a time at which the matrix kernel is measured."""


def measure() -> list[Ratio]:
    """Sentences and 512-token texts, in both dtypes."""
    found = []
    for dtype in ("float32", "bfloat16"):
        loaded = backbone(dtype)
        for name, texts, target in (
            ("sentences", list(distinct(300)), 0.80),
            ("512-token texts", long_texts(loaded, 512, 12), 0.85),
        ):
            found.append(_share(loaded, name, texts, target))
    return found


def _share(loaded: Backbone, name: str, texts: list[str], target: float) -> Ratio:
    """Measure the share of a pass's time that its matrix products alone would take."""
    layers = [m for m in loaded.model.modules() if isinstance(m, torch.nn.Linear)]
    weights = sum(layer.weight.numel() for layer in layers)
    dtype = layers[0].weight.dtype
    given = {
        width: torch.randn(1, ROWS, width).to(dtype) for width in {m.in_features for m in layers}
    }
    found = []
    for number in range(4):
        rate = ROWS / min(
            seconds(partial(_products, layers, given, packed))
            for packed in (True, False)
            for _ in range(2)
        )
        pass_ = encode(loaded, texts, MEAN)
        if number:
            found.append((pass_.seconds, pass_.tokens / rate))
    gigaflops = 2 * weights * pass_.tokens / 1e9
    return of_repetitions(
        f"share of the matmul rate, {loaded.dtype.value}, {name}",
        "the model's linear layers alone, the same real tokens, 1,024 at a time",
        found,
        on=described(texts, name) + f", {pass_.tokens:,} tokens",
        target=target,
        at_least=True,
        note=f"{gigaflops / np.median([ours for ours, _ in found]):.0f} of "
        f"{gigaflops / np.median([limit for _, limit in found]):.0f} GFLOP/s; the faster of packed "
        "and plain layers is the limit",
    )


def _products(layers: list[torch.nn.Linear], given: dict[int, torch.Tensor], packed: bool) -> None:
    """Every linear layer once, on ``given`` (1, 1,024, D) for each width D."""
    with torch.inference_mode():
        for layer in layers:
            if packed:
                layer(given[layer.in_features])
            else:
                torch.nn.functional.linear(given[layer.in_features], layer.weight)
