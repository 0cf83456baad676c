"""Linear layers with their weights laid out once for the CPU's matrix kernel (oneDNN).

PyTorch's own ``Linear`` hands the kernel the weights as they are stored, and the kernel rearranges
them again in every call, or another kernel is used that is slower at these shapes. Laid out once,
when a backbone loads, a pass takes a tenth to a quarter less time (docs/performance.md); numbers
change by rounding only. The stored weights stay beside the packed ones, so memory for both must be
there.
"""

from collections.abc import Callable, Sequence
from functools import cache

import psutil
import torch
from torch.nn.functional import pad

DTYPES = (torch.float32, torch.bfloat16)
"""Those that the kernel computes in; bfloat16 only where the CPU has units that it needs."""
ROWS = 512
"""Tokens in a pass that the layout is chosen for; others are right too."""
TILES = (*range(1024, 512, -128), *range(512, 0, -64))
"""Rows that the kernel may be given at a time where it has tiles (Intel's AMX, bfloat16): there the
order of a row's sums depends on how many rows are given, and an embedding would on what it is
computed beside. Those that agree with the last are used, see ``agreeing``."""
SHARE = 0.25
"""Of the memory that is free, what packed weights may take."""


def pack(model: torch.nn.Module) -> int:
    """Pack every linear layer of a frozen model that lies in memory; how many were packed.

    None are where the dtype has no such kernel, the layers lie on another device or take more than
    ``SHARE`` of the free memory. Subclasses of ``Linear`` are left alone: they may do more.
    """
    usable = [dtype for dtype in DTYPES if _has_kernel(dtype)]
    found = [
        module
        for module in model.modules()
        if type(module) is torch.nn.Linear
        and module.weight.device.type == "cpu"
        and module.weight.dtype in usable
        and "forward" not in vars(module)  # somebody else's, such as accelerate's
    ]
    size = sum(module.weight.numel() * module.weight.itemsize for module in found)
    if size > SHARE * psutil.virtual_memory().available:
        return 0
    for module in found:
        module.forward = _packed(module)  # type: ignore[method-assign, assignment]
    return len(found)


def _has_kernel(dtype: torch.dtype) -> bool:
    """Whether this CPU runs the kernel in ``dtype``; one without AVX-512 refuses bfloat16."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype != torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def agreeing(inputs: int, outputs: int, threads: int) -> tuple[int, ...]:  # noqa: ARG001
    """Which of ``TILES`` sum a row of a bfloat16 layer as the last does, wherever it stands.

    Found by trying, on sums that cancel: what is left of them is the rounding that their order
    brings, on which two orders hardly agree. ``threads`` are what the kernel shares the rows among.
    """
    given = torch.Generator().manual_seed(0)
    weight, rows = (torch.randn(n, inputs, generator=given).bfloat16() for n in (outputs, 8))
    half = inputs // 2
    weight[:, inputs - half :] = weight[:, :half].flip(1)
    rows[:, inputs - half :] = -rows[:, :half].flip(1)
    laid_out = _lay_out(weight, TILES[-1])
    found = {n: _kernel(rows.repeat(n // 8, 1), laid_out, None).view(-1, 8, outputs) for n in TILES}
    expected = found[TILES[-1]][0]
    return tuple(n for n in TILES if (found[n] == expected).all())


def _packed(module: torch.nn.Linear) -> Callable[[torch.Tensor], torch.Tensor]:
    plain, bias, dtype = module.forward, module.bias, module.weight.dtype
    tiles: tuple[int, ...] = ()
    with torch.inference_mode():
        laid_out = _lay_out(module.weight.detach(), ROWS)
        if dtype == torch.bfloat16 and torch.cpu._is_amx_tile_supported():
            tiles = agreeing(module.in_features, module.out_features, torch.get_num_threads())

    def forward(input: torch.Tensor) -> torch.Tensor:
        changed = {input.dtype, module.weight.dtype} != {dtype}
        if changed or input.numel() == 0 or input.requires_grad:
            return plain(input)
        rows = input.numel() // input.shape[-1]
        if rows > 1 and not tiles:
            return _kernel(input, laid_out, bias)
        # a row alone has a kernel of its own, so it is given one more
        more = -rows % tiles[-1] if tiles else 1
        padded = input.reshape(rows, -1)
        padded = pad(padded, (0, 0, 0, more)) if more else padded
        parts = torch.split(padded, _cut(rows + more, tiles)) if tiles else (padded,)
        made = [_kernel(part, laid_out, bias) for part in parts]
        found = torch.cat(made) if len(made) > 1 else made[0]
        return found[:rows].view(*input.shape[:-1], -1)

    return forward


def _cut(rows: int, tiles: Sequence[int]) -> list[int]:
    """``rows``, a multiple of the last of ``tiles``, as a sum of them, the largest first."""
    cut = []
    for tile in tiles:
        cut += [tile] * (rows // tile)
        rows %= tile
    return cut


def _lay_out(weight: torch.Tensor, rows: int) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return found


def _kernel(input: torch.Tensor, laid_out: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(input, laid_out, bias, "none", [], "")
    return found
