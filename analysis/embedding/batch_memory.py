"""Runs of batches; one that does not fit into memory is halved, down to a single prompt."""

from collections import deque
from collections.abc import Callable, Sequence

import psutil
import torch

from ..backbones.backbone import Backbone
from ..errors import OutOfMemory
from ..runtime import events
from .batching import Batch


def within_memory(
    backbone: Backbone,
    batches: Sequence[Batch],
    run: Callable[[Batch], object],
    done: Callable[[Batch], object],
    *,
    halve: bool = True,
) -> None:
    """``run`` each batch under the backbone's lock; one that does not fit into memory in halves.

    A message reports the first halving. Rows keep their order. The lock is held from the first
    batch to the last, and passes let others go first: between two batches a short request would
    lose its turn to a long one.

    Args:
        backbone: the decoder, whose lock is held.
        batches: the batches.
        run: runs a batch.
        done: called with each batch, or half of one, after its run.
        halve: whether a batch that does not fit may be halved.

    Raises:
        OutOfMemory: a single prompt does not fit, or a batch that may not be halved.
    """
    with backbone.lock:
        _run_in_parts(backbone, deque(batches), run, done, halve=halve)


def _run_in_parts(
    backbone: Backbone,
    queue: deque[Batch],
    run: Callable[[Batch], object],
    done: Callable[[Batch], object],
    *,
    halve: bool,
) -> None:
    reported = False
    while queue:
        batch = queue.popleft()
        if _fits(run, batch):
            done(batch)
            continue
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        rows, width = batch.ids.shape
        if rows == 1 or not halve:
            free = _free(backbone)
            raise OutOfMemory(
                f"{rows} prompt{'s' if rows > 1 else ''} of {width:,} tokens did not fit into "
                f"memory beside {backbone.facts.name}, with {free / 1e9:.1f} GB free on "
                f"{backbone.device.value}; shorten the texts, or choose a smaller backbone or "
                "half precision."
            )
        if not reported:
            events.say(
                f"A batch of {rows} prompts of {width:,} tokens did not fit into memory and is "
                "computed in halves, which is slower and changes no result beyond rounding."
            )
            reported = True
        middle = rows // 2
        queue.extendleft((_rows(batch, middle, rows), _rows(batch, 0, middle)))


def _fits(run: Callable[[Batch], object], batch: Batch) -> bool:
    """Run a batch; return whether it fits into memory, when its states are freed."""
    try:
        run(batch)
    except (RuntimeError, MemoryError) as error:
        if not _exhausted(error):
            raise
        return False
    return True


def _exhausted(error: BaseException) -> bool:
    """Whether an error says that a GPU or the machine is out of memory."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(
        phrase in str(error).lower() for phrase in _OUT_OF_MEMORY
    )


_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "could not create a primitive")
"""Phrases in the errors of PyTorch's allocators and, last, of oneDNN."""


def _free(backbone: Backbone) -> int:
    on_gpu = backbone.device.value.startswith("cuda")
    return torch.cuda.mem_get_info()[0] if on_gpu else psutil.virtual_memory().available


def _rows(batch: Batch, begin: int, end: int) -> Batch:
    """Some rows of a batch, cut to their longest prompt."""
    rows, lengths = slice(begin, end), batch.lengths[begin:end]
    return Batch(
        batch.rows[rows],
        batch.prompts[rows],
        batch.ids[rows, : int(lengths.max())],
        lengths,
        None if batch.slots is None else batch.slots[rows],
    )
