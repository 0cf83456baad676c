"""``python -m benchmarks gpu``: that a GPU gives the right numbers, how fast, in how much memory.

Random weights in the shapes of the method's usual backbones, and the packaged ones. Without a GPU
everything runs on the CPU in shapes that are small, to try the script; nothing is then stored.
"""

import gc
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from analysis.backbones import backbone as backbones
from analysis.backbones.backbone import Backbone, assemble
from analysis.backbones.devices import Choice
from analysis.backbones.facts import Facts
from analysis.embedding.encoder import encode
from analysis.embedding.methods import METHODS
from analysis.rerouting import forward_pass
from analysis.rerouting.attention import relative_distance
from analysis.rerouting.kernels import Form
from analysis.rerouting.pass_request import PassRequest
from analysis.rerouting.plan import PLAIN, Plan
from benchmarks.measuring import distinct, seconds

LONG = 4096
"""Tokens of the text whose memory is measured."""
ROWS, TOKENS, REPETITIONS = 16, 512, 5
TOLERANCE = {torch.float32: 2e-4, torch.bfloat16: 0.1}
"""The distance that rounding may put between final states, as a share of their norm."""


@dataclass(frozen=True)
class OnDevice:
    """One backbone on one device.

    ``differences`` are relative distances of final states, by what is compared; ``speeds`` tokens a
    second and ``peaks`` megabytes beside the weights at ``LONG`` tokens, by the way.
    """

    backbone: str
    device: str
    dtype: str
    form: Form
    reason: str
    differences: dict[str, float]
    speeds: dict[str, float]
    peaks: dict[str, float]

    @property
    def is_correct(self) -> bool:
        """Whether nothing differs by more than rounding."""
        return max(self.differences.values()) <= TOLERANCE[getattr(torch, self.dtype)]


