"""``python -m benchmarks``: measure every claim; write results.json and docs/performance.md.

``python -m benchmarks NAME ...`` measures only the scripts of these names and keeps the other
numbers; ``python -m benchmarks write`` measures nothing and writes the page from stored numbers.
``python -m benchmarks gpu`` measures on a GPU; without one it tries everything in small shapes on
the CPU, prints what it finds and stores nothing.
"""

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.backbones.devices import choose_dtype
from analysis.storage import result_store
from benchmarks import (
    ablation_cost,
    dimension_cost,
    flip_cost,
    gpu,
    growth,
    half_precision,
    load_cost,
    matmul_share,
    repeat_cost,
    rerouting_cost,
    throughput,
)
from benchmarks.gpu import OnDevice
from benchmarks.half_precision import Checked
from benchmarks.measuring import Point, Ratio

ROOT = Path(__file__).resolve().parent.parent
RESULTS, PAGE = ROOT / "benchmarks" / "results.json", ROOT / "docs" / "performance.md"
NOTES = ROOT / "benchmarks" / "notes.md"
CLAIMS = {
    claim.__name__.split(".")[-1]: claim
    for claim in (
        rerouting_cost,
        throughput,
        matmul_share,
        ablation_cost,
        flip_cost,
        dimension_cost,
        load_cost,
        repeat_cost,
    )
}
Measured = dict[str, Any]


def machine() -> str:
    """The processor, its threads in use, and the versions that compute."""
    import torch

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((li.split(":")[1].strip() for li in lines if li.startswith("model name")), "")
    units = " with fast bfloat16" if choose_dtype().value == "bfloat16" else ""
    return (
        f"{name or platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, "
        f"{torch.backends.cpu.get_cpu_capability()}{units}; torch {torch.__version__}, "
        f"transformers {result_store.versions()['transformers']}"
    )


def page(stored: Measured) -> str:
    """docs/performance.md, from the stored numbers and the notes beside them."""
    ratios = [Ratio(**ratio) for name in CLAIMS for ratio in stored["claims"].get(name, ())]
    rows = [
        f"| {r.claim} | {r.against} | {r.on} | {r.ratio:.3f} [{r.low:.3f}, {r.high:.3f}] | "
        f"{_target(r)} | {_amount(r.ours, r.unit)} | {_amount(r.theirs, r.unit)} |"
        for r in ratios
    ]
    notes = [f"- {r.claim}: {r.note}." for r in ratios if r.note]
    return _PAGE.format(
        machine=stored["machine"],
        dtype=stored["dtype"],
        rows="\n".join(rows),
        notes="\n".join(notes),
        growth=_growth([Point(**point) for point in stored["growth"]]),
        half=half_precision.tables([Checked(**row) for row in stored["half_precision"]]),
        gpu=_on_gpu(stored.get("gpu")),
        prose=NOTES.read_text(encoding="utf-8").strip(),
    )


_PAGE = """# Performance

Written by `make bench` from numbers measured on one machine that did nothing else. Each row
compares two ways on the same texts in one run, in turn, after a warm-up: the median ratio
[smallest, largest of single repetitions], its target, and the medians. SmolLM2 135M in {dtype}
unless a row says otherwise. *share* and *encode* rows are speeds, where larger is better; all
others are costs.

Machine: {machine}.

| claim | against | on | ratio | target | ours | alternative |
| --- | --- | --- | --- | --- | --- | --- |
{rows}

{notes}

{prose}

## How cost grows

{growth}

## Whether bfloat16 changes results

{half}

## On a GPU

{gpu}
"""
_NO_GPU = """No figure of a GPU is claimed: none was at hand. `python -m benchmarks gpu` measures
one and writes this section: whether closed and concatenated form, batches and single texts, and
resumed and full passes agree; tokens a second of plain and re-routed passes, and of sentence-
transformers; and peak memory at 4,096 tokens; on random weights in the shapes of Qwen3-4B,
Mistral-7B and Llama-3.1-8B and on the packaged backbones. Without a GPU it runs small shapes on
the CPU, as tests do, and stores nothing.

The closed form needs the log-sum-exp of each query's logits. Three of PyTorch's kernels for
CUDA give it: flash and cuDNN's in half precision, the memory-efficient one in every dtype and
under masks. When a backbone is loaded they are tried in this order on its own queries and keys,
with and without a sliding window; the first that agrees with the concatenated form is used, and
the reason is shown. Where none serves, and on Apple's GPUs, whose kernel gives no log-sum-exp,
the pair is concatenated with a mask."""


