"""Passes of a backbone: in turns with others, and in PyTorch's own defaults.

Everything that a loaded backbone computes goes through :func:`run`.
"""

from collections.abc import Sequence
from dataclasses import replace

from ..rerouting import forward_pass
from ..rerouting.pass_request import PassRequest, PassResult
from ..rerouting.torch_state import check_arithmetic, steady
from ..runtime import events, fair_lock, visitors
from .backbone import Backbone


def run(backbone: Backbone, request: PassRequest) -> PassResult:
    """Run one pass under the backbone's lock, which other visits may have between its layers.

    Args:
        backbone: the decoder, whose lock this thread holds.
        request: what the pass runs on, starts from, changes and keeps.

    Raises:
        PlanError: see :func:`forward_pass.run`.
        ForkError: this process was forked from one that had computed.
        PrecisionError: PyTorch's arithmetic is not that of the backbone, or changed.
    """
    return run_jointly(backbone, [request])[0]


def run_jointly(backbone: Backbone, requests: Sequence[PassRequest]) -> list[PassResult]:
    """Run passes as one; each gives what :func:`run` gives for it.

    Args:
        backbone: the decoder, whose lock this thread holds; for several requests, one with no
            reason to run them separately.
        requests: see :func:`forward_pass.run_jointly`.

    Raises:
        PlanError, ForkError, PrecisionError: as :func:`run`.
    """
    cost = sum(fair_lock.cost(*request.ids.shape) for request in requests)
    tokens = sum(request.ids.numel() for request in requests)
    visitors.count_tokens(tokens)

    def before_layer() -> None:
        events.may_stop()
        check_arithmetic(backbone.arithmetic)
        backbone.lock.spend(cost)

    long_pass = backbone.lock.begin_long() if tokens > fair_lock.LONG else None
    try:
        with steady(backbone.threads, backbone.arithmetic):
            told = [replace(request, before_layer=before_layer) for request in requests]
            return forward_pass.run_jointly(backbone.model, told)
    finally:
        del long_pass