def shapes(*, small: bool) -> dict[str, Any]:
    """Configurations by name; ``small`` ones keep the ratios of heads, and little else."""
    import transformers

    grouped: dict[str, Any] = {"num_key_value_heads": 8, "num_attention_heads": 32, "head_dim": 128}
    usual = grouped | {"hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 14336}
    qwen = grouped | {"hidden_size": 2560, "num_hidden_layers": 36, "intermediate_size": 9728}
    changes: dict[str, Any] = {"max_position_embeddings": 32_768}
    if small:
        changes |= {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4}
        changes |= {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 16}
        changes |= {"vocab_size": 512}
    return {
        "Qwen3-4B": transformers.Qwen3Config(**{"vocab_size": 151_936} | qwen | changes),
        "Mistral-7B": transformers.MistralConfig(**{"vocab_size": 32_000} | usual | changes),
        "Llama-3.1-8B": transformers.LlamaConfig(
            **{"vocab_size": 128_256} | usual | changes,
            rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
        ),
    }


def random_backbone(name: str, config: Any, device: str, dtype: torch.dtype) -> Backbone:
    """A backbone of random weights, without a tokenizer."""
    from transformers import AutoModel

    torch.manual_seed(0)
    config.dtype = dtype
    with torch.device(device):
        model: Any = AutoModel.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
    facts = Facts(
        name=name,
        kind="folder",
        family=config.model_type,
        parameters=sum(weights.numel() for weights in model.parameters()),
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_size=config.head_dim,
        context=config.max_position_embeddings,
        vocabulary=config.vocab_size,
        licence=None,
    )
    word = str(dtype).removeprefix("torch.")
    return assemble(facts, model, None, Choice(device, "asked"), Choice(word, "asked"), "random")


def middle_plan(loaded: Backbone) -> Plan:
    """A tenth of the layers, at least two, in the middle: what the rule re-routes at most times."""
    count = max(2, loaded.layers // 10)
    begin = (loaded.layers - count) // 2
    return Plan(tuple(range(begin, begin + count)))


def tokens_of(loaded: Backbone, *lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random ids (B, T), padded on the right, and their lengths."""
    drawn = torch.Generator().manual_seed(1)
    size = (len(lengths), max(lengths))
    ids = torch.randint(3, loaded.facts.vocabulary, size, generator=drawn)
    return ids, torch.tensor(lengths)


def differences(loaded: Backbone) -> dict[str, float]:
    """How far final states are from each other that should be equal up to rounding."""
    ids, lengths = tokens_of(loaded, 96, 33, 64)
    every = Plan(tuple(range(loaded.layers)))
    full = PassRequest(ids, lengths, every, loaded.form, keep_inputs=[loaded.layers // 2])

    def run(request: PassRequest) -> torch.Tensor:
        return forward_pass.run(loaded.model, request).final

    result = forward_pass.run(loaded.model, full)
    middle = result.inputs[loaded.layers // 2]
    alone = [
        relative_distance(
            run(replace(full, ids=ids[row : row + 1, :length], lengths=lengths[row : row + 1]))[0],
            result.final[row, :length],
        )
        for row, length in enumerate(lengths.tolist())
    ]
    resumed = run(replace(full, start=loaded.layers // 2, start_states=middle))
    hidden = replace(full, plan=Plan(every.layers, -1e4))
    return {
        "closed and concatenated": relative_distance(
            run(replace(full, form="concatenated")), result.final
        ),
        "a batch and a text alone": max(alone),
        "resumed and full": relative_distance(resumed, result.final),
        "a hidden pair and the plain model": relative_distance(
            run(replace(full, plan=PLAIN)), run(hidden)
        ),
    }


def speeds(loaded: Backbone, rows: int, tokens: int) -> dict[str, float]:
    """Tokens a second of plain and re-routed passes over ``rows`` texts; medians, in turn."""
    ids, lengths = tokens_of(loaded, *[tokens] * rows)
    ways = {
        "plain": PassRequest(ids, lengths),
        "re-routed, a tenth": PassRequest(ids, lengths, middle_plan(loaded), loaded.form),
        "re-routed, all layers": PassRequest(ids, lengths, _every(loaded), loaded.form),
        "concatenated, all layers": PassRequest(ids, lengths, _every(loaded), "concatenated"),
    }
    runs = {name: partial(_run, loaded, request) for name, request in ways.items()}
    return _rates(runs, rows * tokens)


def peaks(loaded: Backbone, tokens: int) -> dict[str, float]:
    """Megabytes that a pass over one text takes beside the weights; none where not on CUDA."""
    if not loaded.device.value.startswith("cuda"):
        return {}
    ids, lengths = tokens_of(loaded, tokens)
    found = {}
    for name, plan, form in (
        ("plain", PLAIN, loaded.form),
        ("re-routed, all layers", _every(loaded), loaded.form),
        ("concatenated, all layers", _every(loaded), "concatenated"),
    ):
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _run(loaded, PassRequest(ids, lengths, plan, form))
        found[name] = (torch.cuda.max_memory_allocated() - before) / 1e6
    return found


def against_others(name: str, device: str, dtype: str, texts: Sequence[str]) -> OnDevice:
    """A packaged backbone beside sentence-transformers on the same weights and device."""
    from benchmarks.throughput import transformer

    loaded = backbones.load(name, dtype=dtype, device=device)
    total = encode(loaded, texts, METHODS["mean"]).tokens
    with tempfile.TemporaryDirectory() as folder:
        theirs = transformer(dtype, folder, name, device)
        rates = _rates(
            {
                "encode": lambda: encode(loaded, texts, METHODS["mean"]),
                "sentence-transformers": lambda: theirs.encode(
                    list(texts), show_progress_bar=False
                ),
            },
            total,
        )
    return _row(loaded, speeds(loaded, ROWS, TOKENS) | rates, LONG)


def measure(device: str, *, packaged: Sequence[str] = ("smollm2", "gemma3-270m")) -> list[OnDevice]:
    """Every backbone on a device, in bfloat16 and the smallest in float32 as well."""
    small = device != "cuda"
    rows, tokens = (2, 24) if small else (ROWS, TOKENS)
    found = []
    for name, config in shapes(small=small).items():
        for dtype in (torch.bfloat16, torch.float32)[: 2 if name == "Qwen3-4B" else 1]:
            loaded = random_backbone(name, config, device, dtype)
            found.append(_row(loaded, speeds(loaded, rows, tokens), 128 if small else LONG))
            del loaded
            gc.collect()
    texts = distinct(20 if small else 2000)
    found += [against_others(name, device, "bfloat16", texts) for name in packaged]
    return found


def table(rows: Sequence[OnDevice]) -> str:
    """What was measured, as two tables of Markdown."""
    ways = list(dict.fromkeys(way for row in rows for way in row.speeds))
    parts = [
        _line("backbone", "dtype", "form", *ways),
        _line(*["---"] * (3 + len(ways))),
        *(
            _line(row.backbone, row.dtype, row.form, *(_number(row.speeds, way) for way in ways))
            for row in rows
        ),
        "",
        _line("backbone", "dtype", "largest difference", "between", "MB beside the weights"),
        _line(*["---"] * 5),
    ]
    for row in rows:
        largest = max(row.differences, key=row.differences.__getitem__)
        memory = ", ".join(f"{way} {peak:,.0f}" for way, peak in row.peaks.items()) or "-"
        far = f"{row.differences[largest]:.1e}" + ("" if row.is_correct else " **too much**")
        parts.append(_line(row.backbone, row.dtype, far, largest, memory))
    reasons = dict.fromkeys(
        f"- {row.backbone}, {row.dtype}: {row.reason}." for row in rows if row.reason
    )
    return "\n".join([*parts, *([""] if reasons else []), *reasons])


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _number(numbers: dict[str, float], way: str) -> str:
    return f"{numbers[way]:,.0f}" if way in numbers else "-"


def _every(loaded: Backbone) -> Plan:
    return Plan(tuple(range(loaded.layers)))


def _row(loaded: Backbone, found: dict[str, float], long: int) -> OnDevice:
    return OnDevice(
        loaded.facts.name,
        loaded.device.value,
        loaded.dtype.value,
        loaded.form,
        loaded.form_reason,
        differences(loaded),
        found,
        peaks(loaded, long),
    )


def _run(loaded: Backbone, request: PassRequest) -> None:
    forward_pass.run(loaded.model, request)
    if loaded.device.value.startswith("cuda"):
        torch.cuda.synchronize()


def _rates(ways: Mapping[str, Callable[[], object]], tokens: int) -> dict[str, float]:
    """Tokens a second of each way, the median of repetitions in turn after a warm-up."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(REPETITIONS + 1):
        for name, work in ways.items():
            found = seconds(work)
            if repetition:
                taken[name].append(found)
    return {name: tokens / sorted(each)[len(each) // 2] for name, each in taken.items()}
