"""The script for GPUs in its small form, on the CPU."""

import json
from dataclasses import asdict

import pytest

from benchmarks import __main__ as command
from benchmarks import gpu
from benchmarks.gpu import OnDevice


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "REPETITIONS", 1)
    monkeypatch.setattr(gpu, "seconds", lambda work: work() or 0.5)


@pytest.mark.slow
def test_small_shapes_are_right_on_the_cpu_and_make_the_tables(quick: None) -> None:
    del quick
    rows = gpu.measure("cpu", packaged=())
    assert [(row.backbone, row.dtype) for row in rows] == [
        ("Qwen3-4B", "bfloat16"),
        ("Qwen3-4B", "float32"),
        ("Mistral-7B", "bfloat16"),
        ("Llama-3.1-8B", "bfloat16"),
    ]
    for row in rows:
        assert row.is_correct
        assert row.form == "closed"
        assert row.peaks == {}
        assert min(row.differences.values()) >= 0
        assert row.speeds["plain"] == 2 * 24 / 0.5
    text = gpu.table(rows)
    assert "| Qwen3-4B | float32 | closed | 96 | 96 | 96 | 96 |" in text
    assert "too much" not in text
    assert [OnDevice(**json.loads(json.dumps(asdict(row)))) for row in rows] == rows


def test_what_differs_too_much_is_marked_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = OnDevice(
        "Qwen3-4B", "cuda", "bfloat16", "closed-flash", "why", {"a": 0.01, "b": 0.5}, {}, {"c": 9}
    )
    monkeypatch.setattr(gpu, "measure", lambda *_: [row])
    assert command.measure_on_gpu() == 1
    output = capsys.readouterr().out
    assert "| Qwen3-4B | bfloat16 | 5.0e-01 **too much** | b | c 9 |" in output
    assert "- Qwen3-4B, bfloat16: why." in output
    assert "nothing was stored" in output


@pytest.mark.slow
def test_shapes_are_those_of_the_backbones_that_they_are_named_after() -> None:
    full = gpu.shapes(small=False)
    assert {name: each.hidden_size for name, each in full.items()} == {
        "Qwen3-4B": 2560,
        "Mistral-7B": 4096,
        "Llama-3.1-8B": 4096,
    }
    for each in full.values():
        assert each.num_attention_heads == 4 * each.num_key_value_heads
        assert each.head_dim == 128
