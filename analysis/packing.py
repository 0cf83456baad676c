"""Linear layers with their weights laid out once for the CPU's matrix kernel (oneDNN).

PyTorch's own ``Linear`` hands the kernel the weights as they are stored, and the kernel rearranges
them again in every call, or another kernel is used that is slower at these shapes. Laid out once,
when a backbone loads, a pass takes a tenth to a quarter less time (docs/performance.md); numbers
change by rounding only. The stored weights stay beside the packed ones, so memory for both must be
there.
"""

from collections.abc import Callable

import psutil
import torch

DTYPES = (torch.float32, torch.bfloat16)
"""Those that the kernel computes in; bfloat16 only where the CPU has units that it needs."""
ROWS = 512
"""Tokens in a pass that the layout is chosen for; others are right too."""
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


def _packed(module: torch.nn.Linear) -> Callable[[torch.Tensor], torch.Tensor]:
    plain, bias, dtype = module.forward, module.bias, module.weight.dtype
    with torch.inference_mode():
        laid_out = torch.ops.mkldnn._reorder_linear_weight(module.weight.detach(), ROWS)

    def forward(input: torch.Tensor) -> torch.Tensor:
        changed = {input.dtype, module.weight.dtype} != {dtype}
        if changed or input.numel() == 0 or input.requires_grad:
            return plain(input)
        found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
            input, laid_out, bias, "none", [], ""
        )
        return found

    return forward
