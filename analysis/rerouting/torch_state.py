"""PyTorch's state as this project needs it, whatever the caller's is.

Some settings of PyTorch decide numbers and belong to its caller: a thread's autocast, default
device and number of threads, and a process's precision of products. Embeddings are stored, so they
may not depend on them.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from ..errors import ForkError

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
def steady(threads: int | None = None) -> Iterator[None]:
    """Compute in PyTorch's own defaults inside the block, and leave the caller's as they were.

    Args:
        threads: number of threads to compute with; None for the caller's.

    Raises:
        ForkError: this process was forked from one that had computed.
    """
    check_process()
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


def unusual_arithmetic() -> dict[str, str]:
    """What changes numbers and holds for the process alone, where it is not PyTorch's default.

    It cannot be set for a pass, as other threads would compute with it too; so what is computed
    with it is stored apart.
    """
    precision = torch.get_float32_matmul_precision()
    onednn = torch.backends.mkldnn.enabled
    return ({} if precision == "highest" else {"precision": precision}) | (
        {} if onednn else {"onednn": "off"}
    )
