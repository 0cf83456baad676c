"""What tests note of the passes that run."""

from collections.abc import Callable, Sequence

import pytest
import torch

from analysis.rerouting import forward_pass
from analysis.rerouting.pass_request import PassRequest, PassResult


def pass_starts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first layer of each pass from now on, in a list that grows with them."""
    starts: list[int] = []
    before_passes(monkeypatch, lambda requests: starts.append(requests[0].start))
    return starts


def before_passes(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[Sequence[PassRequest]], object]
) -> None:
    """Call ``look`` with the requests of each pass from now on, before it runs; it may raise."""
    run = forward_pass.run_jointly

    def spy(model: torch.nn.Module, requests: Sequence[PassRequest]) -> list[PassResult]:
        look(requests)
        return run(model, requests)

    monkeypatch.setattr(forward_pass, "run_jointly", spy)
