"""Claim: a packaged backbone is converted once, and loads quickly after that."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Ratio, of_repetitions

CODE = """
import time
from analysis.backbones import backbone
import torch, transformers
from transformers import AutoModel, AutoTokenizer
began = time.perf_counter()
backbone.load("smollm2")
print(time.perf_counter() - began)
"""


def measure() -> list[Ratio]:
    """Measure the first load, which converts the weights, and the second, in a process each."""
    found = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            first, second = _load(folder), _load(folder)
        found.append((second, first))
    return [
        of_repetitions(
            "second load of a packaged backbone",
            "the first, which converts it",
            found,
            on="SmolLM2, a process each, imports not counted",
            target=round(1 / 15, 3),
            note="a load reads, checks by checksum, packs and probes",
        )
    ]


def _load(cache: str) -> float:
    output = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=Path(__file__).resolve().parents[1],
        env=os.environ | {"KVE_CACHE": cache},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return float(output.split()[-1])
