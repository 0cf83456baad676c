"""Device and dtype with reasons; models spread over memory and disk are the same to the bit."""

import pytest
import torch
from conftest import assert_one_sentence

from analysis import placement
from analysis.errors import BackboneError
from analysis.placement import Choice, choose_device, choose_dtype


def test_without_a_gpu_the_cpu_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device() == Choice("cpu", "no GPU is present")


def test_a_gpu_is_chosen_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device() == Choice("mps", "Apple's GPU is present")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    assert choose_device() == Choice("cuda", "a CUDA device is present (Some GPU)")


def test_a_requested_device_is_used_or_refused() -> None:
    assert choose_device("cpu") == Choice("cpu", "as requested")
    for name in ("tpu", "cuda:99", ""):
        with pytest.raises(BackboneError, match=f"device '{name}' cannot be used") as caught:
            choose_device(name)
        assert_one_sentence(caught.value)


@pytest.mark.parametrize(
    ("device", "bfloat16", "expected", "reason"),
    [
        ("cuda", True, "bfloat16", "this GPU has bfloat16 units"),
        ("cuda:1", False, "float16", "this GPU has no bfloat16 units"),
        ("mps", False, "float16", "Apple's GPU computes float16 natively"),
        ("cpu", False, "float32", "this CPU has no bfloat16 units"),
        ("cpu", True, "float32", "exact on a CPU; bfloat16 is faster here, choose it for speed"),
    ],
)
def test_dtypes_are_chosen_with_a_reason(
    device: str, bfloat16: bool, expected: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bfloat16)
    monkeypatch.setattr(placement, "_cpu_has_bfloat16", lambda: bfloat16)
    assert choose_dtype("auto", device) == Choice(expected, reason)


def test_a_requested_dtype_is_used_or_refused() -> None:
    assert choose_dtype("float16", "cpu") == Choice("float16", "as requested")
    with pytest.raises(
        BackboneError, match="no dtype 'int8'; use auto, float32, bfloat16, float16"
    ):
        choose_dtype("int8")
