"""How ``encode`` scales over workers, and that its memory stays flat. Tables of docs/scale.md.

``python -m benchmarks.scaling speed`` encodes the same texts by SmolLM2 in this process and by one
and two of Ray's workers with one thread each. ``python -m benchmarks.scaling memory N`` encodes N
short texts by a model of a few thousand parameters, where transport is nearly all the cost, and
watches the memory of all processes. Both print a table.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil

from analysis.backbones import backbone
from analysis.corpora import packaged, registry
from analysis.corpora.streams import Lines
from analysis.embedding.methods import METHODS
from analysis.parallel import engines, sharded_encoding
from analysis.parallel.engines import Engine

TEXTS = 1024
"""Distinct sentences that are encoded for speed."""
WAYS = {
    "this process, 1 thread": (Engine(), 1),
    "Ray, 1 worker of 1 thread": (Engine("ray", workers=1), 1),
    "Ray, 2 workers of 1 thread each": (Engine("ray", workers=2), 2),
}


def speed() -> Iterator[str]:
    """Seconds of each of :data:`WAYS` by the clock and by the processors, in all processes.

    Backbones are loaded before. Where other work is on the machine, the processors' seconds say
    what the way itself costs.
    """
    texts = registry.load_texts(packaged.CALIBRATION).texts
    texts = (texts * -(-TEXTS // len(texts)))[:TEXTS]
    yield "| way | seconds | texts a second | processor seconds | load before |"
    yield "| --- | --- | --- | --- | --- |"
    for name, (engine, cores) in WAYS.items():
        load = os.getloadavg()[0]
        seconds, worked = _seconds(engine, cores, texts)
        rate = len(texts) / seconds
        yield f"| {name} | {seconds:.1f} | {rate:.1f} | {worked:.1f} | {load:.1f} |"


def _seconds(engine: Engine, cores: int, texts: tuple[str, ...]) -> tuple[float, float]:
    method = METHODS["prompt-only"]
    with tempfile.TemporaryDirectory() as folder, _cores(engine, cores):
        source = Path(folder) / "texts.txt"
        source.write_text("\n".join(text.replace("\n", " ") for text in texts), encoding="utf-8")
        lines = Lines(str(source))
        make = partial(backbone.load, dtype="float32", device="cpu")
        with engines.opened(engine, make, device="cpu") as workers:
            *_, known = workers.map(_ready, range(4 * cores))
            output, before = Path(folder) / "vectors.npy", _worked()
            found = sharded_encoding.encode(workers, known, lines, output, method)
            worked = _worked() - before
        lines.close()
    return found.seconds, worked


def _worked() -> float:
    """Processor seconds so far of this process and all its children."""
    root = psutil.Process()
    return sum(sum(one.cpu_times()[:2]) for one in (root, *root.children(recursive=True)))


def _ready(loaded: backbone.Backbone, _: int) -> backbone.Backbone:
    """Long enough for every worker to get an item, and so to load."""
    time.sleep(2)
    return loaded


@contextmanager
def _cores(engine: Engine, cores: int) -> Iterator[None]:
    """Start a Ray cluster with ``cores`` cores, or limit this process to as many threads."""
    import torch

    if engine.name == "local":
        torch.set_num_threads(cores)
        yield
        return
    import ray

    ray.init(
        "local",
        num_cpus=cores,
        include_dashboard=False,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    try:
        yield
    finally:
        ray.shutdown()


def memory(count: int) -> Iterator[str]:
    """Memory of all processes while ``count`` texts are encoded, at each tenth of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "texts.txt"
        with source.open("w", encoding="utf-8") as file:
            file.writelines(f"{_word(number)}\n" for number in range(count))
        _save(folder / "tiny")
        yield "| engine | texts | texts a second | MB at 20% of the way | at 60% | at 100% | most |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        for engine in ("local", "ray"):
            seconds, used = _watched(folder, source, engine)
            places = [used[int(part * (len(used) - 1))] for part in (0.2, 0.6, 1)]
            sizes = " | ".join(f"{size / 1e6:,.0f}" for size in (*places, max(used)))
            yield f"| {engine} | {count:,} | {count / seconds:,.0f} | {sizes} |"


def _watched(folder: Path, source: Path, engine: str) -> tuple[float, list[int]]:
    """Seconds, and the memory of all processes at each step, from the first written shard on."""
    output = folder / f"{engine}.npy"
    workers = ("--workers", "2") if engine == "ray" else ()
    command = [
        *(sys.executable, "-m", "analysis", "encode", "--backbone", str(folder / "tiny")),
        *("--method", "mean", "--layers", "none", "--dtype", "float32", "--device", "cpu"),
        *("--input", str(source), "--output", str(output), "--engine", engine, *workers),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ)
    part, used, began = output.with_name(f"{output.name}.part"), [], None
    while process.poll() is None:
        if part.exists() and part.stat().st_size > sharded_encoding.MAX_TEXTS:
            began = began or time.perf_counter()
            used.append(_used(process.pid))
        time.sleep(2)
    if process.returncode or began is None:
        raise RuntimeError(f"encode ended with {process.returncode}, or too soon to be watched")
    return time.perf_counter() - began, used


def _used(pid: int) -> int:
    """Bytes of a process and all its children; shared memory counts once."""
    whole = 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            whole += process.memory_full_info().pss
        except psutil.Error:
            continue  # it ended meanwhile
    return whole


def _word(number: int) -> str:
    """A word of letters for a number, different for each number."""
    letters = ""
    while number or not letters:
        number, rest = divmod(number, 26)
        letters += chr(ord("a") + rest)
    return letters


def _save(folder: Path) -> None:
    """A Llama of one layer that reads letters."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

    words = ["<s>", "</s>", "<pad>", *"abcdefghijklmnopqrstuvwxyz"]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=64,
    )
    LlamaModel(config).save_pretrained(folder)


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or ["speed"]
    for line in memory(int(rest[0] if rest else 1_000_000)) if what == "memory" else speed():
        print(line, flush=True)
