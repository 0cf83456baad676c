"""Traces kept in memory, so that the next plan costs only the layers from its first one on."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from ..backbones.backbone import Backbone
from ..rerouting.plan import PLAIN
from ..runtime.events import Progress
from ..storage import result_store
from .methods import Method
from .shared_passes import first_difference
from .trace import Trace

TRACE_BYTES, SWEEP_BYTES = 256 * 1024**2, 1024**3
"""Bytes of states that a trace may keep, and the trace of a sweep."""
MAX_TRACED, AT_ONCE = 3, 2
"""Requests whose traces are kept, and requests that use traces at a time. Further ones are encoded
by full passes, with the same result, so memory is bounded however many visits there are."""
_TRACES: OrderedDict[tuple[int, str], tuple[Trace, ...]] = OrderedDict()
"""By model and request, the last used at the end: the plain pass, and the pass under the last plan
unless that was plain."""
_TRACING = threading.Lock()
SEATS = threading.BoundedSemaphore(AT_ONCE)


def traced(backbone: Backbone, texts: Sequence[str], method: Method, progress: Progress) -> Trace:
    """The trace under the method's plan, from the nearest kept one; it replaces the last plan's.

    Args:
        backbone: the decoder.
        texts: N texts.
        method: a method that re-routes, with its plan.
        progress: counts distinct prompts.
    """
    plain = method.under(PLAIN)
    name = (
        id(backbone.model),
        result_store.digest(list(texts), plain.identity, backbone.special_tokens),
    )
    with _TRACING:
        traces = _TRACES.get(name)
    if traces is None:
        traces = (Trace(backbone, texts, plain, budget=TRACE_BYTES, progress=progress),)
    nearest = max(
        traces, key=lambda stored: first_difference(stored.plan, method.plan, backbone.layers)
    )
    trace = nearest.under(method.plan, progress)
    with _TRACING:
        if not any(model == name[0] for model, _ in _TRACES):
            backbone.cleanups.append(partial(forget, name[0]))
        _TRACES[name] = (traces[0], *([] if trace is traces[0] else [trace]))
        _TRACES.move_to_end(name)
        while len(_TRACES) > MAX_TRACED:
            _TRACES.popitem(last=False)
    return trace


@contextmanager
def sweep_budget() -> Iterator[int]:
    """The bytes that the traces of a sweep may keep inside the block; 0 where all seats are taken.

    With 0, a trace keeps no states but the first layer's, and each plan is a full pass.
    """
    may_trace = SEATS.acquire(blocking=False)
    try:
        yield SWEEP_BYTES if may_trace else 0
    finally:
        if may_trace:
            SEATS.release()


def forget(model: int | None = None) -> None:
    """Free the kept traces of the model of this ``id``, or all."""
    with _TRACING:
        for name in [name for name in _TRACES if model in (None, name[0])]:
            del _TRACES[name]
