"""Traces that are kept in memory, so that the next plan costs only the layers from its first on."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from ..backbones.backbone import Backbone
from ..rerouting.plan import PLAIN
from ..runtime.events import Progress
from ..storage import result_store
from .methods import Method
from .shared_passes import parting
from .trace import Trace

STATES, SWEPT = 256 * 1024**2, 1024**3
"""Bytes of states that one trace may keep, and one of a sweep."""
KEPT, AT_ONCE = 3, 2
"""Requests whose traces are kept, and requests that use traces at a time. More are encoded without,
which takes whole passes and gives the same: so there is an end to what states take, however many
visits there are."""
_TRACES: OrderedDict[tuple[int, str], tuple[Trace, ...]] = OrderedDict()
"""By model and request, the one used last at the end: the plain pass, and the pass under the last
plan unless that was plain."""
_TRACING = threading.Lock()
SEATS = threading.BoundedSemaphore(AT_ONCE)


def traced(backbone: Backbone, texts: Sequence[str], method: Method, progress: Progress) -> Trace:
    """The trace under the method's plan, from those that are kept; kept in place of the last."""
    plain = method.under(PLAIN)
    name = id(backbone.model), result_store.digest(list(texts), plain.identity)
    with _TRACING:
        traces = _TRACES.get(name)
    if traces is None:
        traces = (Trace(backbone, texts, plain, budget=STATES, progress=progress),)
    nearest = max(traces, key=lambda one: parting(one.plan, method.plan, backbone.layers))
    trace = nearest.under(method.plan, progress)
    with _TRACING:
        if not any(model == name[0] for model, _ in _TRACES):
            backbone.cleanups.append(partial(forget, name[0]))
        _TRACES[name] = (traces[0], *([] if trace is traces[0] else [trace]))
        _TRACES.move_to_end(name)
        while len(_TRACES) > KEPT:
            _TRACES.popitem(last=False)
    return trace


def forget(model: int | None = None) -> None:
    """Free the kept traces of the model of this ``id``, or all."""
    with _TRACING:
        for name in [name for name in _TRACES if model in (None, name[0])]:
            del _TRACES[name]
