"""Kernels that give a log-sum-exp: their shapes on CUDA, the closed form on any, and the choice."""

from collections.abc import Callable

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from analysis.backbones.probe import choose_form
from analysis.rerouting import kernels
from analysis.rerouting.attention import closed_form, concatenated_form, relative_distance
from analysis.rerouting.kernels import CUDA_KERNELS, STEP, Form
from analysis.rerouting.masks import Band, Mask

WIDTHS = (16, 20)
"""Head sizes: one that CUDA's kernels take as it is, one that has to be filled up."""


@pytest.mark.parametrize("form", CUDA_KERNELS)
def test_a_cuda_kernel_is_called_as_pytorch_has_it(form: Form) -> None:
    """On tensors without contents, which need no GPU: arguments and shapes."""
    dtype = torch.float32 if form == "closed-efficient" else torch.bfloat16
    with FakeTensorMode():
        query, key = (torch.empty(2, 4, 37, 16, device="cuda", dtype=dtype) for _ in range(2))
        band = torch.empty(1, 1, 37, 37, device="cuda", dtype=dtype)
        for mask in (None, band):
            out, lse = CUDA_KERNELS[form](query, key, key, mask, 0.25)
            assert (out.shape, out.dtype, out.device.type) == (query.shape, dtype, "cuda")
            assert (lse.shape, lse.dtype) == ((2, 4, 37), torch.float32)


def test_which_kernel_serves_which_device() -> None:
    cpu, cuda, mps = map(torch.device, ("cpu", "cuda", "mps"))
    assert kernels.kernel_for("concatenated", cpu) is None
    assert kernels.kernel_for("concatenated", cuda) is None
    assert kernels.kernel_for("closed", cuda) is None
    assert kernels.kernel_for("closed", mps) is None
    for form, kernel in CUDA_KERNELS.items():
        assert kernels.kernel_for(form, cuda) is kernel
        assert kernels.kernel_for(form, cpu) is kernels.cpu_kernel, "of a spread model"


@pytest.mark.parametrize("extra", [(0, 0), (27, 0), (0, 1)], ids=["", "padded", "an axis more"])
def test_a_log_sum_exp_is_cut_to_the_queries(extra: tuple[int, int]) -> None:
    padding, axis = extra
    lse = torch.randn(2, 4, 37)
    given = torch.nn.functional.pad(lse, (0, padding), value=torch.inf)
    given = given[..., None] if axis else given
    assert torch.equal(kernels._of_queries(given, torch.empty(2, 4, 37, 16)), lse)


@pytest.mark.parametrize("keys", [5, 16, 37])
def test_a_mask_has_aligned_rows_and_hides_the_same(keys: int) -> None:
    visible = torch.rand(1, 1, 3, keys) < 0.5
    query, key = torch.empty(2, 4, 3, 8), torch.empty(2, 4, keys, 8)
    mask = kernels._aligned(visible, query, key)
    assert mask is not None
    assert mask.shape == (2, 4, 3, keys)
    assert mask.stride(2) % STEP == 0
    assert torch.equal(mask == 0, visible.expand_as(mask))
    assert kernels._aligned(None, query, key) is None


def by_formula(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A kernel as CUDA has them: as many heads of keys as of queries, widths that fit."""
    assert query.shape[1] == key.shape[1] == value.shape[1]
    assert query.shape[-1] == value.shape[-1]
    assert query.shape[-1] % 8 == 0
    logits = query @ key.transpose(2, 3) * scale
    if mask is None:
        mask = torch.ones(logits.shape[2:], dtype=torch.bool).tril()
    aligned = kernels._aligned(mask[None, None] if mask.ndim == 2 else mask, query, key)
    logits = logits + aligned  # type: ignore[operator]
    return logits.softmax(-1) @ value, logits.logsumexp(-1)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("mask", [None, Band(4), Band(30)], ids=["causal", "window", "wide"])
@pytest.mark.parametrize("bias", [1.0, [0.5, -1.0, 2.0, float("-inf")]], ids=["one", "by head"])
def test_the_closed_form_on_such_a_kernel_is_the_concatenated_one(
    width: int, mask: Mask, bias: float | list[float]
) -> None:
    drawn = torch.Generator().manual_seed(0)
    query = torch.randn(2, 4, 21, width, generator=drawn)
    key, value = (torch.randn(2, 2, 21, size, generator=drawn) for size in (width, 12))
    pair = key[:, :, -1:], value[:, :, -1:]
    given = (query, key, value, pair, mask, 0.3, bias)
    out, gate = closed_form(*given, by_formula)
    expected, expected_gate = concatenated_form(*given, keep_gate=True)
    assert expected_gate is not None
    torch.testing.assert_close(out, expected, atol=2e-6, rtol=0)
    torch.testing.assert_close(gate, expected_gate, atol=2e-6, rtol=0)


def differ_by(distances: dict[Form, float]) -> Callable[[Form], float]:
    def differ(form: Form) -> float:
        if form not in distances:
            raise RuntimeError("No available kernel.\nSomewhere in PyTorch.")
        return distances[form]

    return differ


def test_the_first_kernel_that_agrees_is_chosen_and_the_reason_names_the_others() -> None:
    chosen, why = choose_form("cuda", differ_by(dict.fromkeys(CUDA_KERNELS, 0.2)))
    assert (chosen, why) == ("closed-flash", "PyTorch's flash kernel gives the log-sum-exp")
    chosen, why = choose_form("cuda", differ_by({"closed-cudnn": 40.0, "closed-efficient": 0.9}))
    assert chosen == "closed-efficient"
    assert "flash refuses" in why
    assert "No available kernel." in why
    assert "Somewhere" not in why
    assert "cudnn differs from the concatenated form" in why


def test_a_kernel_that_gives_no_numbers_is_infinitely_far() -> None:
    ones, none = torch.ones(3), torch.full((3,), torch.nan)
    assert relative_distance(ones, none) == relative_distance(none, ones) == torch.inf


@pytest.mark.parametrize(("device", "part"), [("cuda", "no kernel serves"), ("mps", "for mps")])
def test_where_none_serves_the_pair_is_concatenated(device: str, part: str) -> None:
    chosen, why = choose_form(device, differ_by({"closed-flash": float("nan")}))
    assert kernels.kernel_for(chosen, torch.device(device)) is None
    assert part in why
