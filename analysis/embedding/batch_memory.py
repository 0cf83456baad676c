"""Passes over batches; one that does not fit into memory is halved, down to a single prompt."""

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
    passes: Sequence[tuple[Batch, ...]],
    run: Callable[[tuple[Batch, ...]], object],
    done: Callable[[Batch], object],
    *,
    halve: bool = True,
) -> None:
    """``run`` each pass under the backbone's lock; one that does not fit into memory in halves.

    A message reports the first halving. Rows keep their order. The lock is held from the first
    pass to the last, and passes let others go first: between two passes a short request would
    lose its turn to a long one.

    Args:
        backbone: the decoder, whose lock is held.
        passes: the batches of each pass.
        run: runs a pass over its batches.
        done: called with each batch, or half of one, after its run.
        halve: whether a pass that does not fit may be halved.

    Raises:
        OutOfMemory: a single prompt does not fit, or a pass that may not be halved.
    """
    with backbone.lock:
        _run_in_parts(backbone, deque(passes), run, done, halve=halve)


def _run_in_parts(
    backbone: Backbone,
    queue: deque[tuple[Batch, ...]],
    run: Callable[[tuple[Batch, ...]], object],
    done: Callable[[Batch], object],
    *,
    halve: bool,
) -> None:
    reported = False
    while queue:
        batches = queue.popleft()
        if _fits(run, batches):
            for batch in batches:
                done(batch)
            continue
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        rows = sum(len(batch.rows) for batch in batches)
        width = max(batch.ids.shape[1] for batch in batches)
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
        queue.extendleft(reversed(_halves(batches)))


def _halves(batches: tuple[Batch, ...]) -> list[tuple[Batch, ...]]:
    """A pass of several rows as two: half of its batches each, or half of the rows of its one."""
    if (middle := len(batches) // 2) > 0:
        return [batches[:middle], batches[middle:]]
    rows = len(batches[0].rows)
    return [(_rows(batches[0], 0, rows // 2),), (_rows(batches[0], rows // 2, rows),)]


def _fits(run: Callable[[tuple[Batch, ...]], object], batches: tuple[Batch, ...]) -> bool:
    """Run a pass; return whether it fits into memory, when its states are freed."""
    try:
        run(batches)
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
    )
