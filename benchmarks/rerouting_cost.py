"""Claim: re-routing costs next to nothing, on sentences and on long texts."""

import subprocess
import sys
from functools import partial
from pathlib import Path

from analysis.embedding.encoder import encode
from analysis.embedding.methods import DEFAULT
from analysis.rerouting import forward_pass
from analysis.rerouting.kernels import Form
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import PLAIN, Plan
from benchmarks.measuring import (
    Ratio,
    backbone,
    compare,
    described,
    long_texts,
    of_repetitions,
    pairs,
)

WINDOW = Plan((29,))
"""What the paper's rule selects on SmolLM2 (docs/results.md)."""
LONG = 4096


def measure() -> list[Ratio]:
    """The selected window and all layers, on sentences; all layers on 4,096 tokens."""
    loaded, rated = backbone(), pairs(200)
    texts = rated.texts
    every = Plan(tuple(range(loaded.layers)))
    found = [
        compare(
            f"re-routing {name}, sentences",
            partial(encode, loaded, texts, DEFAULT.under(plan)),
            "the same encode with nothing re-routed",
            partial(encode, loaded, texts, DEFAULT),
            on=described(texts, rated.name),
            target=target,
        )
        for name, plan, target in (
            ("the selected window", WINDOW, 1.05),
            ("all layers", every, None),
        )
    ]
    for form, target in (("closed", 1.10), ("concatenated", None)):
        name = "all layers, " + ("an explicit mask" if form == "concatenated" else "closed form")
        found.append(
            compare(
                f"re-routing {name}, {LONG:,} tokens",
                partial(_long, form),
                "the plain model with is_causal attention",
                partial(_long, "plain"),
                on=f"one text of {LONG:,} tokens",
                target=target,
                repetitions=2,
            )
        )
        found.append(
            of_repetitions(
                f"peak memory of re-routing {name}, {LONG:,} tokens",
                "the plain model with is_causal attention",
                [(_peak(form), _peak("plain")) for _ in range(2)],
                on=f"one text of {LONG:,} tokens, a process each",
                target=target,
                unit="MB",
                note="what the pass adds at its peak to the resident memory after loading, a tenth "
                "of it, and it varies from run to run",
            )
        )
    return found


def _long(way: str) -> None:
    loaded = backbone()
    ids = loaded.tokenizer(long_texts(loaded, LONG), return_tensors="pt")["input_ids"][:, :LONG]
    plan = PLAIN if way == "plain" else Plan(tuple(range(loaded.layers)))
    form: Form = "concatenated" if way == "concatenated" else "closed"
    lengths = ids.new_tensor([ids.shape[1]])
    forward_pass.run(loaded.model, PassRequest(ids, lengths, plan, form))


def _peak(way: str) -> float:
    """Megabytes that the pass adds at its peak, in a process of its own (Linux)."""
    output = subprocess.run(
        [sys.executable, "-m", "benchmarks.rerouting_cost", way],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return float(output.split()[-1])


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(field))) / 1000


if __name__ == "__main__":
    loaded_ = backbone()
    long_texts(loaded_, LONG)
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status("VmRSS")
    _long(sys.argv[1])
    print(_status("VmHWM") - before)
