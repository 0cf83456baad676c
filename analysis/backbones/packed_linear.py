"""Linear layers with their weights laid out once for the CPU's matrix kernel (oneDNN).

PyTorch's own ``Linear`` hands the kernel the weights as they are stored, and the kernel rearranges
them again in every call, or another kernel is used that is slower at these shapes. Laid out once,
when a backbone loads, a pass takes a tenth to a quarter less time (docs/performance.md); numbers
change by rounding only. The stored weights stay beside the packed ones, so both need memory.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import psutil
import torch
from torch.nn.functional import pad

DTYPES = (torch.float32, torch.bfloat16)
"""Dtypes that the kernel computes in; bfloat16 only where the CPU has units for it."""
ROWS = 512
"""Tokens of a pass that the layout is chosen for; any other number works too."""
TILES = (*range(1024, 512, -128), *range(512, 0, -64))
"""Rows that the kernel may be given at a time where it has tiles (Intel's AMX, bfloat16): there the
order of a row's sums depends on the number of rows, so an embedding would depend on the other texts
of its batch. Only those that agree with the last are used, see ``agreeing_tiles``."""
MEMORY_SHARE = 0.25
"""Share of the free memory that packed weights may take."""


class PackedLinear(torch.nn.Linear):
    """A frozen ``Linear`` that computes from weights laid out for the kernel.

    The weight and the bias stay where they were: they are the replaced layer's own parameters.
    Input that the kernel does not support (another dtype or device, a gradient, no rows), and any
    input after the weight was cast to another dtype, is computed as by ``Linear``.
    """

    def __init__(self, linear: torch.nn.Linear) -> None:
        """Take over a layer's parameters and lay out its weight.

        Args:
            linear: a frozen layer on the CPU, in one of :data:`DTYPES`.
        """
        has_bias = linear.bias is not None
        super().__init__(linear.in_features, linear.out_features, bias=has_bias, device="meta")
        self.weight, self.bias = linear.weight, linear.bias
        self.train(linear.training)
        self._lay_out()

    def _lay_out(self) -> None:
        self._packed_dtype = self.weight.dtype
        self._tiles: tuple[int, ...] = ()
        with torch.inference_mode():
            self._packed_weight = _lay_out(self.weight.detach(), ROWS)
            if self._packed_dtype == torch.bfloat16 and torch.cpu._is_amx_tile_supported():
                threads = torch.get_num_threads()
                self._tiles = agreeing_tiles(self.in_features, self.out_features, threads)

    def __getstate__(self) -> dict[str, Any]:
        """What is copied or pickled: all but the packed weight, which is opaque to both."""
        return {name: value for name, value in vars(self).items() if name != "_packed_weight"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._lay_out()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Multiply: (..., in_features) to (..., out_features)."""
        if (
            {input.dtype, self.weight.dtype} != {self._packed_dtype}
            or not input.is_cpu
            or input.numel() == 0
            or input.requires_grad
        ):
            return super().forward(input)
        rows = input.numel() // input.shape[-1]
        if rows > 1 and not self._tiles:
            return _multiply(input, self._packed_weight, self.bias)
        # a single row would use another kernel, so one row is added
        padding = -rows % self._tiles[-1] if self._tiles else 1
        padded = input.reshape(rows, -1)
        padded = pad(padded, (0, 0, 0, padding)) if padding else padded
        pieces = (
            torch.split(padded, cut_rows(rows + padding, self._tiles)) if self._tiles else [padded]
        )
        products = [_multiply(piece, self._packed_weight, self.bias) for piece in pieces]
        product = torch.cat(products) if len(products) > 1 else products[0]
        return product[:rows].view(*input.shape[:-1], -1)


def pack(model: torch.nn.Module) -> int:
    """Replace the linear layers of a frozen model that lies in memory by packed ones.

    None is replaced where the dtype has no such kernel, the layers lie on another device, or the
    packed weights would take more than ``MEMORY_SHARE`` of the free memory. Subclasses of
    ``Linear`` and layers whose calls another library changed (accelerate, in a model that is
    spread) stay as they are: they may do more.

    Args:
        model: its submodules are replaced in place.

    Returns:
        How many layers were packed.
    """
    packable = [
        module
        for module in model.modules()
        if type(module) is torch.nn.Linear and _supports(module)
    ]
    size = sum(module.weight.numel() * module.weight.itemsize for module in packable)
    if size > MEMORY_SHARE * psutil.virtual_memory().available:
        return 0
    packed = {module: PackedLinear(module) for module in packable}
    for parent in list(model.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, torch.nn.Linear) and child in packed:
                setattr(parent, name, packed[child])
    return len(packed)


def _supports(linear: torch.nn.Linear) -> bool:
    """Whether the kernel supports a layer, and no other library changed how it is called."""
    changed = "forward" in vars(linear) or linear._forward_pre_hooks or linear._forward_hooks
    on_cpu = linear.weight.device.type == "cpu"
    return (
        on_cpu
        and not changed
        and linear.weight.dtype in DTYPES
        and _has_kernel(linear.weight.dtype)
    )


def _has_kernel(dtype: torch.dtype) -> bool:
    """Whether this CPU runs the kernel in ``dtype``; one without AVX-512 refuses bfloat16."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype != torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@cache
def agreeing_tiles(inputs: int, outputs: int, threads: int) -> tuple[int, ...]:  # noqa: ARG001
    """Which of ``TILES`` sum a row of a bfloat16 layer as the last does, wherever the row is.

    Found by a test on sums that cancel: what is left of them is the rounding of their order, and
    two orders hardly ever agree on that.

    Args:
        inputs: features of a row.
        outputs: features of its product.
        threads: number of the kernel's threads; part of the cache's key.

    Returns:
        Numbers of rows, the largest first.
    """
    generator = torch.Generator().manual_seed(0)
    weight, rows = (torch.randn(n, inputs, generator=generator).bfloat16() for n in (outputs, 8))
    half = inputs // 2
    weight[:, inputs - half :] = weight[:, :half].flip(1)
    rows[:, inputs - half :] = -rows[:, :half].flip(1)
    packed_weight = _lay_out(weight, TILES[-1])
    products = {
        n: _multiply(rows.repeat(n // 8, 1), packed_weight, None).view(-1, 8, outputs)
        for n in TILES
    }
    expected = products[TILES[-1]][0]
    return tuple(n for n in TILES if (products[n] == expected).all())


def cut_rows(rows: int, tiles: Sequence[int]) -> list[int]:
    """Write ``rows``, a multiple of the last of ``tiles``, as a sum of them, the largest first."""
    sizes = []
    for tile in tiles:
        sizes += [tile] * (rows // tile)
        rows %= tile
    return sizes


def _lay_out(weight: torch.Tensor, rows: int) -> torch.Tensor:
    """A weight (outputs, inputs) in the kernel's layout for about so many rows; opaque."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    return packed


def _multiply(
    rows: torch.Tensor, packed_weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(
        rows, packed_weight, bias, "none", [], ""
    )
    return product
