"""PyTorch's state as this project needs it, whatever the caller's is.

Some settings of PyTorch decide numbers and belong to its caller: a thread's autocast, default
device and number of threads, and a process's precision of products. Embeddings are stored, so they
may not depend on them. The former are set for a pass. The latter cannot be, as other threads would
compute with it too: what is computed with another is stored apart, and a change of it is refused.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from ..errors import ForkError, PrecisionError

_PROCESS: list[int] = []
"""The process in which PyTorch computed for this project first."""


def check_process() -> None:
    """Refuse to compute in a process forked from one that has computed: PyTorch would hang there.

    Raises:
        ForkError: it is such a process.
    """
    if not _PROCESS:
        _PROCESS.append(os.getpid())
    if _PROCESS[0] != os.getpid():
        raise ForkError(
            "This process was forked from one that had loaded a backbone, and PyTorch's threads do "
            'not survive that; start processes with multiprocessing.get_context("spawn"), or load '
            "the backbone after the fork only."
        )


@contextmanager
def steady(
    threads: int | None = None, arithmetic: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Compute in PyTorch's own defaults inside the block, and leave the caller's as they were.

    Args:
        threads: number of threads to compute with; None for the caller's.
        arithmetic: the :func:`unusual_arithmetic` to compute with; None for that at the beginning.

    Raises:
        ForkError: this process was forked from one that had computed.
        PrecisionError: the arithmetic is another at the beginning or at the end.
    """
    check_process()
    expected = unusual_arithmetic() if arithmetic is None else arithmetic
    check_arithmetic(expected)
    with ExitStack() as stack:
        for device in ("cpu", "cuda", "mps"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device() != torch.device("cpu"):
            stack.enter_context(torch.device("cpu"))
        before = torch.get_num_threads()
        if threads is not None and threads != before:
            torch.set_num_threads(threads)
            stack.callback(torch.set_num_threads, before)
        yield
        check_arithmetic(expected)


def unusual_arithmetic() -> dict[str, str]:
    """What changes numbers and holds for the process alone, where it is not PyTorch's default."""
    precision, onednn = _precision(), torch.backends.mkldnn.enabled
    return ({} if precision == "highest" else {"precision": precision}) | (
        {} if onednn else {"onednn": "off"}
    )


def check_arithmetic(expected: Mapping[str, str]) -> None:
    """Refuse to go on where a thread has changed the arithmetic of the process.

    Args:
        expected: the :func:`unusual_arithmetic` that the numbers are stored under.

    Raises:
        PrecisionError: it is another now.
    """
    if (now := unusual_arithmetic()) != expected:
        was, is_now = (
            f"precision {each.get('precision', 'highest')}, oneDNN {each.get('onednn', 'on')}"
            for each in (expected, now)
        )
        raise PrecisionError(
            f"PyTorch's arithmetic was changed after the backbone was loaded (from {was}, to "
            f"{is_now}), which gives other numbers, so nothing was kept; set it back, or load the "
            "backbone again."
        )


def _precision() -> str:
    """The precision of products of float32: ``highest`` unless someone has changed it."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:  # it was set for some backends alone
        backends: Any = torch.backends  # with attributes that its types lack
        products = backends.mkldnn.matmul, backends.cuda.matmul
        cpu, cuda = (each.fp32_precision.replace("none", "ieee") for each in products)
        return f"{cpu} on the CPU and {cuda} on CUDA"