def _target(ratio: Ratio) -> str:
    if ratio.target is None:
        return "none, for comparison"
    bound = "at least" if ratio.at_least else "at most"
    return f"{bound} {ratio.target:g}: {'yes' if ratio.reached else '**no**'}"


def _amount(value: float, unit: str) -> str:
    if unit != "s":
        return f"{value:,.0f} {unit}"
    return f"{1000 * value:.1f} ms" if value < 1 else f"{value:.1f} s"


def _growth(points: Sequence[Point]) -> str:
    parts = []
    for axis in dict.fromkeys(point.axis for point in points):
        along = [point for point in points if point.axis == axis]
        parts.append(
            f"| {axis} | seconds | {along[0].unit} |\n| --- | --- | --- |\n"
            + "\n".join(f"| {p.size:,} | {p.seconds:.2f} | {p.each:.4g} |" for p in along)
        )
    return "\n\n".join(parts)


def _on_gpu(stored: Measured | None) -> str:
    if stored is None:
        return _NO_GPU
    rows = gpu.table([OnDevice(**row) for row in stored["rows"]])
    return f"Tokens a second, and what differs. Device: {stored['device']}.\n\n{rows}"


def measure_on_gpu() -> int:
    """Measure on a GPU and store it, or try everything on the CPU; code 1 where numbers differ."""
    import torch

    on_gpu = torch.cuda.is_available()
    rows = gpu.measure("cuda" if on_gpu else "cpu")
    print(gpu.table(rows))
    if on_gpu:
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
        results["gpu"] = {
            "device": f"{torch.cuda.get_device_name()}; torch {torch.__version__}",
            "rows": [asdict(row) for row in rows],
        }
        RESULTS.write_text(json.dumps(_rounded(results), indent=1) + "\n", encoding="utf-8")
    else:
        print("There is no GPU here: small shapes on the CPU, nothing was stored.")
    return 0 if all(row.is_correct for row in rows) else 1


def write() -> None:
    """Write the page from the stored numbers."""
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")


def measure(names: Sequence[str]) -> None:
    """Measure the scripts of these names, all by default, and store the numbers."""
    results: Measured = {"claims": {}, "growth": [], "half_precision": []}
    if names and RESULTS.exists():
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
    results |= {"machine": machine(), "dtype": choose_dtype().value}
    for name in names or (*CLAIMS, "growth", "half_precision"):
        if name in CLAIMS:
            ratios = CLAIMS[name].measure()
            for ratio in ratios:
                print(f"{ratio.claim}: {ratio.ratio:.3f} ({_target(ratio)})", flush=True)
            results["claims"][name] = [asdict(ratio) for ratio in ratios]
        else:
            script = growth if name == "growth" else half_precision
            results[name] = [asdict(row) for row in script.measure()]
        RESULTS.write_text(json.dumps(_rounded(results), indent=1) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def main(arguments: list[str]) -> int:
    """Measure, store and write, or only write."""
    known = (*CLAIMS, "growth", "half_precision")
    if arguments == ["gpu"]:
        code = measure_on_gpu()
        write()
        return code
    if arguments != ["write"]:
        if unknown := [name for name in arguments if name not in known]:
            print(f"There is no benchmark {unknown[0]!r}; use {', '.join(known)}, gpu or write.")
            return 2
        measure(arguments)
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
