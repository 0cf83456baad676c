"""Passes of a backbone: in turns with others, and in PyTorch's own defaults.

Everything that a loaded backbone computes goes through :func:`run`.
"""

from dataclasses import replace

from ..rerouting import forward_pass
from ..rerouting.forward_pass import PassRequest, PassResult
from ..rerouting.torch_state import check_arithmetic, steady
from ..runtime import fair_lock, visitors
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
    rows, width = request.ids.shape
    cost = fair_lock.cost(rows, width)
    visitors.count_tokens(rows * width)

    def before_layer() -> None:
        check_arithmetic(backbone.arithmetic)
        backbone.lock.spend(cost)

    long_pass = backbone.lock.begin_long() if rows * width > fair_lock.LONG else None
    try:
        with steady(backbone.threads, backbone.arithmetic):
            return forward_pass.run(backbone.model, replace(request, before_layer=before_layer))
    finally:
        del long_pass
