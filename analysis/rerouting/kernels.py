"""Attention kernels that give the logits' log-sum-exp beside their output.

The closed form needs both (see ``attention``). PyTorch's public function for attention returns the
output alone; the kernels behind it, one for CPUs and three for CUDA, return both. Which of the
latter serves on a device is tried when a backbone is loaded (``backbones.probe``): a kernel that
refuses, or differs from the concatenated form, is passed over.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch.nn.functional import pad

from .masks import additive

Form = Literal["closed", "closed-flash", "closed-efficient", "closed-cudnn", "concatenated"]
"""How re-routed attention is computed; all give the same up to rounding. ``closed`` has the CPU's
kernel, and layers on another device are concatenated under it."""
Kernel = Callable[
    [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor | None, float],
    tuple[torch.Tensor, torch.Tensor],
]
"""Attention of queries (B, H, T, d) on keys and values (B, H or KV, S, d), under a mask (None for
causal; bool, True = visible, or additive, broadcast to (B, H, T, S)) and a factor of the logits:
the output (B, H, T, d), and the log-sum-exp of each query's logits."""
_ATEN = torch.ops.aten
STEP = 16
"""Rows of a mask begin at multiples of so many entries, as CUDA's kernels want it."""


def cpu_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attend by the CPU's fast kernel, whichever kernels the process lets PyTorch choose from.

    Args:
        query: (B, H, T, d).
        key: (B, KV, T, d).
        value: (B, KV, T, d), as wide as the others.
        mask: None for causal; bool (True = visible) or additive, for H heads in key and value.
        scale: factor of the logits.

    Returns:
        Output (B, H, T, d) and the logits' log-sum-exp.
    """
    if mask is not None:
        mask = additive(mask, query.dtype)
    is_causal = mask is None and query.shape[2] > 1
    return _ATEN._scaled_dot_product_flash_attention_for_cpu(  # type: ignore[no-any-return]
        query, key, value, 0.0, is_causal, attn_mask=mask, scale=scale
    )


def _efficient(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """CUDA's memory-efficient kernel, in any floating dtype and under any mask."""
    out, lse, *_ = _ATEN._scaled_dot_product_efficient_attention(
        query, key, value, _aligned(mask, query, key), True, 0.0, mask is None, scale=scale
    )
    return out, _of_queries(lse, query)


def _causal(operator: Callable[..., Any], *options: Any) -> Kernel:
    """A kernel for the causal mask alone, in half precision; the efficient one serves all others.

    Args:
        operator: PyTorch's.
        options: what it takes between the value and the factor of the logits.
    """

    def attend(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None,
        scale: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if mask is not None:
            return _efficient(query, key, value, mask, scale)
        out, lse, *_ = operator(query, key, value, *options, scale=scale)
        return out, _of_queries(lse, query)

    return attend


CUDA_KERNELS: dict[Form, Kernel] = {
    "closed-flash": _causal(_ATEN._scaled_dot_product_flash_attention, 0.0, True, False),
    "closed-cudnn": _causal(
        _ATEN._scaled_dot_product_cudnn_attention, None, True, 0.0, True, False
    ),
    "closed-efficient": _efficient,
}
"""Kernels for CUDA by the form that they serve, in the order in which they are tried."""


def kernel_for(form: Form, device: torch.device) -> Kernel | None:
    """The kernel by which a form is computed on a device; None where it is concatenated there."""
    if device.type == "cpu":
        return None if form == "concatenated" else cpu_kernel
    return CUDA_KERNELS.get(form)


def _aligned(
    mask: torch.Tensor | None, query: torch.Tensor, key: torch.Tensor
) -> torch.Tensor | None:
    """A mask (B, H, T, S) to be added, whose rows begin where the kernel wants them."""
    if mask is None:
        return None
    keys = key.shape[2]
    rows = pad(additive(mask, query.dtype), (0, -keys % STEP)).narrow(3, 0, keys)
    return rows.expand(*query.shape[:3], keys)


def _of_queries(lse: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """The log-sum-exp float32 (B, H, T), of which some kernels give more or with an axis more."""
    return lse.flatten(2).narrow(2, 0, query.shape[2]).float()
